"""Which storages draw on the same bytes, and what kind of disks those are. Rules: capacity.md 4.

Two storage ids on one ZFS pool, volume group, file system, export or Ceph cluster show the same free space twice (proxmox-api.md, fact 7).
"""

import posixpath
import re
from collections.abc import Iterable, Mapping

from proxmox_offerings.inventory.gathered import NodeReading
from proxmox_offerings.proxmox.answers import Disk, StorageConfig

NETWORK_PLUGINS = frozenset(
    {"rbd", "cephfs", "nfs", "cifs", "glusterfs", "iscsi", "iscsidirect", "zfs", "drbd", "pbs", "esxi"}
)
"""Storage reached over a network; these plugins are shared whether or not their definition says so (proxmox-api.md 2.4)."""
FILE_SYSTEM_PLUGINS = frozenset({"dir", "btrfs", "zfspool"})
FILE_SERVER_PLUGINS = frozenset({"nfs", "cifs", "glusterfs", "zfs", "dir"})
"""A shared `dir` is one that an administrator mounts on all nodes; `zfs` is a pool of a server that gives out its volumes over iSCSI."""
CEPH_PLUGINS = frozenset({"rbd", "cephfs"})


def backing_of(config: StorageConfig, *, node: str, shared: bool) -> str:
    """The name of the bytes behind a storage on a node: equal names, same bytes. Local ones end in "@<node>"."""
    server = (config.server or "").strip().rstrip(".").lower()
    match config.plugin:
        case "nfs" if server and config.export:
            return f"nfs:{server}:{_path(config.export)}"
        case "cifs" if server and config.share:
            return f"cifs:{server}/{config.share.strip('/').lower()}"
        case "rbd" | "cephfs":
            return f"ceph:{','.join(sorted(monitors_of(config))) or 'local'}"
        case "zfspool" if config.pool:
            name = f"zpool:{config.pool.split('/')[0]}"
        case "lvm" if config.volume_group:
            name = f"vg:{config.volume_group}"
        case "lvmthin" if config.volume_group:
            name = f"thin:{config.volume_group}/{config.thin_pool or ''}"
        case "dir" | "btrfs" if config.path:
            name = f"path:{_path(config.path)}"
        case _:
            name = f"{config.plugin}:{config.storage}"
    return name if shared else f"{name}@{node}"


def tells_its_backing(config: StorageConfig) -> bool:
    """Whether its definition has what its plugin cannot do without; else nobody knows with which others it shares its bytes."""
    needed = {
        "nfs": (config.server, config.export),
        "cifs": (config.server, config.share),
        "zfspool": (config.pool,),
        "lvm": (config.volume_group,),
        "lvmthin": (config.volume_group, config.thin_pool),
        "dir": (config.path,),
        "btrfs": (config.path,),
    }
    return all(needed.get(config.plugin, ()))


def monitors_of(config: StorageConfig) -> frozenset[str]:
    """The monitors of a Ceph cluster, by address alone: "10.0.0.1:6789", "[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0]" and "10.0.0.1" are one."""
    if config.plugin not in CEPH_PLUGINS:
        return frozenset()
    told = re.sub(r"\bv[12]:", "", (config.monitors or "").lower())
    # What is in brackets is an IPv6 address, or a list of the addresses of one monitor.
    addresses = re.findall(r"\[[0-9a-f:]+\]|[^][,;\s]+", told)
    return frozenset(_address(address) for address in addresses if not address.startswith((":", "/")))


def same_cluster(configs: Iterable[StorageConfig]) -> Iterable[tuple[str, str]]:
    """Pairs of storage ids that name a monitor in common: one Ceph cluster, whichever of its monitors each of them lists."""
    first: dict[str, str] = {}
    for config in configs:
        for monitor in sorted(monitors_of(config)):
            yield first.setdefault(monitor, config.storage), config.storage


def same_bytes(
    *, node: str, reading: NodeReading, configs: Mapping[str, StorageConfig]
) -> Iterable[tuple[str, str, str]]:
    """Pairs of storages as one node sees them whose free bytes differ by less than one in a thousand: the same bytes seen twice.

    File systems of the node itself are compared with each other, and those of file servers with each other: one server has several
    names, and several exports of one volume. Volume groups and thin pools tell by their definitions what they are.
    """
    seen: dict[bool, list[tuple[int, str]]] = {True: [], False: []}
    for row in reading.storages or ():
        config = configs.get(row.storage)
        if not (row.active and row.enabled and row.total and row.avail is not None and config is not None):
            continue
        remote = row.shared or config.plugin in NETWORK_PLUGINS
        if config.plugin in (FILE_SERVER_PLUGINS if remote else FILE_SYSTEM_PLUGINS):
            seen[remote].append((row.avail, row.storage))
    for group in map(sorted, seen.values()):
        for index, (smaller, first) in enumerate(group):
            for larger, second in group[index + 1 :]:
                if (larger - smaller) * 1000 >= larger and larger != smaller:
                    break
                yield (node, *sorted((first, second)))  # type: ignore[misc]


Place = tuple[str, str]
"""Node and storage id."""


def merged(names: Mapping[Place, str], pairs: Iterable[tuple[Place, Place]]) -> dict[Place, str]:
    """The backing of each place, with both places of each pair on one: the first of the names, so that it never depends on the order of
    rows. Names are joined, not places: what one node sees of a shared storage holds for all.
    """
    joined = {name: name for name in names.values()}

    def root(name: str) -> str:
        while joined[name] != name:
            name = joined[name]
        return name

    for first, second in pairs:
        if first in names and second in names:
            one, other = sorted((root(names[first]), root(names[second])))
            joined[other] = one
    return {place: root(name) for place, name in names.items()}


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
            return _path(config.path) if config.path else None
        case _:
            return None


def _kind_of(device: str, disks: Iterable[Disk]) -> str:
    """The type of the disk that `device` (a partition, often) lies on."""
    under = [disk for disk in disks if device == disk.device or device.startswith(disk.device)]
    return max(under, key=lambda disk: len(disk.device)).type if under else "unknown"


def _path(path: str) -> str:
    """Without what does not matter in it; POSIX keeps two leading slashes apart, no system that we know does."""
    return posixpath.normpath(f"/{path.strip('/')}")


def _address(told: str) -> str:
    """Without brackets, port and nonce."""
    plain = told.partition("/")[0]
    if plain.startswith("["):
        return plain.strip("[]")
    return plain.rpartition(":")[0] if plain.count(":") == 1 else plain
