"""One leader, and never two. Time is virtual, so that every bound is exact; the Lease is kept in memory and guarded as the API server guards it."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from proxmox_offerings.controller.leader import Elector, Timing
from proxmox_offerings.kube.errors import Conflict, KubeError, NotFound, NotLeading, Unavailable
from proxmox_offerings.kube.lease import Claim, LiveLease
from unit.controller.virtual_time import elapsed, run

DEFAULTS = Timing(lease_duration=15, renew_deadline=10.0, retry_period=2.0)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
Answer = TypeVar("Answer")


class Server:
    """Keeps the Lease."""

    def __init__(self) -> None:
        self.lease: LiveLease | None = None
        self._version = 0

    def write(self, claim: Claim, before: LiveLease | None) -> LiveLease:
        if before is not None and self.lease is None:
            raise NotFound("no such lease", status=404)
        if (before and before.version) != (self.lease and self.lease.version):
            raise Conflict("the object has been modified", status=409)
        if before is None or before.claim != claim:
            # As the API server: what changes nothing is no new version.
            self._version += 1
        self.lease = LiveLease(claim=claim, version=str(self._version), body={})
        return self.lease

    @property
    def holder(self) -> str:
        return self.lease.claim.holder if self.lease else ""


class Connection:
    """One candidate's way to the server. `delays`: seconds on the way there and back. What takes longer than 5 s is given up, but may arrive."""

    def __init__(self, server: Server, *, delays: Callable[[], tuple[float, float]] = lambda: (0.01, 0.01)) -> None:
        self.server = server
        self.delays = delays
        self.down = False
        self.requests = 0
        self.answered: Callable[[], None] = lambda: None
        self._under_way: set[asyncio.Task[object]] = set()

    async def read(self) -> LiveLease | None:
        return await self._request(lambda: self.server.lease)

    async def write(self, claim: Claim, *, before: LiveLease | None) -> LiveLease:
        return await self._request(lambda: self.server.write(claim, before))

    async def aclose(self) -> None:
        pass

    async def _request(self, act: Callable[[], Answer]) -> Answer:
        there, back = self.delays()
        self.requests += 1
        if self.down:
            await asyncio.sleep(0.5)
            raise Unavailable("the API server was not reached")

        async def under_way() -> Answer | KubeError:
            await asyncio.sleep(there)
            try:
                answer: Answer | KubeError = act()
            except KubeError as error:
                answer = error
            await asyncio.sleep(back)
            return answer

        task = asyncio.create_task(under_way())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            async with asyncio.timeout(5):
                answer = await asyncio.shield(task)
        except TimeoutError:
            raise Unavailable("the API server did not answer within 5 s") from None
        asyncio.get_running_loop().call_soon(self.answered)
        if isinstance(answer, KubeError):
            raise answer
        return answer


class Candidate:
    """A process that takes part. `working`: between the beginning of its work and its end."""

    def __init__(
        self,
        name: str,
        connection: Connection,
        *,
        seed: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rng: random.Random | None = None,
        ending: float = 0.0,
    ) -> None:
        self.name = name
        self.connection = connection
        self.elector = Elector(connection, identity=name, timing=DEFAULTS, now=now, rng=rng or random.Random(seed))
        self.working = False
        self.led: list[float] = []
        self._ending = ending
        self._task: asyncio.Task[None] | None = None

    def start(self) -> "Candidate":
        self._task = asyncio.create_task(self.elector.run(lead=self._lead, rest=self._rest))
        return self

    async def stop(self) -> None:
        """As SIGTERM does."""
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def kill(self) -> None:
        """As SIGKILL does: nothing is sent any more."""
        self.connection.down = True
        await self.stop()

    def _lead(self) -> None:
        self.working = True
        self.led.append(elapsed())

    async def _rest(self) -> None:
        if self.working:
            assert not self.elector.leading, "what is being abandoned could still write"
            await asyncio.sleep(self._ending)
        self.working = False


@contextlib.asynccontextmanager
async def running(*candidates: Candidate) -> AsyncIterator[None]:
    for candidate in candidates:
        candidate.start()
    try:
        yield
    finally:
        for candidate in candidates:
            await candidate.stop()


async def until(condition: Callable[[], object]) -> float:
    """Returns how long that took."""
    began = elapsed()
    while not condition():
        await asyncio.sleep(0.01)
        assert elapsed() - began < 300, "never"
    return elapsed() - began


