"""What the models promise to those who compute with them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from proxmox_offerings.resources import (
    Allocation,
    CPUAllocation,
    MemoryAllocation,
    NodeStatus,
    OfferingStatus,
    ProxmoxHost,
    ProxmoxHostStatus,
    Quantity,
    Stock,
    StorageStatus,
)
from unit.resources.refused import MINIMAL, selling


def allocation(*overrides: dict[str, Any]) -> Allocation:
    own = {"cpu": {"percent": 300}, "memory": {"reserved": "4Gi"}, "overrides": list(overrides)}
    return Allocation.parse(own, strict=True)


def test_first_override_that_matches_holds_alone() -> None:
    """A later match must not add to it, even where the first says nothing."""
    terms = allocation(
        {"nodes": ["big-*", "pve3"], "memory": {"percent": 90}},
        {"nodes": ["*"], "cpu": {"percent": 100}},
    )
    assert terms.cpu_for("pve3") == CPUAllocation(percent=300)
    assert terms.cpu_for("pve1") == CPUAllocation(percent=100)
    assert terms.memory_for("big-7") == MemoryAllocation(percent=90, reserved=Quantity.parse("4Gi"))
    assert terms.memory_for("pve1") == MemoryAllocation(reserved=Quantity.parse("4Gi"))


def test_override_can_say_none_where_the_host_says_some() -> None:
    """An override of zero or of no tags is said, not left out."""
    terms = allocation({"nodes": ["pve1"], "cpu": {"dedicatedTags": []}, "memory": {"reserved": 0}})
    assert terms.cpu_for("pve1") == CPUAllocation(percent=300, dedicated_tags=())
    assert terms.memory_for("pve1").reserved.bytes == 0


def test_no_override_is_the_host_s_own() -> None:
    terms = allocation({"nodes": ["pve1"], "cpu": {"percent": 100}})
    assert terms.cpu_for("PVE1") is terms.cpu
    assert terms.memory_for("pve1") is terms.memory


def test_time_is_whole_seconds_of_utc_and_never_later_than_meant() -> None:
    """Rounded up, validUntil would outlast what was allowed."""
    moment = datetime(2026, 11, 24, 4, 48, 2, 999_999, tzinfo=timezone(timedelta(hours=1)))
    status = OfferingStatus(valid_until=moment)
    assert status.to_wire()["validUntil"] == "2026-11-24T03:48:02Z"
    assert status.valid_until == datetime(2026, 11, 24, 3, 48, 2, tzinfo=UTC)
    assert OfferingStatus.parse(status.to_wire()) == status


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        OfferingStatus(observed_at=datetime(2026, 11, 24))  # noqa: DTZ001


def test_written_status_has_no_nulls_and_a_fixed_order() -> None:
    """Equal statements must be equal bytes, and a null would be an opinion of the field manager."""
    status = OfferingStatus(available=3, stock=Stock.IN_STOCK, message="3 fit")
    assert list(status.to_wire().items()) == [
        ("stock", "InStock"),
        ("available", 3),
        ("message", "3 fit"),
        ("nodes", []),
        ("operatingSystems", []),
        ("conditions", []),
    ]


def test_nodes_are_summed_up_for_the_column() -> None:
    nodes = (NodeStatus(name="a", status="Online"), NodeStatus(name="b", status="Offline", excluded="Offline"))
    assert ProxmoxHostStatus(nodes=nodes).to_wire()["nodeSummary"] == "1/2"
    assert "nodeSummary" not in ProxmoxHostStatus().to_wire()


def test_status_gets_through_whatever_names_were_seen() -> None:
    """The API server refuses texts beyond their bounds, and with them the whole status."""
    seen = StorageStatus(name="x" * 10_000, nodes=("é" * 300, "ok"))
    assert len(seen.name) == 256
    assert seen.name.endswith("x…")
    assert [len(node) for node in seen.nodes] == [256, 2]


def test_resources_cannot_be_changed() -> None:
    host = ProxmoxHost.parse(MINIMAL)
    with pytest.raises(ValidationError):
        host.spec.suspend = True  # type: ignore[misc]


def test_minimal_host_is_sold_on_the_terms_of_the_contract() -> None:
    host = ProxmoxHost.parse(selling({}))
    assert host.spec.tiers[0].display_name is None
    assert host.spec.nodes.matches("any")
    assert host.spec.allocation.cpu_for("any").percent == 400
    assert host.spec.allocation.memory_for("any").reserved.bytes == 2 * 2**30
