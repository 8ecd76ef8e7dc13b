"""A cluster of `support.cluster` as the API's answers, and back through the product's parsers: for tests of what JSON does to numbers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from proxmox_offerings.inventory.gathered import NodeReading
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.proxmox.answers import GuestConfig, GuestRow, NodeRow, NodeStorage, StorageRow
from proxmox_offerings.proxmox.parse import cluster as parse_cluster
from proxmox_offerings.proxmox.parse import guests as parse_guests
from proxmox_offerings.proxmox.parse import nodes as parse_nodes
from proxmox_offerings.proxmox.parse import resources as parse_resources
from support.cluster import ClusterFacts

Number = Callable[[int], int | str]
Answer = dict[str, Any]


def reread(facts: ClusterFacts, *, number: Number) -> Snapshot:
    """The snapshot of the same cluster, told with each number and truth written by `number` (`int`, or `str` as Perl may)."""
    fast, slow = facts.fast, facts.slow
    rows = [
        *(_node(row, number) for row in fast.resources.nodes),
        *(_guest(row, number) for row in fast.resources.guests),
        *(_storage(row, number) for row in fast.resources.storages),
    ]
    kinds = {row.vmid: row.kind for row in fast.resources.guests}
    read = {
        vmid: configs and tuple(parse_guests.guest_config(_config(one, number), kinds[vmid]) for one in configs)
        for vmid, configs in facts.configs.items()
    }
    return facts.but(configs=read).snapshot(
        fast=replace(fast, resources=parse_resources.resources(rows)),
        slow=replace(
            slow,
            storages=parse_cluster.storage_configs([_definition(one, number) for one in slow.storages]),
            nodes={name: _reading(reading, number) for name, reading in slow.nodes.items()},
        ),
    )


def _told(**fields: Any) -> Answer:
    """Without what is not told."""
    return {key: value for key, value in fields.items() if value is not None}


def _maybe(value: float | None, number: Number) -> int | str | None:
    return None if value is None else number(int(value))


def _node(row: NodeRow, number: Number) -> Answer:
    return _told(
        type="node",
        node=row.name,
        status=row.status,
        maxcpu=_maybe(row.maxcpu, number),
        maxmem=_maybe(row.maxmem, number),
        uptime=_maybe(row.uptime, number),
        hastate=row.hastate,
        **{"host-arch": row.host_arch},
    )


def _guest(row: GuestRow, number: Number) -> Answer:
    return _told(
        type=row.kind,
        vmid=number(row.vmid),
        node=row.node,
        status=row.status,
        name=row.name,
        template=number(int(row.template)),
        maxcpu=_maybe(row.maxcpu, number),
        maxmem=_maybe(row.maxmem, number),
        lock=row.lock,
        tags=";".join(row.tags) or None,
        hastate=row.hastate,
    )


def _storage(row: StorageRow, number: Number) -> Answer:
    return _told(
        type="storage",
        storage=row.storage,
        node=row.node,
        status=row.status,
        plugintype=row.plugin,
        content=",".join(sorted(row.content)),
        shared=number(int(row.shared)),
        maxdisk=_maybe(row.maxdisk, number),
        disk=_maybe(row.disk, number),
    )


def _definition(one: Any, number: Number) -> Answer:
    return _told(
        storage=one.storage,
        type=one.plugin,
        content=",".join(sorted(one.content)),
        nodes=",".join(sorted(one.nodes)) if one.nodes is not None else None,
        disable=number(int(one.disabled)),
        shared=_maybe(one.shared, number),
        pool=one.pool,
        vgname=one.volume_group,
        thinpool=one.thin_pool,
        path=one.path,
        server=one.server,
        export=one.export,
        share=one.share,
        monhost=one.monitors,
    )


def _config(one: GuestConfig, number: Number) -> Answer:
    return _told(
        digest="0" * 40,
        cores=_maybe(one.cores, number),
        template=number(int(one.template)),
        **{f"hostpci{index}": value for index, value in enumerate(one.hostpci)},
    )


def _reading(reading: NodeReading, number: Number) -> NodeReading:
    assert reading.status is not None
    assert reading.pci is not None
    assert reading.interfaces is not None
    status = reading.status
    return replace(
        reading,
        status=parse_nodes.node_status(
            {
                "cpuinfo": _told(
                    cpus=_maybe(status.cpus, number),
                    cores=_maybe(status.cores, number),
                    sockets=_maybe(status.sockets, number),
                    model=status.model,
                    hvm="1" if status.hvm else "",
                ),
                "memory": _told(total=_maybe(status.memory_total, number)),
                "uptime": _maybe(status.uptime, number),
                "pveversion": status.pveversion,
            }
        ),
        storages=parse_nodes.node_storages([_state(one, number) for one in reading.storages or ()]),
        interfaces=parse_nodes.interfaces(
            [{"iface": one.name, "type": one.type, "active": number(int(one.active))} for one in reading.interfaces]
        ),
        pci=parse_nodes.pci_devices(
            [
                _told(
                    id=one.address,
                    **{"class": f"0x{one.class_code}"},
                    vendor=f"0x{one.vendor}",
                    device=f"0x{one.device}",
                    iommugroup=number(one.iommu_group),
                    device_name=one.device_name,
                )
                for one in reading.pci
            ]
        ),
    )


def _state(one: NodeStorage, number: Number) -> Answer:
    return _told(
        storage=one.storage,
        type=one.plugin,
        active=number(int(one.active)),
        enabled=number(int(one.enabled)),
        shared=number(int(one.shared)),
        content=",".join(sorted(one.content)),
        total=_maybe(one.total, number),
        avail=_maybe(one.avail, number),
    )
