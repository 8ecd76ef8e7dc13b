"""One cluster with something of everything that answers can tell, and terms of sale that look at all of it."""

from collections.abc import Mapping
from typing import Any, Final

from proxmox_offerings.catalogue.plan import plan
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.proxmox.errors import ObservationError
from proxmox_offerings.resources import ProxmoxHost
from proxmox_offerings.simulator.changes import ChangingCluster
from proxmox_offerings.simulator.config import SimulatorConfig, parse
from support.cluster import host, tier

DISKS = ["images", "rootdir"]
A100 = {"vendor": "10de", "device": "20b5", "name": "GA100 [A100 PCIe 80GB]"}
T4 = {"vendor": "10de", "device": "1eb8", "name": "TU104GL [Tesla T4]"}
NVME = [{"devpath": "/dev/nvme0n1", "type": "nvme", "size": "1.92T", "used": "LVM", "memberOf": "fast"}]
NIGHT: Final = 1_700_000_000.0
"""When the simulated cluster's clock stands."""


def everything() -> SimulatorConfig:
    """Cards, maintenance, a dead node, HA, a migration, storages of most kinds and ids on the same bytes."""
    cards = [{**A100, "slot": f"0000:0{bus}:00", "iommu": bus} for bus in (1, 2)]
    sharing = [{"type": "t4-4g", "name": "GRID T4-4Q", "instances": 4, "memory": "4Gi"}]
    big = {"cores": 16, "threads": 32, "memory": "128Gi", "disks": NVME}
    document: dict[str, Any] = {
        "cluster": {"name": "fuzz"},
        "nodes": [
            {"name": "pve1", **big, "gpus": [*cards, {**A100, "slot": "0000:03:00", "iommu": 3, "audio": True}]},
            {"name": "pve2", **big, "gpus": cards},
            {"name": "vgpu", **big, "gpus": [{**T4, "slot": "0000:01:00", "iommu": 1, "mdevs": sharing}]},
            {"name": "small", "cores": 4, "threads": 8, "memory": "32Gi"},
            {"name": "maint", "cores": 4, "threads": 8, "memory": "32Gi"},
            {"name": "dead", "cores": 4, "threads": 8, "memory": "32Gi"},
        ],
        "storages": [
            _storage("fast", "lvmthin", vgname="fast", thinpool="data", size="1000Gi", used="100Gi"),
            _storage("fast2", "lvmthin", vgname="fast", thinpool="data", size="1000Gi", used="100Gi"),
            _storage("slow", "lvm", vgname="slow", size="900Gi", used="200Gi"),
            _storage("dir", "dir", path="/srv", size="100Gi", used="10Gi", nodes=["pve1"]),
            _storage("zfs", "zfspool", pool="rpool/data", size="100Gi", used="10Gi", nodes=["pve1"]),
            _storage("zfs2", "zfspool", pool="rpool/more", size="100Gi", used="10Gi", nodes=["pve1"]),
            _storage("ceph", "rbd", pool="vms", size="800Gi", used="200Gi", nodes=["pve1", "pve2", "dead"]),
            _storage("cephfs", "cephfs", size="800Gi", used="200Gi", nodes=["pve1", "pve2"]),
            _storage("nfs", "nfs", server="nas", export="/a", size="500Gi", used="50Gi", nodes=["pve1", "small"]),
            _storage("nfs2", "nfs", server="nas", export="/a", size="500Gi", used="50Gi", nodes=["pve2", "small"]),
            _storage("cifs", "cifs", server="win", share="vms", size="300Gi", used="50Gi", nodes=["small"]),
        ],
        "guests": [
            _guest(100, "pve1", cpu=4, memory="8Gi", storage="fast", hostpci=["0000:01:00"]),
            _guest(101, "pve1", cpu=2, memory="4Gi", status="stopped", hostpci=["mapping=a100"]),
            _guest(102, "pve2", cpu=2, memory="4Gi", storage="ceph", hastate="started", hostpci=["mapping=a100"]),
            _guest(103, "pve2", type="lxc", cpu=0, memory="2Gi", storage="slow"),
            _guest(104, "small", type="lxc", cpu=2, cpulimit=1.5, memory="1Gi", storage="nfs"),
            _guest(105, "pve2", cpu=2, memory="2Gi", tags=["dedicated", "customer"]),
            _guest(106, "small", cpu=1, memory="2Gi", lock="migrate"),
            _guest(107, "dead", cpu=2, memory="4Gi", hastate="started"),
            _guest(108, "vgpu", cpu=2, memory="4Gi", hostpci=["0000:01:00.0,mdev=t4-4g"]),
            _guest(109, "maint", cpu=2, memory="4Gi", hastate="started"),
            _guest(110, "dead", cpu=2, memory="4Gi"),
            _guest(111, "vgpu", type="lxc", cpu=2, memory="4Gi", status="stopped", storage="fast2"),
            _guest(9000, "pve1", cpu=2, memory="2Gi", template=True, storage="ceph", disk="10Gi"),
        ],
        "mappings": [
            {
                "id": "a100",
                "entries": [
                    {"node": node, "path": f"0000:0{bus}:00.0", "id": "10de:20b5", "iommugroup": bus}
                    for node in ("pve1", "pve2")
                    for bus in (1, 2)
                ],
            }
        ],
        "behaviour": {"shuffle": False, "jitter": False},
    }
    return parse(document)


