"""An operator without processes and servers: work queue, reconciler and publisher over an API server in memory, on virtual time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from proxmox_offerings.catalogue.plan import plan, unobserved
from proxmox_offerings.controller import statements
from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.publish import Publisher
from proxmox_offerings.controller.queue import Requeue, WorkQueue
from proxmox_offerings.controller.reconcile import Reconciler
from proxmox_offerings.controller.session import Session
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.kube.errors import KubeError
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.resources import OfferingStatus, ProxmoxHostSpec
from support.cluster import ClusterFacts, cluster, host, node, tier
from unit.controller.fakes import FakeKube, live_host
from unit.controller.virtual_time import elapsed, run

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
SEEN = cluster(nodes=[node(threads=16)])
"""Has room for eight of SMALL."""
SMALL = tier("small", cpu=2)


class Running:
    """One process, and the world around it: `begin` another one to see what a restart does.

    `seen` is what the next reading of Proxmox gives, raises, or waits for, `secret` what the next look for the token gives or raises; the wall clock
    goes with the loop's, and `ahead` of it.
    """

    def __init__(self) -> None:
        self.kube = FakeKube()
        self.ahead = timedelta()
        self.seen: ClusterFacts | Exception | asyncio.Event = SEEN
        self.secret: Token | KubeError = Token(id="ops@pve!reader", secret="11111111")
        self.looked_for_token: list[float] = []
        self.read: list[datetime] = []
        self.readings: list[str] = []
        self._spec: dict[str, Any] = {}
        self._generation = 0
        self._written = 0
        self.apply()
        self.begin()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=elapsed()) + self.ahead

    def apply(self, **spec: Any) -> None:
        """A person changes the ProxmoxHost."""
        self._spec |= spec
        self._generation += 1
        wire = host(SMALL, **self._spec).spec.to_wire()
        before = self.kube.there.get("fra1")
        status = before.status if before is not None else None
        self.kube.put(replace(live_host(generation=self._generation, status=status), spec=wire))
        if self._generation > 1:
            self.live.saw_host(self.kube.there["fra1"])
            self.queue.add(Ref("default", "fra1"))

    def begin(self) -> None:
        """A process starts, knowing nothing but what is in Kubernetes."""
        self.live = LiveObjects()
        for live in self.kube.there.values():
            self.live.saw_offering(live) if live.owner else self.live.saw_host(live)
        self.reconciler = Reconciler(
            live=self.live,
            publisher=Publisher(hosts=self.kube, offerings=self.kube, live=self.live, now=self.now),
            open_session=self._session,
            make_plan=plan,
            unobserved=unobserved,
            now=self.now,
            new_backoff=lambda: Backoff(rng=random.Random(0)),
        )
        self.queue: WorkQueue[Ref] = WorkQueue(self._work, concurrency=2, failed=self._failed, rng=random.Random(0))
        self.queue.add(Ref("default", "fra1"))
        self.queue.start()

    async def end(self) -> None:
        await self.queue.stop()
        await self.reconciler.close()

    def written(self) -> list[tuple[str, str]]:
        """What was written since this was asked last."""
        new, self._written = self.kube.writes[self._written :], len(self.kube.writes)
        return new

    def statement(self) -> OfferingStatus:
        said = statements.read_status(self.kube.there["fra1-small"].status)
        assert said is not None
        return said

    def host(self) -> LiveObject:
        return self.kube.there["fra1"]

    async def observe(self) -> Snapshot:
        began = self.now()
        self.read.append(began)
        if isinstance(self.seen, asyncio.Event):
            await self.seen.wait()
            return replace(SEEN.snapshot(), observed_at=began)
        if isinstance(self.seen, Exception):
            raise self.seen
        return replace(self.seen.snapshot(), observed_at=began)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _work(self, ref: Ref) -> Requeue:
        return await self.reconciler.reconcile(ref)

    def _failed(self, _: Ref, error: Exception, __: float) -> None:
        raise error

    def _session(self, ref: Ref) -> Session:
        return Session(
            ref,
            open_observer=self._open,
            read_token=self._token,
            on_news=self.queue.add_after,
            backoff=Backoff(rng=random.Random(0)),
            observed=lambda result, _: self.readings.append(result),
        )

    def _open(self, *, spec: ProxmoxHostSpec, token: Token, on_news: Callable[[], None]) -> "Running":
        return self

    async def _token(self, namespace: str, name: str) -> Token:
        self.looked_for_token.append(elapsed())
        assert len(self.looked_for_token) < 1000, "without a pause"
        if isinstance(self.secret, KubeError):
            raise self.secret
        return self.secret


def running(actions: Callable[[Running], Awaitable[None]]) -> Running:
    """Run `actions` on virtual time; returns the world as they left it."""

    async def main() -> Running:
        world = Running()
        try:
            await actions(world)
        finally:
            await world.end()
        return world

    return run(main())
