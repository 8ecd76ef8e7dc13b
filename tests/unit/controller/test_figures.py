"""What is kept between scrapes: no number outlives what it was made from, and others go on while many are told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from proxmox_offerings.catalogue.totals import Total
from proxmox_offerings.controller.figures import Figures, Seen
from proxmox_offerings.controller.health import in_slices
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.kube.objects import LiveObject, Owner, Ref
from unit.controller.fakes import live_host

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOSTS = [Ref("shop", "fra1"), Ref("shop", "fra2")]
TIERS = ["small", 'odd "tier"\\n']


@dataclass
class World:
    """Two hosts with up to two tiers, and the metrics of one process that lives through all of it."""

    live: LiveObjects = field(default_factory=LiveObjects)
    now: datetime = EPOCH
    seen: dict[Ref, Seen] = field(default_factory=dict)
    told_of: set[Ref] = field(default_factory=lambda: set(HOSTS))
    version: int = 0

    def __post_init__(self) -> None:
        self.kept = self.figures()

    @classmethod
    def full(cls) -> Self:
        """Everything is there, and was told once."""
        world = cls()
        for ref in HOSTS:
            world.host(ref)
            world.read(ref, 3)
            for tier in TIERS:
                world.offering(ref, tier, available=1, minutes=5)
        text_of(world.kept)
        return world

    def figures(self) -> Figures:
        return Figures(
            live=self.live, seen=self.seen.get, tells_of=lambda ref: ref in self.told_of, now=lambda: self.now
        )

    def host(self, ref: Ref, uid: str = "a", *, missing: int = 0) -> LiveObject:
        self.version += 1
        conditions = [{"type": "Ready", "status": "False", "reason": "PrivilegesMissing"}] if missing else []
        status = {
            "conditions": conditions,
            "missingPrivileges": [{}] * missing,
            "lastRefreshTime": EPOCH.isoformat(),
        }
        live = replace(live_host(version=self.version, status=status), ref=ref, uid=uid, spec={"validitySeconds": 600})
        self.live.saw_host(live)
        return live

    def offering(self, ref: Ref, tier: str, uid: str = "a", *, available: int, minutes: int) -> None:
        self.version += 1
        end = (self.now + timedelta(minutes=minutes)).isoformat()
        live = replace(
            live_host(version=self.version),
            ref=Ref(ref.namespace, f"{ref.name}-{tier}"),
            owner=Owner(kind="ProxmoxHost", name=ref.name, uid=uid),
            spec={"tier": tier},
            status={"stock": "InStock" if available else "OutOfStock", "available": available, "validUntil": end},
        )
        self.live.saw_offering(live)

    def gone(self, ref: Ref) -> None:
        host = self.live.host(ref)
        if host is not None:
            self.live.host_gone(host)

    def offering_gone(self, ref: Ref, tier: str) -> None:
        offering = self.live.offering(Ref(ref.namespace, f"{ref.name}-{tier}"))
        if offering is not None:
            self.live.offering_gone(offering)

    def read(self, ref: Ref, capacity: int | None) -> None:
        totals = None if capacity is None else {"cpu": Total(capacity=capacity, committed=0, headroom=capacity)}
        self.seen[ref] = Seen(at=self.now, totals=totals)

    def hand_over(self, ref: Ref) -> None:
        self.told_of ^= {ref}

    def wait(self, minutes: int) -> None:
        """Or set the clock back."""
        self.now += timedelta(minutes=minutes)


REFS = st.sampled_from(HOSTS)
UIDS = st.sampled_from(["a", "b"])
MINUTES = st.integers(-10, 10)
Step = Callable[[World], Any]
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        lambda ref, uid, missing: lambda world: world.host(ref, uid, missing=missing), REFS, UIDS, st.integers(0, 2)
    ),
    st.builds(
        lambda ref, tier, uid, available, minutes: (
            lambda world: world.offering(ref, tier, uid, available=available, minutes=minutes)
        ),
        *(REFS, st.sampled_from(TIERS), UIDS, st.integers(0, 10**7), MINUTES),
    ),
    st.builds(lambda ref: lambda world: world.gone(ref), REFS),
    st.builds(lambda ref, tier: lambda world: world.offering_gone(ref, tier), REFS, st.sampled_from(TIERS)),
    st.builds(lambda ref, capacity: lambda world: world.read(ref, capacity), REFS, st.none() | st.integers(0, 5)),
    st.builds(lambda ref: lambda world: world.hand_over(ref), REFS),
    st.builds(lambda minutes: lambda world: world.wait(minutes), MINUTES),
)


def text_of(figures: Figures) -> str:
    return b"".join(figures.pieces()).decode()


class Parsed(Collector):
    """What Prometheus' own library makes of a text."""

    def __init__(self, text: str) -> None:
        self._families = list(text_string_to_metric_families(text))

    def collect(self) -> list[Metric]:
        return self._families


def written_again(text: str) -> str:
    registry = CollectorRegistry()
    registry.register(Parsed(text))
    return generate_latest(registry).decode()


@given(st.lists(STEPS, max_size=12))
def test_what_was_kept_is_never_told_of_what_is_otherwise_by_now(steps: list[Step]) -> None:
    """Whatever changes, in whatever order: who kept everything tells what one tells who begins."""
    world = World.full()
    for step in steps:
        step(world)
        told = text_of(world.kept)
        assert told == text_of(world.figures())
        assert told == written_again(told)


def test_nothing_is_kept_of_hosts_that_are_gone_or_are_told_of_elsewhere() -> None:
    world = World.full()
    world.gone(HOSTS[0])
    world.hand_over(HOSTS[1])
    text_of(world.kept)
    assert not world.kept._kept


def test_lines_go_while_a_scrape_is_under_way_with_the_host_that_goes() -> None:
    world = World()
    for ref in HOSTS:
        world.host(ref)
    pieces = world.kept.pieces()
    begun = next(pieces)
    world.gone(HOSTS[1])
    told = b"".join((begun, *pieces)).decode()
    assert 'host="fra1"' in told
    assert 'host="fra2"' not in told


def test_others_go_on_while_much_is_told() -> None:
    """A probe, a Lease that must be renewed in time."""
    turns: list[int] = []

    def pieces() -> Any:
        for _ in range(5):
            turns.append(0)
            yield b"x"

    async def other() -> None:
        while len(turns) < 9:
            turns.append(1)
            await asyncio.sleep(0)

    async def scrape() -> bytes:
        meanwhile = asyncio.create_task(other())
        text = await in_slices(pieces(), seconds=0)
        await meanwhile
        return text

    assert asyncio.run(scrape()) == b"xxxxx"
    assert turns[:8] == [0, 1] * 4
