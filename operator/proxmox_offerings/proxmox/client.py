"""The calls that the operator makes, each with its typed answer. Which are cheap and which go to a node: proxmox-api.md 1.1.

Every method raises what Transport.get raises; an answer that cannot mean what it says is CallFailed too.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from proxmox_offerings.proxmox.answers import (
    ClusterStatus,
    Disk,
    GuestConfig,
    GuestKind,
    ManagerStatus,
    MdevType,
    NetworkInterface,
    NodeStatus,
    NodeStorage,
    PciDevice,
    PciMapping,
    Permissions,
    Resources,
    StorageConfig,
    Version,
    Volume,
)
from proxmox_offerings.proxmox.decoding import RESOURCES
from proxmox_offerings.proxmox.errors import CallFailed
from proxmox_offerings.proxmox.parse import cluster, disk_trees, guests, nodes
from proxmox_offerings.proxmox.parse.resources import resources
from proxmox_offerings.proxmox.parse.values import Nonsense
from proxmox_offerings.proxmox.transport import Transport

Answer = TypeVar("Answer")

NOT_IMPLEMENTED = 501
"""The server's answer to a path that its version does not have."""


class ProxmoxClient:
    """One cluster, or one standalone node. Safe to use from many tasks; the transport keeps calls within bounds."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._resources: Resources | None = None
        """As last read: guests that did not change are not kept twice."""

    @property
    def endpoint(self) -> str:
        """The endpoint that answered last."""
        return self._transport.endpoint

    async def aclose(self) -> None:
        await self._transport.aclose()

    # What the entry node answers itself.

    async def version(self) -> Version:
        return await self._get("/version", cluster.version)

    async def permissions(self) -> Permissions:
        """The token's own."""
        return await self._get("/access/permissions", cluster.permissions)

    async def cluster_status(self) -> ClusterStatus:
        return await self._get("/cluster/status", cluster.cluster_status)

    async def resources(self) -> Resources:
        return self._read_resources(await self._transport.get(RESOURCES, label=RESOURCES))

    async def manager_status(self) -> ManagerStatus:
        return await self._get("/cluster/ha/status/manager_status", cluster.manager_status)

    async def cluster_now(self) -> tuple[ClusterStatus, Resources, ManagerStatus]:
        """/cluster/status, /cluster/resources and HA's manager_status, as one and the same node sees them.

        A node that is cut off from the others answers as well as ever, with what it remembers: while it is without quorum the other endpoints are
        asked too, one of which may be with the majority.
        """
        paths = ("/cluster/status", RESOURCES, "/cluster/ha/status/manager_status")
        status, rows, manager = await self._transport.get_together(*paths, prefer=lambda told: _has_quorum(told[0]))
        return (
            _parsed(paths[0], cluster.cluster_status, status),
            self._read_resources(rows),
            _parsed(paths[2], cluster.manager_status, manager),
        )

    async def storage_configs(self) -> tuple[StorageConfig, ...]:
        return await self._get("/storage", cluster.storage_configs)

    async def pci_mappings(self) -> tuple[PciMapping, ...]:
        """Empty before PVE 8, which has none."""
        try:
            return await self._get("/cluster/mapping/pci", cluster.pci_mappings)
        except CallFailed as failure:
            if failure.status == NOT_IMPLEMENTED:
                return ()
            raise

    # What goes to a node.

    async def node_status(self, node: str) -> NodeStatus:
        return await self._ask_node(node, "/status", nodes.node_status)

    async def pci_devices(self, node: str) -> tuple[PciDevice, ...]:
        return await self._ask_node(node, "/hardware/pci", nodes.pci_devices)

    async def mdev_types(self, node: str, address: str) -> tuple[MdevType, ...]:
        """The types of mediated devices that one PCI function hands out."""
        label, path = "/hardware/pci/{id}/mdev", f"/hardware/pci/{_part(address)}/mdev"
        return await self._ask_node(node, path, nodes.mdev_types, label=label)

    async def node_storages(self, node: str) -> tuple[NodeStorage, ...]:
        """Probes every enabled storage of the node: slow where one of them is dead."""
        return await self._ask_node(node, "/storage", nodes.node_storages, params={"enabled": "1"})

    async def volumes(self, node: str, storage: str, content: str) -> tuple[Volume, ...]:
        """`content` is one of iso, vztmpl, import, images, rootdir; what the token may not see is left out silently."""
        label, path = "/storage/{storage}/content", f"/storage/{_part(storage)}/content"
        return await self._ask_node(node, path, nodes.volumes, label=label, params={"content": content})

    async def interfaces(self, node: str) -> tuple[NetworkInterface, ...]:
        """Bridges of all kinds: SDN vnets are listed only where these are asked for (pve-manager Network.pm)."""
        return await self._ask_node(node, "/network", nodes.interfaces, params={"type": "any_bridge"})

    async def disks(self, node: str) -> tuple[Disk, ...]:
        """Without SMART, which would read from every disk, and hang where one does."""
        return await self._ask_node(node, "/disks/list", nodes.disks, params={"skipsmart": "1"})

    async def disks_behind(self, node: str, disks: Iterable[Disk]) -> Mapping[str, tuple[str, ...]]:
        """zpool, volume group or mount point -> device paths of the `disks` under it; those of which that cannot be told are left out.

        Raises only where none of the three kinds could be read.
        """
        kinds = (self._zpools(node), self._volume_groups(node), self._directories(node))
        told = await asyncio.gather(*kinds, return_exceptions=True)
        failures = [one for one in told if isinstance(one, BaseException)]
        for failure in failures:
            if not isinstance(failure, CallFailed) or len(failures) == len(kinds):
                raise failure
        known = tuple(disks)
        return {
            name: under
            for kind in told
            if not isinstance(kind, BaseException)
            for name, devices in sorted(kind.items())
            if (under := disk_trees.on_disks(devices, known)) is not None
        }

    async def guest_config(self, node: str, kind: GuestKind, vmid: int, *, current: bool) -> GuestConfig:
        """`current`: as the guest runs now; else as it will be after its next start."""
        label, path = f"/{kind}/{{vmid}}/config", f"/{kind}/{vmid}/config"
        return await self._ask_node(
            node,
            path,
            lambda data: guests.guest_config(data, kind),
            label=label,
            params={"current": "1"} if current else {},
        )

    async def _zpools(self, node: str) -> Mapping[str, tuple[str, ...]]:
        names = await self._ask_node(node, "/disks/zfs", disk_trees.pool_names)
        found = {}
        for name in names:
            found[name] = await self._ask_node(
                node, f"/disks/zfs/{_part(name)}", disk_trees.zpool, label="/disks/zfs/{name}"
            )
        return found

    async def _volume_groups(self, node: str) -> Mapping[str, tuple[str, ...]]:
        return await self._ask_node(node, "/disks/lvm", disk_trees.volume_groups)

    async def _directories(self, node: str) -> Mapping[str, tuple[str, ...]]:
        return await self._ask_node(node, "/disks/directory", disk_trees.directories)

    async def _ask_node(
        self,
        node: str,
        path: str,
        parse: Callable[[object], Answer],
        *,
        label: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        return await self._get(
            f"/nodes/{_part(node)}{path}", parse, label=f"/nodes/{{node}}{label or path}", params=params, node=node
        )

    def _read_resources(self, data: object) -> Resources:
        self._resources = _parsed(RESOURCES, lambda told: resources(told, before=self._resources), data)
        return self._resources

    async def _get(
        self,
        path: str,
        parse: Callable[[object], Answer],
        *,
        label: str | None = None,
        params: Mapping[str, str] | None = None,
        node: str | None = None,
    ) -> Answer:
        what = label or path
        data = await self._transport.get(path, label=what, params=params, node=node)
        return _parsed(f"{what} for node {node}" if node else what, parse, data)


def _parsed(what: str, parse: Callable[[object], Answer], data: object) -> Answer:
    try:
        return parse(data)
    except Nonsense as nonsense:
        raise CallFailed(f"the answer to {what} cannot be used: {nonsense}") from None


def _has_quorum(status: object) -> bool:
    """Also where the answer makes no sense: that is told when it is parsed."""
    try:
        return cluster.cluster_status(status).quorate
    except Nonsense:
        return True


def _part(name: str) -> str:
    """A name out of an answer as a part of a path: names of nodes, storages and zpools are short and
    need no quoting; nothing else is let through."""
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}", name):
        raise CallFailed("the name of a node, storage or zpool in an answer cannot be one")
    return name
