"""That a plan which takes long does not hold up everything else that the operator does."""

import asyncio
import threading
from typing import Any

import pytest

from proxmox_offerings.catalogue.plan import Plan, plan
from proxmox_offerings.controller.planning import planned
from support.cluster import cluster, host, node, tier
from unit.controller import virtual_time

PATIENCE_SECONDS = 30


class SlowPlan:
    """Ends when the event loop lets it: never, if it is what the loop waits for."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, **given: Any) -> Plan:
        self.began.set()
        assert self.may_end.wait(PATIENCE_SECONDS), "the event loop stands still"
        return plan(**given)


def seen() -> dict[str, Any]:
    nodes = [node("pve1", threads=4), node("pve2", threads=4)]
    return {
        "host": host(tier(), allocation={"failoverNodes": 1}),
        "snapshot": cluster(nodes=nodes).snapshot(),
        "past": {},
        "existing": (),
    }


def test_loop_goes_on_while_a_failover_reserve_is_looked_for() -> None:
    async def main() -> Plan:
        slow = SlowPlan()
        planning = asyncio.create_task(planned(slow, **seen()))
        await asyncio.to_thread(slow.began.wait, PATIENCE_SECONDS)
        slow.may_end.set()
        return await planning

    (offering,) = virtual_time.run(main()).offerings
    assert offering.statement.available == 4


def test_reconcile_can_be_given_up_while_it_plans() -> None:
    async def main() -> None:
        slow = SlowPlan()
        planning = asyncio.create_task(planned(slow, **seen()))
        await asyncio.to_thread(slow.began.wait, PATIENCE_SECONDS)
        planning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await planning
        slow.may_end.set()

    virtual_time.run(main())


def test_no_virtual_time_passes_while_a_thread_works() -> None:
    """Else every test with a timer would depend on how fast the machine is."""

    async def main() -> float:
        timer = asyncio.create_task(asyncio.sleep(60))
        await asyncio.to_thread(threading.Event().wait, 0.05)
        passed = virtual_time.elapsed()
        await timer
        return passed

    assert virtual_time.run(main()) == 0
