"""A ProxmoxHost on a real API server, kept right by the real reconciler, which reads a simulated cluster over HTTPS. Only time is not real.

One clock for all: the rhythm of reading, timeouts, what is believed for how long, validity, and the cluster's own ageing. `Shop.pass_time` lets it
run, and skips what nobody does anything in, so that half a minute of a hanging storage takes milliseconds and no timeout is shortened for a test.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from proxmox_offerings.catalogue.plan import plan, unobserved
from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.publish import Publisher
from proxmox_offerings.controller.reconcile import Reconciler
from proxmox_offerings.controller.session import Observer, Session
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.hosts import Hosts
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.kube.offerings import Offerings
from proxmox_offerings.kube.secrets import Secrets
from proxmox_offerings.observation.connect import open_observer
from proxmox_offerings.proxmox.addresses import AddressPolicy
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.proxmox.transport import _Call
from proxmox_offerings.resources import ProxmoxHostSpec
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour, SimulatorConfig
from proxmox_offerings.simulator.faults import Fault
from proxmox_offerings.simulator.simulator import Simulator
from support.proxmox import client_of

EPOCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = AddressPolicy(allow=(ip_network("127.0.0.0/8"),))
GROUP = "/apis/proxmox-offerings.io/v1alpha1"
REFRESH, INVENTORY, VALIDITY = 60, 300, 300
"""Seconds. The last two are half of the defaults, and halve what tests that outlast them cost."""
BEGINNING = 1000.0
"""Seconds on the clock of a `SkippingLoop` when it begins."""
IDLE_SECONDS = 0.001
"""Both ends of every connection to a simulated cluster are in this process: where nothing comes for so long, nothing is on its way."""

SMALL = {"name": "small", "cpu": 2, "memory": "4Gi", "disk": "50Gi"}
GPU = {"name": "gpu", "cpu": 8, "memory": "48Gi", "disk": "200Gi", "gpu": {"count": 1, "models": ["*A100*"]}}
TIERS = (SMALL, GPU)


class SkippingLoop(asyncio.SelectorEventLoop):
    """Real time from `BEGINNING` on, but while `skipping` it jumps to the next timer when nothing happens before that.

    Hosts have their rhythm in this time: with the machine's own each run would begin at another moment of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.skipping = False
        self._skipped = BEGINNING - super().time()
        select = self._selector.select  # type: ignore[attr-defined]

        def wait(timeout: float | None) -> Any:
            if not self.skipping or not timeout or timeout <= IDLE_SECONDS:
                return select(timeout)
            happened = select(IDLE_SECONDS)
            if not happened:
                self._skipped += timeout - IDLE_SECONDS
            return happened

        self._selector.select = wait  # type: ignore[attr-defined]

    def time(self) -> float:
        """BEGINNING, and what passed since."""
        return super().time() + self._skipped


def _loop() -> SkippingLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SkippingLoop)
    return loop


