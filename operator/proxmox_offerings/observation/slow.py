"""The slow loop: what changes rarely, read in the background, so that it never holds up the fast loop.

An answer is believed for two intervals: if one reading of it fails, the answer before is used until the next.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from proxmox_offerings.inventory.gathered import Slow
from proxmox_offerings.inventory.privileges import require_rights
from proxmox_offerings.inventory.profiles import running_machines
from proxmox_offerings.observation.memory import Memory
from proxmox_offerings.observation.node import NodeReader
from proxmox_offerings.observation.volumes import volumes_to_list
from proxmox_offerings.proxmox.answers import (
    GuestRow,
    NodeRow,
    PciMapping,
    Permissions,
    Resources,
    StorageConfig,
    Version,
)
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.errors import CallFailed

INTERVALS_BELIEVED = 2
RESTARTED_BELOW = 20
"""Seconds by which uptimes of one node may go down when another entry node tells them: each has them at most 10 s old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """What the entry node says of the whole cluster."""

    version: Version
    storages: tuple[StorageConfig, ...]


class SlowLoop:
    """What the slow loop knows by now of one cluster, and the reading of it."""

    def __init__(
        self,
        *,
        client: ProxmoxClient,
        interval: float,
        monotonic: Callable[[], float],
        on_progress: Callable[[str], None],
    ) -> None:
        self._client = client
        self._believed = INTERVALS_BELIEVED * interval
        self._monotonic = monotonic
        self._on_progress = on_progress
        self._answers = Memory()
        self._nodes: dict[str, NodeReader] = {}
        self._online: frozenset[str] = frozenset()
        self._uptimes: dict[str, int] = {}
        self._guests: tuple[GuestRow, ...] = ()
        self._reads: dict[str, asyncio.Task[None]] = {}
        self._unfinished: set[asyncio.Task[None]] = set()

    async def read_permissions(self) -> None:
        """Raises PrivilegesMissing where the token sees too little to count, and what the client raises."""
        permissions = await self._client.permissions()
        self._answers.put("permissions", permissions, at=self._monotonic())
        require_rights(permissions)

    async def read_cluster(self) -> None:
        """Version, permissions, storage definitions and PCI mappings: cheap calls. Raises as `read_permissions`."""
        version = await self._client.version()
        self._on_progress(f"{self._client.endpoint} is Proxmox VE {version.version}")
        await self.read_permissions()
        storages, mappings = await asyncio.gather(self._client.storage_configs(), self._mappings())
        if mappings is not None:
            self._answers.put("mappings", mappings, at=self._monotonic())
        self._answers.put("cluster", _Cluster(version=version, storages=storages), at=self._monotonic())

    def known(self) -> Slow | None:
        """All that is believed now; None before the first `read_cluster`, or too long after the last."""
        since = self._monotonic() - self._believed
        cluster = cast("_Cluster | None", self._answers.get("cluster", since=since))
        permissions = cast("Permissions | None", self._answers.get("permissions", since=since))
        if cluster is None or permissions is None:
            return None
        return Slow(
            version=cluster.version,
            permissions=permissions,
            storages=cluster.storages,
            mappings=cast("tuple[PciMapping, ...] | None", self._answers.get("mappings", since=since)),
            nodes={name: node.reading(since=since) for name, node in sorted(self._nodes.items())},
        )

    def notice(self, resources: Resources) -> list[asyncio.Task[None]]:
        """Compare the nodes' rows with those of the turn before, and begin to read what must be read at once.

        Returns the reads that are worth waiting for: of nodes that appeared, restarted or came back. A node that restarted may have other
        hardware, so what was read before is forgotten. Nodes of which nothing is known, or that answered nothing when they were asked last, are tried
        again with each turn, without waiting.
        Mediated devices are asked for again when other guests run.
        """
        self._guests = resources.guests
        rows = {row.name: row for row in resources.nodes}
        for name in self._nodes.keys() - rows.keys():
            del self._nodes[name]
            self._reads.pop(name, None)
            self._uptimes.pop(name, None)
        was_online, self._online = self._online, frozenset(name for name, row in rows.items() if row.status == "online")
        urgent = []
        for name in sorted(self._online):
            restarted = self._has_restarted(rows[name])
            if restarted or name not in self._nodes:
                self._nodes[name] = NodeReader(
                    client=self._client,
                    node=name,
                    uptime=rows[name].uptime,
                    monotonic=self._monotonic,
                    running=partial(self._running_on, name),
                )
            if restarted or name not in was_online:
                urgent.append(self._begin(name, resources, again=restarted))
            elif self._nodes[name].silent or not self._nodes[name].is_known(since=self._monotonic() - self._believed):
                self._begin(name, resources)
            elif self._nodes[name].mdevs_are_outdated():
                urgent.append(self._start(self._nodes[name].read_mdevs()))
        return urgent

    @property
    def silent(self) -> frozenset[str]:
        """The nodes that answered nothing when they were asked last, although their rows say that they are online."""
        return frozenset(name for name, node in self._nodes.items() if node.silent)

    async def read_nodes(self, resources: Resources) -> None:
        """Read all nodes that are online; each node's failing calls are that node's alone."""
        online = [row.name for row in resources.nodes if row.status == "online" and row.name in self._nodes]
        await asyncio.gather(*(self._begin(name, resources) for name in online))

    async def aclose(self) -> None:
        """End the reads under way."""
        unfinished = tuple(self._unfinished)
        for read in unfinished:
            read.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)

    def _begin(self, name: str, resources: Resources, *, again: bool = False) -> asyncio.Task[None]:
        """`again`: also where a read is under way, because that one asked the node as it was before."""
        running = self._reads.get(name)
        if running is not None and not running.done() and not again:
            return running
        cluster = cast("_Cluster | None", self._answers.get("cluster", since=0))
        volumes = volumes_to_list(resources=resources, configs=cluster.storages if cluster else ())
        read = self._reads[name] = self._start(self._read_node(name, self._nodes[name], volumes.get(name, ())))
        return read

    def _start(self, reading: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        read = asyncio.create_task(reading)
        self._unfinished.add(read)
        read.add_done_callback(self._unfinished.discard)
        return read

    def _has_restarted(self, row: NodeRow) -> bool:
        """Against the last uptime that was told, however long ago: a node that goes down tells none for a while."""
        last = self._uptimes.get(row.name)
        if row.uptime is None:
            return False
        self._uptimes[row.name] = row.uptime
        return last is not None and row.uptime + RESTARTED_BELOW < last

    async def _read_node(self, name: str, node: NodeReader, volumes: Iterable[tuple[str, str]]) -> None:
        await node.read(volumes=volumes)
        self._on_progress(f"read node {name}")

    async def _mappings(self) -> tuple[PciMapping, ...] | None:
        try:
            return await self._client.pci_mappings()
        except CallFailed:
            return None

    def _running_on(self, name: str) -> frozenset[int]:
        return running_machines(guest for guest in self._guests if guest.node == name)
