"""When Proxmox is read, and when not."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.problems import SUSPENDED
from proxmox_offerings.controller.session import Session
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.kube.errors import Unavailable
from proxmox_offerings.kube.objects import Ref
from proxmox_offerings.proxmox.errors import ConnectionFailed, CredentialsMissing
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.resources import ProxmoxHostSpec
from support.cluster import cluster, host, tier
from unit.controller.virtual_time import elapsed, run

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
SNAPSHOT = cluster().snapshot()


def spec(**changes: Any) -> ProxmoxHostSpec:
    return host(tier(), **changes).spec


class World:
    """A session over a cluster that answers or fails as told; the wall clock goes with the loop's."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.moments: list[float] = []
        self.secret = "11111111"
        self.opened: list[str] = []
        self.open = 0
        self.failure: Exception | None = None
        self.takes = 0.0
        self.tell_news: Callable[[], None] = lambda: None
        self.asked_for: list[float] = []
        self.results: Counter[str] = Counter()
        self.session = Session(
            Ref("default", "fra1"),
            open_observer=self._open,
            read_token=self._token,
            on_news=lambda _, delay: self.asked_for.append(delay),
            backoff=Backoff(rng=random.Random(0)),
            observed=lambda result, _: self.results.update([result]),
        )

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=elapsed()) + self.ahead

    async def look(self, wanted: ProxmoxHostSpec) -> None:
        await self.session.look(wanted, now=self.now())
        if self.session.problem is None:
            self.session.used()

    async def look_when_due(self, wanted: ProxmoxHostSpec, *, until: float) -> None:
        while True:
            await self.look(wanted)
            wait = self.session.seconds_until_due
            if elapsed() + wait > until:
                return
            await asyncio.sleep(wait)

    async def _token(self, namespace: str, name: str) -> Token:
        assert (namespace, name) == ("default", "token")
        if isinstance(self.failure, Unavailable):
            raise self.failure
        if not self.secret:
            raise CredentialsMissing("there is no Secret")
        return Token(id="ops@pve!reader", secret=self.secret)

    def _open(self, *, spec: ProxmoxHostSpec, token: Token, on_news: Callable[[], None]) -> "World":
        self.opened.append(f"{spec.endpoints[0]} {token.secret}")
        self.open += 1
        self.tell_news = on_news
        return self

    async def observe(self) -> Snapshot:
        self.moments.append(round(elapsed(), 3))
        await asyncio.sleep(self.takes)
        if self.failure:
            raise self.failure
        return replace(SNAPSHOT, observed_at=self.now())

    async def aclose(self) -> None:
        self.open -= 1


def scenario(actions: Callable[[World], Awaitable[None]]) -> World:
    async def main() -> World:
        world = World()
        await actions(world)
        return world

    return run(main())


def test_it_is_read_in_its_own_rhythm_however_long_reading_takes() -> None:
    async def actions(world: World) -> None:
        world.takes = 2.5
        await world.look_when_due(spec(), until=301)

    moments = scenario(actions).moments
    gaps = [round(later - earlier, 3) for earlier, later in pairwise(moments[1:])]
    assert moments[0] == 0
    assert 6 <= moments[1] <= 68.5
    assert gaps == [60.0] * len(gaps)


def test_reconciles_in_between_do_not_read() -> None:
    async def actions(world: World) -> None:
        await world.look(spec())
        for _ in range(100):
            await world.look(spec())

    assert len(scenario(actions).moments) == 1


def test_hosts_have_different_rhythms() -> None:
    async def main() -> set[float]:
        dues = set()
        for number in range(20):
            world = World()
            world.session.ref = Ref("default", f"host{number}")
            await world.look(spec())
            dues.add(round(world.session.seconds_until_due))
        return dues

    assert len(run(main())) > 10


def test_a_failure_is_tried_again_ever_later_but_not_later_than_a_refresh() -> None:
    async def actions(world: World) -> None:
        world.failure = ConnectionFailed("no")
        await world.look_when_due(spec(refreshIntervalSeconds=15), until=100)
        assert world.session.problem is not None

    moments = scenario(actions).moments
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert gaps[0] <= 1 < gaps[1] <= 2 < gaps[2] <= 4
    assert all(11 <= gap <= 15 for gap in gaps[4:])


def test_what_cannot_be_planned_from_is_not_read_again_and_again() -> None:
    """Reading succeeds each time, but nothing can be made of it: that is a failure like the others."""

    async def actions(world: World) -> None:
        for _ in range(200):
            await world.session.look(spec(), now=world.now())
            world.session.fail(SUSPENDED, spec())
            await asyncio.sleep(1)

    assert len(scenario(actions).moments) < 15


def test_a_token_rotated_is_used_with_the_next_reading() -> None:
    async def actions(world: World) -> None:
        await world.look_when_due(spec(), until=61)
        world.secret = "22222222"
        await world.look_when_due(spec(), until=121)
        assert world.open == 1

    assert scenario(actions).opened == [
        "https://pve1.example.net:8006 11111111",
        "https://pve1.example.net:8006 22222222",
    ]