class _SkippingObserver:
    """The real one; time is skipped while it reads."""

    def __init__(self, inner: Observer) -> None:
        self._inner = inner

    async def observe(self) -> Snapshot:
        loop = _loop()
        loop.skipping = True
        try:
            return await self._inner.observe()
        finally:
            loop.skipping = False

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass(slots=True, kw_only=True)
class Shop:
    """`host` and `offerings` (by tier) are as the API server had them when time last stopped."""

    cluster: Simulator
    ref: Ref
    kube: KubeClient
    spec: Mapping[str, Any]
    host: dict[str, Any] = field(default_factory=dict)
    offerings: dict[str, dict[str, Any]] = field(default_factory=dict)
    _reconciler: Reconciler = field(init=False)
    _live: LiveObjects = field(default_factory=LiveObjects)
    _due: float = 0.0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _began: float = field(default_factory=lambda: _loop().time())

    # What people do, and what passes.

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, in which the host is looked at whenever that is due, as the operator's queue does."""
        loop = _loop()
        end = loop.time() + seconds
        while True:
            if self._due <= loop.time():
                await self._reconcile()
                continue
            if loop.time() >= end:
                break
            await self._skip_to(min(self._due, end))
        await self._look()

    async def turn(self) -> None:
        """Time for one refresh at least."""
        await self.pass_time(1.2 * REFRESH)

    async def until(self, condition: Callable[[], object]) -> None:
        """While something else lets time pass: wait for a moment in it."""
        async with asyncio.timeout(10 * REFRESH):
            while not condition():
                await asyncio.sleep(0.5)

    async def amend(self, **spec: Any) -> None:
        """Change the host's spec as a person would; it is looked at at once."""
        self.spec = {**self.spec, **spec}
        body = await self.kube.request(
            "PATCH", self._path, body={"spec": spec}, content_type="application/merge-patch+json"
        )
        self._live.saw_host(LiveObject.of(body))
        self._due = 0.0
        await self.pass_time(2)

    async def tamper(self, path: str, edit: Callable[[Any], Any], **where: Any) -> str:
        """From now on the servers answer `path` with what they would answer now, edited. Returns the fault's name."""
        async with client_of(self.cluster) as client:
            call = _Call(path=path, label=path, params={}, node=None)
            with client._transport._room.held() as held:
                data = json.loads(await client._transport._fetch(client.endpoint, call, held))["data"]
        edited = edit(data)
        return self.cluster.add_fault(Fault(path=path, data=data if edited is None else edited, **where))

    # What people see.

    @property
    def ready(self) -> tuple[str, str]:
        """Status and reason of the host's condition Ready."""
        one = self.condition("Ready")
        return (one["status"], one["reason"])

    @property
    def message(self) -> str:
        return str(self.condition("Ready")["message"])

    def condition(self, kind: str) -> dict[str, Any]:
        return next(one for one in self.host["status"]["conditions"] if one["type"] == kind)

    @property
    def conditions(self) -> dict[str, str]:
        return {one["type"]: one["status"] for one in self.host["status"]["conditions"]}

    def node(self, name: str) -> dict[str, Any]:
        """The host's status of a node."""
        return next(one for one in self.host["status"]["nodes"] if one["name"] == name)

    def said(self, tier: str = "small") -> dict[str, Any]:
        """The Offering's status."""
        return dict(self.offerings[tier]["status"])

    def stock(self, tier: str = "small") -> tuple[str, int | None]:
        status = self.said(tier)
        return status["stock"], status.get("available")

    def sold(self, tier: str = "small") -> dict[str, int]:
        """Units by node."""
        nodes = self.said(tier).get("nodes", [])
        placed = {one["name"]: one["available"] for one in nodes}
        assert sum(placed.values()) == self.said(tier).get("available", 0)
        return placed

    def claims(self) -> dict[str, Any]:
        """All that Offerings claim, without the times of that and the generation of the terms."""
        times = {"observedAt", "validUntil", "observedGeneration", "hostGeneration", "conditions"}
        return {
            tier: {key: value for key, value in one["status"].items() if key not in times}
            for tier, one in self.offerings.items()
        }

    def statements(self) -> dict[str, Any]:
        """What a reader relies on: each Offering's identity, stock, number and times."""
        keys = ("stock", "available", "observedAt", "validUntil")
        return {
            tier: (one["metadata"]["uid"], *(one["status"].get(key) for key in keys))
            for tier, one in self.offerings.items()
        }

    def versions(self) -> dict[str, str]:
        """Equal means that nothing was written."""
        every = {"host": self.host, **self.offerings}
        return {name: one["metadata"]["resourceVersion"] for name, one in every.items()}

    def calls(self, path: str = "") -> list[str]:
        """The paths that were asked for since the last `forget_calls`, those that contain `path`."""
        return [request.path for request in self.cluster.requests if path in request.path]

    def forget_calls(self) -> None:
        self.cluster.requests.clear()
        self.cluster.peak_in_flight.clear()

    def now(self) -> datetime:
        """The wall clock."""
        return EPOCH + timedelta(seconds=_loop().time() - self._began)

    # What holds in many faults.

    async def freezes(self, reason: str, *, kind: str, turns: int = 1) -> None:
        """Nothing new is said, nothing is deleted, the reason is told; and after their validity nobody may rely on the statements."""
        before, uids = self.statements(), {tier: one["metadata"]["uid"] for tier, one in self.offerings.items()}
        for _ in range(turns):
            await self.turn()
        assert self.ready == ("False", reason), self.message
        assert self.conditions.get(kind) == "True"
        assert not {"Reconciling", "Stalled"} - {kind} & self.conditions.keys()
        assert self.statements() == before
        await self.pass_time(VALIDITY + REFRESH)
        assert self.ready == ("False", reason), self.message
        assert {tier: self.stock(tier) for tier in uids} == dict.fromkeys(uids, ("Unknown", None))
        assert {tier: one["metadata"]["uid"] for tier, one in self.offerings.items()} == uids

    async def heals(self, claims: Mapping[str, Any]) -> None:
        """Without a restart the same is said again as before the fault."""
        await self.pass_time(2 * REFRESH)
        assert self.ready == ("True", "Observed"), self.message
        assert not {"Reconciling", "Stalled"} & self.conditions.keys()
        assert self.claims() == claims

    # How it works.

    @property
    def _path(self) -> str:
        return f"{GROUP}/namespaces/{self.ref.namespace}/proxmoxhosts/{self.ref.name}"

    async def _skip_to(self, when: float) -> None:
        loop = _loop()
        self._news.clear()
        loop.skipping = True
        try:
            async with asyncio.timeout_at(when):
                await self._news.wait()
        except TimeoutError:
            pass
        finally:
            loop.skipping = False

    async def _reconcile(self) -> None:
        self._due = float("inf")
        requeue = await self._reconciler.reconcile(self.ref)
        if requeue.after is not None:
            self._due = min(self._due, _loop().time() + requeue.after)

    def _told(self, _: Ref, delay: float) -> None:
        self._due = min(self._due, _loop().time() + delay)
        self._news.set()

    async def _look(self) -> None:
        self.host = await self.kube.request("GET", self._path)
        listed = await self.kube.request("GET", f"{GROUP}/namespaces/{self.ref.namespace}/offerings")
        self.offerings = {
            one["spec"]["tier"]: one for one in listed["items"] if one["spec"]["hostRef"]["name"] == self.ref.name
        }

    def _open_observer(self, *, spec: ProxmoxHostSpec, token: Token, on_news: Callable[[], None]) -> Observer:
        observer = open_observer(
            spec=spec,
            token=token,
            on_news=on_news,
            addresses=HERE,
            clock=self.now,
            monotonic=_loop().time,
            phase=1.0,  # the servers' ports are others each time
        )
        return _SkippingObserver(observer)

    async def open(self) -> None:
        """Create the host and its Secret, and look at it for the first time."""
        secrets = Secrets(self.kube)
        hosts, offerings = Hosts(self.kube), Offerings(self.kube)
        self._reconciler = Reconciler(
            live=self._live,
            publisher=Publisher(hosts=hosts, offerings=offerings, live=self._live, now=self.now),
            open_session=lambda ref: Session(
                ref,
                open_observer=self._open_observer,
                read_token=secrets.token,
                on_news=self._told,
                backoff=Backoff(),
            ),
            make_plan=plan,
            unobserved=unobserved,
            now=self.now,
        )
        await self.renew_secret()
        body = {
            "apiVersion": "proxmox-offerings.io/v1alpha1",
            "kind": "ProxmoxHost",
            "metadata": {"name": self.ref.name},
            "spec": self.spec,
        }
        path = self._path.rpartition("/")[0]
        self._live.saw_host(LiveObject.of(await self.kube.request("POST", path, body=body)))
        await self.pass_time(2)

    async def renew_secret(self) -> None:
        """Put the token of the cluster into the host's Secret."""
        name = f"{self.ref.name}-token"
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": {"tokenID": self.cluster.token_id, "tokenSecret": self.cluster.token_secret},
        }
        path = f"/api/v1/namespaces/{self.ref.namespace}/secrets/{name}?fieldManager=test&force=true"
        await self.kube.request("PATCH", path, body=body, content_type="application/apply-patch+yaml")

    async def close(self) -> None:
        await self._reconciler.close()


