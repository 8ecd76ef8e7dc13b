"""An observer of a simulated cluster, over real HTTPS, whose time passes only when a test says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proxmox_offerings.inventory.snapshot import Snapshot, StoragePlace
from proxmox_offerings.observation.observer import Observer
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import SimulatorConfig
from proxmox_offerings.simulator.simulator import Simulator
from support.proxmox import client_of, simulated

INTERVAL = 600
BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class Time:
    """Seconds since the beginning of the test."""

    now: float = 0

    def monotonic(self) -> float:
        return self.now

    def clock(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.now)


@dataclass(slots=True)
class Watch:
    """An observer, its cluster, and the news that it told."""

    cluster: Simulator
    observer: Observer
    time: Time
    news: list[float] = field(default_factory=list)

    async def observe(self) -> Snapshot:
        async with asyncio.timeout(10):
            return await self.observer.observe()

    async def calls_of_a_turn(self) -> list[str]:
        """The paths that one more turn asks for, sorted."""
        self.cluster.requests.clear()
        await self.observe()
        return sorted(request.path for request in self.cluster.requests)

    def pass_time(self, seconds: float) -> None:
        """For the observer and for the cluster."""
        self.time.now += seconds
        self.cluster.advance(seconds)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)

    async def slow_loop(self) -> None:
        """Let the next slow loop become due, run and end."""
        self.pass_time(INTERVAL)
        told = len(self.news)
        await self.observe()
        await self.until(lambda: len(self.news) > told)


Watching = Callable[..., Any]


@pytest.fixture
def watching() -> Watching:
    @asynccontextmanager
    async def watch(
        config: SimulatorConfig | None = None, *, provisioned: bool = False, grace: float | None = 5, **options: Any
    ) -> AsyncIterator[Watch]:
        async with simulated(config or presets.demo()) as cluster, client_of(cluster, **options) as client:
            time, news = Time(), []  # type: Time, list[float]
            observer = Observer(
                client=client,
                inventory_interval=INTERVAL,
                provisioned=provisioned,
                clock=time.clock,
                monotonic=time.monotonic,
                on_news=lambda: news.append(time.now),
                grace=grace,
            )
            try:
                yield Watch(cluster=cluster, observer=observer, time=time, news=news)
            finally:
                await observer.aclose()

    return watch


def place(snapshot: Snapshot, storage: str, node: str) -> StoragePlace:
    return next(one for one in snapshot.storages if (one.storage, one.node) == (storage, node))
