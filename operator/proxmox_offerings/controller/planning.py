"""Where a plan is made: beside the event loop where it may take long (docs/design/long-plans-are-made-beside-the-loop.md)."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol

from proxmox_offerings.catalogue.plan import Plan
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.resources import OfferingSpec, ProxmoxHost, Stock


class MakePlan(Protocol):
    """catalogue.plan.plan"""

    def __call__(
        self,
        *,
        host: ProxmoxHost,
        snapshot: Snapshot,
        past: Mapping[str, Stock],
        existing: Iterable[OfferingSpec],
    ) -> Plan: ...


async def planned(
    make_plan: MakePlan,
    *,
    host: ProxmoxHost,
    snapshot: Snapshot,
    past: Mapping[str, Stock],
    existing: Iterable[OfferingSpec],
) -> Plan:
    """The plan. Whoever gives up waiting leaves it to end by itself: it is pure, and nobody looks at it any more."""
    if not host.spec.allocation.failover_nodes:
        return make_plan(host=host, snapshot=snapshot, past=past, existing=existing)
    return await asyncio.to_thread(make_plan, host=host, snapshot=snapshot, past=past, existing=existing)