@asynccontextmanager
async def open_shop(
    kubeconfig: Path,
    ref: Ref,
    config: SimulatorConfig | None = None,
    *,
    behaviour: Behaviour | None = None,
    before: Callable[[Simulator], object] = lambda _: None,
    **spec: Any,
) -> AsyncIterator[Shop]:
    """A host on the cluster that `config` describes (the demo's if absent), after the first look at it. `before` breaks the cluster before that."""
    loop = _loop()
    cluster = Simulator(
        config or presets.demo(), behaviour=behaviour or Behaviour(refusal_delay=3, seed=1), clock=loop.time
    )
    async with cluster:
        before(cluster)
        terms = {
            "endpoints": cluster.endpoints,
            "credentialsSecretRef": {"name": f"{ref.name}-token"},
            "tls": {"caBundle": cluster.ca_pem},
            "refreshIntervalSeconds": REFRESH,
            "inventoryIntervalSeconds": INVENTORY,
            "validitySeconds": VALIDITY,
            "tiers": list(TIERS),
        }
        kube = await KubeClient.connect(kubeconfig=str(kubeconfig))
        shop = Shop(cluster=cluster, ref=ref, kube=kube, spec={**terms, **spec})
        try:
            await shop.open()
            yield shop
        finally:
            await shop.close()
            await kube.aclose()
