"""What one turn of the fast loop costs on clusters of three sizes: three calls, their answers parsed, a snapshot, and the plan of twenty tiers.

The floor fetches the same three answers over the same kind of transport and calls json.loads on them. Both take turns in the same run. The clusters
run in a process of their own and answer with recorded bytes: CPU time is ours alone, wall time also holds how long they take, in both. Load, uptime
and counters move from turn to turn, as they always do, and two of a hundred guests change each minute.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.figures import Figure, Goal, Result
from benchmarks.fleet import BEGAN
from benchmarks.observing import FAST_LOOP, Fetcher, host_of, token_of
from benchmarks.samples import Samples
from benchmarks.scale import Scale
from benchmarks.workplace import Workplace, progress
from proxmox_offerings.catalogue.plan import plan
from proxmox_offerings.observation.connect import open_observer

GOALS = {5_000: Goal(relation="<=", value=1.7)}


class Counted:
    """How many calls were made."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *_: object) -> None:
        self.calls += 1


async def floor(fetcher: Fetcher) -> None:
    """The least that anybody must do to know what these calls answer."""
    for path in FAST_LOOP:
        json.loads(await fetcher.get(path))


async def quiet(calls: Counted) -> int:
    """Wait until nothing was asked for two seconds; how many calls there were so far."""
    before = -1
    while before != calls.calls:
        before = calls.calls
        await asyncio.sleep(2)
    return before


async def measured(place: Workplace, nodes: int, guests: int, turns: int) -> dict[str, Any]:
    """Turns of the whole and of the floor on one cluster, after a first look."""
    fleet, directory = place.fleet(clusters=1, nodes=nodes, guests=guests)
    host, calls, fetcher = host_of(fleet), Counted(), Fetcher(fleet)
    observer = open_observer(spec=host.spec, token=token_of(fleet), on_news=lambda: None, on_call=calls)
    whole, least = Samples(), Samples()
    try:
        first = Samples()
        with first.one():
            await observer.observe()
            first_calls = await quiet(calls)
        await observer.observe()
        fast_calls = await quiet(calls) - first_calls
        (directory / BEGAN).write_text(str(time.monotonic()), encoding="ascii")
        for turn in range(turns + 1):
            if turn == 1:  # the first one opened the connections
                whole, least = Samples(), Samples()
            for subject in ("floor", "whole") if turn % 2 else ("whole", "floor"):
                if subject == "floor":
                    fetcher.received = 0
                    with least.one():
                        await floor(fetcher)
                else:
                    with whole.one():
                        plan(host=host, snapshot=await observer.observe(), past={})
    finally:
        await observer.aclose()
        await fetcher.aclose()
    return {
        "calls": fast_calls,
        "bytes": fetcher.received,
        "first calls": first_calls,
        "first cpu": first.cpu,
        "whole": whole,
        "floor": least,
        "cpu ratio": statistics.median(ours / floor for ours, floor in zip(whole.cpus, least.cpus, strict=True)),
        "wall ratio": statistics.median(ours / floor for ours, floor in zip(whole.walls, least.walls, strict=True)),
    }


def figures(size: str, guests: int, got: dict[str, Any], per_guest: float) -> Iterator[Figure]:
    """`per_guest` is the CPU time for each guest on the smallest cluster."""
    whole, least = got["whole"], got["floor"]
    yield Figure(what=f"{size}: calls", value=got["calls"], goal=Goal(relation="=", value=3), tolerance=0)
    yield Figure(what=f"{size}: answers", value=got["bytes"] / 1e6, unit="MB")
    yield Figure(
        what=f"{size}: CPU", value=whole.cpu * 1000, unit="ms", beside=f"{least.cpu * 1000:.3g} ms", remark="the floor"
    )
    yield Figure(
        what=f"{size}: CPU, times the floor",
        value=got["cpu ratio"],
        goal=GOALS.get(guests),
        tolerance=0.2,
    )
    yield Figure(what=f"{size}: wall time", value=whole.wall * 1000, unit="ms", beside=f"{least.wall * 1000:.3g} ms")
    yield Figure(what=f"{size}: wall time, times the floor", value=got["wall ratio"], tolerance=0.35)
    yield Figure(
        what=f"{size}: CPU for each guest, times that of the smallest cluster",
        value=whole.cpu / guests / per_guest,
        tolerance=0.4,
    )
    yield Figure(
        what=f"{size}: first look, calls",
        value=got["first calls"],
        tolerance=0.05,
        remark="all nodes, and the configurations of guests on nodes with GPUs",
    )
    yield Figure(what=f"{size}: first look, CPU", value=got["first cpu"], unit="s")


async def run(place: Workplace, scale: Scale) -> Result:
    """One cluster of each size."""
    found: list[Figure] = []
    per_guest = 0.0
    for nodes, guests, turns in scale.refreshed:
        progress(f"  {nodes} nodes, {guests:,} guests")
        got = await measured(place, nodes, guests, turns)
        per_guest = per_guest or got["whole"].cpu / guests
        found += figures(f"{nodes} nodes, {guests:,} guests", guests, got, per_guest)
    return Result(
        name="refresh",
        setting="fetch, parse, snapshot, plan of 20 tiers; floor: fetch by the same client, json.loads; medians of turns",
        figures=tuple(found),
    )
