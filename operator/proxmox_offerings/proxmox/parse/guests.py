"""GET /nodes/{node}/{qemu,lxc}/{vmid}/config: property strings ("local-lvm:vm-100-disk-0,iothread=1,size=32G") and loose numbers."""

import re
from collections.abc import Iterator

from proxmox_offerings.proxmox.answers import GuestConfig, GuestKind
from proxmox_offerings.proxmox.parse.values import (
    LARGEST,
    Nonsense,
    Row,
    boolean,
    fields,
    integer,
    number,
    required,
    text,
    units,
)

MEBIBYTE = 2**20
DEFAULT_MEMORY = 512 * MEBIBYTE
"""Of both kinds, where the configuration names none (proxmox-api.md 2.1)."""
SIZES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

_DISKS = {
    "qemu": re.compile(r"(ide|sata|scsi|virtio|efidisk|tpmstate|unused)\d+"),
    "lxc": re.compile(r"rootfs|(mp|unused)\d+"),
}


def guest_config(data: object, kind: GuestKind) -> GuestConfig:
    """What capacity needs of it. Each has the `digest` of its file, whatever else may be left to defaults: what has none is something else."""
    row = fields(data)
    required(row, "digest")
    return GuestConfig(
        hostpci=tuple(_devices(row)),
        cores=_machine_cores(row) if kind == "qemu" else integer(row, "cores"),
        cpulimit=number(row, "cpulimit"),
        memory=_memory(row),
        template=boolean(row, "template"),
        volume_sizes=dict(_volumes(row, kind)),
    )


_ADDRESS = re.compile(r"([0-9a-f]{4,}:)?[0-9a-f]{2}:[0-9a-f]{2}([.][0-9a-f])?", re.IGNORECASE)


def _devices(row: Row) -> Iterator[str]:
    """hostpci0-15: a device that cannot be made out would be taken for free."""
    for index in range(16):
        value = text(row, f"hostpci{index}")
        if value is None:
            continue
        options = dict(part.partition("=")[::2] if "=" in part else ("host", part) for part in value.split(","))
        named = [address.strip() for address in options.get("host", "").split(";") if address.strip()]
        if not all(map(_ADDRESS.fullmatch, named)) or not (named or options.get("mapping")):
            raise Nonsense(f"hostpci{index} names no device")
        yield value


def _machine_cores(row: Row) -> int:
    vcpus = integer(row, "vcpus")
    return vcpus or (integer(row, "sockets") or 1) * (integer(row, "cores") or 1)


def _memory(row: Row) -> int:
    """MiB; since 8.1 the server may write "current=4096"."""
    told = text(row, "memory")
    if told is None:
        return DEFAULT_MEMORY
    size = (integer({"memory": told.removeprefix("current=").partition(",")[0]}, "memory") or 0) * MEBIBYTE
    if size > LARGEST:
        raise Nonsense("memory is not a size that can be")
    return size


def _volumes(row: Row, kind: GuestKind) -> Iterator[tuple[str, int | None]]:
    for key in sorted(row):
        if not _DISKS[kind].fullmatch(key):
            continue
        if not isinstance(row[key], str):
            raise Nonsense(f"{key} is not a text")
        first, *rest = row[key].split(",")
        options = dict(option.split("=", 1) for option in rest if "=" in option)
        volume = first.removeprefix("file=").removeprefix("volume=")
        # A path ("/dev/sdb", "/mnt/bind") lies on no storage; neither do "none" and "cdrom".
        if ":" not in volume or volume.startswith("/") or options.get("media") == "cdrom":
            continue
        size = options.get("size")
        yield volume, units(size, SIZES) if size else None
