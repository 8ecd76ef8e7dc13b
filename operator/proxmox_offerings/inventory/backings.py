"""Which storages draw on the same bytes, and what kind of disks those are. Rules: capacity.md 4.

Two storage ids on one ZFS pool, volume group, file system, export or Ceph cluster show the same free space twice (proxmox-api.md, fact 7).
"""

import posixpath
from collections.abc import Iterable, Mapping

from proxmox_offerings.inventory.gathered import NodeReading
from proxmox_offerings.proxmox.answers import Disk, StorageConfig

NETWORK_PLUGINS = frozenset(
    {"rbd", "cephfs", "nfs", "cifs", "glusterfs", "iscsi", "iscsidirect", "zfs", "drbd", "pbs", "esxi"}
)
"""Storage reached over a network; these plugins are shared whether or not their definition says so (proxmox-api.md 2.4)."""
FILE_SYSTEM_PLUGINS = frozenset({"dir", "btrfs", "zfspool"})


def backing_of(config: StorageConfig, *, node: str, shared: bool) -> str:
    """The name of the bytes behind a storage on a node: equal names, same bytes. Local ones end in "@<node>"."""
    match config.plugin:
        case "nfs" if config.server and config.export:
            return f"nfs:{config.server}:{posixpath.normpath(config.export)}"
        case "cifs" if config.server and config.share:
            return f"cifs:{config.server}/{config.share}"
        case "rbd" | "cephfs":
            monitors = sorted((config.monitors or "").replace(",", " ").replace(";", " ").split())
            return f"ceph:{','.join(monitors) or 'local'}"
        case "zfspool" if config.pool:
            name = f"zpool:{config.pool.split('/')[0]}"
        case "lvm" if config.volume_group:
            name = f"vg:{config.volume_group}"
        case "lvmthin" if config.volume_group:
            name = f"thin:{config.volume_group}/{config.thin_pool or ''}"
        case "dir" | "btrfs" if config.path:
            name = f"path:{posixpath.normpath(config.path)}"
        case _:
            name = f"{config.plugin}:{config.storage}"
    return name if shared else f"{name}@{node}"


def same_bytes(
    *, node: str, reading: NodeReading, configs: Mapping[str, StorageConfig]
) -> Iterable[tuple[str, str, str]]:
    """Pairs of file systems of one node whose free bytes differ by less than one in a thousand: one file system seen twice."""
    seen = sorted(
        (row.avail, row.storage)
        for row in reading.storages or ()
        if row.active
        and row.enabled
        and row.total
        and row.avail is not None
        and not row.shared
        and _is_file_system(configs.get(row.storage))
    )
    for index, (smaller, first) in enumerate(seen):
        for larger, second in seen[index + 1 :]:
            if (larger - smaller) * 1000 >= larger and larger != smaller:
                break
            yield (node, *sorted((first, second)))  # type: ignore[misc]


def merged(names: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Storage id -> backing of one node, with the ids of each pair on one backing: the first name, so that it never depends on the order of
    rows.
    """
    parent = dict(names)
    backing = {name: name for name in names.values()}

    def root(name: str) -> str:
        while backing[name] != name:
            name = backing[name]
        return name

    for first, second in sorted(pairs):
        if first in parent and second in parent:
            one, other = sorted((root(parent[first]), root(parent[second])))
            backing[other] = one
    return {storage: root(name) for storage, name in parent.items()}


def class_of(config: StorageConfig, *, shared: bool, reading: NodeReading | None) -> str:
    """nvme, ssd, hdd, network or unknown: by the plugin, else by the disks behind it, else because all disks of the node are alike."""
    if shared or config.plugin in NETWORK_PLUGINS:
        return "network"
    if reading is None or not reading.disks:
        return "unknown"
    behind = (reading.disks_behind or {}).get(_disks_key(config) or "")
    kinds = (
        {_kind_of(device, reading.disks) for device in behind}
        if behind
        # A stick that nothing lies on is no data disk.
        else {disk.type for disk in reading.disks if disk.type != "usb" or disk.used}
    )
    return kinds.pop() if len(kinds) == 1 and kinds <= {"nvme", "ssd", "hdd"} else "unknown"


def _disks_key(config: StorageConfig) -> str | None:
    match config.plugin:
        case "zfspool":
            return (config.pool or "").split("/")[0] or None
        case "lvm" | "lvmthin":
            return config.volume_group
        case "dir" | "btrfs":
            return posixpath.normpath(config.path) if config.path else None
        case _:
            return None


def _kind_of(device: str, disks: Iterable[Disk]) -> str:
    """The type of the disk that `device` (a partition, often) lies on."""
    under = [disk for disk in disks if device == disk.device or device.startswith(disk.device)]
    return max(under, key=lambda disk: len(disk.device)).type if under else "unknown"


def _is_file_system(config: StorageConfig | None) -> bool:
    return config is not None and config.plugin in FILE_SYSTEM_PLUGINS
