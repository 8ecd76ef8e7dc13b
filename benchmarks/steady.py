"""Many hosts, refreshed every minute, while their guests change: what that takes, how late readers are told, and what is written.

The operator runs as a process of its own, with the settings that it has by itself. The clusters answer with recorded bytes from another cheap
process; two of a hundred guests change each minute: half of them are created, and take one unit of the smallest tier each, the other half is switched
on or off. A watch sees every version of every Offering. So it is known when a cluster began to report a change, and when its Offering said so.

The least that could be written: each version whose content is another, and a freshness mark of each Offering whose content stays, every half of
its validity.

Afterwards, while all that goes on, somebody edits hosts and applies new ones (following.py).
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Figure, Goal, Result
from benchmarks.fleet import BEGAN, Changes, polls_of
from benchmarks.following import SMALLEST, Follower, add_host, busiest_second, name_of
from benchmarks.hosts import TIERS
from benchmarks.scale import Scale
from benchmarks.watching import Seen, watching
from benchmarks.workplace import Operator, Workplace, progress
from proxmox_offerings.resources import Offering

NODES, GUESTS = 3, 100
PERCENT: Final = 2.0
REFRESH_SECONDS: Final = 60
VALIDITY_SECONDS: Final = 600
SETTLE_SECONDS: Final = REFRESH_SECONDS + 5
"""Until each host was refreshed once more, with all that was still being read when its first Offerings were written."""
START_SECONDS: Final = 900
CPU_GOAL: Final = 25
MEMORY_GOAL: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that is looked at, on the monotonic clock."""

    begin: float
    end: float

    def of(self, versions: Sequence[Seen]) -> list[Seen]:
        return [seen for seen in versions if self.begin < seen.at <= self.end]

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """How often was written: `changed` said something new, `marks` moved nothing but times; `due` marks are the least that there can be."""

    changed: int
    marks: int
    due: float

    @classmethod
    def of(cls, versions: Mapping[str, Sequence[Seen]], window: Window) -> "Writes":
        changed = marks = quiet = 0
        for own in versions.values():
            seen = window.of(own)
            news = sum(one.changed for one in seen)
            changed += news
            marks += len(seen) - news
            quiet += not news
        return cls(changed=changed, marks=marks, due=quiet * window.seconds / (VALIDITY_SECONDS / 2))

    @property
    def times_the_least(self) -> float:
        return (self.changed + self.marks) / max(1.0, self.changed + self.due)


def delays(
    versions: Mapping[str, Sequence[Seen]], changes: Changes, *, began: float, before: Mapping[str, int], window: Window
) -> tuple[list[float], int]:
    """Seconds from each creation until the host's smallest Offering said so, and how many were not said at all. Those are left out that were created
    so shortly before the end that they need not have been said.
    """
    found, lost = [], 0
    for cluster in range(changes.clusters):
        name = f"default/{name_of(cluster)}-{SMALLEST}"
        created = 0
        for number in range(changes.count(cluster, window.end - REFRESH_SECONDS - 5 - began)):
            if not changes.creates(cluster, number):
                continue
            created += 1
            at = began + changes.at(cluster, number)
            said = (
                seen.at
                for seen in versions[name]
                if seen.at >= at and seen.available is not None and seen.available <= before[name] - created
            )
            first = next(said, None)
            if first is None:
                lost += 1
            else:
                found.append(first - at)
    return found, lost


async def observed(operator: Operator, scale: Scale) -> tuple[Window, float]:
    """Watch for a while. The window, and the share of a core that the operator took in it."""
    begin, cpu = time.monotonic(), operator.cpu_seconds()
    await asyncio.sleep(scale.watched_seconds)
    operator.check()
    window = Window(begin=begin, end=time.monotonic())
    return window, (operator.cpu_seconds() - cpu) / window.seconds


