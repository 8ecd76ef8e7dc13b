"""A cluster in a few words, as the API would have told it: for tests of the pure middle (inventory, capacity, catalogue).

`cluster(nodes=[node("pve1", threads=8)], guests=[guest(100, "pve1", cpu=2)])` holds the readings of both loops; `.snapshot()` puts them
together through the product's one way in, and `offer(cluster, tier(...), ...)` says what is sold of it. Amounts are Kubernetes quantities
("4Gi") or bytes. What a test does not name is there in plenty and in the way of nobody: a node without guests, a large disk, terms without
reserve or sharing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from proxmox_offerings.catalogue.count import count
from proxmox_offerings.catalogue.explain import Explanation, explain
from proxmox_offerings.catalogue.plan import Plan, PlannedOffering, plan
from proxmox_offerings.inventory.build import remember, snapshot_of
from proxmox_offerings.inventory.gathered import Configs, Fast, MdevReading, NodeReading, Remembered, Slow
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.proxmox.answers import (
    ClusterStatus,
    ContainerRow,
    Disk,
    GuestConfig,
    GuestKind,
    GuestRow,
    MachineRow,
    ManagerStatus,
    MdevType,
    NetworkInterface,
    NodeRow,
    NodeStatus,
    NodeStorage,
    PciDevice,
    PciMapping,
    PciMappingEntry,
    Permissions,
    Resources,
    StorageConfig,
    StorageRow,
    Version,
    Volume,
)
from proxmox_offerings.resources import OfferingSpec, ProxmoxHost, Quantity, Stock

READ_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AUDITOR = {"Sys.Audit": True, "VM.Audit": True, "Datastore.Audit": True, "SDN.Audit": True, "Mapping.Audit": True}
FIXED_PATHS = ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms")
EVERYTHING = Permissions(paths=dict.fromkeys(FIXED_PATHS, AUDITOR))
NO_HA = ManagerStatus(node_status={}, lrm_mode={})
FREE_DISK = "100Ti"
SHARED_PLUGINS = frozenset({"rbd", "cephfs", "nfs", "cifs"})

Amount = str | int


def amount(written: Amount) -> int:
    """Bytes."""
    return written if isinstance(written, int) else Quantity.parse(written).bytes


@dataclass(frozen=True, kw_only=True)
class NodeFacts:
    """A node's row, and what the slow loop read of it (`reading.storages` comes from the cluster's storages, unless `storages_unread`)."""

    row: NodeRow
    reading: NodeReading
    storages_unread: bool = False

    @property
    def name(self) -> str:
        return self.row.name


def node(
    name: str = "pve1",
    *,
    threads: int | None = 64,
    cores: int | None = None,
    memory: Amount | None = "256Gi",
    status: str = "online",
    hastate: str | None = None,
    arch: str | None = None,
    hvm: bool = True,
    model: str = "AMD EPYC 7543 32-Core Processor",
    bridges: Iterable[str] = ("vmbr0",),
    pci: Sequence[PciDevice] | None = (),
    mdevs: Mapping[str, MdevReading] | None = None,
    disks: Sequence[Disk] | None = (Disk(device="/dev/nvme0n1", type="nvme"),),
    disks_behind: Mapping[str, tuple[str, ...]] | None = None,
    volumes: Mapping[str, tuple[Volume, ...] | None] | None = None,
    status_unread: bool = False,
    bridges_unread: bool = False,
    storages_unread: bool = False,
) -> NodeFacts:
    """A node; `cores` default to half of the threads."""
    total = None if memory is None else amount(memory)
    told = NodeStatus(
        cpus=threads,
        cores=cores if cores is not None else (threads or 0) // 2,
        sockets=1,
        model=model,
        hvm=hvm,
        memory_total=total,
        uptime=1000,
        pveversion="pve-manager/9.1.1",
    )
    return NodeFacts(
        row=NodeRow(
            name=name, status=status, maxcpu=threads, maxmem=total, uptime=1000, hastate=hastate, host_arch=arch
        ),
        reading=NodeReading(
            uptime=1000,
            status=None if status_unread else told,
            interfaces=None
            if bridges_unread
            else tuple(NetworkInterface(name=bridge, type="bridge", active=True) for bridge in bridges),
            pci=None if pci is None else tuple(pci),
            mdevs=mdevs or {},
            disks=None if disks is None else tuple(disks),
            disks_behind=disks_behind,
            volumes=volumes or {},
        ),
        storages_unread=storages_unread,
    )


def guest(
    vmid: int = 100,
    node: str = "pve1",
    *,
    cpu: float | None = 1,
    memory: Amount | None = "1Gi",
    kind: GuestKind = "qemu",
    status: str = "running",
    name: str | None = None,
    template: bool = False,
    tags: Sequence[str] = (),
    hastate: str | None = None,
    lock: str | None = None,
) -> GuestRow:
    """A guest's row."""
    make = MachineRow if kind == "qemu" else ContainerRow
    return make(
        vmid=vmid,
        node=node,
        status=status,
        name=name,
        template=template,
        maxcpu=cpu,
        maxmem=None if memory is None else amount(memory),
        lock=lock,
        tag_text=";".join(tags) or None,
        hastate=hastate,
    )


