"""What the Proxmox VE API said, with types made reliable and nothing interpreted.

The server checks no type of what it answers (libpve-common RESTHandler.pm): integers come as strings, booleans as 0, 1, "" or "1", keys are
missing whenever the server does not know. Here `None` always means "the answer did not tell", never zero. Sizes are bytes.
What the facts mean for selling is decided in `inventory` and `capacity`.
"""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, field

from proxmox_offerings.proxmox.parse.values import LARGEST, words

GuestKind = Literal["qemu", "lxc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """GET /version. `release` is "9.1", `version` "9.1.1" or "7.4-16"."""

    version: str
    release: str

    @property
    def numbers(self) -> tuple[int, int]:
        """Major and minor, (0, 0) where the release is not two numbers."""
        major, _, minor = self.release.partition(".")
        return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """GET /access/permissions: path -> privilege -> whether it propagates to what lies below.

    A listed privilege holds on that very path even when it does not propagate (libpve-access-control RPCEnvironment.pm).
    """

    paths: Mapping[str, Mapping[str, bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """GET /cluster/status. A standalone node has no name and no quorum to lose: `name` None, `quorate` True.

    `addresses` of the nodes in the cluster's own network, where told; `local` is the node that answered.
    """

    name: str | None
    quorate: bool
    online: Mapping[str, bool]
    addresses: Mapping[str, str] = dataclasses.field(default_factory=dict)
    local: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerStatus:
    """GET /cluster/ha/status/manager_status. The maps are empty where HA was never used.

    `targets`: vmid -> the node to which HA is moving that guest now (states migrate and relocate).
    """

    node_status: Mapping[str, str]
    lrm_mode: Mapping[str, str]
    targets: Mapping[int, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """A `node` row of /cluster/resources. Without Sys.Audit, or when down for long, it has no numbers."""

    name: str
    status: str
    maxcpu: int | None = None
    maxmem: int | None = None
    uptime: int | None = None
    hastate: str | None = None
    host_arch: str | None = None


Told = Annotated[str, Meta(min_length=1)]
"""A text; one that is empty tells nothing, and is None."""
Amount = Annotated[int, Meta(ge=0, le=LARGEST)]
"""A count, a time or bytes."""
Share = Annotated[float, Meta(ge=0, lt=float(LARGEST))]
"""A number that may be a fraction."""
Switch = Annotated[int, Meta(ge=0, le=1)]
"""A boolean, as the server usually writes it."""


class GuestRow(Struct, frozen=True, kw_only=True, gc=False):
    """A guest in /cluster/resources: a MachineRow or a ContainerRow. `status` "unknown" comes without name, template, maxcpu and maxmem.

    Fields have the server's names, types and bounds, so that usual rows can be read from the bytes of an answer as they are
    (docs/design/usual-rows-are-read-from-the-bytes.md).
    """

    kind: ClassVar[GuestKind]
    vmid: Annotated[int, Meta(gt=0, le=LARGEST)]
    node: Told
    status: Told = "unknown"
    name: Told | None = None
    template: Switch = False
    maxcpu: Amount | Share | None = None
    maxmem: Amount | None = None
    lock: Told | None = None
    tag_text: Told | None = field(default=None, name="tags")
    hastate: Told | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        """Each once, in the order of their names."""
        return () if self.tag_text is None else _tags_of(self.tag_text)


class MachineRow(GuestRow, frozen=True, kw_only=True, gc=False, tag_field="type", tag="qemu"):
    """A `qemu` row."""

    kind: ClassVar[GuestKind] = "qemu"


class ContainerRow(GuestRow, frozen=True, kw_only=True, gc=False, tag_field="type", tag="lxc"):
    """An `lxc` row."""

    kind: ClassVar[GuestKind] = "lxc"


@functools.lru_cache(maxsize=1024)
def _tags_of(text: str) -> tuple[str, ...]:
    return tuple(sorted({*words(text)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageRow:
    """A `storage` row of /cluster/resources: one for each enabled storage on each node that may use it."""

    storage: str
    node: str
    status: str
    plugin: str | None = None
    content: frozenset[str] = frozenset()
    shared: bool = False
    maxdisk: int | None = None
    disk: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """GET /cluster/resources, rows in the order of their names. `ignored` counts rows of types that we do not know."""

    nodes: tuple[NodeRow, ...]
    guests: tuple[GuestRow, ...]
    storages: tuple[StorageRow, ...]
    ignored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """GET /nodes/{node}/status. `cores` counts all sockets together; `cpus` are threads."""

    cpus: int | None
    cores: int | None
    sockets: int | None
    model: str | None
    hvm: bool
    memory_total: int | None
    uptime: int | None
    pveversion: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """A function in GET /nodes/{node}/hardware/pci.

    `address` is "0000:17:00.0"; `class_code` six hexadecimal digits ("030200"), `vendor` and `device` four ("10de"), all lower case and without 0x.
    `iommu_group` -1: the function cannot be passed through. `physical_function` is told since libpve-common of 2026-04-30 only.
    `mdev`: its driver hands out mediated devices; `nvidia`: by NVIDIA's own interface of kernel 6.8 and later (libpve-common SysFSTools.pm).
    """

    address: str
    class_code: str
    vendor: str
    device: str
    iommu_group: int
    vendor_name: str | None = None
    device_name: str | None = None
    mdev: bool = False
    nvidia: bool = False
    physical_function: str | None = None
    virtual_functions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MdevType:
    """A row of GET /nodes/{node}/hardware/pci/{id}/mdev: a type of mediated device ("nvidia-230") that one function hands out.

    `available`: how many more instances its driver would make now; always 1 where the function is `nvidia`. `most` (of an empty card) and
    `memory` (bytes of each instance) are read from NVIDIA's description; None where nothing tells.
    """

    type: str
    available: int
    name: str | None = None
    most: int | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PciMappingEntry:
    """One `map` entry of a PCI mapping: a use takes all `paths` of it ("a;b" takes both), as written ("0000:17:00.0", "0000:17:00")."""

    node: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PciMapping:
    """A row of GET /cluster/mapping/pci."""

    id: str
    entries: tuple[PciMappingEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """A row of GET /storage: how a storage is defined, whatever its state. `nodes` None: on all nodes."""

    storage: str
    plugin: str
    content: frozenset[str] = frozenset()
    nodes: frozenset[str] | None = None
    disabled: bool = False
    shared: bool | None = None
    pool: str | None = None
    volume_group: str | None = None
    thin_pool: str | None = None
    path: str | None = None
    server: str | None = None
    export: str | None = None
    share: str | None = None
    monitors: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStorage:
    """A row of GET /nodes/{node}/storage. An inactive or disabled storage is listed with total 0, which says nothing about its size.

    `used` is the number that /cluster/resources tells as `disk`, some seconds later (pve-manager pvestatd.pm).
    """

    storage: str
    plugin: str | None
    active: bool
    enabled: bool
    shared: bool
    content: frozenset[str] = frozenset()
    total: int | None = None
    avail: int | None = None
    used: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A row of GET /nodes/{node}/storage/{storage}/content: "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"."""

    volid: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkInterface:
    """A row of GET /nodes/{node}/network. `type` is bridge, OVSBridge, vnet, eth and others."""

    name: str
    type: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A row of GET /nodes/{node}/disks/list. `type` is nvme, ssd, hdd, usb or unknown; `used` tells what lies on it ("LVM", "ZFS", "mounted").

    `link` is one of its names under /dev/disk/by-id.
    """

    device: str
    type: str
    size: int | None = None
    used: str | None = None
    serial: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestConfig:
    """GET /nodes/{node}/qemu|lxc/{vmid}/config, the values that capacity needs.

    `hostpci` are the raw values of hostpci0-15 in order; `memory` bytes; `cores` includes sockets for qemu (sockets x cores, or vcpus where set).
    `cpulimit` may be a fraction; None or 0 is no limit. `volume_sizes` maps each disk's volid to its `size=` in bytes (CD-ROMs left out).
    """

    hostpci: tuple[str, ...] = ()
    cores: int | None = None
    cpulimit: float | None = None
    memory: int | None = None
    template: bool = False
    volume_sizes: Mapping[str, int | None] | None = None
