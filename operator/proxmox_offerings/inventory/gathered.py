"""What was read of a cluster, before it is put together: the answers of both loops, and what is remembered between reads.

`observation` fills these; `snapshot_of` turns them into a Snapshot. A call that failed is None here, with its reason beside
it where people need to know it: one broken node or storage spoils only itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from proxmox_offerings.proxmox.answers import (
    ClusterStatus,
    Disk,
    GuestConfig,
    GuestRow,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fast:
    """One turn of the fast loop: three answers of the entry node, `read_at` the wall clock just before the first was asked for."""

    read_at: datetime
    endpoint: str
    cluster: ClusterStatus
    resources: Resources
    manager: ManagerStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class MdevReading:
    """What one PCI function hands out, and which guests of its node ran just before it was asked: what these use, `available` has lost."""

    types: tuple[MdevType, ...]
    running: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReading:
    """What the slow loop read of one node; None: that call failed or was not made.

    `uptime` is the node's when it was read (a smaller one later means that it restarted). `storage_used` maps storage ids to
    the `disk` of the fast loop at the time of `storages`, so that `avail` can follow the fast loop between slow reads.
    `pci_failure` is a short phrase of ours. `mdevs`: by address, of the functions whose mediated devices can be counted.
    `disks_behind` maps what disks/{zfs,lvm,lvmthin,directory} name (zpool, volume group, path) to the device paths under it.
    """

    uptime: int | None = None
    status: NodeStatus | None = None
    storages: tuple[NodeStorage, ...] | None = None
    storage_used: Mapping[str, int] = field(default_factory=dict)
    interfaces: tuple[NetworkInterface, ...] | None = None
    pci: tuple[PciDevice, ...] | None = None
    pci_failure: str | None = None
    mdevs: Mapping[str, MdevReading] = field(default_factory=dict)
    disks: tuple[Disk, ...] | None = None
    disks_behind: Mapping[str, tuple[str, ...]] | None = None
    volumes: Mapping[str, tuple[Volume, ...] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """What the slow loop knows by now. A node that was not read
    yet is not in `nodes`; one that answered nothing has an empty reading there. `mappings` None: not readable; empty before PVE 8."""

    version: Version
    permissions: Permissions
    storages: tuple[StorageConfig, ...]
    mappings: tuple[PciMapping, ...] | None
    nodes: Mapping[str, NodeReading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What earlier turns found and later turns need.

    `sizes`: the last row that had a size, of each guest that may lose it and still matter (HA-managed, migrating or a template).
    `card_needs`: the cards (by key, see Profile) that such a guest needs wherever it runs, as last known.
    `same_bytes`: (node, storage, storage) once found on one file system, kept while the `definitions` of the storages stay as they are.
    """

    sizes: Mapping[int, GuestRow] = field(default_factory=dict)
    card_needs: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    same_bytes: frozenset[tuple[str, str, str]] = frozenset()
    definitions: tuple[StorageConfig, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedConfig:
    """A guest configuration that counting needs. `pending`: also as it will be after its next start (a change of hostpci waits for that)."""

    node: str
    kind: str
    vmid: int
    pending: bool


Configs = Mapping[int, tuple[GuestConfig, ...] | None]
"""vmid -> its configuration(s): current, then pending where asked for; None: could not be read."""