@pytest.mark.parametrize(
    ("change", "read_at_once", "believed"),
    [
        pytest.param({"endpoints": ["https://other.example.net:8006"]}, True, False, id="another cluster"),
        pytest.param({"tls": {"insecureSkipVerify": True}}, True, False, id="another proof"),
        pytest.param({"inventoryIntervalSeconds": 60}, False, True, id="what is read: the last snapshot first"),
        pytest.param({"stock": {"lowThreshold": 5}}, False, True, id="what is made of it"),
        pytest.param({"refreshIntervalSeconds": 30}, False, True, id="how often"),
    ],
)
def test_a_changed_spec(change: dict[str, Any], read_at_once: bool, believed: bool) -> None:
    async def actions(world: World) -> None:
        await world.look(spec())
        assert (world.session.believable(spec(**change), now=world.now()) is not None) is believed
        await world.look(spec(**change))
        assert world.session.snapshot is not None
        assert world.open == 1

    assert len(scenario(actions).moments) == 1 + read_at_once


def test_what_is_read_differently_is_read_right_after() -> None:
    async def actions(world: World) -> None:
        await world.look(spec())
        await world.look(spec(inventoryIntervalSeconds=60))
        assert world.session.seconds_until_due <= 0
        await world.look(spec(inventoryIntervalSeconds=60))
        assert (len(world.moments), len(world.opened), world.open) == (2, 2, 1)

    scenario(actions)


def test_a_shorter_interval_holds_from_now_on() -> None:
    async def actions(world: World) -> None:
        await world.look(spec(refreshIntervalSeconds=3600, validitySeconds=14400))
        await world.look(spec(refreshIntervalSeconds=15, validitySeconds=14400))
        assert 0 < world.session.seconds_until_due <= 15

    scenario(actions)


def test_a_suspended_host_is_not_read_until_it_goes_on() -> None:
    async def actions(world: World) -> None:
        await world.look(spec())
        await world.look(spec(suspend=True))
        assert (world.session.problem, world.open) == (SUSPENDED, 0)
        assert world.session.believable(spec(suspend=True), now=world.now()) is not None
        await asyncio.sleep(3600)
        await world.look(spec(suspend=True))
        assert len(world.moments) == 1
        await world.look(spec())
        assert (len(world.moments), world.session.problem) == (2, None)

    scenario(actions)


def test_a_snapshot_is_believed_as_long_as_a_statement_from_it_would_be_valid() -> None:
    async def actions(world: World) -> None:
        await world.look(spec())
        for seconds, believed in ((0, True), (599, True), (600, False), (-1, False)):
            moment = world.now() + timedelta(seconds=seconds)
            assert (world.session.believable(spec(), now=moment) is not None) is believed

    scenario(actions)


def test_a_clock_set_forward_is_a_reason_to_read() -> None:
    """Otherwise nothing would be known, and nothing wrong, until the next beat."""

    async def actions(world: World) -> None:
        await world.look(spec())
        world.ahead = timedelta(hours=1)
        await world.look(spec())
        assert world.session.believable(spec(), now=world.now()) is not None

    assert len(scenario(actions).moments) == 2


def test_news_is_read_soon_and_once() -> None:
    async def actions(world: World) -> None:
        await world.look(spec())
        await asyncio.sleep(0.2)
        for _ in range(32):
            world.tell_news()
        assert set(world.asked_for) == {1.0}
        await world.look(spec())
        assert len(world.moments) == 1
        await asyncio.sleep(1)
        await world.look(spec())
        await world.look(spec())
        assert len(world.moments) == 2

    scenario(actions)


def test_news_during_a_reading_is_not_lost() -> None:
    async def actions(world: World) -> None:
        world.takes = 1
        reading = asyncio.create_task(world.look(spec()))
        await asyncio.sleep(0.5)
        world.tell_news()
        await reading
        assert world.session.seconds_until_due <= 1

    scenario(actions)


def test_no_news_makes_a_failure_be_tried_sooner() -> None:
    async def actions(world: World) -> None:
        await world.look(spec())
        world.failure = ConnectionFailed("no")
        await asyncio.sleep(world.session.seconds_until_due)
        await world.look(spec())
        due = world.session.seconds_until_due
        world.tell_news()
        assert world.session.seconds_until_due == due

    scenario(actions)


def test_a_missing_secret_is_a_failure_and_no_call_to_proxmox() -> None:
    async def actions(world: World) -> None:
        world.secret = ""
        await world.look(spec())
        assert world.session.problem is not None
        assert world.session.problem.reason == "CredentialsMissing"

    world = scenario(actions)
    assert (world.moments, world.results) == ([], Counter({"CredentialsMissing": 1}))


def test_an_api_server_that_does_not_answer_says_nothing_about_proxmox() -> None:
    async def actions(world: World) -> None:
        world.failure = Unavailable("no")
        with pytest.raises(Unavailable):
            await world.look(spec())
        assert world.session.problem is None

    scenario(actions)