async def run(place: Workplace, scale: Scale) -> Result:
    """All from cold, then changes."""
    count = scale.steady_hosts
    fleet, directory = place.fleet(clusters=count, nodes=NODES, guests=GUESTS, percent=PERCENT)
    changes = Changes(clusters=count, guests=GUESTS, percent=PERCENT)
    plane = place.control_plane()
    progress(f"  {count} hosts")
    for number in range(count):
        add_host(plane, fleet, number, cluster=number)
    total = count * len(TIERS)
    async with watching(plane, Offering.PLURAL) as offerings:
        progress("  starting the operator")
        operator = place.operator(plane)
        await offerings.until(
            lambda seen: len(seen.with_status) == total,
            what=f"{total:,} Offerings with a status",
            within=START_SECONDS,
            check=operator.check,
        )
        cold, cold_cpu = time.monotonic() - operator.started_at, operator.cpu_seconds()
        progress(f"  {total:,} Offerings stand after {cold:.0f} s; settling for {SETTLE_SECONDS} s")
        await asyncio.sleep(SETTLE_SECONDS)
        progress(f"  guests change for {scale.watched_seconds} s")
        before = {name: own[-1].available or 0 for name, own in offerings.versions.items()}
        began = time.monotonic()
        (directory / BEGAN).write_text(str(began), encoding="ascii")
        window, cpu = await observed(operator, scale)
        size, most = operator.resident(), operator.resident("VmHWM")
        told, lost = delays(offerings.versions, changes, began=began, before=before, window=window)
        writes = Writes.of(offerings.versions, window)
        busiest = busiest_second([at for at in polls_of(directory) if window.begin < at <= window.end])
        progress("  hosts are edited, new ones applied")
        follower = Follower(plane=plane, fleet=fleet, directory=directory, offerings=offerings, hosts=count)
        followed = await follower.follow(place, operator)
    figures = _figures(cpu=cpu, size=size, most=most, told=told, lost=lost, writes=writes, minutes=window.seconds / 60)
    return Result(
        name="steady",
        setting=f"{count} hosts x {len(TIERS)} tiers, each {NODES} nodes and {GUESTS} guests, every {REFRESH_SECONDS} s; {PERCENT:g} % of guests "
        f"change each minute; watched {window.seconds:.0f} s",
        figures=(
            *figures,
            Figure(
                what="refreshes in the busiest second",
                value=busiest,
                beside=f"{count / REFRESH_SECONDS:.1f}",
                remark="on average",
            ),
            *followed.figures(),
            Figure(what="from start until all Offerings stand", value=cold, unit="s"),
            Figure(what="CPU until then", value=cold_cpu, unit="s"),
        ),
    )


def _figures(
    *, cpu: float, size: float, most: float, told: list[float], lost: int, writes: Writes, minutes: float
) -> Iterator[Figure]:
    centiles = statistics.quantiles(told, n=100) if len(told) > 1 else [0.0] * 99
    memory = Goal(relation="<", value=MEMORY_GOAL)
    yield Figure(what="processor", value=cpu * 100, unit="% of a core", goal=Goal(relation="<", value=CPU_GOAL))
    yield Figure(what="resident memory", value=size, unit="MiB", goal=memory, tolerance=0.15)
    yield Figure(what="most ever resident", value=most, unit="MiB", tolerance=0.15)
    yield Figure(
        what="from reported to said, p50", value=centiles[49], unit="s", remark=f"{len(told):,} guests created"
    )
    yield Figure(
        what="from reported to said, p99",
        value=centiles[98],
        unit="s",
        beside=f"{REFRESH_SECONDS} s",
        goal=Goal(relation="<", value=REFRESH_SECONDS + 1),
        tolerance=0.05,
        remark="the interval",
    )
    yield Figure(what="creations that were never said", value=lost, goal=Goal(relation="=", value=0), tolerance=0)
    yield Figure(what="writes with news", value=writes.changed / minutes, unit="a minute")
    yield Figure(
        what="freshness marks",
        value=writes.marks / minutes,
        unit="a minute",
        beside=f"{writes.due / minutes:,.0f}",
        remark="due",
    )
    yield Figure(what="writes, times the least possible", value=writes.times_the_least, tolerance=0.2)
