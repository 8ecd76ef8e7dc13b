"""The generated CRDs must be what an API server takes, teach whoever reads them, and be in step with the models."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml

from proxmox_offerings.resources import Offering, ProxmoxHost
from proxmox_offerings.resources.crd import crds, main
from unit.resources.schemas import Schema, example, nodes, paths, schemas

CRDS = Path(__file__).resolve().parents[3] / "crds"
EVERYWHERE = [(f"{kind}{path}", schema) for kind, root in schemas().items() for path, schema in nodes(root)]
SPELLED_BY_THE_API_SERVER = (".metadata", ".metadata.name")
BY_PEOPLE = [(path, schema) for path, schema in EVERYWHERE if ".spec." in path]


def where(bad: Callable[[Schema], bool], among: Iterable[tuple[str, Schema]] = EVERYWHERE) -> list[str]:
    """The paths whose schema is `bad`."""
    return [path for path, schema in among if bad(schema)]


def test_schemas_are_structural() -> None:
    """One type spelled out in place; the API server refuses or ignores everything else."""
    foreign = {"$ref", "$defs", "title", "const", "anyOf", "allOf", "oneOf", "prefixItems", "discriminator", "nullable"}
    foreign |= {"exclusiveMinimum", "exclusiveMaximum", "additionalProperties"}
    assert not where(lambda schema: bool(foreign & schema.keys()))
    assert not where(lambda schema: ("type" in schema) == ("x-kubernetes-int-or-string" in schema))
    assert not where(lambda schema: schema.get("default", "none") is None)


def test_there_are_no_floats() -> None:
    """0.1 + 0.2 is no price and no amount of memory."""
    assert not where(lambda schema: schema.get("type") == "number")


def test_every_field_is_described() -> None:
    """`kubectl explain` is the reference: a field without a sentence cannot be used."""
    fields = [(path, of) for path, of in EVERYWHERE if not path.endswith(("[]", *SPELLED_BY_THE_API_SERVER))]
    assert not where(lambda schema: len(schema.get("description", "")) < len("Its name."), fields)
    assert not where(lambda schema: "\n" in schema["description"].replace("\n\n", ""), fields)


def test_every_list_says_how_it_merges() -> None:
    lists = [(path, schema) for path, schema in EVERYWHERE if schema.get("type") == "array"]
    assert len(lists) > 20
    keyed = [(path, schema) for path, schema in lists if "x-kubernetes-list-map-keys" in schema]
    assert not where(lambda schema: schema["x-kubernetes-list-type"] != "map", keyed)
    assert not where(lambda schema: schema["x-kubernetes-list-type"] not in ("map", "atomic"), lists)


def test_everything_that_people_write_is_bounded() -> None:
    """The API server estimates the cost of rules from the bounds, and refuses a schema that could become expensive."""
    bound = {"array": "maxItems", "string": "maxLength", "integer": "minimum", None: "maxLength"}
    free = [(path, of) for path, of in BY_PEOPLE if of.get("type") in bound and "enum" not in of]
    assert len(free) > 50
    assert not where(lambda schema: bound[schema.get("type")] not in schema, free)


def test_every_amount_that_people_write_has_its_form_and_its_range_checked() -> None:
    amounts = [(path, schema) for path, schema in BY_PEOPLE if "x-kubernetes-int-or-string" in schema]
    assert len(amounts) == 10
    assert not where(lambda schema: len(schema["x-kubernetes-validations"]) != 2, amounts)


def test_lists_whose_order_decides_are_atomic_and_the_rest_are_maps() -> None:
    merging = {
        f"{kind}{path}": schema.get("x-kubernetes-list-map-keys")
        for kind, root in schemas().items()
        for path, schema in nodes(root)
        if schema.get("type") == "array" and schema["items"].get("type") == "object"
    }
    assert merging == {
        "ProxmoxHost.spec.allocation.overrides": None,
        "ProxmoxHost.spec.storageRules": None,
        "ProxmoxHost.spec.operatingSystems": None,
        "ProxmoxHost.spec.tiers": ["name"],
        "ProxmoxHost.spec.pricing.perGiBDisk": None,
        "ProxmoxHost.spec.pricing.perGPU": None,
        "ProxmoxHost.status.conditions": ["type"],
        "ProxmoxHost.status.nodes": ["name"],
        "ProxmoxHost.status.nodes[].gpus": ["model"],
        "ProxmoxHost.status.nodes[].gpuProfiles": ["profile", "model"],
        "ProxmoxHost.status.storages": ["name", "class"],
        "ProxmoxHost.status.missingPrivileges": ["path", "privilege"],
        "ProxmoxHost.status.tiers": ["name"],
        "ProxmoxHost.status.unpriced": ["tier"],
        "Offering.status.nodes": ["name"],
        "Offering.status.operatingSystems": ["name", "template"],
        "Offering.status.conditions": ["type"],
    }


def test_defaults_are_those_of_the_contract() -> None:
    """Changing one changes what is sold on every cluster that did not say otherwise."""
    defaults = {
        path: schema["default"]
        for path, schema in nodes(schemas()["ProxmoxHost"])
        if "default" in schema and schema["default"] != {} and not path.startswith(".status")
    }
    assert defaults == {
        ".spec.tls.insecureSkipVerify": False,
        ".spec.refreshIntervalSeconds": 60,
        ".spec.inventoryIntervalSeconds": 600,
        ".spec.validitySeconds": 600,
        ".spec.suspend": False,
        ".spec.nodes.include": ["*"],
        ".spec.storages.include": ["*"],
        ".spec.allocation.cpu.unit": "Thread",
        ".spec.allocation.cpu.percent": 400,
        ".spec.allocation.cpu.reserved": "0",
        ".spec.allocation.cpu.dedicatedTags": ["dedicated"],
        ".spec.allocation.memory.percent": 100,
        ".spec.allocation.memory.reserved": "2Gi",
        ".spec.allocation.memory.reservedPercent": 0,
        ".spec.allocation.memory.guestOverhead": "0",
        ".spec.allocation.storage.reservedPercent": 10,
        ".spec.allocation.storage.accounting": "Free",
        ".spec.allocation.storage.percent": 100,
        ".spec.allocation.stoppedGuests": "Count",
        ".spec.allocation.unlimitedContainers": "Ignore",
        ".spec.allocation.failoverNodes": 0,
        ".spec.stock.lowThreshold": 2,
        ".spec.stock.restockThreshold": 1,
        ".spec.tiers[].virtualization": "KVM",
        ".spec.tiers[].architecture": "amd64",
        ".spec.tiers[].dedicatedCPU": False,
        ".spec.tiers[].gpu.count": 1,
        ".spec.tiers[].gpu.models": ["*"],
        ".spec.tiers[].nodes.include": ["*"],
        ".spec.tiers[].price.setup": "0.00",
        ".spec.pricing.base": "0",
        ".spec.pricing.perGPU[].models": ["*"],
        ".spec.pricing.setup": "0.00",
        ".spec.pricing.marginPercent": 0,
        ".spec.pricing.rounding.step": "0.01",
        ".spec.pricing.rounding.ending": "0",
    }


def test_objects_with_defaults_inside_appear_by_themselves() -> None:
    """The API server fills in the fields of an object only if the object is there."""
    for path, schema in nodes(schemas()["ProxmoxHost"]):
        inside = any("default" in part for part in schema.get("properties", {}).values())
        optional = path not in (
            "",
            ".spec",
            ".status",
            ".spec.tiers[].gpu",
            ".spec.tiers[].price",
            ".spec.pricing",
        ) and not path.endswith("[]")
        if schema.get("type") == "object" and inside and optional:
            assert schema.get("default") == {}, path


@pytest.mark.parametrize("kind", ["ProxmoxHost", "Offering"])
def test_examples_have_a_value_for_every_field(kind: str) -> None:
    """The tests against a real API server are only as complete as these examples."""
    lacking = {path for path, _ in nodes(schemas()[kind])} - set(paths(example(kind)))
    assert lacking <= {".spec.tls.caBundle"}, "it cannot stand beside fingerprints"


@pytest.mark.parametrize("model", [ProxmoxHost, Offering])
def test_models_keep_every_field_of_the_examples(model: type[ProxmoxHost] | type[Offering]) -> None:
    written = example(model.KIND)
    kept = model.parse(written).to_wire()
    assert set(paths(written)) <= set(paths(kept))
    assert model.parse(kept) == model.parse(written)
    assert model.parse(kept).to_wire() == kept


def test_readers_of_offerings_are_told_the_rule() -> None:
    offering = schemas()["Offering"]
    for described in (offering, offering["properties"]["status"]):
        assert "stock" in described["description"]
        assert "InStock or LowStock" in described["description"]
        assert "before" in described["description"]
        assert "validUntil" in described["description"]
    assert "No status means not offered." in offering["description"]


def test_sellers_of_dedicated_units_are_told_of_the_tag() -> None:
    dedicated = [
        schema for root in schemas().values() for path, schema in nodes(root) if path.endswith(".dedicatedCPU")
    ]
    assert len(dedicated) == 2
    for schema in dedicated:
        assert "must be created with one of the tags" in schema["description"]


def test_yaml_reads_our_words_as_words() -> None:
    """A short name `off` was a boolean once. Only the status of conditions must be quoted, as everywhere in Kubernetes."""
    names = [yaml.safe_load(text)["spec"]["names"] for text in crds().values()]
    words = [short for name in names for short in name["shortNames"]]
    words += [
        word for path, of in EVERYWHERE if not path.endswith("conditions[].status") for word in of.get("enum", ())
    ]
    assert len(words) > 30
    assert [word for word in words if yaml.safe_load(word) != word] == []


def test_committed_files_are_in_step() -> None:
    assert {path.name: path.read_text() for path in CRDS.glob("*.yaml")} == crds(), "run `make crds`"


def test_check_tells_what_is_out_of_step_and_writing_mends_it(tmp_path: Path) -> None:
    main([str(tmp_path)])
    main([str(tmp_path), "--check"])
    stale = tmp_path / "proxmox-offerings.io_offerings.yaml"
    stale.write_text(stale.read_text() + "\n")
    with pytest.raises(SystemExit, match=r"out of step.*run `make crds`: [^,]*_offerings\.yaml$"):
        main([str(tmp_path), "--check"])
    assert stale.read_text().endswith("\n\n"), "checking must not write"
    main([str(tmp_path)])
    main([str(tmp_path), "--check"])
