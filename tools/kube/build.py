"""The control plane's programs: etcd, kube-apiserver, kube-controller-manager and kubectl, from their Go modules.

`KUBEBUILDER_ASSETS`, as envtest knows it, is used as it is instead of building.

`python -m tools.kube.build` builds ahead of time and prints the directory.
"""

import os
import sys
from pathlib import Path

from tools.gobuild import BuildError, Log, Programs, required, run, to_stderr

__all__ = ["BuildError", "Log", "to_stderr", "tools"]

MODULE = Path(__file__).resolve().parent
KUBERNETES = "k8s.io/kubernetes"
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
REQUIRED_ASSETS = ("etcd", "kube-apiserver", "kubectl")
"""What `KUBEBUILDER_ASSETS` must hold. envtest's own has no kube-controller-manager: then nothing collects garbage."""

VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def tools(log: Log = to_stderr) -> Path:
    """The directory with the binaries, built now where it does not exist yet.

    Raises BuildError.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return _checked_assets(Path(assets))
    stamps = _version_stamps(required(MODULE, KUBERNETES))
    return Programs(
        title="the control plane",
        module=MODULE,
        packages=PACKAGES,
        leading=KUBERNETES,
        stamps={name: stamps for name, package in PACKAGES.items() if package.startswith("k8s.io/")},
    ).directory(log)


def _checked_assets(directory: Path) -> Path:
    missing = [name for name in REQUIRED_ASSETS if not os.access(directory / name, os.X_OK)]
    if missing:
        raise BuildError(
            f"KUBEBUILDER_ASSETS is {directory}, which has no executable {' and no '.join(missing)}: "
            "correct it, or unset it to have the binaries built"
        )
    return directory.resolve()


def _version_stamps(version: str) -> dict[str, str]:
    """Without these the server calls itself v0.0.0, which Helm's and other clients' version checks refuse."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    return {f"{package}.{name}": value for package in VERSION_PACKAGES for name, value in values.items()}


if __name__ == "__main__":
    sys.exit(run(tools))
