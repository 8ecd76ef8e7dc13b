"""The same cluster read as others do: one call for each node and guest, one after another (reference: exporters, provisioning agents and
marketplaces' own ones ask each guest for its state).

Both sides use the same client, connections that are kept alive, and a server that answers at once without a network between: with one, each call
costs its way too. Ours is a whole turn, the plan included; theirs is decoding alone.
"""

from collections.abc import Iterator

from benchmarks.figures import Figure, Goal, Result
from benchmarks.observing import Fetcher, host_of, read_in_turn, token_of
from benchmarks.refresh import Counted
from benchmarks.samples import Samples
from benchmarks.scale import Scale
from benchmarks.workplace import Workplace, progress
from proxmox_offerings.catalogue.plan import plan
from proxmox_offerings.observation.connect import open_observer


async def figures(place: Workplace, nodes: int, guests: int, turns: int) -> tuple[Figure, ...]:
    """One cluster."""
    progress(f"  {nodes} nodes, {guests:,} guests")
    fleet, _ = place.fleet(clusters=1, nodes=nodes, guests=guests)
    host, counted, fetcher = host_of(fleet), Counted(), Fetcher(fleet)
    observer = open_observer(spec=host.spec, token=token_of(fleet), on_news=lambda: None, on_call=counted)
    ours, theirs = Samples(), Samples()
    try:
        await observer.observe()
        for _ in range(turns):
            fetcher.calls = 0
            with theirs.one():
                await read_in_turn(fetcher)
            counted.calls = 0
            with ours.one():
                plan(host=host, snapshot=await observer.observe(), past={})
    finally:
        await observer.aclose()
        await fetcher.aclose()
    return tuple(_figures(f"{nodes} nodes, {guests:,} guests", ours, theirs, counted.calls, fetcher.calls))


def _figures(size: str, ours: Samples, theirs: Samples, calls: int, their_calls: int) -> Iterator[Figure]:
    more = Goal(relation=">=", value=1)
    yield Figure(what=f"{size}: calls of a refresh", value=calls, beside=f"{their_calls:,}", tolerance=0)
    yield Figure(
        what=f"{size}: times fewer calls", value=their_calls / calls, goal=more, tolerance=0.05, remark="than in turn"
    )
    yield Figure(what=f"{size}: wall time", value=ours.wall, unit="s", beside=f"{theirs.wall:.3g} s")
    yield Figure(what=f"{size}: times less wall time", value=theirs.wall / ours.wall, goal=more, tolerance=0.5)
    yield Figure(what=f"{size}: times less CPU", value=theirs.cpu / ours.cpu, goal=more, tolerance=0.4)


async def run(place: Workplace, scale: Scale) -> Result:
    """Clusters of the given sizes."""
    found: list[Figure] = []
    for nodes, guests, turns in scale.read_in_turn:
        found += await figures(place, nodes, guests, turns)
    return Result(
        name="peers",
        setting="a refresh with its plan, beside one call for each node and guest in turn, decoded and no more",
        figures=tuple(found),
    )
