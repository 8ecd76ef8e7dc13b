"""Much at once, and for long: one slow cluster holds up no other, and nothing of what is gone is kept."""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from load.fleet import Fleet
from proxmox_offerings.proxmox.errors import CallFailed
from proxmox_offerings.simulator.changes import ChangingCluster
from proxmox_offerings.simulator.config import AclConfig, GuestConfig, parse
from support.answers import Answers, recorded
from support.cluster import tier
from support.effort import SECONDS
from unit.controller.virtual_time import run

GIB = 2**30
REFRESH = 60
SMALL = tier("small", cpu=2, memory="4Gi", disk="10Gi")


def small_cluster(*nodes: str) -> ChangingCluster:
    """Two nodes unless told otherwise, one of them with a card."""
    cards = [{"slot": "0000:01:00", "vendor": "10de", "device": "20b5", "name": "A100", "iommu": 1}]
    document: dict[str, Any] = {
        "cluster": {"name": "load"},
        "nodes": [
            {"name": name, "cores": 8, "threads": 16, "memory": "64Gi", "gpus": [] if number else cards}
            for number, name in enumerate(nodes or ("pve1", "pve2"))
        ],
        "storages": [
            {"id": "lvm", "type": "lvmthin", "vgname": "pve", "thinpool": "data", "content": ["images"], "size": "1Ti"}
        ],
        "guests": [{"vmid": 100, "node": (nodes or ("pve1",))[0], "cpu": 2, "memory": "4Gi", "count": 3}],
    }
    return ChangingCluster(parse(document), clock=lambda: 1_700_000_000.0)


def test_one_cluster_that_takes_half_a_minute_for_each_answer_delays_none_of_the_others() -> None:
    """A hundred hosts, and workers for a tenth of them."""

    async def main() -> None:
        answers = await recorded(small_cluster())
        fleet = Fleet(concurrency=10)
        names = [f"host-{number:02d}" for number in range(100)]
        for name in names:
            fleet.clusters[f"https://{name}.example.net:8006"] = answers
            fleet.apply_host(name, SMALL, refreshIntervalSeconds=REFRESH)
        fleet.slow["https://host-00.example.net:8006"] = 30.0
        fleet.queue.start()
        try:
            await asyncio.sleep(1)
            assert all(fleet.offerings(name) for name in names[1:])
            await asyncio.sleep(6 * REFRESH)
            counts = [fleet.refreshed[name] for name in names[1:]]
            assert min(counts) >= 6
            # Three calls at once, each half a minute, and before the first of them those that tell what the token may see.
            assert fleet.refreshed["host-00"] >= 2
            assert fleet.offerings("host-00")[0].status["stock"] == "InStock"
        finally:
            await fleet.end()

    run(main())


def test_ten_clusters_that_never_answer_in_time_delay_none_of_the_others() -> None:
    """As many as there are places."""

    async def main() -> None:
        answers = await recorded(small_cluster())
        fleet = Fleet(concurrency=10)
        names = [f"host-{number:02d}" for number in range(60)]
        for name in names:
            fleet.clusters[f"https://{name}.example.net:8006"] = answers
            fleet.apply_host(name, SMALL, refreshIntervalSeconds=REFRESH)
        for name in names[:10]:
            fleet.slow[f"https://{name}.example.net:8006"] = 300.0
        fleet.queue.start()
        try:
            await asyncio.sleep(10)
            assert all(fleet.offerings(name) for name in names[10:])
            await asyncio.sleep(4 * REFRESH)
            assert min(fleet.refreshed[name] for name in names[10:]) >= 4
        finally:
            await fleet.end()

    run(main())


def test_five_hundred_hosts_that_began_together_are_spread_over_their_interval() -> None:
    async def main() -> None:
        answers = await recorded(small_cluster())
        fleet = Fleet(concurrency=32)
        for number in range(500):
            fleet.clusters[f"https://host-{number}.example.net:8006"] = answers
            fleet.apply_host(f"host-{number}", SMALL, refreshIntervalSeconds=REFRESH)
        fleet.queue.start()
        try:
            await asyncio.sleep(REFRESH)
            per_second = []
            for _ in range(REFRESH):
                before = sum(fleet.refreshed.values())
                await asyncio.sleep(1)
                per_second.append(sum(fleet.refreshed.values()) - before)
            # 8.3 on average; of a random choice of seconds hardly any is above 20.
            assert 495 <= sum(per_second) <= 505
            assert max(per_second) <= 20
        finally:
            await fleet.end()

    run(main())


def test_a_thousand_edits_of_one_host_at_once_cost_two_reconciles() -> None:
    async def main() -> None:
        fleet = Fleet(concurrency=10)
        fleet.clusters["https://fra1.example.net:8006"] = await recorded(small_cluster())
        fleet.slow["https://fra1.example.net:8006"] = 1.0
        fleet.apply_host("fra1", SMALL)
        fleet.queue.start()
        try:
            await asyncio.sleep(10)
            before = fleet.reconciled["fra1"]
            for number in range(1000):
                fleet.apply_host("fra1", {**SMALL, "cpu": 1 + number % 8, "maxUnits": 1 + number})
                if number == 500:
                    await asyncio.sleep(0)
            await asyncio.sleep(5)
            assert fleet.reconciled["fra1"] - before <= 2
            assert fleet.offerings("fra1")[0].spec["cpu"] == 8
        finally:
            await fleet.end()

    run(main())


