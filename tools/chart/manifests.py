"""Renders `manifests/` from the chart, for people without Helm: `python -m tools.chart.manifests`, with `--check` only compares.

What only Helm needs (its labels, the chart's name) is left out, and so is the namespace, which each kustomization.yaml sets: the
namespaced operator asks its Pod for it.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.chart.generate import CHART, ROOT, settle
from tools.gobuild import BuildError
from tools.helm import build

MANIFESTS = ROOT / "manifests"
NAME = "proxmox-offerings"
HEADER = "# Rendered from helm/proxmox-offerings by `make chart`. Do not edit.\n"
VARIANTS = {
    MANIFESTS: ("crds.keep=false",),
    # For people with rights in their own namespace only: nothing in it belongs to the whole cluster.
    MANIFESTS / "namespaced": (
        "crds.enabled=false",
        "rbac.aggregateClusterRoles=false",
        f"watchNamespaces[0]={NAME}",
        "extraEnv[0].name=PROXMOX_OFFERINGS_NAMESPACES",
        "extraEnv[0].valueFrom.fieldRef.fieldPath=metadata.namespace",
    ),
}
FILES = {
    "CustomResourceDefinition": "crds.yaml",
    "ServiceAccount": "rbac.yaml",
    "ClusterRole": "rbac.yaml",
    "ClusterRoleBinding": "rbac.yaml",
    "Role": "rbac.yaml",
    "RoleBinding": "rbac.yaml",
    "Deployment": "deployment.yaml",
    "PodDisruptionBudget": "deployment.yaml",
}
MONITORING = {name: CHART / "files" / name for name in ("alerts.yaml", "dashboard.json")}
"""For people without Helm or without the Prometheus operator: as they are in the chart."""
HELMS_OWN = r"^# Source: .*\n|^ +app\.kubernetes\.io/managed-by: Helm\n|^ +helm\.sh/chart: .*\n"
NAMESPACE = rf"^  namespace: {NAME}\n(?=  labels:)|^ +- --namespace={NAME}\n"


def rendered() -> dict[Path, str]:
    """What each file has to hold. Raises BuildError, and CalledProcessError if the chart does not render."""
    helm = build.tools() / "helm4"
    files: dict[Path, str] = {}
    for directory, settings in VARIANTS.items():
        for document in documents(template(helm, settings)):
            path = directory / file_of(document)
            files[path] = f"{files[path]}---\n{document}" if path in files else HEADER + document
    for name, copied in MONITORING.items():
        files[MANIFESTS / "monitoring" / name] = copied.read_text(encoding="utf-8")
    return files


def file_of(document: str) -> str:
    """Where it belongs: rights of the operator and rights of people apart."""
    if "rbac.authorization.k8s.io/aggregate-to-" in document:
        return "rbac-users.yaml"
    kind = re.search(r"^kind: (\S+)", document, re.MULTILINE)
    assert kind is not None
    return FILES[kind[1]]


def template(helm: Path, settings: tuple[str, ...]) -> str:
    """What Helm makes of the chart."""
    arguments = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [helm, "template", NAME, CHART, "--namespace", NAME, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def documents(text: str) -> Iterator[str]:
    """The documents, without what only Helm needs."""
    for document in re.split(r"^---\n", text, flags=re.MULTILINE):
        if document.strip():
            bare = re.sub(HELMS_OWN, "", document, flags=re.MULTILINE)
            # The account keeps it: by that kustomize knows whom the bindings mean, and changes both.
            if "kind: ServiceAccount\nmetadata" not in bare:
                bare = re.sub(NAMESPACE, "", bare, flags=re.MULTILINE)
            yield bare.strip() + "\n"


def main() -> None:
    """Write, or compare."""
    arguments = argparse.ArgumentParser(prog="python -m tools.chart.manifests", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing, only compare")
    chosen = arguments.parse_args()
    try:
        files = rendered()
    except BuildError as problem:
        sys.exit(f"error: no Helm to render the manifests with: {problem}")
    except subprocess.CalledProcessError as problem:
        sys.exit(problem.returncode)
    settle(files, check=chosen.check, remedy="make chart")


if __name__ == "__main__":
    main()