def test_the_first_one_leads_at_once_and_says_so() -> None:
    async def scenario() -> None:
        server = Server()
        one = Candidate("one", Connection(server), now=lambda: NOON)
        with pytest.raises(NotLeading):
            one.elector.require()
        async with running(one):
            assert await until(lambda: one.working) < 0.1
            one.elector.require()
            assert server.lease is not None
            assert server.lease.claim == Claim(
                holder="one", duration=15, transitions=0, acquired_at=NOON, renewed_at=NOON
            )
            await asyncio.sleep(100)
            assert one.led == [pytest.approx(0.04, abs=0.05)]
            assert one.connection.requests < 2 + 100 / 1.5
            assert server.lease.claim.acquired_at == NOON
        assert (server.holder, one.working) == ("", False)

    run(scenario())


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_leader_is_replaced_within_twenty_seconds_and_not_before_its_lease_ends(seed: int) -> None:
    async def scenario() -> None:
        server = Server()
        one, two = Candidate("one", Connection(server), seed=seed), Candidate("two", Connection(server), seed=seed + 50)
        async with running(one):
            await until(lambda: one.working)
            async with running(two):
                await asyncio.sleep(20 + seed / 4)
                await one.kill()
                took = await until(lambda: two.working)
                assert 13 <= took <= 16.5
                assert server.lease is not None
                assert server.lease.claim.transitions == 1

    run(scenario())


def test_a_leader_that_ends_well_is_replaced_within_a_second_and_only_after_its_work() -> None:
    async def scenario() -> None:
        server = Server()
        one, two = Candidate("one", Connection(server), ending=3.0), Candidate("two", Connection(server))
        two.connection.answered = lambda: None if not two.working else check()

        def check() -> None:
            assert not one.working, "two at work"

        async with running(one):
            await until(lambda: one.working)
            async with running(two):
                await asyncio.sleep(10)
                await one.stop()
                assert await until(lambda: two.working) <= 1.1
                assert server.holder == "two"

    run(scenario())


@pytest.mark.parametrize("renewed", [timedelta(days=-400), timedelta(0), timedelta(days=400)])
def test_the_times_in_a_lease_decide_nothing(renewed: timedelta) -> None:
    """Another machine's clock, or one that was set: a follower counts from when it saw the Lease, for as long as the Lease says."""

    async def scenario() -> None:
        server = Server()
        server.write(
            Claim(holder="gone", duration=7, transitions=3, acquired_at=NOON, renewed_at=NOON + renewed), before=None
        )
        two = Candidate("two", Connection(server), now=lambda: NOON)
        async with running(two):
            assert await until(lambda: two.working) == pytest.approx(7, abs=0.1)

    run(scenario())


@pytest.mark.parametrize("clock", [lambda: NOON, lambda: NOON - timedelta(seconds=elapsed()), None])
def test_a_leader_whose_clock_stands_or_runs_back_is_still_seen_to_live(clock: Callable[[], datetime] | None) -> None:
    """A renewal that changes nothing would be no new version, and the follower would take over from a leader in full health."""

    async def scenario() -> None:
        steps = random.Random(5)
        wild = clock or (lambda: NOON + timedelta(days=steps.uniform(-400, 400)))
        server = Server()
        one, two = Candidate("one", Connection(server), now=wild), Candidate("two", Connection(server), now=wild)
        async with running(one):
            await until(lambda: one.working)
            async with running(two):
                await asyncio.sleep(200)
                assert (one.working, len(one.led), two.led) == (True, 1, [])

    run(scenario())


def test_who_cannot_renew_stops_before_another_one_starts() -> None:
    async def scenario() -> None:
        server = Server()
        one, two = Candidate("one", Connection(server), ending=2.0), Candidate("two", Connection(server))
        async with running(one):
            await until(lambda: one.working)
            async with running(two):
                await asyncio.sleep(30)
                one.connection.down = True
                assert 7.9 <= await until(lambda: not one.elector.leading) <= 10
                with pytest.raises(NotLeading):
                    one.elector.require()
                await until(lambda: two.working)
                assert not one.working
                one.connection.down = False
                await asyncio.sleep(60)
                assert (len(one.led), two.working) == (1, True)

    run(scenario())


def test_after_the_api_server_was_away_exactly_one_leads() -> None:
    async def scenario() -> None:
        server = Server()
        all_of_them = [Candidate(str(number), Connection(server), seed=number) for number in range(3)]
        async with running(*all_of_them):
            await until(lambda: any(one.working for one in all_of_them))
            for one in all_of_them:
                one.connection.down = True
            assert await until(lambda: not any(one.working for one in all_of_them)) <= 10
            await asyncio.sleep(600)
            assert not any(one.working for one in all_of_them)
            for one in all_of_them:
                one.connection.down = False
            await until(lambda: any(one.working for one in all_of_them))
            for _ in range(100):
                await asyncio.sleep(1)
                assert [one.working for one in all_of_them].count(True) == 1

    run(scenario())