def unknown(vmid: int = 100, node: str = "pve1", **rest: Any) -> GuestRow:
    """A guest of whose node nothing was heard for 300 s: no size, no mark of a template."""
    return guest(vmid, node, cpu=None, memory=None, status="unknown", **rest)


def config(
    *hostpci: str,
    cores: int | None = None,
    cpulimit: float | None = None,
    memory: Amount | None = None,
    template: bool = False,
    volumes: Mapping[str, Amount] | None = None,
) -> tuple[GuestConfig, ...]:
    """A guest's configuration, nothing pending."""
    return (
        GuestConfig(
            hostpci=hostpci,
            cores=cores,
            cpulimit=cpulimit,
            memory=None if memory is None else amount(memory),
            template=template,
            volume_sizes={volid: amount(size) for volid, size in (volumes or {}).items()},
        ),
    )


@dataclass(frozen=True, kw_only=True)
class StorageFacts:
    """One storage definition, and how it shows on its nodes (`on` None: on all)."""

    definition: StorageConfig
    on: frozenset[str] | None
    total: int
    avail: int | None
    status: str
    active: bool
    row_shared: bool
    written: int


def storage(
    name: str,
    plugin: str = "lvmthin",
    *,
    on: Iterable[str] | None = None,
    total: Amount = FREE_DISK,
    avail: Amount | None = FREE_DISK,
    content: Iterable[str] = ("images", "rootdir"),
    shared: bool | None = None,
    status: str = "available",
    active: bool = True,
    disabled: bool = False,
    written: Amount = 0,
    **definition: Any,
) -> StorageFacts:
    """A storage; `written` bytes went onto it (on each node) since the slow loop read `avail`."""
    is_shared = plugin in SHARED_PLUGINS if shared is None else shared
    return StorageFacts(
        definition=StorageConfig(
            storage=name,
            plugin=plugin,
            content=frozenset(content),
            disabled=disabled,
            shared=is_shared or None,
            **{**_own_place(name, plugin), **definition},
        ),
        on=None if on is None else frozenset(on),
        total=amount(total),
        avail=None if avail is None else amount(avail),
        status=status,
        active=active,
        row_shared=is_shared,
        written=amount(written),
    )


