"""A change of the CustomResourceDefinitions that breaks stored objects, files or readers must not get past CI; one that only adds must."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.crd_compat import ACCEPTED, CRDS, incompatible, problems, releases

from proxmox_offerings.resources.crd import crds

Part = dict[str, Any]

DEFINITIONS = {one["spec"]["names"]["kind"]: one for one in map(yaml.safe_load, crds().values())}


def at(kind: str, path: str, change: Callable[[Part], object]) -> Callable[[dict[str, Part]], object]:
    """A change of the schema at `path`."""

    def apply(definitions: dict[str, Part]) -> None:
        part = version(definitions[kind])["schema"]["openAPIV3Schema"]
        for name in path.split("."):
            part = part["properties"][name.removesuffix("[]")]
            part = part["items"] if name.endswith("[]") else part
        change(part)

    return apply


def version(definition: Part) -> Part:
    found: Part = definition["spec"]["versions"][0]
    return found


def host(path: str, change: Callable[[Part], object]) -> Callable[[dict[str, Part]], object]:
    return at("ProxmoxHost", path, change)


def offering(path: str, change: Callable[[Part], object]) -> Callable[[dict[str, Part]], object]:
    return at("Offering", path, change)


NEW_OBJECT = {
    "type": "object",
    "required": ["currency"],
    "properties": {"currency": {"type": "string", "maxLength": 3, "default": "EUR"}},
    "x-kubernetes-validations": [{"rule": "self.currency != ''"}],
}

BREAKS = {
    "a field of the spec is gone": host("spec", lambda s: s["properties"].pop("bridge")),
    "a field deep inside is gone": host("spec.tiers[].gpu", lambda s: s["properties"].pop("profile")),
    "a field of the status is gone": offering("status", lambda s: s["properties"].pop("validUntil")),
    "another type": host("spec.bridge", lambda s: s.update(type="integer")),
    "an amount takes no numbers": host(
        "spec.tiers[].memory", lambda s: (s.pop("x-kubernetes-int-or-string"), s.update(type="string"))
    ),
    "a higher minimum": host("spec.refreshIntervalSeconds", lambda s: s.update(minimum=s["minimum"] + 1)),
    "a lower maximum": host("spec.refreshIntervalSeconds", lambda s: s.update(maximum=s["maximum"] - 1)),
    "a new bound": offering("status.message", lambda s: s.update(minLength=1)),
    "shorter": host("spec.bridge", lambda s: s.update(maxLength=s["maxLength"] - 1)),
    "fewer": host("spec.tiers", lambda s: s.update(maxItems=s["maxItems"] - 1)),
    "a value less": host("spec.allocation.stoppedGuests", lambda s: s["enum"].pop()),
    "values named where all were": host("spec.bridge", lambda s: s.update(enum=["vmbr0"])),
    "another pattern": host("spec.bridge", lambda s: s.update(pattern="^vmbr")),
    "another form": offering("status.validUntil", lambda s: s.update(format="date")),
    "a field that must be set": host("spec", lambda s: s["required"].append("bridge")),
    "a field of the status that may be missing": host("status.conditions[]", lambda s: s["required"].remove("reason")),
    "a field of Offerings that may be missing": offering("spec", lambda s: s["required"].remove("tier")),
    "a new rule": host("spec.tls", lambda s: s["x-kubernetes-validations"].append({"rule": "self.x"})),
    "a rule that asks for more": host(
        "spec.tls", lambda s: s["x-kubernetes-validations"][0].update(rule="has(self.caBundle)")
    ),
    "a first rule": host("spec.stock", lambda s: s.update({"x-kubernetes-validations": [{"rule": "self.x"}]})),
    "another way to merge": host("spec.tiers", lambda s: s.update({"x-kubernetes-list-type": "atomic"})),
    "other keys to merge by": host("spec.tiers", lambda s: s["x-kubernetes-list-map-keys"].append("cpu")),
    "another default": host("spec.suspend", lambda s: s.update(default=True)),
    "a default less": host("spec.suspend", lambda s: s.pop("default")),
    "a default where there was none": host("spec.bridge", lambda s: s.update(default="vmbr0")),
    "something that nobody thought of": host("spec.bridge", lambda s: s.update({"x-kubernetes-new": 1})),
    "a column less": lambda d: version(d["Offering"])["additionalPrinterColumns"].pop(),
    "a column hidden": lambda d: version(d["Offering"])["additionalPrinterColumns"][0].update(priority=1),
    "a column of something else": lambda d: version(d["Offering"])["additionalPrinterColumns"][0].update(jsonPath=".x"),
    "a field less to select by": lambda d: version(d["Offering"])["selectableFields"].pop(),
    "a short name less": lambda d: d["ProxmoxHost"]["spec"]["names"].update(shortNames=[]),
    "a category less": lambda d: d["ProxmoxHost"]["spec"]["names"].update(categories=[]),
    "no subresource": lambda d: version(d["Offering"]).pop("subresources"),
    "another scope": lambda d: d["ProxmoxHost"]["spec"].update(scope="Cluster"),
    "another version": lambda d: version(d["ProxmoxHost"]).update(name="v1"),
    "a version that is not served": lambda d: version(d["ProxmoxHost"]).update(served=False),
}

FITS = {
    "nothing": lambda _: None,
    "a field": host("spec", lambda s: s["properties"].update(note={"type": "string", "maxLength": 9})),
    "an object with demands of its own": host("spec", lambda s: s["properties"].update(future=NEW_OBJECT)),
    "an object with defaults inside appears by itself": host("spec.location", lambda s: s.update(default={})),
    "a wider range": host("spec.refreshIntervalSeconds", lambda s: s.update(minimum=1, maximum=10**6)),
    "no bound": host("spec.bridge", lambda s: s.pop("maxLength")),
    "a value more": host("spec.allocation.stoppedGuests", lambda s: s["enum"].append("Ask")),
    "any value": host("spec.allocation.stoppedGuests", lambda s: s.pop("enum")),
    "a field of the spec that may be left out": host("spec", lambda s: s["required"].remove("endpoints")),
    "a rule less": host("spec.tls", lambda s: s["x-kubernetes-validations"].pop()),
    "a rule in other words": host("spec.tls", lambda s: s["x-kubernetes-validations"][0].update(message="other")),
    "a description": host("spec.bridge", lambda s: s.update(description="other")),
    "a column more": lambda d: version(d["Offering"])["additionalPrinterColumns"].append(
        {"name": "X", "type": "string", "jsonPath": ".x"}
    ),
    "a version more": lambda d: d["Offering"]["spec"]["versions"].append({"name": "v1", "served": True}),
}


def findings(change: Callable[[dict[str, Part]], object]) -> list[str]:
    changed = copy.deepcopy(DEFINITIONS)
    change(changed)
    return [finding for kind, old in DEFINITIONS.items() for finding in incompatible(old, changed[kind])]


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_what_breaks_is_found(change: Callable[[dict[str, Part]], object]) -> None:
    assert findings(change)


@pytest.mark.parametrize("change", FITS.values(), ids=FITS)
def test_what_only_adds_or_widens_is_no_finding(change: Callable[[dict[str, Part]], object]) -> None:
    assert findings(change) == []


def test_a_finding_says_where_and_what() -> None:
    assert findings(BREAKS["a field deep inside is gone"]) == [
        "ProxmoxHost.spec.tiers[].gpu.profile is gone; stored values are dropped, and files that name it are refused"
    ]


def test_the_definitions_of_this_checkout_fit_each_release() -> None:
    assert releases()
    assert {baseline.name: problems(baseline) for baseline in releases()} == {one.name: [] for one in releases()}


@pytest.mark.parametrize(
    ("accepted", "left"),
    [
        ({}, 1),
        ({"ProxmoxHost: categories lost proxmox-offerings": "renamed before anybody used it"}, 0),
        ({"ProxmoxHost: categories lost proxmox-offerings": ""}, 1),
        ({"ProxmoxHost: categories lost proxmox-offerings": "why", "ProxmoxHost: scope": "why"}, 1),
    ],
    ids=["nothing", "with its reason", "without a reason", "in vain"],
)
def test_what_is_no_break_after_all_is_accepted_by_name_and_with_a_reason(
    tmp_path: Path, accepted: dict[str, str], left: int
) -> None:
    (tmp_path / "crds").mkdir()
    for file in CRDS.glob("*.yaml"):
        definition = yaml.safe_load(file.read_text())
        if definition["spec"]["names"]["kind"] == "ProxmoxHost":
            definition["spec"]["names"]["categories"].append("all")
        (tmp_path / "crds" / file.name).write_text(yaml.safe_dump(definition))
    (tmp_path / ACCEPTED).write_text(
        yaml.safe_dump({k.replace("proxmox-offerings", "all"): v for k, v in accepted.items()})
    )
    assert len(problems(tmp_path)) == left


def test_a_kind_that_is_gone_is_found(tmp_path: Path) -> None:
    assert len(problems(CRDS.parent / "tests" / "golden" / "v0.1.0", present=tmp_path)) == len(DEFINITIONS)
