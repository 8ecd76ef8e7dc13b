"""What a scrape of /metrics costs an operator that knows 500 hosts with 20 Offerings each, and for how long nothing else happens meanwhile.

Beside it, in the same turns, stands prometheus_client writing as many samples that it is handed ready-made: the least for whoever keeps nothing.
Before a usual scrape half of the hosts were read, as it is where scrapes come each 30 s and readings each 60 s; each reading wrote eight Offerings,
as many as in the steady state. CPU time of this process alone, without a network.
"""

import gc
import time
import tracemalloc
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from benchmarks.figures import Figure, Goal, Result
from benchmarks.hosts import TIERS
from benchmarks.known import Known
from benchmarks.samples import Samples
from benchmarks.scale import Scale
from benchmarks.workplace import Workplace
from proxmox_offerings.controller.figures import Figures
from proxmox_offerings.controller.health import in_slices
from proxmox_offerings.controller.metrics import Metrics

WRITTEN: Final = 8
"""Offerings of a host that a reading writes."""
BETWEEN: Final = timedelta(seconds=30)


class ReadyMade(Collector):
    """Samples that are there already."""

    def __init__(self, text: bytes) -> None:
        self._families = tuple(text_string_to_metric_families(text.decode()))

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def stepped(work: Coroutine[Any, Any, bytes]) -> tuple[bytes, float]:
    """Its result, and the longest time of CPU, in seconds, that it took at a stretch."""
    longest = 0.0
    while True:
        began = time.thread_time()
        try:
            work.send(None)
        except StopIteration as done:
            return done.value, max(longest, time.thread_time() - began)
        longest = max(longest, time.thread_time() - began)


class Scraped:
    """The metrics of an operator that knows all that is known."""

    def __init__(self, known: Known) -> None:
        self.metrics = Metrics()
        figures = Figures(live=known.live, seen=known.seen, tells_of=lambda _: True, now=lambda: known.now)
        self.metrics.add(figures.pieces)
        self.samples = Samples()
        self.longest: list[float] = []

    def once(self) -> bytes:
        """As the health server does it."""
        with self.samples.one():
            text, longest = stepped(in_slices(self.metrics.pieces()))
        self.longest.append(longest)
        return text


def kept(known: Known) -> float:
    """MiB that are kept from scrape to scrape."""
    scraped = Scraped(known)
    gc.collect()
    tracemalloc.start()
    scraped.once()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / 2**20


async def run(_: Workplace, scale: Scale) -> Result:
    """The first scrape, then usual ones."""
    known = await Known.of(scale.scraped_hosts, TIERS)
    first = Scraped(known)
    text = first.once()
    floor, registry = Samples(), CollectorRegistry()
    registry.register(ReadyMade(text))
    usual = Scraped(known)
    usual.once()
    usual.samples, usual.longest = Samples(), []
    for _turn in range(scale.scrapes):
        known.now += BETWEEN
        for ref in known.hosts[::2]:
            known.read(ref, offerings=WRITTEN)
        with floor.one():
            generate_latest(registry)
        text = usual.once()
    series = sum(not line.startswith(b"#") for line in text.splitlines())
    figures = (
        Figure(what="series", value=series, remark=f"{len(text) / 1e6:.3g} MB of text"),
        Figure(what="usual scrape, CPU", value=usual.samples.cpu * 1000, unit="ms", goal=Goal(relation="<", value=60)),
        Figure(
            what="usual scrape, times prometheus_client's writing",
            value=usual.samples.cpu / floor.cpu,
            beside=f"{floor.cpu * 1000:.3g} ms",
            goal=Goal(relation="<=", value=0.5),
            tolerance=0.3,
            remark="of as many samples that stand ready",
        ),
        Figure(what="first scrape, CPU", value=first.samples.cpu * 1000, unit="ms"),
        Figure(
            what="longest at a stretch, CPU",
            value=max(*usual.longest, *first.longest) * 1000,
            unit="ms",
            goal=Goal(relation="<", value=50),
            remark="nothing else happens meanwhile",
        ),
        Figure(what="kept from scrape to scrape", value=kept(known), unit="MiB", tolerance=0.2),
    )
    setting = (
        f"{scale.scraped_hosts} hosts x {len(TIERS)} tiers; before each usual scrape half of the hosts were read, "
        f"and {WRITTEN} Offerings of each written"
    )
    return Result(name="scraping", setting=setting, figures=figures)