def test_a_request_that_hangs_does_not_cost_the_leadership() -> None:
    async def scenario() -> None:
        slow = iter([0.01] * 8 + [60.0] + [0.01] * 1000)
        one = Candidate("one", Connection(Server(), delays=lambda: (next(slow), 0.01)))
        async with running(one):
            await until(lambda: one.working)
            await asyncio.sleep(60)
            assert len(one.led) == 1

    run(scenario())


def test_a_renewal_that_arrived_although_its_answer_did_not_is_found() -> None:
    async def scenario() -> None:
        lost = iter([0.01] * 8 + [60.0] + [0.01] * 1000)
        one = Candidate("one", Connection(Server(), delays=lambda: (0.01, next(lost))))
        async with running(one):
            await until(lambda: one.working)
            await asyncio.sleep(60)
            assert len(one.led) == 1

    run(scenario())


def test_somebody_who_edits_the_lease_does_not_end_the_leadership() -> None:
    async def scenario() -> None:
        server = Server()
        one = Candidate("one", Connection(server))
        async with running(one):
            await until(lambda: one.working)
            for _ in range(20):
                await asyncio.sleep(5)
                assert server.lease is not None
                server.lease = replace(server.lease, version=server.lease.version + "-edited")
            assert len(one.led) == 1

    run(scenario())


def test_a_lease_that_was_deleted_is_not_taken_while_its_holder_may_not_know() -> None:
    async def scenario() -> None:
        server = Server()
        one, two = Candidate("one", Connection(server)), Candidate("two", Connection(server))
        async with running(one):
            await until(lambda: one.working)
            async with running(two):
                await asyncio.sleep(10)
                one.connection.down = True
                server.lease = None
                await until(lambda: two.working)
                assert not one.elector.leading
                one.connection.down = False
                two.connection.down = True
                server.lease = None
                await until(lambda: one.working)
                assert not two.elector.leading

    run(scenario())


def test_a_lease_that_another_one_took_ends_the_leadership_with_the_next_renewal() -> None:
    async def scenario() -> None:
        server = Server()
        one = Candidate("one", Connection(server))
        async with running(one):
            await until(lambda: one.working)
            assert server.lease is not None
            server.write(replace(server.lease.claim, holder="thief"), server.lease)
            assert await until(lambda: not one.working) <= 2.1
        assert server.holder == "thief", "only what is ours is given back"

    run(scenario())


class Paused(random.Random):
    """Delays, now and then far longer than asked for: the process did not run."""

    def uniform(self, a: float, b: float) -> float:
        drawn = super().uniform(a, b)
        return drawn * self.choice([3, 10, 30]) if self.random() < 0.05 else drawn


@pytest.mark.parametrize("seed", range(25))
def test_never_do_two_believe_to_lead_at_the_same_time(seed: int) -> None:
    """Five processes over ten minutes: slow and lost requests, some of which arrive long after, outages, pauses, kills, edits, wild clocks."""

    async def scenario() -> None:
        chance = random.Random(seed)
        server = Server()

        def delays() -> tuple[float, float]:
            wild = chance.random() < 0.1
            return tuple(chance.expovariate(1 / 8 if wild else 50) for _ in range(2))  # type: ignore[return-value]

        def wild_clock() -> datetime:
            return NOON + timedelta(seconds=chance.uniform(-1e6, 1e6) if chance.random() < 0.2 else elapsed())

        def candidate(name: str) -> Candidate:
            one = Candidate(name, Connection(server, delays=delays), now=wild_clock, rng=Paused(chance.random()))
            one.connection.answered = check
            return one.start()

        def check() -> None:
            leading = [one.name for one in candidates if one.elector.leading]
            terms.update(leading)
            if len(leading) > 1:
                crimes.append(f"{leading} at {elapsed():.2f} s")

        terms: set[str] = set()
        crimes: list[str] = []
        candidates: list[Candidate] = []
        candidates += [candidate(f"{number}") for number in range(5)]
        while elapsed() < 600:
            await asyncio.sleep(chance.expovariate(1 / 15))
            victim = chance.randrange(len(candidates))
            match chance.choice(["outage", "kill", "stop", "edit"]):
                case "outage":
                    candidates[victim].connection.down = not candidates[victim].connection.down
                case "kill":
                    await candidates[victim].kill()
                    candidates[victim] = candidate(f"{elapsed():.3f}")
                case "stop":
                    await candidates[victim].stop()
                    candidates[victim] = candidate(f"{elapsed():.3f}")
                case "edit" if server.lease is not None:
                    server.lease = replace(server.lease, version=server.lease.version + "e")
        assert not crimes
        assert len(terms) > 1
        for one in candidates:
            one.connection.down = False
            one.connection.delays = lambda: (0.01, 0.01)
        await until(lambda: sum(one.working for one in candidates) == 1)
        for one in candidates:
            await one.stop()

    run(scenario())
