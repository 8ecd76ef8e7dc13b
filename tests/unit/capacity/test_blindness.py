"""Never claim stock that is not known to exist: whatever one fact cannot be read, no tier sells more than it does with everything read.

One cluster with something of every kind; each fact is taken away alone, under several terms of sale.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from msgspec import structs

from proxmox_offerings.catalogue.plan import plan
from proxmox_offerings.inventory.build import snapshot_of
from proxmox_offerings.inventory.gathered import Configs, Fast, NodeReading, Remembered, Slow
from proxmox_offerings.proxmox.answers import Disk, GuestRow, Permissions
from proxmox_offerings.proxmox.errors import ObservationError
from support.cluster import cards, cluster, config, guest, handing_out, host, mapping, mdev, node, storage, t4s, tier

MIXED = (Disk(device="/dev/nvme0n1", type="nvme"), Disk(device="/dev/sda", type="hdd"))
BEHIND = {"fast": ("/dev/nvme0n1p3",), "slow": ("/dev/sda1",), "/srv": ("/dev/sda1",)}
ROOMY = {"threads": 32, "memory": "128Gi", "disks": MIXED, "disks_behind": BEHIND}

T4_SLOTS = ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0")

READ = cluster(
    nodes=[
        node("pve1", **ROOMY, pci=cards(4)),
        node("pve2", **ROOMY, pci=cards(6)),
        node("pve3", threads=8, memory="32Gi"),
        node("vgpu", **ROOMY, pci=t4s(3), mdevs=dict.fromkeys(T4_SLOTS, handing_out(mdev(most=16), running=[108]))),
        node("vgpu2", **ROOMY, pci=t4s(3), mdevs=dict.fromkeys(T4_SLOTS, handing_out(mdev(most=16)))),
        node("dead", threads=8, memory="32Gi", status="offline", pci=cards(1)),
    ],
    guests=[
        guest(100, "pve1", cpu=4, memory="8Gi"),
        guest(101, "pve1", cpu=2, memory="4Gi", status="stopped"),
        guest(102, "pve2", cpu=2, memory="4Gi", hastate="started"),
        guest(103, "pve2", kind="lxc", cpu=32, memory="2Gi"),
        guest(104, "pve3", kind="lxc", cpu=1.5, memory="1Gi"),
        guest(105, "pve2", cpu=2, memory="2Gi", tags=["dedicated"]),
        guest(106, "pve3", cpu=1, memory="2Gi", lock="migrate"),
        guest(107, "dead", cpu=2, memory="4Gi", hastate="started"),
        guest(108, "vgpu", cpu=2, memory="4Gi"),
        guest(109, "vgpu", cpu=2, memory="4Gi", status="stopped"),
        guest(9000, "pve1", cpu=2, memory="2Gi", template=True),
    ],
    storages=[
        storage("fast", volume_group="fast", thin_pool="data", avail="400Gi", total="500Gi", written="100Gi"),
        storage("slow", "lvm", volume_group="slow", avail="300Gi", total="900Gi", written="50Gi"),
        storage("dir", "dir", path="/srv", avail="90Gi", total="100Gi", on=["pve1"]),
        storage("dir2", "zfspool", pool="rpool/data", avail="90Gi", total="100Gi", on=["pve1"]),
        storage("ceph", "rbd", avail="200Gi", total="900Gi", on=["pve1", "pve2", "dead"]),
        storage("cephfs", "cephfs", avail="200Gi", total="900Gi", on=["pve1", "pve2"]),
    ],
    configs={
        100: config("01:00", cores=4, memory="8Gi", volumes={"fast:vm-100": "50Gi"}),
        101: config("mapping=a100", cores=2, memory="4Gi", volumes={"fast:vm-101": "50Gi"}),
        102: config("mapping=a100", cores=2, memory="4Gi", volumes={"ceph:vm-102": "50Gi"}),
        103: config(cores=4, memory="2Gi", volumes={"slow:vm-103": "8Gi"}),
        104: config(cpulimit=1.5, memory="1Gi"),
        105: config(cores=2, memory="2Gi"),
        106: config(cores=1, memory="2Gi"),
        107: config(cores=2, memory="4Gi"),
        108: config("01:00.0,mdev=nvidia-230", cores=2, memory="4Gi"),
        109: config("mapping=t4,mdev=nvidia-230", cores=2, memory="4Gi"),
        9000: config(cores=2, memory="2Gi", template=True, volumes={"ceph:base-9000": "10Gi"}),
    },
    mappings=(
        mapping("a100", ("pve1", "0000:02:00"), ("pve1", "0000:03:00"), ("pve2", "0000:01:00")),
        mapping("t4", *(("vgpu", slot) for slot in T4_SLOTS[:2])),
    ),
)

TIERS = (
    tier("vm", cpu=2, memory="4Gi", disk="10Gi"),
    tier("ct", cpu=1, memory="1Gi", disk="5Gi", virtualization="LXC"),
    tier("gpu", cpu=2, memory="4Gi", disk="10Gi", gpu={"count": 1, "models": ["*A100*"]}),
    tier("t4", cpu=2, memory="4Gi", disk="10Gi", gpu={"count": 1, "models": ["*T4*"]}),
    tier("vgpu", cpu=1, memory="1Gi", disk="1Gi", gpu={"count": 1, "profile": "nvidia-230"}),
    tier("nvme", cpu=1, memory="1Gi", disk="20Gi", storageClass="nvme"),
    tier("hdd", cpu=1, memory="1Gi", disk="20Gi", storageClass="hdd"),
    tier("net", cpu=1, memory="1Gi", disk="20Gi", storageClass="network"),
    tier("own", cpu=2, memory="2Gi", disk="10Gi", dedicatedCPU=True),
)
TERMS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "usual": {
        "allocation": {"cpu": {"percent": 400}, "memory": {"reserved": "2Gi"}, "storage": {"reservedPercent": 10}}
    },
    "bridge": {"bridge": "vmbr0"},
    "cores": {"allocation": {"cpu": {"unit": "Core", "percent": 200}}},
    "whole nodes": {"allocation": {"unlimitedContainers": "CountAsNode", "stoppedGuests": "Ignore"}},
    "provisioned": {"allocation": {"storage": {"accounting": "Provisioned", "percent": 150}}},
    "failover": {"allocation": {"failoverNodes": 1, "cpu": {"percent": 400}}},
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    fast: Fast
    slow: Slow
    configs: Configs
    remembered: Remembered

    def sold(self, terms: Mapping[str, Any]) -> dict[str, int]:
        """Units of each tier; none where nothing new may be said, or nobody can tell."""
        try:
            snapshot = snapshot_of(fast=self.fast, slow=self.slow, configs=self.configs, remembered=self.remembered)
            offerings = plan(host=host(*TIERS, **terms), snapshot=snapshot, past={}).offerings
        except ObservationError:
            return {one["name"]: 0 for one in TIERS}
        return {one.tier: one.statement.available or 0 for one in offerings}


ALL = Seen(fast=READ.fast, slow=READ.slow, configs=READ.configs, remembered=READ.remembered())


def degraded() -> Iterator[tuple[str, Seen]]:
    yield from _rows()
    yield from _configs()
    yield from _readings()
    yield from _rights()
    yield "nothing remembered", replace(ALL, remembered=Remembered())
    yield "mappings", replace(ALL, slow=replace(ALL.slow, mappings=None))
    yield "no mapping listed", replace(ALL, slow=replace(ALL.slow, mappings=()))
    for index, hidden in enumerate(ALL.slow.storages):
        rest = _without(ALL.slow.storages, index)
        yield f"definition of {hidden.storage}", replace(ALL, slow=replace(ALL.slow, storages=rest))


def _rows() -> Iterator[tuple[str, Seen]]:
    rows = ALL.fast.resources

    def seen(**changes: Any) -> Seen:
        return replace(ALL, fast=replace(ALL.fast, resources=replace(rows, **changes)))

    for index, at in enumerate(rows.nodes):
        no_numbers = {"maxcpu": None, "maxmem": None, "uptime": None}
        for lost in ({"maxcpu": None}, {"maxmem": None}, no_numbers, {**no_numbers, "status": "unknown"}):
            yield f"row of {at.name}: {sorted(lost)}", seen(nodes=_changed(rows.nodes, index, **lost))
        yield f"row of {at.name}", seen(nodes=_without(rows.nodes, index))
    for index, row in enumerate(rows.guests):
        dark = {"status": "unknown", "maxcpu": None, "maxmem": None, "name": None, "template": False}
        for lost in ({"maxcpu": None}, {"maxmem": None}, dark):
            yield f"row of guest {row.vmid}: {sorted(lost)}", seen(guests=_changed(rows.guests, index, **lost))
    for index, place in enumerate(rows.storages):
        name = f"row of {place.storage} on {place.node}"
        for lost in ({"status": "unknown", "disk": None, "maxdisk": None}, {"disk": None}, {"plugin": None}):
            yield f"{name}: {sorted(lost)}", seen(storages=_changed(rows.storages, index, **lost))
        yield name, seen(storages=_without(rows.storages, index))


def _configs() -> Iterator[tuple[str, Seen]]:
    for vmid in ALL.configs:
        yield f"configuration of {vmid}", replace(ALL, configs={**ALL.configs, vmid: None})
        rest = {other: read for other, read in ALL.configs.items() if other != vmid}
        yield f"configuration of {vmid} not asked for", replace(ALL, configs=rest)
    yield "all configurations", replace(ALL, configs=dict.fromkeys(ALL.configs))


def _readings() -> Iterator[tuple[str, Seen]]:
    def seen(name: str, reading: NodeReading | None) -> Seen:
        nodes = {other: one for other, one in ALL.slow.nodes.items() if other != name}
        return replace(ALL, slow=replace(ALL.slow, nodes=nodes if reading is None else {**nodes, name: reading}))

    for name, reading in ALL.slow.nodes.items():
        yield f"all of {name}", seen(name, None)
        for part in fields(NodeReading):
            empty = {} if part.name in {"storage_used", "volumes", "mdevs"} else None
            yield f"{part.name} of {name}", seen(name, replace(reading, **{part.name: empty}))
        status = reading.status
        assert status is not None
        for lost in ("cpus", "cores", "sockets", "model", "memory_total", "uptime"):
            yield f"{lost} of {name}", seen(name, replace(reading, status=replace(status, **{lost: None})))
        for index, row in enumerate(reading.storages or ()):
            listed = reading.storages or ()
            what = f"{row.storage} in the storages of {name}"
            yield what, seen(name, replace(reading, storages=_without(listed, index)))
            for lost in ("avail", "total"):
                yield (
                    f"{lost} of {what}",
                    seen(name, replace(reading, storages=_changed(listed, index, **{lost: None}))),
                )
        for index, device in enumerate(reading.pci or ()):
            unnamed = _changed(reading.pci or (), index, device_name=None, iommu_group=-1)
            yield f"name and group of {device.address} of {name}", seen(name, replace(reading, pci=unnamed))
        yield f"disks and what is behind of {name}", seen(name, replace(reading, disks=None, disks_behind=None))


def _rights() -> Iterator[tuple[str, Seen]]:
    paths = ALL.slow.permissions.paths
    for path in paths:
        yield path, _with_rights({other: own for other, own in paths.items() if other != path})
    for path in ("/", "/vms", "/storage"):
        held = paths[path]
        for privilege in held:
            rest = {other: propagates for other, propagates in held.items() if other != privilege}
            yield f"{privilege} on {path}", _with_rights({**paths, path: rest})
            yield f"propagation of {privilege} on {path}", _with_rights({**paths, path: {**held, privilege: False}})
    for path in ("/vms/100", "/pool/customers", "/storage/fast", "/nodes/pve1"):
        yield f"everything on {path}", _with_rights({**paths, path: {"Pool.Audit": True}})


def _with_rights(paths: Mapping[str, Mapping[str, bool]]) -> Seen:
    return replace(ALL, slow=replace(ALL.slow, permissions=Permissions(paths=paths)))


def _changed(rows: tuple[Any, ...], index: int, **changes: Any) -> tuple[Any, ...]:
    change = structs.replace if isinstance(rows[index], GuestRow) else replace
    return (*rows[:index], change(rows[index], **changes), *rows[index + 1 :])


def _without(rows: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    return (*rows[:index], *rows[index + 1 :])


@pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS)
def test_one_unreadable_fact_never_makes_more_stock(terms: Mapping[str, Any]) -> None:
    whole = ALL.sold(terms)
    claimed = [
        f"without {what}: {name} {units} instead of {whole[name]}"
        for what, seen in degraded()
        for name, units in seen.sold(terms).items()
        if units > whole[name]
    ]
    assert claimed == []


def test_the_sweep_has_something_to_lose() -> None:
    """Every tier is for sale when everything is read, and many facts matter."""
    for terms in TERMS.values():
        assert min(ALL.sold(terms).values()) > 0, terms
    whole = ALL.sold({})
    matters = [what for what, seen in degraded() if seen.sold({}) != whole]
    assert len(matters) > 60
