"""Many hosts in one process, on virtual time: work queue, reconciler, publisher, observers, parsers and plans as they are; an API server in memory,
and clusters that answer from memory.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from proxmox_offerings.catalogue.plan import plan, unobserved
from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.metrics import Metrics
from proxmox_offerings.controller.publish import Publisher
from proxmox_offerings.controller.queue import Requeue, WorkQueue
from proxmox_offerings.controller.reconcile import Reconciler
from proxmox_offerings.controller.session import Session
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.observation.observer import Observer
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.resources import ProxmoxHostSpec
from support.answers import Answers, Told
from support.cluster import host
from unit.controller.fakes import FakeKube, live_host
from unit.controller.virtual_time import elapsed

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Fleet(FakeKube):
    """`clusters` holds what the cluster behind each endpoint answers, `slow` how many seconds each of its calls takes."""

    def __init__(self, *, concurrency: int) -> None:
        super().__init__()
        self.clusters: dict[str, Answers] = {}
        self.slow: dict[str, float] = {}
        self.refreshed: Counter[str] = Counter()
        self.reconciled: Counter[str] = Counter()
        self.metrics = Metrics()
        self.live = LiveObjects()
        self.reconciler = Reconciler(
            live=self.live,
            publisher=Publisher(hosts=self, offerings=self, live=self.live, now=self.now),
            open_session=self._session,
            make_plan=plan,
            unobserved=unobserved,
            now=self.now,
            new_backoff=lambda: Backoff(rng=random.Random(0)),
        )
        self.queue: WorkQueue[Ref] = WorkQueue(
            self._work, concurrency=concurrency, failed=self._failed, rng=random.Random(0)
        )
        self._generations: Counter[str] = Counter()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=elapsed())

    def apply_host(self, name: str, *tiers: Mapping[str, Any], **spec: Any) -> None:
        """A person applies a ProxmoxHost."""
        ref = Ref("default", name)
        self._generations[name] += 1
        wire = host(*tiers, endpoints=[f"https://{name}.example.net:8006"], **spec).spec.to_wire()
        before = self.there.get(name)
        fresh = live_host(generation=self._generations[name], status=before.status if before else None)
        self.live.saw_host(self.put(replace(fresh, ref=ref, uid=f"uid-{name}", spec=wire)))
        self.queue.edited(ref)

    def delete_host(self, name: str) -> None:
        """A person deletes it; the garbage collector takes its Offerings."""
        gone = self.there.pop(name)
        for owned in [one for one in self.there.values() if one.owner is not None and one.owner.name == name]:
            del self.there[owned.ref.name]
            self.live.offering_gone(owned)
        self.live.host_gone(gone)
        del self._generations[name]
        self.queue.add(gone.ref)

    def offerings(self, name: str) -> list[LiveObject]:
        return [one for one in self.there.values() if one.owner is not None and one.owner.name == name]

    async def end(self) -> None:
        await self.queue.stop()
        await self.reconciler.close()

    async def _work(self, ref: Ref) -> Requeue:
        self.reconciled[ref.name] += 1
        return await self.reconciler.reconcile(ref)

    def _failed(self, ref: Ref, error: Exception, _: float) -> None:
        raise AssertionError(f"reconcile of {ref.name} failed") from error

    def _session(self, ref: Ref) -> Session:
        def observed(result: str, _: float) -> None:
            self.refreshed[ref.name] += 1

        return Session(
            ref,
            open_observer=self._open,
            read_token=self._token,
            on_news=self.queue.add_after,
            backoff=Backoff(rng=random.Random(0)),
            observed=observed,
        )

    def _open(self, *, spec: ProxmoxHostSpec, token: Token, on_news: Callable[[], None]) -> Observer:
        return Observer(
            client=ProxmoxClient(_Cluster(self, spec.endpoints[0])),  # type: ignore[arg-type]
            inventory_interval=spec.inventory_interval_seconds,
            provisioned=False,
            clock=self.now,
            monotonic=asyncio.get_running_loop().time,
            on_news=on_news,
        )

    async def _token(self, namespace: str, name: str) -> Token:
        return Token(id="ops@pve!reader", secret="11111111")


class _Cluster(Told):
    """What stands at an endpoint now."""

    def __init__(self, fleet: Fleet, endpoint: str) -> None:
        super().__init__({})
        self.endpoint = endpoint
        self._fleet = fleet

    async def get(
        self, path: str, *, label: str, params: Mapping[str, str] | None = None, node: str | None = None
    ) -> object:
        await asyncio.sleep(self._fleet.slow.get(self.endpoint, 0.0))
        self.answers = self._fleet.clusters[self.endpoint]
        return await super().get(path, label=label, params=params, node=node)
