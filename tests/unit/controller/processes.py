"""Several processes in one, each with an event loop of its own on one virtual clock: each can be paused (SIGSTOP), killed, and cut off.

What a paused process sent still arrives; what it is sent waits. Everything is decided by the seeds.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from proxmox_offerings.controller import ring
from proxmox_offerings.controller.leader import Elector, Timing
from proxmox_offerings.controller.members import Member
from proxmox_offerings.controller.ring import Share
from proxmox_offerings.kube.errors import Conflict, KubeError, NotFound, Unavailable
from proxmox_offerings.kube.lease import Claim, LiveLease

DEFAULTS = Timing(lease_duration=15, renew_deadline=10.0, retry_period=2.0)
EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
GROUP = "shop"
GIVEN_UP = 5.0
"""Seconds without an answer, as for the connection to the Leases."""


class Loop(asyncio.SelectorEventLoop):
    """Runs what is ready, once, whenever it is told to; time is the world's."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world
        self._selector.select = lambda _: []  # type: ignore[attr-defined, method-assign]

    def time(self) -> float:
        return self._world.now

    def once(self) -> None:
        self.call_soon(self.stop)
        self.run_forever()

    @property
    def is_busy(self) -> bool:
        return bool(self._ready)  # type: ignore[attr-defined]

    @property
    def due(self) -> float:
        """When the next timer is due."""
        timers = (timer.when() for timer in self._scheduled if not timer.cancelled())  # type: ignore[attr-defined]
        return min(timers, default=float("inf"))


class World:
    """The clock, the server with its Leases, and what is under way between it and the processes."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 1000.0
        self.leases: dict[str, LiveLease] = {}
        self.labelled: set[str] = set()
        self.processes: list[Process] = []
        self.watch: Callable[[], None] = lambda: None
        self.random = random.Random(seed)
        self._version = itertools.count(1)
        self._order = itertools.count()
        self._under_way: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._under_way, (when, next(self._order), act))

    def run(self, seconds: float) -> None:
        """Let time pass; `watch` is called after each thing that happens."""
        end = self.now + seconds
        while True:
            running = [process for process in self.processes if process.runs]
            while ready := [one for one in running if one.loop.is_busy or one.loop.due <= self.now]:
                for process in ready:
                    process.loop.once()
                    self.watch()
            event = self._under_way[0][0] if self._under_way else float("inf")
            self.now = min(end, event, *(one.loop.due for one in running))
            self.watch()
            if self.now >= end and event > end:
                return
            while self._under_way and self._under_way[0][0] <= self.now:
                heapq.heappop(self._under_way)[2]()

    def write(self, name: str, claim: Claim, before: LiveLease | None, annotations: Mapping[str, str]) -> LiveLease:
        """As the API server: guarded by the version, and what changes nothing is no new version."""
        there = self.leases.get(name)
        if before is not None and there is None:
            raise NotFound("no such lease", status=404)
        if (before and before.version) != (there and there.version):
            raise Conflict("the object has been modified", status=409)
        kept = {**(there.annotations if there else {}), **annotations}
        if there is not None and (there.claim, there.annotations) == (claim, kept):
            return there
        body = {"metadata": {"name": name, "annotations": kept}}
        self.leases[name] = LiveLease(claim=claim, version=str(next(self._version)), body=body)
        return self.leases[name]

    def close(self) -> None:
        for process in self.processes:
            process.close()


@dataclass(kw_only=True)
class Network:
    """One process's way to the server: `delays` gives the seconds there and back; what is lost on the way there or back is never heard of."""

    delays: Callable[[], tuple[float, float]] = lambda: (0.01, 0.01)
    lost: Callable[[], tuple[bool, bool]] = lambda: (False, False)


