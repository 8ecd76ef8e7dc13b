"""Every field of ProxmoxHost.spec, one after another: what is accepted shows, what is refused is told where, and nothing breaks the plan."""

import itertools
import re
from collections.abc import Mapping
from typing import Any

import pytest

from proxmox_offerings.catalogue.plan import Plan, plan
from proxmox_offerings.resources import InvalidResource, OfferingSpec, ProxmoxHost, Stock
from support.fields import (
    BASE,
    CLUSTER,
    FIELDS,
    WITHOUT_EFFECT,
    Field,
    changed,
    is_about,
    parts,
    schema_fields,
    values,
)
from unit.resources.refused import MINIMAL

SNAPSHOT = CLUSTER.snapshot()


def host(spec: Any) -> ProxmoxHost:
    return ProxmoxHost.parse({**MINIMAL, "spec": spec}, strict=True)


def planned(spec: Any, *, past: dict[str, Stock] | None = None) -> Plan:
    return plan(host=host(spec), snapshot=SNAPSHOT, past=past or {})


def test_no_field_is_forgotten() -> None:
    """Each is in one of the tables; those without effect with a reason."""
    tried = {field.kind for field in FIELDS}
    assert tried | WITHOUT_EFFECT.keys() == schema_fields().keys()
    assert not tried & WITHOUT_EFFECT.keys()


@pytest.mark.parametrize(
    "field", [pytest.param(field, id=field.path) for field in FIELDS if field.shows in parts(planned(BASE))]
)
def test_a_change_shows_where_it_must(field: Field) -> None:
    past = {f"fra1-{tier['name']}": Stock.OUT_OF_STOCK for tier in BASE["tiers"]} if "restock" in field.path else {}
    spec = changed(field.path, field.to)
    if field.path == "allocation.storage.percent":
        spec = changed("allocation.storage.accounting", "Provisioned", spec)
        base = changed("allocation.storage.accounting", "Provisioned")
    else:
        base = dict(BASE)
    before, after = parts(planned(base, past=past)), parts(planned(spec, past=past))
    assert before[field.shows] != after[field.shows]


@pytest.mark.parametrize("kind", schema_fields())
def test_whatever_is_tried_at_a_field_is_planned_or_refused_by_its_name(kind: str) -> None:
    """And what is planned of it is what an Offering may hold: it is not checked again when a plan is made."""
    path = next(field.path for field in FIELDS if field.kind == kind)
    for value in values(schema_fields()[kind]):
        try:
            spec = host(changed(path, value))
        except InvalidResource as refused:
            blamed = re.findall(r"spec[][.\w]*", str(refused))
        else:
            made = [one.spec for one in plan(host=spec, snapshot=SNAPSHOT, past={}).offerings]
            assert [OfferingSpec.parse(one.to_wire(), strict=True) for one in made] == made, value
            continue
        assert any(is_about(path, name) for name in blamed), (value, blamed)


WORDS = {field.path: schema_fields()[field.kind]["enum"] for field in FIELDS if "enum" in schema_fields()[field.kind]}
SAME: Mapping[str, set[str]] = {
    # Prices of classes that no tier of the base asks for, beside the one for all.
    "pricing.perGiBDisk[0].class": {"nvme", "ssd", "hdd", "network", "unknown"},
    # Asks for other readings; the same snapshot says the same but for `allocation.storage.percent` (above).
    "allocation.storage.accounting": {"Free", "Provisioned"},
}
"""Words that make no difference in the base, and why that is right."""


@pytest.mark.parametrize("path", WORDS)
def test_each_word_that_is_accepted_means_something_of_its_own(path: str) -> None:
    said = {word: parts(planned(changed(path, word))) for word in WORDS[path] if word not in SAME.get(path, ())}
    assert [(one, other) for one, other in itertools.combinations(said, 2) if said[one] == said[other]] == []
