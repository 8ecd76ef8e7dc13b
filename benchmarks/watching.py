"""Every version of every ProxmoxHost and Offering, as a watch tells them: what readers would see, and how often something was written."""

import asyncio
import contextlib
import json
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from tools.kube.controlplane import Cluster

from benchmarks.workplace import BenchmarkFailed
from proxmox_offerings.resources import API_VERSION, Offering, ProxmoxHost

TIMES: Final = {
    Offering.PLURAL: ("observedAt", "validUntil"),
    ProxmoxHost.PLURAL: ("lastRefreshTime", "nextRefreshTime"),
}
"""The fields of a status that a freshness mark moves, and no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One version of an object. `at` is monotonic; `changed`: something other than its times differs from the version before; `available` is its
    status'.
    """

    at: float
    changed: bool
    available: int | None = None


@dataclass(slots=True)
class Watched:
    """What was seen of one kind since the watch began, by namespace and name."""

    versions: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    with_status: dict[str, float] = field(default_factory=dict)
    """When each object was first seen with a status."""
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    """What watches. It ends only where something is wrong."""

    async def until(
        self, condition: Callable[["Watched"], bool], *, what: str, within: float, check: Callable[[], None]
    ) -> None:
        """Wait for `condition`. `check` raises where waiting is in vain. Raises BenchmarkFailed when time runs out."""
        deadline = time.monotonic() + within
        while not condition(self):
            check()
            if self.task is not None and self.task.done():
                self.task.result()
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"waited {within:.0f} s in vain for {what}")
            self.news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), timeout=1)

    def see(self, body: Mapping[str, Any], *, times: tuple[str, ...], at: float) -> None:
        """Take note of a version."""
        name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
        status = body.get("status", {})
        bare = {
            **body,
            "metadata": {k: v for k, v in body["metadata"].items() if k not in {"resourceVersion", "managedFields"}},
            "status": {k: v for k, v in status.items() if k not in times},
        }
        changed = self.bodies.get(name) != bare
        self.versions[name].append(Seen(at=at, changed=changed, available=status.get("available")))
        self.bodies[name] = bare
        if "status" in body:
            self.with_status.setdefault(name, at)
        self.news.set()


@asynccontextmanager
async def watching(plane: Cluster, plural: str) -> AsyncIterator[Watched]:
    """Watch all objects of a kind, from now on."""
    watched = Watched()
    async with httpx.AsyncClient(
        base_url=plane.server,
        verify=ssl.create_default_context(cafile=str(plane.directory / "ca.crt")),
        headers={"Authorization": f"Bearer {plane.admin_token}"},
        timeout=httpx.Timeout(10, read=None),
        trust_env=False,
    ) as client:
        task = watched.task = asyncio.create_task(_watch(client, plural, watched))
        try:
            yield watched
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _watch(client: httpx.AsyncClient, plural: str, watched: Watched) -> None:
    path = f"/apis/{API_VERSION}/{plural}"
    version = (await client.get(path)).raise_for_status().json()["metadata"]["resourceVersion"]
    while True:  # the API server ends watches that do not keep up with it for a while
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "3600"}
        async with client.stream("GET", path, params=query) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise BenchmarkFailed(f"the API server ended the watch: {event['object'].get('message')}")
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] in ("ADDED", "MODIFIED"):
                    watched.see(event["object"], times=TIMES[plural], at=time.monotonic())
