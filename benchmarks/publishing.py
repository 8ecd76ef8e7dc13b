"""How fast ten thousand Offerings come into being, beside the same server-side applies sent without any thought.

The floor replays the requests that the operator's own publisher was seen to send: the object, then its status, from bytes made beforehand, answers
not looked at, over one aiohttp session of kubernetes.aio. The operator and the bare requests write the same Offerings to namespaces of their own,
some hosts at a time and in turns of changing order, so that a machine that others use slows all of them alike. The bare requests are sent as many
at a time as was best in the first turns, which are not counted. The operator logs as it does in a pod, to nobody.
"""

import asyncio
import contextlib
import json
import math
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
from benchmarks.fleet import Fleet
from benchmarks.hosts import TIERS, fleet_host_object
from benchmarks.observing import host_of, observed_once
from benchmarks.samples import Samples
from benchmarks.scale import Scale
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

CONCURRENCIES: Final = (8, 16, 32)
TRIALS: Final = 2
"""Slices that decide which of these is the best."""
RHYTHM: Final = Rhythm(interval=timedelta(seconds=60), validity=timedelta(seconds=600))
GOAL: Final = Goal(relation=">=", value=0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as the publisher sends it."""

    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]


class RecordingClient(KubeClient):
    """Remembers what it writes, in `sent`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """As KubeClient."""
        super().__init__(*args, **options)
        self.sent: list[Sent] = []

    async def fetch(self, method: str, path: str, **rest: Any) -> bytes:
        """As KubeClient."""
        if method == "PATCH":
            self.sent.append(Sent(path=path, query=rest.get("query") or {}, body=rest.get("body") or {}))
        return await super().fetch(method, path, **rest)


class Shop:
    """A namespace with ProxmoxHosts that sell nothing yet."""

    def __init__(self, plane: ControlPlane, namespace: str, fleet: Fleet, count: int) -> None:
        self.namespace = namespace
        plane.api("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        path = f"/apis/{API_VERSION}/namespaces/{namespace}/{ProxmoxHost.PLURAL}"
        bodies = (
            fleet_host_object(name_of(number), namespace=namespace, fleet=fleet, cluster=0) for number in range(count)
        )
        self.hosts = [LiveObject.of(plane.api("POST", path, body)) for body in bodies]


def name_of(number: int) -> str:
    """The name of a host, of the same length for all."""
    return f"host-{number:03d}"


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
    """The requests that were recorded of the first host, for all hosts of another namespace, in the order of hosts and tiers."""
    statuses = {one.path.removesuffix("/status"): one for one in sent if one.path.endswith("/status")}
    objects = sorted((one for one in sent if not one.path.endswith("/status")), key=lambda one: one.path)
    if not len(statuses) == len(objects) == len(TIERS):
        raise BenchmarkFailed(f"{len(objects)} objects and {len(statuses)} statuses were sent instead of {len(TIERS)}")
    first = name_of(0)

    def url(one: Sent, name: str) -> str:
        path = one.path.replace(f"/namespaces/{recorded_in}/", f"/namespaces/{shop.namespace}/").replace(first, name)
        return f"{server}{path}?{urlencode(one.query)}"

    pairs = []
    for host in shop.hosts:
        name = host.ref.name
        for one in objects:
            body = json.loads(json.dumps(one.body).replace(first, name))
            for owner in body["metadata"]["ownerReferences"]:
                owner["uid"] = host.uid
            status = statuses[one.path]
            # The version that the status is written to is not known before the object is there.
            told = json.loads(json.dumps(status.body).replace(first, name))
            del told["metadata"]["resourceVersion"], told["metadata"]["uid"]
            pairs.append(
                Pair(
                    object_url=url(one, name),
                    object_body=json.dumps(body).encode(),
                    status_url=url(status, name),
                    status_body=json.dumps(told).encode(),
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
    """The operator and the bare requests, each with the same Offerings to write, a slice of hosts at a time."""

    def __init__(self, *, hosts: int, slice_: int) -> None:
        self._hosts = hosts
        self._slice = slice_
        self.samples: dict[str, Samples] = {}
        self._runs: dict[str, Callable[[int], Awaitable[None]]] = {}

    def enter(self, name: str, write: Callable[[int], Awaitable[None]]) -> None:
        """`write` writes a slice, beginning with the host of that number."""
        self.samples[name] = Samples()
        self._runs[name] = write

    async def run(self) -> None:
        """All slices in turns; who was first is last the next time."""
        order = list(self._runs)
        for first in range(0, self._hosts, self._slice):
            for name in order:
                with self.samples[name].one():
                    await self._runs[name](first)
            order = [*order[1:], order[0]]
            progress(f"  {min(first + self._slice, self._hosts)} of {self._hosts} hosts")

    def share(self, name: str, *, of: str) -> float:
        """How fast it was in the middle of all slices, beside another."""
        both = zip(self.samples[of].walls, self.samples[name].walls, strict=True)
        return statistics.median(floor / own for floor, own in both)

    def rate(self, name: str) -> float:
        """Offerings in a second."""
        return self._hosts * len(TIERS) / sum(self.samples[name].walls)

    def cpu_ms(self, name: str) -> float:
        """Milliseconds of CPU for each request."""
        return sum(self.samples[name].cpus) / (2 * self._hosts * len(TIERS)) * 1000


async def best_concurrency(session: aiohttp.ClientSession, pairs: Sequence[Pair]) -> int:
    """At which most is written, tried in turns with a part of the requests for each."""
    trials = {number: Samples() for number in CONCURRENCIES}
    parts = iter(range(TRIALS * len(CONCURRENCIES)))
    size = len(pairs) // (TRIALS * len(CONCURRENCIES))
    for _ in range(TRIALS):
        for number, samples in trials.items():
            begin = next(parts) * size
            with samples.one():
                await send(session, pairs[begin : begin + size], concurrency=number)
    return min(trials, key=lambda number: sum(trials[number].walls))


async def run(place: Workplace, scale: Scale) -> Result:
    """Publish from cold and replay, in turns."""
    fleet, _ = place.fleet(clusters=1, nodes=3, guests=100)
    plane = place.control_plane()
    snapshot = await observed_once(fleet)
    hosts, slice_ = scale.published, scale.slice
    offerings = {
        name: plan(host=host_of(fleet, name), snapshot=snapshot, past={}).offerings
        for name in map(name_of, range(hosts))
    }
    race = Race(hosts=hosts, slice_=slice_)
    async with contextlib.AsyncExitStack() as held:
        recorder = await RecordingClient.connect(kubeconfig=str(plane.kubeconfig))
        held.push_async_callback(recorder.aclose)
        client = await KubeClient.connect(kubeconfig=str(plane.kubeconfig))
        held.push_async_callback(client.aclose)
        session = await held.enter_async_context(bare_session(client, server=plane.server))
        progress(f"  {2 * hosts} hosts")
        recorded, operator = Shop(plane, "recorded", fleet, 1), Shop(plane, "operator", fleet, hosts)
        trial, bare = Shop(plane, "trial", fleet, 6 * slice_ // 2), Shop(plane, "bare", fleet, hosts)
        with logging_to_nobody():
            await publish(recorder, recorded.hosts, offerings)

            def pairs(shop: Shop) -> list[Pair]:
                return replayed(recorder.sent, shop, server=plane.server, recorded_in=recorded.namespace)

            progress("  how many requests at a time are best")
            best = await best_concurrency(session, pairs(trial))
            all_pairs, width = pairs(bare), len(TIERS)
            race.enter("operator", lambda first: publish(client, operator.hosts[first:][:slice_], offerings))
            race.enter(
                "bare",
                lambda first: send(session, all_pairs[first * width :][: slice_ * width], concurrency=best),
            )
            await race.run()
    size = statistics.median(len(json.dumps(one.body)) for one in recorder.sent if one.path.endswith("/status"))
    return Result(
        name="publishing",
        setting=f"{hosts * len(TIERS):,} Offerings from cold, {hosts} hosts x {len(TIERS)} tiers, statuses of {size / 1000:.1f} kB; "
        f"floor: bare server-side applies of the same bodies, {best} at a time",
        figures=(
            Figure(
                what="Offerings in a second",
                value=race.rate("operator"),
                beside=f"{race.rate('bare'):.3g}",
                remark="two requests each",
            ),
            Figure(
                what="share of the floor's speed",
                value=race.share("operator", of="bare"),
                goal=GOAL,
                tolerance=0.15,
                remark=f"median of {math.ceil(hosts / slice_)} turns",
            ),
            Figure(
                what="CPU of a request",
                value=race.cpu_ms("operator"),
                unit="ms",
                beside=f"{race.cpu_ms('bare'):.3g} ms",
            ),
            Figure(
                what="CPU of a request, times the floor",
                value=race.cpu_ms("operator") / race.cpu_ms("bare"),
                tolerance=0.25,
            ),
        ),
    )