LEAK = 16
"""Bytes per refresh that are no leak: one name that is remembered is more. Half a dozen rounds tell it less exactly."""


async def churn(fleet: Fleet, number: int, good: Mapping[str, Answers]) -> None:
    """A time in which all kinds of things happen to names that were never there before, and are gone after it."""
    steady, other, weak, without = good["steady"], good["other"], good["weak"], good["without"]
    names = [f"host-{number}-{index}" for index in range(4)]
    endpoints = [f"https://{name}.example.net:8006" for name in names]
    for name, endpoint in zip(names, endpoints, strict=True):
        fleet.clusters[endpoint] = steady
        fleet.apply_host(name, SMALL, tier(f"t{number}"), refreshIntervalSeconds=15, validitySeconds=60)
    await asyncio.sleep(40)
    fleet.clusters[endpoints[0]] = _renamed(other, number)
    fleet.clusters[endpoints[1]] = weak
    fleet.clusters[endpoints[2]] = {**steady, "/cluster/resources": CallFailed("no", status=500)}
    fleet.clusters["https://stays.example.net:8006"] = _renamed(other, number)
    fleet.apply_host("stays", SMALL, tier(f"t{number}"), refreshIntervalSeconds=15, inventoryIntervalSeconds=60)
    fleet.apply_host(names[3], tier("derived"), refreshIntervalSeconds=15, suspend=True)
    await asyncio.sleep(100)
    fleet.clusters["https://stays.example.net:8006"] = without
    for endpoint in endpoints[:3]:
        fleet.clusters[endpoint] = steady
    await asyncio.sleep(60)
    for name, endpoint in zip(names, endpoints, strict=True):
        fleet.delete_host(name)
        del fleet.clusters[endpoint]
    fleet.apply_host("stays", SMALL, refreshIntervalSeconds=15, inventoryIntervalSeconds=60)
    fleet.clusters["https://stays.example.net:8006"] = steady
    await asyncio.sleep(150)
    fleet.writes.clear()
    fleet.history.clear()


def _renamed(answers: Answers, number: int) -> Answers:
    """The same cluster, whose second node has a name of this time alone."""
    import json  # noqa: PLC0415

    return json.loads(json.dumps(dict(answers)).replace("pve-new", f"pve-{number}"))  # type: ignore[no-any-return]


async def soak(rounds: int) -> tuple[float, int]:
    """Bytes that each refresh of the later half left behind, and how many refreshes there were in it."""
    weak = small_cluster()
    weak.set_acls(
        next(iter(weak.users)), [AclConfig(role="PVEAuditor"), AclConfig(path="/storage/lvm", role="NoAccess")]
    )
    fewer = small_cluster()
    fewer.remove_guest(101)
    more = small_cluster("pve1", "pve-new")
    more.add_guest(GuestConfig(vmid=500, node="pve-new", hastate="started", memory=GIB))
    good = {"steady": small_cluster(), "other": more, "weak": weak, "without": fewer}
    answers = {name: await recorded(cluster) for name, cluster in good.items()}
    fleet = Fleet(concurrency=4)
    fleet.clusters["https://stays.example.net:8006"] = answers["steady"]
    fleet.apply_host("stays", SMALL, refreshIntervalSeconds=15)
    fleet.queue.start()

    def measure() -> tuple[int, int, int]:
        refreshes = sum(fleet.refreshed.values())
        fleet.refreshed.clear()
        fleet.reconciled.clear()
        for _ in range(3):
            gc.collect()
        return tracemalloc.get_traced_memory()[0], refreshes, len(asyncio.all_tasks())

    tracemalloc.start()
    try:
        number = 0
        for _ in range(max(2, rounds // 4)):
            await churn(fleet, number := number + 1, answers)
        warm, _, tasks = measure()
        refreshes = 0
        for _ in range(rounds):
            await churn(fleet, number := number + 1, answers)
            refreshes += sum(fleet.refreshed.values())
            fleet.refreshed.clear()
        end, _, tasks_at_the_end = measure()
        assert tasks_at_the_end == tasks
        assert len(fleet.there) == 1 + len(fleet.offerings("stays"))
        return (end - warm) / refreshes, refreshes
    finally:
        tracemalloc.stop()
        await fleet.end()


def test_what_is_gone_leaves_nothing_behind() -> None:
    left, refreshes = run(soak(rounds=3))
    assert refreshes > 100
    assert left < 10 * LEAK, f"{left:.0f} bytes for each of {refreshes} refreshes"


@pytest.mark.long
def test_long_thousands_of_refreshes_leave_nothing_behind(record_property: Callable[[str, object], None]) -> None:
    left, refreshes = run(soak(rounds=max(60, round(SECONDS / 2))))
    record_property("done", f"{left:.1f} bytes left by each of {refreshes} refreshes")
    assert refreshes > 3000
    assert left < LEAK, f"{left:.0f} bytes for each of {refreshes} refreshes"
