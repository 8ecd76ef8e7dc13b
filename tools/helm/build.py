"""Helm 4 and Helm 3, from their Go modules: what the chart is rendered and tested with.

`python -m tools.helm.build` builds ahead of time and prints the directory with `helm4` and `helm3`.
"""

import sys
from pathlib import Path

from tools.gobuild import Log, Programs, required, run, to_stderr

MODULE = Path(__file__).resolve().parent
HELM4, HELM3 = "helm.sh/helm/v4", "helm.sh/helm/v3"


def tools(log: Log = to_stderr) -> Path:
    """The directory with `helm4` and `helm3`, built now where it does not exist yet.

    Raises BuildError.
    """
    # Helm 3 takes the Kubernetes version of `helm template` from the linker, and else believes in 1.20; Helm 4 finds it by itself.
    minor = required(MODULE, "k8s.io/client-go").split(".")[1]
    versions = {
        f"helm.sh/helm/v3/pkg/{package}.k8sVersionM{part}": value
        for package in ("chartutil", "lint/rules")
        for part, value in (("ajor", "1"), ("inor", minor))
    }
    return Programs(
        title="Helm",
        module=MODULE,
        packages={"helm4": f"{HELM4}/cmd/helm", "helm3": f"{HELM3}/cmd/helm"},
        leading=HELM4,
        stamps={
            "helm4": {f"{HELM4}/internal/version.version": required(MODULE, HELM4)},
            "helm3": {f"{HELM3}/internal/version.version": required(MODULE, HELM3), **versions},
        },
    ).directory(log)


if __name__ == "__main__":
    sys.exit(run(tools))
