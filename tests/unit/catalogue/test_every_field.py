"""Every field of ProxmoxHost.spec, one after another: what is accepted shows, what is refused is told where, and nothing breaks the plan."""

import re
from typing import Any

import pytest

from proxmox_offerings.catalogue.plan import Plan, plan
from proxmox_offerings.resources import InvalidResource, ProxmoxHost, Stock
from support.fields import BASE, CLUSTER, FIELDS, WITHOUT_EFFECT, Field, changed, is_about, parts, schema_fields, values
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
    path = next(field.path for field in FIELDS if field.kind == kind)
    for value in values(schema_fields()[kind]):
        try:
            spec = host(changed(path, value))
        except InvalidResource as refused:
            blamed = re.findall(r"spec[][.\w]*", str(refused))
        else:
            plan(host=spec, snapshot=SNAPSHOT, past={})
            continue
        assert any(is_about(path, name) for name in blamed), (value, blamed)