@dataclass(kw_only=True)
class Connection:
    """What a member calls (members.LeaseStore)."""

    world: World
    process: "Process"
    network: Network
    requests: int = 0

    async def list(self) -> Mapping[str, LiveLease]:
        leases = self.world.leases
        return await self._request(lambda: {name: leases[name] for name in leases if name in self.world.labelled})

    async def read(self, name: str) -> LiveLease | None:
        return await self._request(lambda: self.world.leases.get(name))

    async def write(
        self, name: str, claim: Claim, *, before: LiveLease | None, annotations: Mapping[str, str]
    ) -> LiveLease:
        def act() -> LiveLease:
            written = self.world.write(name, claim, before, annotations)
            if not self.process.leads:
                self.world.labelled.add(name)
            return written

        return await self._request(act)

    async def aclose(self) -> None:
        pass

    async def _request(self, act: Callable[[], Any]) -> Any:
        self.requests += 1
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Any] = loop.create_future()
        (there, back), (lost_there, lost_back) = self.network.delays(), self.network.lost()

        def arrive() -> None:
            try:
                answer: Any = act()
            except KubeError as error:
                answer = error
            if not lost_back:
                self.world.at(self.world.now + back, lambda: self.process.hear(answered, answer))

        if not lost_there:
            self.world.at(self.world.now + there, arrive)
        try:
            async with asyncio.timeout(GIVEN_UP):
                answer = await answered
        except TimeoutError:
            raise Unavailable("the API server did not answer within 5 s") from None
        if isinstance(answer, KubeError):
            raise answer
        return answer


class OneLease:
    """The Lease by which one process is elected to lead (leader.LeaseStore)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self) -> LiveLease | None:
        return await self._connection.read(GROUP)

    async def write(self, claim: Claim, *, before: LiveLease | None) -> LiveLease:
        return await self._connection.write(GROUP, claim, before=before, annotations={})

    async def aclose(self) -> None:
        pass


@dataclass(kw_only=True)
class Process:
    """One process in a loop of its own: a member, or one that `leads` alone.

    `working` is what it works on by its own account; `settling`: how many seconds it takes to stop; `clock` is how far its wall clock is ahead.
    """

    world: World
    name: str
    leads: bool = False
    network: Network = field(default_factory=Network)
    settling: float = 0.0
    clock: Callable[[], timedelta] = timedelta
    new_member: Callable[..., Member] = Member
    paused: bool = False
    dead: bool = False
    ending: bool = False
    working: Share = frozenset()

    def __post_init__(self) -> None:
        self.loop = Loop(self.world)
        self.connection = Connection(world=self.world, process=self, network=self.network)
        common: dict[str, Any] = {
            "identity": self.name,
            "timing": DEFAULTS,
            "now": lambda: EPOCH + timedelta(seconds=self.world.now) + self.clock(),
            "rng": random.Random(self.name),
        }
        self.member = self.new_member(self.connection, group=GROUP, **common)
        self.elector = Elector(OneLease(self.connection), **common)
        work = (
            self.elector.run(lead=self._lead, rest=self._rest) if self.leads else self.member.run(settle=self._settle)
        )
        self._task = self.loop.create_task(work)
        self.world.processes.append(self)

    @property
    def runs(self) -> bool:
        return not (self.paused or self.dead)

    @property
    def share(self) -> Share:
        """What it may write for at this moment, whether it is paused or not: a pause may end now."""
        if self.dead:
            return frozenset()
        return self._in_loop(self._own_share)

    def stop(self) -> None:
        """As SIGTERM does."""
        self.ending = True
        self._task.cancel()

    def kill(self) -> None:
        """As SIGKILL does."""
        self.dead = True

    def hear(self, answered: "asyncio.Future[Any]", answer: Any) -> None:
        if not self.dead:
            self.loop.call_soon(lambda: answered.done() or answered.set_result(answer))

    def close(self) -> None:
        self.paused = self.dead = False
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        for _ in range(200):
            self.loop.once()
            self.world.now += 1
        self.loop.close()

    def _own_share(self) -> Share:
        if self.leads:
            return ring.ALL if self.elector.leading else frozenset()
        return self.member.share

    def _lead(self) -> None:
        self.working = ring.ALL

    async def _rest(self) -> None:
        await self._settle(frozenset())

    async def _settle(self, share: Share) -> None:
        if self.working - share:
            assert not (self.working - share) & self._own_share(), "what is being abandoned could still be written"
            await asyncio.sleep(self.settling)
        self.working = share

    def _in_loop(self, ask: Callable[[], Share]) -> Share:
        asyncio._set_running_loop(self.loop)  # the member asks the running loop for the time
        try:
            return ask()
        finally:
            asyncio._set_running_loop(None)
