"""A node's disks, and the pools, volume groups and directories that lie on them (proxmox-api.md 2.6; pve-storage src/PVE/API2/Disks)."""

import uuid
import zlib
from collections.abc import Callable

from proxmox_offerings.simulator.config import DiskConfig
from proxmox_offerings.simulator.endpoints import Call, Endpoint, Parameter, Rows
from proxmox_offerings.simulator.refusals import forbidden, missing

ROTATION = {"hdd": 7200, "ssd": 0, "nvme": 0, "usb": 0, "unknown": -1}


def _audit(*paths: str) -> Callable[[Call], None]:
    """Sys.Audit on one of the paths; before 8 Datastore.Audit is enough too."""

    def check(call: Call) -> None:
        privileges = ("Sys.Audit",) if call.entry.version >= (8,) else ("Sys.Audit", "Datastore.Audit")
        places = [path.format_map(call.path) for path in paths]
        if not any(call.access.allows(place, *privileges) for place in places):
            raise forbidden(places[-1], *privileges)

    return check


def listing(call: Call) -> object:
    """`wearout` is the percentage left, or "N/A"; `osdid` -1 or a string; `vendor` padded; `used` only where something uses it."""
    rows = Rows()
    for number, disk in enumerate(call.node.config.disks):
        row: dict[str, object] = {
            "devpath": disk.devpath,
            "type": disk.type,
            "size": disk.size,
            "model": disk.model,
            "serial": _serial(disk),
            "by_id_link": _link(disk),
            "vendor": "unknown " if disk.type == "unknown" else "ATA     ",
            "wwn": f"0x5000c500{number:08x}",
            "gpt": 1,
            "osdid": -1,
            "osdid-list": None,
            "rpm": ROTATION[disk.type],
            "health": "UNKNOWN" if call.flag("skipsmart") else "PASSED",
            "wearout": 97 if disk.type in ("ssd", "nvme") and not call.flag("skipsmart") else "N/A",
        }
        if disk.used is not None:
            row["used"] = disk.used
        rows.append(row)
    return rows


def _groups(call: Call, used: str) -> dict[str, list[DiskConfig]]:
    found: dict[str, list[DiskConfig]] = {}
    for disk in call.node.config.disks:
        if disk.used == used and disk.member_of is not None:
            found.setdefault(disk.member_of, []).append(disk)
    return found


def zpools(call: Call) -> object:
    return [
        {
            "name": name,
            "size": size,
            "alloc": size // 5,
            "free": size - size // 5,
            "frag": 3,
            "dedup": 1,
            "health": "ONLINE",
        }
        for name, disks in _groups(call, "ZFS").items()
        if (size := min(disk.size for disk in disks))
    ]


def zpool(call: Call) -> object:
    """The tree of a pool: itself, a mirror of several disks, and the disks by the links that the pool was made of (zpool status -P)."""
    name = call.path["name"]
    disks = _groups(call, "ZFS").get(name)
    if disks is None:
        raise missing(f"command '/sbin/zpool status -P {name}' failed: exit code 1")
    leaves: list[object] = [_vdev(f"{_link(disk)}-part1") for disk in disks]
    below = leaves if len(disks) == 1 else [_vdev("mirror-0") | {"leaf": 0, "children": leaves}]
    return {
        "name": name,
        "state": "ONLINE",
        "scan": "none requested",
        "errors": "No known data errors",
        "leaf": 0,
        "children": [_vdev(name) | {"leaf": 0, "children": below}],
    }


def _serial(disk: DiskConfig) -> str:
    return f"S{zlib.crc32(disk.devpath.encode()):010d}"


def _link(disk: DiskConfig) -> str:
    """udev's name for a disk, by which pools are made."""
    return f"/dev/disk/by-id/{'nvme' if disk.type == 'nvme' else 'ata'}-{disk.model.replace(' ', '_')}_{_serial(disk)}"


def _partition(device: str, number: int) -> str:
    """The kernel puts a "p" between a name that ends in a digit and the number."""
    return f"{device}{'p' if device[-1].isdigit() else ''}{number}"


def _vdev(name: str) -> dict[str, object]:
    return {"name": name, "state": "ONLINE", "read": 0, "write": 0, "cksum": 0, "msg": "", "leaf": 1}


def volume_groups(call: Call) -> object:
    """The installer puts the group "pve" on the third partition of a disk; one made later takes whole disks."""
    groups: list[object] = []
    for name, disks in sorted(_groups(call, "LVM").items()):
        devices = [_partition(disk.devpath, 3) if name == "pve" else disk.devpath for disk in disks]
        group = {"name": name, "leaf": 0, "size": sum(disk.size for disk in disks), "free": 16 * 2**30, "lvcount": 3}
        volumes = [
            {"name": device, "leaf": 1, "size": disk.size, "free": 16 * 2**30}
            for device, disk in zip(devices, disks, strict=True)
        ]
        groups.append(group | {"children": volumes})
    return {"leaf": 0, "children": groups}


def thin_pools(call: Call) -> object:
    return [
        {
            "vg": storage.config.vgname,
            "lv": storage.config.thinpool,
            "lv_size": mount.room.total,
            "used": mount.room.used,
            "metadata_size": 2**30,
            "metadata_used": 2**26,
        }
        for storage in call.cluster.storages.values()
        if storage.config.type == "lvmthin" and (mount := storage.mounts.get(call.node.name)) is not None
    ]


def directories(call: Call) -> object:
    """The device is named by its UUID, so that the disk cannot be told from this."""
    return [
        {
            "path": path,
            "device": f"/dev/disk/by-uuid/{uuid.uuid5(uuid.NAMESPACE_URL, disks[0].devpath)}",
            "type": "ext4",
            "options": "defaults",
            "unitfile": f"/etc/systemd/system/{path.strip('/').replace('/', '-')}.mount",
        }
        for path, disks in _groups(call, "mounted").items()
    ]


ENDPOINTS = (
    Endpoint(
        path="/nodes/{node}/disks/list",
        answer=listing,
        check=_audit("/", "/nodes/{node}"),
        parameters={
            "skipsmart": Parameter(boolean=True),
            "include-partitions": Parameter(boolean=True),
            "type": Parameter(),
        },
        proxied=True,
    ),
    Endpoint(path="/nodes/{node}/disks/zfs", answer=zpools, check=_audit("/"), proxied=True),
    Endpoint(path="/nodes/{node}/disks/zfs/{name}", answer=zpool, check=_audit("/"), proxied=True),
    Endpoint(path="/nodes/{node}/disks/lvm", answer=volume_groups, check=_audit("/"), proxied=True),
    Endpoint(path="/nodes/{node}/disks/lvmthin", answer=thin_pools, check=_audit("/"), proxied=True),
    Endpoint(path="/nodes/{node}/disks/directory", answer=directories, check=_audit("/"), proxied=True),
)
