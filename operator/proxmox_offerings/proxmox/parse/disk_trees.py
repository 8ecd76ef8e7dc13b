"""Which disks lie behind a zpool, a volume group or a directory storage (disks/zfs/{name}, disks/lvm, disks/directory)."""

from collections.abc import Iterable, Iterator

from proxmox_offerings.proxmox.answers import Disk
from proxmox_offerings.proxmox.parse.values import Nonsense, Row, fields, required, rows


def pool_names(data: object) -> tuple[str, ...]:
    """GET /nodes/{node}/disks/zfs."""
    return tuple(sorted(required(row, "name") for row in rows(data)))


def zpool(data: object) -> tuple[str, ...]:
    """The devices that hold the data of a pool: logs, caches and spares are branches beside the one with the pool's own name."""
    root = fields(data)
    name, branches = required(root, "name"), _children(root)
    own = [branch for branch in branches if branch.get("name") == name]
    return tuple(leaf for branch in own or branches for leaf in _leaves(branch))


def volume_groups(data: object) -> dict[str, tuple[str, ...]]:
    """Volume group -> its physical volumes."""
    return {required(group, "name"): tuple(map(_name, _children(group))) for group in _children(fields(data))}


def directories(data: object) -> dict[str, tuple[str, ...]]:
    """Mount point -> the device that is mounted there."""
    return {required(row, "path"): (required(row, "device"),) for row in rows(data)}


def on_disks(devices: Iterable[str], disks: Iterable[Disk]) -> tuple[str, ...] | None:
    """The disks under `devices`, by device path; None where one of them cannot be told.

    Pools name their devices by link ("/dev/disk/by-id/ata-<model>_<serial>-part3"), disks/list by kernel name ("/dev/sda").
    """
    found = set()
    for device in devices:
        under = [disk for disk in disks if _is_on(device, disk)]
        if not under:
            return None
        found.add(max(under, key=lambda disk: len(disk.device)).device)
    return tuple(sorted(found))


SHORTEST_SERIAL = 6
"""Shorter ones ("1", "none") could be part of any name."""


def _is_on(device: str, disk: Disk) -> bool:
    if device.startswith("/dev/disk/by-id/"):
        by_link = disk.link is not None and device.startswith(disk.link)
        serial = disk.serial or ""
        return by_link or (len(serial) >= SHORTEST_SERIAL and serial.replace(" ", "_") in device)
    rest = device.removeprefix(disk.device)
    return device.startswith(disk.device) and (not rest or rest.removeprefix("p").isdigit())


def _children(row: Row) -> tuple[Row, ...]:
    told = row.get("children") or []
    if not isinstance(told, list):
        raise Nonsense("children is not a list")
    return tuple(map(fields, told))


def _leaves(branch: Row) -> Iterator[str]:
    below = _children(branch)
    if not below:
        yield _name(branch)
    for child in below:
        yield from _leaves(child)


def _name(row: Row) -> str:
    return required(row, "name")
