"""The CustomResourceDefinitions, generated from the models.

`python -m proxmox_offerings.resources.crd DIR` writes them; with `--check` it only tells whether those in DIR are in
step.

They need Kubernetes 1.34 or later: before kubernetes/kubernetes#132837, the API server estimated the cost of rules on
amounts without looking at their maxLength, and refuses the schema as too expensive.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from proxmox_offerings.resources.group import GROUP, VERSION
from proxmox_offerings.resources.offering import Offering
from proxmox_offerings.resources.proxmoxhost import ProxmoxHost
from proxmox_offerings.resources.resource import Resource
from proxmox_offerings.resources.structural import Schema, structural_schema

_HEADER: Final = "# Generated from the models in proxmox_offerings.resources by `make crds`. Do not edit.\n"
_CATEGORY: Final = "proxmox-offerings"
"""`kubectl get proxmox-offerings` shows both kinds. `all` is left to workloads: there may be thousands of Offerings."""


def crds() -> dict[str, str]:
    """File name -> YAML text of each CustomResourceDefinition."""
    definitions = (_proxmoxhost(), _offering())
    return {
        f"{GROUP}_{definition['spec']['names']['plural']}.yaml": _HEADER + _as_yaml(definition)
        for definition in definitions
    }


def _proxmoxhost() -> dict[str, Any]:
    return _definition(
        ProxmoxHost,
        short_names=["pmh"],
        columns=[
            _column(
                "Ready",
                '.status.conditions[?(@.type=="Ready")].status',
                "Whether its Offerings can be kept up to date.",
            ),
            _column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why it is ready or not."),
            _column("Nodes", ".status.nodeSummary", "Nodes that can be sold, of all nodes."),
            _column("Offerings", ".status.offerings.total", "Offerings that it has.", type_="integer"),
            _column("In stock", ".status.offerings.inStock", "Offerings with stock InStock.", type_="integer"),
            _column("Version", ".status.proxmox.version", "Version of Proxmox VE."),
            _column("Refreshed", ".status.lastRefreshTime", "How long ago capacity was read.", type_="date"),
            _column("Age", ".metadata.creationTimestamp", "How long ago it was created.", type_="date"),
            _column("Cluster", ".status.proxmox.clusterName", "Name of the cluster.", wide=True),
            _column("Country", ".spec.location.country", "Where the cluster stands.", wide=True),
            _column(
                "Message", '.status.conditions[?(@.type=="Ready")].message', "The reason as a sentence.", wide=True
            ),
        ],
    )


def _offering() -> dict[str, Any]:
    return _definition(
        Offering,
        short_names=["offer", "offers"],  # never "off": YAML reads that as false
        columns=[
            _column("Tier", ".spec.tier", "Name of the tier."),
            _column("vCPU", ".spec.cpu", "vCPUs of each unit.", type_="integer"),
            _column("Memory", ".spec.memory", "Memory of each unit."),
            _column("Disk", ".spec.disk", "Disk of each unit."),
            _column("GPU", ".spec.gpu.count", "Graphics cards of each unit.", type_="integer"),
            _column("Price", ".spec.price.monthly", "For a month."),
            _column("Stock", ".status.stock", "Whether more units can be sold."),
            _column("Available", ".status.available", "Units that fit.", type_="integer"),
            _column("Limit", ".status.limitingResource", "What runs out first."),
            _column("Age", ".metadata.creationTimestamp", "How long ago it was created.", type_="date"),
            _column("Currency", ".spec.price.currency", "What Price is in.", wide=True),
            _column("Host", ".spec.hostRef.name", "The ProxmoxHost.", wide=True),
            _column("Country", ".spec.location.country", "Where the cluster stands.", wide=True),
            _column("Valid until", ".status.validUntil", "From then on nobody may rely on it.", wide=True),
            _column("Message", ".status.message", "The statement as a sentence.", wide=True),
        ],
        selectable=["spec.hostRef.name", "spec.tier", "spec.productType", "spec.location.country", "status.stock"],
    )


def _definition(
    model: type[Resource],
    *,
    short_names: list[str],
    columns: list[dict[str, Any]],
    selectable: list[str] | None = None,
) -> dict[str, Any]:
    version: dict[str, Any] = {"name": VERSION, "served": True, "storage": True, "subresources": {"status": {}}}
    version["additionalPrinterColumns"] = columns
    if selectable:
        version["selectableFields"] = [{"jsonPath": f".{path}"} for path in selectable]
    version["schema"] = {"openAPIV3Schema": _root(model)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{model.PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": model.KIND,
                "listKind": f"{model.KIND}List",
                "plural": model.PLURAL,
                "singular": model.KIND.lower(),
                "shortNames": short_names,
                "categories": [_CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _root(model: type[Resource]) -> Schema:
    """The model's schema with the three fields that the API server itself describes left to it."""
    schema = structural_schema(model, without=("apiVersion", "kind", "metadata"))
    schema["properties"] = {
        "apiVersion": {"type": "string", "description": f"Always {GROUP}/{VERSION}."},
        "kind": {"type": "string", "description": f"Always {model.KIND}."},
        "metadata": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
        },  # named, so that a rule can blame it
    } | schema["properties"]
    schema["required"] = ["spec"]
    return schema


def _column(name: str, path: str, description: str, *, type_: str = "string", wide: bool = False) -> dict[str, Any]:
    return {"name": name, "type": type_, "description": description, "jsonPath": path} | (
        {"priority": 1} if wide else {}
    )


def _as_yaml(definition: dict[str, Any]) -> str:
    return yaml.dump(definition, Dumper=_NoAliases, sort_keys=False, width=140, allow_unicode=True)


class _NoAliases(yaml.SafeDumper):
    """Repeats equal parts instead of pointing at them."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 (the name is PyYAML's)
        return True


def main(words: Sequence[str] | None = None) -> None:
    """Write the files, or with --check exit 1 naming those that are out of step."""
    arguments = argparse.ArgumentParser(prog="python -m proxmox_offerings.resources.crd", description=__doc__)
    arguments.add_argument("directory", type=Path)
    arguments.add_argument("--check", action="store_true", help="write nothing, only compare")
    chosen = arguments.parse_args(words)
    stale = {
        chosen.directory / name: text
        for name, text in crds().items()
        if not (chosen.directory / name).is_file() or (chosen.directory / name).read_text() != text
    }
    if chosen.check and stale:
        sys.exit("out of step with the models, run `make crds`: " + ", ".join(map(str, stale)))
    for path, text in stale.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