def _own_place(name: str, plugin: str) -> dict[str, str]:
    """What a definition must have, so that the storage shares its bytes with no other."""
    return {
        "lvmthin": {"volume_group": name, "thin_pool": "data"},
        "lvm": {"volume_group": name},
        "zfspool": {"pool": name},
        "dir": {"path": f"/{name}"},
        "btrfs": {"path": f"/{name}"},
        "nfs": {"server": f"{name}.example.net", "export": "/"},
        "cifs": {"server": f"{name}.example.net", "share": name},
    }.get(plugin, {})


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """All that was read of a cluster. Change it with dataclasses.replace, or the readings themselves with `snapshot(fast=..., slow=...)`."""

    nodes: tuple[NodeFacts, ...]
    guests: tuple[GuestRow, ...]
    storages: tuple[StorageFacts, ...]
    configs: Configs = field(default_factory=dict)
    mappings: tuple[PciMapping, ...] | None = ()
    permissions: Permissions = EVERYTHING
    manager: ManagerStatus = NO_HA
    quorate: bool = True
    version: str = "9.1.1"

    @property
    def fast(self) -> Fast:
        return Fast(
            read_at=READ_AT,
            endpoint="https://pve1.example.net:8006",
            cluster=ClusterStatus(
                name="lab", quorate=self.quorate, online={one.name: one.row.status != "offline" for one in self.nodes}
            ),
            resources=Resources(
                nodes=tuple(one.row for one in self.nodes), guests=self.guests, storages=tuple(self._storage_rows())
            ),
            manager=self.manager,
        )

    @property
    def slow(self) -> Slow:
        return Slow(
            version=Version(version=self.version, release=".".join(self.version.split(".")[:2])),
            permissions=self.permissions,
            storages=tuple(one.definition for one in self.storages),
            mappings=self.mappings,
            nodes={one.name: self._reading(one) for one in self.nodes},
        )

    def snapshot(
        self, *, fast: Fast | None = None, slow: Slow | None = None, remembered: Remembered | None = None
    ) -> Snapshot:
        return snapshot_of(
            fast=fast or self.fast,
            slow=slow or self.slow,
            configs=self.configs,
            remembered=remembered or Remembered(),
        )

    def remembered(self, before: Remembered | None = None) -> Remembered:
        """What the next turn knows after this one."""
        last = before or Remembered()
        return remember(fast=self.fast, slow=self.slow, snapshot=self.snapshot(remembered=last), remembered=last)

    def but(self, **changes: Any) -> "ClusterFacts":
        return replace(self, **changes)

    def _here(self, name: str) -> list[StorageFacts]:
        return [one for one in self.storages if one.on is None or name in one.on]

    def _storage_rows(self) -> Iterable[StorageRow]:
        for at in self.nodes:
            for one in self._here(at.name):
                yield StorageRow(
                    storage=one.definition.storage,
                    node=at.name,
                    status=one.status,
                    plugin=one.definition.plugin,
                    content=one.definition.content,
                    shared=one.row_shared,
                    maxdisk=one.total,
                    disk=one.total - (one.avail or 0) + one.written,
                )

    def _reading(self, at: NodeFacts) -> NodeReading:
        here = self._here(at.name)
        listed = tuple(
            NodeStorage(
                storage=one.definition.storage,
                plugin=one.definition.plugin,
                active=one.active,
                enabled=not one.definition.disabled,
                shared=one.row_shared,
                content=one.definition.content,
                total=one.total,
                avail=one.avail,
            )
            for one in here
        )
        return replace(
            at.reading,
            storages=None if at.storages_unread else listed,
            storage_used={one.definition.storage: one.total - (one.avail or 0) for one in here},
        )


def cluster(
    *,
    nodes: Sequence[NodeFacts] = (node(),),
    guests: Sequence[GuestRow] = (),
    storages: Sequence[StorageFacts] = (storage("local-lvm", volume_group="pve", thin_pool="data"),),
    **rest: Any,
) -> ClusterFacts:
    """A cluster; one large local disk on each node unless told otherwise."""
    return ClusterFacts(nodes=tuple(nodes), guests=tuple(guests), storages=tuple(storages), **rest)


def maintenance(*names: str) -> ManagerStatus:
    """HA's account of nodes in maintenance mode."""
    return ManagerStatus(node_status=dict.fromkeys(names, "maintenance"), lrm_mode={})


def function(
    address: str,
    *,
    vendor: str = "10de",
    device: str = "20b5",
    cls: str = "030200",
    group: int = 0,
    name: str | None = "GA100 [A100 PCIe 80GB]",
    **rest: Any,
) -> PciDevice:
    """One PCI function; an A100 unless told otherwise."""
    return PciDevice(
        address=address,
        class_code=cls,
        vendor=vendor,
        device=device,
        iommu_group=group,
        vendor_name=None,
        device_name=name,
        **rest,
    )


def cards(count: int, **rest: Any) -> tuple[PciDevice, ...]:
    """`count` whole cards in slots 0000:01:00, 0000:02:00, ..., each in a group of its own."""
    return tuple(function(f"0000:{bus:02x}:00.0", group=bus, **rest) for bus in range(1, count + 1))