def running(*, in_trouble: bool) -> ChangingCluster:
    """The cluster of `everything`; in trouble, one node is in maintenance and one has just died."""
    cluster = ChangingCluster(everything(), clock=lambda: NIGHT)
    if in_trouble:
        cluster.set_maintenance("maint")
        cluster.kill_node("dead")
    return cluster


def _storage(name: str, kind: str, **rest: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, "content": DISKS, **rest}


def _guest(vmid: int, node: str, **rest: Any) -> dict[str, Any]:
    disk = {"disk": "20Gi"} if "storage" in rest else {}
    return {"vmid": vmid, "node": node, **disk, **rest}


TIERS = (
    tier("vm", cpu=2, memory="4Gi", disk="10Gi"),
    tier("ct", cpu=1, memory="1Gi", disk="5Gi", virtualization="LXC"),
    tier("gpu", cpu=2, memory="4Gi", disk="10Gi", gpu={"count": 1, "models": ["*A100*"]}),
    tier("vgpu", cpu=1, memory="1Gi", disk="1Gi", gpu={"count": 1, "profile": "t4-4g"}),
    tier("nvme", cpu=1, memory="1Gi", disk="20Gi", storageClass="nvme"),
    tier("net", cpu=1, memory="1Gi", disk="20Gi", storageClass="network"),
    tier("own", cpu=2, memory="2Gi", disk="10Gi", dedicatedCPU=True),
)
TERMS: Mapping[str, Mapping[str, Any]] = {
    "usual": {
        "allocation": {"cpu": {"percent": 400}, "memory": {"reserved": "2Gi"}, "storage": {"reservedPercent": 10}}
    },
    "tight": {
        "bridge": "vmbr0",
        "allocation": {"cpu": {"unit": "Core", "percent": 100}, "unlimitedContainers": "CountAsNode"},
    },
    "loose": {"allocation": {"stoppedGuests": "Ignore", "cpu": {"percent": 800}, "memory": {"percent": 200}}},
    "provisioned": {"allocation": {"storage": {"accounting": "Provisioned", "percent": 150}}},
}
HOSTS: Mapping[str, ProxmoxHost] = {name: host(*TIERS, **terms) for name, terms in TERMS.items()}

Sold = Mapping[str, int]
"""Units by tier; 0 where nobody can tell."""


def sold(snapshot: Snapshot | None, terms: str) -> Sold:
    """What is offered of a snapshot; nothing where there is none, or where it cannot be judged, as the reconciler has it."""
    nothing = {one["name"]: 0 for one in TIERS}
    if snapshot is None:
        return nothing
    try:
        offerings = plan(host=HOSTS[terms], snapshot=snapshot, past={}).offerings
    except ObservationError:
        return nothing
    return {one.tier: one.statement.available or 0 for one in offerings}
