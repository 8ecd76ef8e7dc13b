"""How fast a thousand Offerings come into being, beside the same server-side applies sent without any thought.

The floor replays the requests that the operator's own publisher was seen to send: the object, then its status, from bytes made beforehand, answers
not looked at, over one aiohttp session of kubernetes.aio. The operator and the bare requests write the same thousand Offerings to namespaces of
their own, some hosts at a time and in turns of changing order, so that a machine that others use slows all of them alike. The operator logs as it
does in a pod, to nobody.
"""

import asyncio
import contextlib
import json
import os
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from tools.kube.controlplane import ControlPlane

from benchmarks.figures import Figure, Goal, Result
from benchmarks.hosts import TIERS, host_object
from benchmarks.observing import host_of, observed_once
from benchmarks.samples import Samples
from benchmarks.workplace import BenchmarkFailed, Workplace, progress
from proxmox_offerings.catalogue.plan import PlannedOffering, plan
from proxmox_offerings.controller import logging, wanted
from proxmox_offerings.controller.config import Settings
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.publish import Publisher
from proxmox_offerings.controller.statements import Rhythm
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.hosts import Hosts
from proxmox_offerings.kube.objects import LiveObject
from proxmox_offerings.kube.offerings import Offerings
from proxmox_offerings.resources import API_VERSION, ProxmoxHost
from proxmox_offerings.simulator.statefiles import State

