"""Until when a statement is believed: renewed at a bounded rate, ended when its time is over, and never made to look newer than what was read."""

import asyncio
from datetime import timedelta

import pytest

from proxmox_offerings.kube.errors import Unavailable
from proxmox_offerings.proxmox.errors import ConnectionFailed
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.resources import Stock
from support.cluster import cluster, node
from unit.controller.running import EPOCH, Running, running

HOUR = 3600
GONE = ConnectionFailed("no endpoint answered")


def test_an_unchanged_statement_is_renewed_twice_each_validity_and_keeps_half_of_it() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        world.written()
        for _ in range(HOUR // 10):
            await asyncio.sleep(10)
            said = world.statement()
            assert said.valid_until is not None
            # The next reading comes within a minute, and only a reading renews.
            assert said.valid_until - world.now() >= timedelta(seconds=300 - 60 - 2)
        assert len(world.read) == HOUR / 60 + 1
        assert world.written().count(("status", "fra1-small")) <= 2 * HOUR / 600 + 1

    running(actions)


def test_a_change_of_the_cluster_is_followed_by_no_early_mark() -> None:
    """Neither of the Offering nor of the host: clusters change each at its own time, so there is nothing to spread."""

    async def actions(world: Running) -> None:
        for threads in (14, 12, 10):
            await asyncio.sleep(130)
            world.seen = cluster(nodes=[node(threads=threads)])
            await asyncio.sleep(61)
            assert {("status", "fra1-small"), ("status", "fra1")} <= set(world.written())
            assert world.statement().available == threads // 2
            await asyncio.sleep(230)
            assert world.written() == []

    running(actions)


def test_what_cannot_be_read_again_is_not_renewed_and_ends_on_time() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        end = world.statement().valid_until
        assert end is not None
        world.seen = GONE
        await asyncio.sleep((end - world.now()).total_seconds() - 1)
        assert (world.statement().stock, world.statement().valid_until) == (Stock.IN_STOCK, end)
        await asyncio.sleep(2)
        assert (world.statement().stock, world.statement().available) == (Stock.UNKNOWN, None)

    running(actions)


@pytest.mark.parametrize("away", [30, 599, 601, 100 * HOUR])
def test_who_was_away_renews_nothing_before_it_has_read(away: int) -> None:
    """While nothing can be read, the old statement stands as it is, or it is over."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        before = world.statement()
        await world.end()
        world.seen = GONE
        await asyncio.sleep(away - 1)
        world.begin()
        await asyncio.sleep(0.5)
        said = world.statement()
        assert (said.observed_at, said.valid_until) == (before.observed_at, before.valid_until)
        assert said.stock is (Stock.IN_STOCK if away < 600 else Stock.UNKNOWN)
        assert world.host().status is not None
        assert world.host().status["lastRefreshTime"] == "2026-11-24T12:00:00Z"

    running(actions)


@pytest.mark.parametrize("restarts", [1, 5])
def test_a_quick_restart_costs_no_renewal_of_what_is_young(restarts: int) -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(0.1)
        world.written()
        for _ in range(restarts):
            await world.end()
            world.begin()
            await asyncio.sleep(0.5)
        assert world.written() == []
        assert len(world.read) == 1 + restarts

    running(actions)


def test_a_reading_that_hangs_keeps_no_statement_beyond_its_end() -> None:
    """And what it brings in the end is said at once, if it is still true."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        end = world.statement().valid_until
        assert end is not None
        world.seen = asyncio.Event()
        await asyncio.sleep((end - world.now()).total_seconds() - 1)
        assert world.statement().stock is Stock.IN_STOCK
        await asyncio.sleep(10)
        assert world.statement().stock is Stock.UNKNOWN
        assert world.written()[-1] == ("status", "fra1-small")
        await asyncio.sleep(60)
        assert world.written() == [], "ended once"

    running(actions)


def test_who_was_away_too_long_says_so_though_its_first_reading_hangs() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        await world.end()
        await asyncio.sleep(HOUR)
        world.seen = hanging = asyncio.Event()
        world.begin()
        await asyncio.sleep(10)
        assert world.statement().stock is Stock.UNKNOWN
        hanging.set()
        await asyncio.sleep(0.1)
        said = world.statement()
        assert said.stock is Stock.IN_STOCK
        assert said.observed_at == (EPOCH + timedelta(seconds=HOUR + 1))

    running(actions)


def test_who_was_away_too_long_and_reads_at_once_says_the_new_without_ending_the_old() -> None:
    """Two writes for each Offering, and two Events, would tell people of nothing."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        await world.end()
        await asyncio.sleep(HOUR)
        world.written()
        world.begin()
        await asyncio.sleep(1)
        assert world.written().count(("status", "fra1-small")) == 1

    running(actions)


@pytest.mark.parametrize("hours", [-100, -1, 1, 100])
def test_a_clock_that_is_set_leaves_no_statement_that_claims_more_than_its_validity(hours: int) -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        world.ahead = timedelta(hours=hours)
        await asyncio.sleep(70)
        said = world.statement()
        assert said.observed_at is not None
        assert said.observed_at <= world.now() < said.observed_at + timedelta(seconds=600)
        world.ahead = timedelta()
        await asyncio.sleep(70)
        said = world.statement()
        assert said.observed_at is not None
        assert said.observed_at <= world.now() < said.observed_at + timedelta(seconds=600)

    running(actions)


def test_suspending_lets_the_statement_end_and_resuming_says_a_new_one() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        world.apply(suspend=True)
        await asyncio.sleep(500)
        assert world.statement().stock is Stock.IN_STOCK
        assert len(world.read) == 1
        await asyncio.sleep(200)
        assert world.statement().stock is Stock.UNKNOWN
        world.apply(suspend=False)
        await asyncio.sleep(1)
        assert world.statement().stock is Stock.IN_STOCK

    running(actions)


def test_a_host_that_is_due_while_the_api_server_is_away_is_not_tried_without_a_pause() -> None:
    """Who leads nobody works on then; whoever does without election hammers a server that is just coming back."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(1)
        tried, readings = len(world.looked_for_token), len(world.read)
        world.secret = Unavailable("the API server was not reached")
        await asyncio.sleep(600)
        assert 10 <= len(world.looked_for_token) - tried <= 100
        assert len(world.read) == readings
        world.secret = Token(id="ops@pve!reader", secret="11111111")
        await asyncio.sleep(60)
        assert len(world.read) > readings
        assert world.statement().stock is Stock.IN_STOCK

    running(actions)
