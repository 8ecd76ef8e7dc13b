"""Events are written beside the work: few, once, and whatever becomes of them nothing else fails."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from proxmox_offerings.controller.announcements import OfferingChange
from proxmox_offerings.controller.announcer import MOST_WAITING, Announcer
from proxmox_offerings.kube.errors import Conflict, Forbidden, NotLeading, Unavailable
from proxmox_offerings.kube.events import Event
from proxmox_offerings.kube.objects import Ref
from proxmox_offerings.resources import OfferingStatus
from unit.controller.fakes import live_host
from unit.controller.test_announcements import IN, LOW, NOON, OUT
from unit.controller.virtual_time import elapsed, run


class World:
    """An announcer over an API server that takes Events, or refuses them as told."""

    def __init__(self) -> None:
        self.written: list[tuple[float, str, str]] = []
        self.refusal: Exception | None = None
        self.results: Counter[str] = Counter()
        self.announcer = Announcer(self, now=lambda: NOON, counted=lambda result: self.results.update([result]))
        self._version = 0

    async def create(self, event: Event) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.written.append((round(elapsed(), 1), event.regarding.ref.name, event.reason))

    def becomes(self, name: str, before: OfferingStatus | None, after: OfferingStatus) -> None:
        self._version += 1
        live = replace(live_host(version=self._version), ref=Ref("default", name), uid=f"uid-{name}")
        self.announcer.tell(OfferingChange(live=live, before=before, after=after))


def scenario(actions: Callable[[World], Awaitable[None]]) -> World:
    async def main() -> World:
        world = World()
        running = asyncio.create_task(world.announcer.run())
        await actions(world)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return world

    return run(main())


def test_what_changes_back_before_it_is_told_is_not_told() -> None:
    async def actions(world: World) -> None:
        world.becomes("a", LOW, OUT)
        world.becomes("a", OUT, LOW)
        world.becomes("b", LOW, OUT)
        world.becomes("b", OUT, IN)
        world.becomes("b", IN, OUT)
        await asyncio.sleep(100)

    assert [told[1:] for told in scenario(actions).written] == [("b", "SoldOut")]


def test_a_flickering_object_has_one_event_a_minute_and_holds_up_no_other() -> None:
    async def actions(world: World) -> None:
        for turn in range(240):
            world.becomes("flickers", *((LOW, OUT) if turn % 2 == 0 else (OUT, LOW)))
            if turn == 100:
                world.becomes("steady", LOW, OUT)
            await asyncio.sleep(15)

    written = scenario(actions).written
    flickering = [at for at, name, _ in written if name == "flickers"]
    assert len(flickering) <= 10 + 240 * 15 / 60
    assert max(flickering) > 3000
    assert [round(at) for at, name, _ in written if name == "steady"] == [1500]


def test_thousands_at_once_come_at_ten_a_second_and_the_rest_is_counted() -> None:
    async def actions(world: World) -> None:
        for number in range(MOST_WAITING + 500):
            world.becomes(f"offering{number}", LOW, OUT)
        await asyncio.sleep(10)
        assert 90 <= len(world.written) <= 101
        await asyncio.sleep(MOST_WAITING)

    world = scenario(actions)
    assert len(world.written) == MOST_WAITING
    assert world.results == {"written": MOST_WAITING, "dropped": 500}


@pytest.mark.parametrize("refusal", [Forbidden("no"), Unavailable("no"), RuntimeError("boom")])
def test_events_that_cannot_be_written_are_lost_and_told_in_the_log_once(refusal: Exception) -> None:
    async def actions(world: World) -> None:
        world.refusal = refusal
        for number in range(3):
            world.becomes(f"lost{number}", LOW, OUT)
        await asyncio.sleep(1)
        world.refusal = None
        world.becomes("told", LOW, OUT)
        await asyncio.sleep(1)

    with capture_logs() as log:
        world = scenario(actions)
    assert [name for _, name, _ in world.written] == ["told"]
    assert world.results == {"failed": 3, "written": 1}
    told = [line["event"] for line in log]
    assert told == (
        ["event not written"] * 3
        if isinstance(refusal, RuntimeError)
        else ["events not written", "events written again"]
    )


@pytest.mark.parametrize("refusal", [Conflict("exists"), NotLeading("no")])
def test_what_was_told_before_or_is_not_ours_to_tell_is_no_failure(refusal: Exception) -> None:
    async def actions(world: World) -> None:
        world.refusal = refusal
        world.becomes("a", LOW, OUT)
        await asyncio.sleep(1)

    with capture_logs() as log:
        world = scenario(actions)
    assert (world.results, log) == ({}, [])


def test_one_change_has_one_name_and_another_version_another() -> None:
    """Told twice, by whomever, the API server takes it once."""
    event = Event(
        regarding=live_host(version=7), kind="ProxmoxHost", reason="Recovered", note="", warning=False, at=NOON
    )
    assert event.name == replace(event, note="in other words").name
    others = [replace(event, regarding=live_host(version=8)), replace(event, reason="Resumed")]
    assert len({event.name, *(other.name for other in others)}) == 3