HOSTS: Final = 50
OFFERINGS: Final = HOSTS * len(TIERS)
SLICE: Final = 5
"""Hosts that are written before it is the next one's turn."""
CONCURRENCIES: Final = (8, 16)
RHYTHM: Final = Rhythm(interval=timedelta(seconds=60), validity=timedelta(seconds=600))
GOAL: Final = Goal(relation=">=", value=0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as the publisher sends it."""

    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]


class RecordingClient(KubeClient):
    """Remembers what it sends, in `sent`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """As KubeClient."""
        super().__init__(*args, **options)
        self.sent: list[Sent] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """As KubeClient."""
        self.sent.append(Sent(path=path, query=query or {}, body=body or {}))
        return await super().request(method, path, query=query, body=body, content_type=content_type)


class Shop:
    """A namespace with ProxmoxHosts that sell nothing yet."""

    def __init__(self, plane: ControlPlane, namespace: str, cluster: State) -> None:
        self.namespace = namespace
        plane.api("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        path = f"/apis/{API_VERSION}/namespaces/{namespace}/{ProxmoxHost.PLURAL}"
        bodies = (host_object(name, namespace=namespace, cluster=cluster) for name in names())
        self.hosts = [LiveObject.of(plane.api("POST", path, body)) for body in bodies]


def names() -> Iterator[str]:
    """The names of all hosts."""
    return (f"host-{number:02d}" for number in range(HOSTS))


async def publish(
    client: KubeClient, hosts: Sequence[LiveObject], planned: Mapping[str, tuple[PlannedOffering, ...]]
) -> None:
    """As the operator does when it has looked at all their clusters. Raises BenchmarkFailed if something was not written."""
    now, live = datetime.now(UTC), LiveObjects()
    for host in hosts:
        live.saw_host(host)
    publisher = Publisher(hosts=Hosts(client), offerings=Offerings(client), live=live, now=lambda: now)
    reading = wanted.Reading(at=now, confirmed=True, rhythm=RHYTHM)
    workers = asyncio.Semaphore(Settings().concurrency)

    async def one(host: LiveObject) -> None:
        async with workers:
            offerings = wanted.seen(planned[host.ref.name], reading=reading, live={}, terms_changed=False, now=now)
            outcome = await publisher.offerings(host, offerings)
            if outcome.failures or len(outcome.said) != len(TIERS):
                raise BenchmarkFailed(f"not everything was written: {outcome.failures[:1]}")

    await asyncio.gather(*(one(host) for host in hosts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two requests of one Offering: URLs and bodies."""

    object_url: str
    object_body: bytes
    status_url: str
    status_body: bytes


def replayed(sent: list[Sent], shop: Shop, *, server: str, recorded_in: str) -> list[Pair]:
    """The recorded requests for another namespace, in the order of hosts and tiers."""
    uids = {host.ref.name: host.uid for host in shop.hosts}

    def url(one: Sent) -> str:
        path = one.path.replace(f"/namespaces/{recorded_in}/", f"/namespaces/{shop.namespace}/")
        return f"{server}{path}?{urlencode(one.query)}"

    statuses = {one.path.removesuffix("/status"): one for one in sent if one.path.endswith("/status")}
    objects = sorted((one for one in sent if not one.path.endswith("/status")), key=lambda one: one.path)
    if not len(statuses) == len(objects) == OFFERINGS:
        raise BenchmarkFailed(f"{len(objects)} objects and {len(statuses)} statuses were sent instead of {OFFERINGS}")
    pairs = []
    for one in objects:
        body = json.loads(json.dumps(one.body))
        for owner in body["metadata"]["ownerReferences"]:
            owner["uid"] = uids[owner["name"]]
        status = statuses[one.path]
        pairs.append(
            Pair(
                object_url=url(one),
                object_body=json.dumps(body).encode(),
                status_url=url(status),
                status_body=json.dumps(status.body).encode(),
            )
        )
    return pairs


async def send(session: aiohttp.ClientSession, pairs: Sequence[Pair], *, concurrency: int) -> None:
    """Send all of them. Raises aiohttp.ClientError for a refusal."""
    rest = iter(pairs)

    async def worker() -> None:
        for pair in rest:
            for url, body in ((pair.object_url, pair.object_body), (pair.status_url, pair.status_body)):
                async with session.patch(url, data=body, raise_for_status=True) as answer:
                    await answer.read()

    await asyncio.gather(*(worker() for _ in range(concurrency)))


@contextlib.asynccontextmanager
async def bare_session(client: KubeClient, *, server: str) -> AsyncIterator[aiohttp.ClientSession]:
    """The aiohttp session that kubernetes.aio makes for these credentials, with the headers of a server-side apply."""
    api = ApiClient(client.configuration)
    headers = {"Authorization": await client.authorization() or "", "Accept": "application/json"}
    try:
        await api.rest_client.request("GET", f"{server}/version", headers=dict(headers))  # type: ignore[no-untyped-call]
        session = api.rest_client.pool_manager
        if session is None:
            raise BenchmarkFailed("kubernetes.aio has no session")
        session.headers.update(headers | {"Content-Type": "application/apply-patch+yaml"})
        yield session
    finally:
        await api.close()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def logging_to_nobody() -> Iterator[None]:
    """Log as the operator does in a pod."""
    with Path(os.devnull).open("w", encoding="utf-8") as nobody:
        with contextlib.redirect_stderr(nobody):
            logging.configure(log_format="json", log_level="info")
        yield


class Race:
    """The operator and the bare requests, each with a thousand Offerings to write."""

    def __init__(self) -> None:
        self.samples: dict[str, Samples] = {}
        self._runs: dict[str, Callable[[int], Awaitable[None]]] = {}

    def enter(self, name: str, write: Callable[[int], Awaitable[None]]) -> None:
        """`write` writes a slice, beginning with the host of that number."""
        self.samples[name] = Samples()
        self._runs[name] = write

    async def run(self) -> None:
        """All slices in turns; who was first is last the next time."""
        order = list(self._runs)
        for first in range(0, HOSTS, SLICE):
            for name in order:
                with self.samples[name].one():
                    await self._runs[name](first)
            order = [*order[1:], order[0]]
            progress(f"  {first + SLICE} of {HOSTS} hosts")

    def share(self, name: str, *, of: str) -> float:
        """How fast it was in the middle of all slices, beside another."""
        both = zip(self.samples[of].walls, self.samples[name].walls, strict=True)
        return statistics.median(floor / own for floor, own in both)

    def rate(self, name: str) -> float:
        """Offerings in a second."""
        return OFFERINGS / sum(self.samples[name].walls)

    def cpu_ms(self, name: str) -> float:
        """Milliseconds of CPU for each request."""
        return sum(self.samples[name].cpus) / (2 * OFFERINGS) * 1000


async def run(place: Workplace) -> Result:
    """Publish from cold and replay, in turns."""
    [cluster] = place.clusters(nodes=8, guests=500)
    plane = place.control_plane()
    snapshot = await observed_once(cluster)
    planned = {name: plan(host=host_of(cluster, name), snapshot=snapshot, past={}).offerings for name in names()}
    race = Race()
    async with contextlib.AsyncExitStack() as held:
        recorder = await RecordingClient.connect(kubeconfig=str(plane.kubeconfig))
        held.push_async_callback(recorder.aclose)
        client = await KubeClient.connect(kubeconfig=str(plane.kubeconfig))
        held.push_async_callback(client.aclose)
        session = await held.enter_async_context(bare_session(client, server=plane.server))
        recorded, operator = Shop(plane, "recorded", cluster), Shop(plane, "operator", cluster)

        def bare(concurrency: int) -> Callable[[int], Awaitable[None]]:
            shop = Shop(plane, f"bare-{concurrency}", cluster)
            pairs = replayed(recorder.sent, shop, server=plane.server, recorded_in=recorded.namespace)
            slices = {first: pairs[first * len(TIERS) :][: SLICE * len(TIERS)] for first in range(0, HOSTS, SLICE)}
            return lambda first: send(session, slices[first], concurrency=concurrency)

        progress("  writing all once, to know what is sent")
        with logging_to_nobody():
            await publish(recorder, recorded.hosts, planned)
            race.enter("operator", lambda first: publish(client, operator.hosts[first:][:SLICE], planned))
            for concurrency in CONCURRENCIES:
                race.enter(f"bare, {concurrency} at a time", bare(concurrency))
            await race.run()
    size = statistics.median(len(json.dumps(one.body)) for one in recorder.sent if one.path.endswith("/status"))
    floors = [name for name in race.samples if name != "operator"]
    best = max(floors, key=race.rate)
    return Result(
        name="publishing",
        setting=f"{OFFERINGS:,} Offerings from cold, {HOSTS} hosts x {len(TIERS)} tiers, statuses of {size / 1000:.1f} kB",
        figures=(
            Figure(what="operator", value=race.rate("operator"), unit="Offerings/s"),
            *(Figure(what=f"floor: {name}", value=race.rate(name), unit="Offerings/s") for name in floors),
            Figure(
                what="share of the floor",
                value=race.share("operator", of=best),
                goal=GOAL,
                remark=f"{best}; median of {HOSTS // SLICE} slices",
            ),
            Figure(what="CPU of the operator", value=race.cpu_ms("operator"), unit="ms/request"),
            Figure(what="CPU of the floor", value=race.cpu_ms(best), unit="ms/request"),
        ),
    )
