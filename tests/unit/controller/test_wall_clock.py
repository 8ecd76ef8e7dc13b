"""Whatever is done to the wall clock: no statement is believed for longer than it may be, none ends for ever, and nobody is flooded."""

import asyncio
from datetime import timedelta

import pytest

from proxmox_offerings.controller import conditions
from proxmox_offerings.kube.errors import Unavailable
from proxmox_offerings.proxmox.errors import ConnectionFailed
from proxmox_offerings.resources import Condition, ConditionStatus, Stock
from unit.controller.running import EPOCH, Running, running
from unit.controller.virtual_time import elapsed

VALIDITY = timedelta(seconds=600)
GONE = ConnectionFailed("no endpoint answered")


def readers_believe(world: Running) -> bool:
    """Somebody whose clock is right, whatever is done to ours."""
    said, truth = world.statement(), EPOCH + timedelta(seconds=elapsed())
    return said.stock is not Stock.UNKNOWN and said.valid_until is not None and truth < said.valid_until


@pytest.mark.parametrize("back", [timedelta(minutes=4), timedelta(hours=1), timedelta(days=400)])
def test_clock_set_back_does_not_make_an_unconfirmed_statement_last_longer(back: timedelta) -> None:
    """By no clock that was not set does it stand for longer than its validity after Proxmox was read last."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        world.seen = GONE
        await asyncio.sleep(300)
        assert world.statement().stock is Stock.IN_STOCK
        world.ahead -= back
        await asyncio.sleep(300)
        assert (world.statement().stock, world.statement().available) == (Stock.UNKNOWN, None)

    running(actions)


@pytest.mark.parametrize("restart", [False, True])
def test_statement_from_a_clock_that_was_ahead_ends_as_soon_as_that_is_seen(restart: bool) -> None:
    """Read an hour in the future: by right clocks it would be believed for an hour and more."""

    async def actions(world: Running) -> None:
        await world.end()
        world.ahead = timedelta(hours=1)
        world.begin()
        await asyncio.sleep(61)
        world.seen = GONE
        world.ahead = timedelta()
        assert readers_believe(world)
        if restart:
            await world.end()
            world.begin()
        await asyncio.sleep(1 if restart else 61)
        assert world.statement().stock is Stock.UNKNOWN
        assert not readers_believe(world)

    running(actions)


@pytest.mark.parametrize("step", [timedelta(days=-1), timedelta(minutes=-4), timedelta(minutes=4), timedelta(days=1)])
def test_clock_that_is_set_stops_neither_readings_nor_renewals_and_floods_nobody(step: timedelta) -> None:
    """One refresh later all is said by the new clock; and from then on as often as before."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(600)
        world.written()
        await asyncio.sleep(1800)
        undisturbed = len(world.written())
        world.ahead += step
        readings = len(world.read)
        await asyncio.sleep(61)
        assert len(world.written()) <= 2, "the Offering once, and the host"
        for _ in range(30):
            await asyncio.sleep(60)
            said = world.statement()
            assert said.stock is Stock.IN_STOCK
            assert said.valid_until is not None
            assert timedelta() < said.valid_until - world.now() <= VALIDITY
        assert len(world.read) - readings <= 32
        assert len(world.written()) <= undisturbed + 2

    running(actions)


def test_clock_that_was_ahead_for_a_day_leaves_nothing_unknown() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        seen = world.seen
        for ahead in (timedelta(days=1), timedelta()):
            world.seen, world.ahead = GONE, ahead
            await asyncio.sleep(61)
            assert world.statement().stock is Stock.UNKNOWN
            world.seen = seen
            await asyncio.sleep(61)
            assert world.statement().stock is Stock.IN_STOCK
            assert readers_believe(world)

    running(actions)


def test_clock_that_is_set_back_while_the_cluster_is_read_costs_one_more_reading() -> None:
    """What is read at the old time cannot be believed at the new one; nobody waits for the next refresh because of that."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        seen, world.seen = world.seen, asyncio.Event()
        await asyncio.sleep(60)
        assert len(world.read) == 2
        world.ahead -= timedelta(hours=1)
        world.seen.set()
        world.seen = seen
        await asyncio.sleep(2)
        assert len(world.read) == 3
        assert world.statement().stock is Stock.IN_STOCK
        observed_at = world.statement().observed_at
        assert observed_at is not None
        assert observed_at <= world.now()

    running(actions)


def test_statement_that_cannot_be_ended_is_not_tried_without_a_pause() -> None:
    """The API server takes no write for an hour, and what should be Unknown by now is not: that is no reason to hammer it."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        world.seen = GONE
        world.kube.refused = dict.fromkeys(["fra1-small", "fra1"], Unavailable("the API server was not reached"))
        await asyncio.sleep(600)
        world.written()
        for _ in range(60):
            await asyncio.sleep(60)
            assert 1 <= len(world.written()) <= 8
        world.kube.refused = {}
        await asyncio.sleep(61)
        assert world.statement().stock is Stock.UNKNOWN

    running(actions)


def test_no_condition_changed_in_the_future() -> None:
    """After the clock was set back its moment is now, and stays."""
    ready = Condition(
        type="Ready", status=ConditionStatus.TRUE, reason="Observed", message="", last_transition_time=EPOCH
    )
    finding = conditions.Finding(type="Ready", status=ConditionStatus.TRUE, reason="Observed", message="")
    before, now = (ready,), EPOCH - timedelta(days=1)
    for moment in (now, now + timedelta(hours=1), now + timedelta(days=9)):
        before = conditions.settle([finding], before=before, generation=1, now=moment)
        assert before[0].last_transition_time == now