def mapping(name: str, *entries: tuple[str, str]) -> PciMapping:
    """A PCI mapping of (node, path) entries; ";" joins paths that one use takes together."""
    return PciMapping(id=name, entries=tuple(PciMappingEntry(node=at, paths=tuple(p.split(";"))) for at, p in entries))


def t4s(count: int, **rest: Any) -> tuple[PciDevice, ...]:
    """`count` Tesla T4 under NVIDIA's vGPU driver, in slots 0000:01:00, 0000:02:00, ..."""
    return cards(count, **{"device": "1eb8", "name": "TU104GL [Tesla T4]", "mdev": True, **rest})


def handing_out(*types: MdevType, running: Iterable[int] = ()) -> MdevReading:
    """What one function hands out, asked while these guests ran."""
    return MdevReading(types=types, running=frozenset(running))


def mdev(kind: str = "nvidia-230", available: int = 16, **rest: Any) -> MdevType:
    """One type of mediated device."""
    return MdevType(type=kind, available=available, **rest)


PLAIN_TERMS: Mapping[str, Mapping[str, Any]] = {
    "cpu": {"percent": 100},
    "memory": {"reserved": "0"},
    "storage": {"reservedPercent": 0},
}
"""Everything is for sale as it is, so that a test can be counted in the head."""


def tier(name: str = "unit", **fields: Any) -> dict[str, Any]:
    """A tier as written: 1 vCPU, 1 GiB of memory and of disk unless told otherwise."""
    return {"name": name, "cpu": 1, "memory": "1Gi", "disk": "1Gi", **fields}


def host(*tiers: Mapping[str, Any], allocation: Mapping[str, Any] | None = None, **spec: Any) -> ProxmoxHost:
    """A ProxmoxHost named fra1; `allocation` adds to PLAIN_TERMS."""
    terms: dict[str, Any] = {key: dict(value) for key, value in PLAIN_TERMS.items()}
    for key, value in (allocation or {}).items():
        terms[key] = {**terms[key], **value} if key in terms else value
    return ProxmoxHost.parse(
        {
            "apiVersion": "proxmox-offerings.io/v1alpha1",
            "kind": "ProxmoxHost",
            "metadata": {"name": "fra1"},
            "spec": {
                "endpoints": ["https://pve1.example.net:8006"],
                "credentialsSecretRef": {"name": "token"},
                "allocation": terms,
                "tiers": list(tiers),
                **spec,
            },
        },
        strict=True,
    )


def planned(
    seen: ClusterFacts | Snapshot,
    *tiers: Mapping[str, Any],
    past: Mapping[str, Stock] | None = None,
    existing: Iterable[OfferingSpec] = (),
    **spec: Any,
) -> Plan:
    """The whole plan of a host with these tiers (none: derived) and terms."""
    snapshot = seen if isinstance(seen, Snapshot) else seen.snapshot()
    return plan(host=host(*tiers, **spec), snapshot=snapshot, past=past or {}, existing=existing)


def explained(seen: ClusterFacts | Snapshot, *tiers: Mapping[str, Any], **spec: Any) -> Explanation:
    """How the figures of a host with these tiers and terms came about."""
    snapshot = seen if isinstance(seen, Snapshot) else seen.snapshot()
    return explain(count(host=host(*tiers, **spec), snapshot=snapshot))


def offer(
    seen: ClusterFacts | Snapshot, one: Mapping[str, Any] | None = None, *, past: Stock | None = None, **spec: Any
) -> PlannedOffering:
    """What is sold of one tier."""
    wanted = one or tier()
    name = f"fra1-{wanted['name']}"
    (only,) = planned(seen, wanted, past={name: past} if past else {}, **spec).offerings
    return only


def available(seen: ClusterFacts | Snapshot, one: Mapping[str, Any] | None = None, **spec: Any) -> int | None:
    """How many units of one tier fit; None: nobody can tell."""
    return offer(seen, one, **spec).statement.available


def placement(seen: ClusterFacts | Snapshot, one: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, int]:
    """Units by node."""
    return {on.name: on.available for on in offer(seen, one, **spec).statement.nodes}
