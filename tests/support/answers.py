"""All answers of a simulated cluster, recorded without HTTP and told again as they are, or as a test spoils them.

A turn of a whole observer over these takes milliseconds, so that hundreds of thousands of spoilt answers can go the way that real ones go:
client, parsers, both loops, snapshot, plan.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.observation.observer import Observer
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.decoding import RESOURCES, data_of
from proxmox_offerings.proxmox.errors import CallFailed
from proxmox_offerings.simulator.changes import ChangingCluster
from proxmox_offerings.simulator.dispatch import Dispatcher, Request
from proxmox_offerings.simulator.refusals import ProxyFailure, Refusal

Asked = str
"""A path below /api2/json with its parameters: "/nodes/pve1/storage?enabled=1"."""
Answers = Mapping[Asked, Any]
"""The `data` of each call; an ObservationError is raised instead. What is not there is HTTP 500."""

BEGINNING: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTERVAL: Final = 600
"""Seconds between the slow loops of a Watcher."""


def asked(path: str, params: Mapping[str, str] | None) -> Asked:
    """The name of a call."""
    return path + "?" + "&".join(f"{key}={value}" for key, value in sorted(params.items())) if params else path


class Told:
    """Stands for the Transport of a client: answers come from `answers`, which a test may replace between two turns."""

    endpoint = "https://pve1.example.net:8006"

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.first: dict[Asked, Any] = {}
        """What is told instead, once."""

    async def get(
        self, path: str, *, label: str, params: Mapping[str, str] | None = None, node: str | None = None
    ) -> object:
        call = asked(path, params)
        told = self.first.pop(call) if call in self.first else self.answers.get(call, _ABSENT)
        if told is _ABSENT:
            raise CallFailed(f"{label} is not told", status=500)
        if isinstance(told, Exception):
            raise told.with_traceback(None)  # the same one each time: what it came through before is not part of it
        if path == RESOURCES:  # the one that is read from the bytes
            return data_of(json.dumps({"data": told}).encode(), most=1_000_000, what=label, path=path)
        return told

    async def get_together(
        self, *paths: str, prefer: Callable[[Sequence[object]], bool] = lambda _: True
    ) -> Sequence[object]:
        told = await asyncio.gather(*(self.get(path, label=path) for path in paths))
        prefer(told)  # there is no other endpoint to ask, but what is asked of it must not fail
        return told

    async def aclose(self) -> None:
        """Nothing is open."""


_ABSENT: Final = object()


class _Recorder(Told):
    """Asks a simulated cluster, and keeps what it said."""

    def __init__(self, cluster: ChangingCluster) -> None:
        self.kept: dict[Asked, Any] = {}
        super().__init__(self.kept)
        self._cluster = cluster
        self._dispatcher = Dispatcher(cluster)
        self._entry = next(node for node in cluster.nodes.values() if node.alive)
        self._token = next(iter(cluster.users))

    async def get(
        self, path: str, *, label: str, params: Mapping[str, str] | None = None, node: str | None = None
    ) -> object:
        authorization = f"PVEAPIToken={self._token}={self._cluster.secret(self._token)}"
        request = Request(method="GET", path=path, query=dict(params or {}), authorization=authorization)
        try:
            data = json.loads(await self._dispatcher.answer(request, self._entry))["data"]
        except Refusal as refusal:
            raise CallFailed(label, status=refusal.status) from None
        except ProxyFailure as failure:
            raise CallFailed(label, status=failure.status) from None
        self.kept[asked(path, params)] = data
        return data


class Watcher:
    """An observer of `told.answers`, whose time passes only when a test says so."""

    def __init__(self, told: Told, *, provisioned: bool) -> None:
        self.told = told
        self.now = 0.0
        self._observer = Observer(
            client=ProxmoxClient(told),  # type: ignore[arg-type]
            inventory_interval=INTERVAL,
            provisioned=provisioned,
            clock=lambda: BEGINNING + timedelta(seconds=self.now),
            monotonic=lambda: self.now,
            on_news=lambda: None,
            grace=None,
        )

    async def observe(self) -> Snapshot:
        """One turn, and the slow loop that it began. Raises ObservationError."""
        try:
            return await self._observer.observe()
        finally:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            while others:
                await asyncio.gather(*others, return_exceptions=True)
                others = asyncio.all_tasks() - {asyncio.current_task()}

    async def aclose(self) -> None:
        await self._observer.aclose()


async def recorded(cluster: ChangingCluster) -> dict[Asked, Any]:
    """All that a first turn asks of the cluster, configurations of all guests included."""
    recorder = _Recorder(cluster)
    watcher = Watcher(recorder, provisioned=True)
    try:
        await watcher.observe()
    finally:
        await watcher.aclose()
    return recorder.kept
