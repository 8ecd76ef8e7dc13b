"""What a node says about itself: hardware, network, storages, disks and volumes."""

import re

from proxmox_offerings.proxmox.answers import (
    Disk,
    MdevType,
    NetworkInterface,
    NodeStatus,
    NodeStorage,
    PciDevice,
    Volume,
)
from proxmox_offerings.proxmox.parse.values import (
    Nonsense,
    Row,
    boolean,
    each_once,
    fields,
    integer,
    required,
    rows,
    text,
    words,
)


def node_status(data: object) -> NodeStatus:
    """GET /nodes/{node}/status. `hvm` is "1" or ""."""
    row = fields(data)
    cpu, memory = fields(row.get("cpuinfo") or {}), fields(row.get("memory") or {})
    return NodeStatus(
        cpus=integer(cpu, "cpus"),
        cores=integer(cpu, "cores"),
        sockets=integer(cpu, "sockets"),
        model=text(cpu, "model"),
        hvm=boolean(cpu, "hvm"),
        memory_total=integer(memory, "total"),
        uptime=integer(row, "uptime"),
        pveversion=text(row, "pveversion"),
    )


def pci_devices(data: object) -> tuple[PciDevice, ...]:
    """GET /nodes/{node}/hardware/pci, by address."""
    return tuple(sorted(map(_pci_device, rows(data)), key=lambda device: device.address))


def _pci_device(row: Row) -> PciDevice:
    address = required(row, "id").lower()
    if not re.fullmatch("[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}[.][0-7]", address):
        raise Nonsense("the address of a PCI device is not one")
    group = row.get("iommugroup")
    functions = fields(row.get("virtfns") or {})
    return PciDevice(
        address=address,
        class_code=_hexadecimal(row, "class", 6),
        vendor=_hexadecimal(row, "vendor", 4),
        device=_hexadecimal(row, "device", 4),
        iommu_group=-1 if group in (None, "", -1, "-1") else integer(row, "iommugroup") or 0,
        vendor_name=text(row, "vendor_name"),
        device_name=text(row, "device_name"),
        mdev=boolean(row, "mdev"),
        nvidia=boolean(row, "nvidia"),
        physical_function=(text(row, "physfn") or "").lower() or None,
        virtual_functions=tuple(sorted(str(address).lower() for address in functions.values())),
    )


def mdev_types(data: object) -> tuple[MdevType, ...]:
    """GET /nodes/{node}/hardware/pci/{id}/mdev, by type."""
    types = sorted(map(_mdev_type, rows(data)), key=lambda told: told.type)
    each_once(told.type for told in types)
    return tuple(types)


def _mdev_type(row: Row) -> MdevType:
    """NVIDIA describes a type as "num_heads=4, frl_config=60, framebuffer=2048M, max_resolution=..., max_instance=8"."""
    available = integer(row, "available")
    if available is None:
        raise Nonsense("available is missing")
    told = text(row, "description") or ""
    most, mebibytes = re.search(r"max_instance=([0-9]{1,4})\b", told), re.search(r"framebuffer=([0-9]{1,7})M\b", told)
    return MdevType(
        type=required(row, "type"),
        available=available,
        name=text(row, "name"),
        most=int(most[1]) if most else None,
        memory=int(mebibytes[1]) * 2**20 if mebibytes else None,
    )


def _hexadecimal(row: Row, key: str, digits: int) -> str:
    plain = required(row, key).lower().removeprefix("0x")
    if not re.fullmatch(f"[0-9a-f]{{1,{digits}}}", plain):
        raise Nonsense(f"the {key} of a PCI device is not hexadecimal")
    return plain.zfill(digits)


def node_storages(data: object) -> tuple[NodeStorage, ...]:
    """GET /nodes/{node}/storage, by id. A row whose numbers make no sense is kept as one that tells none."""
    storages = sorted(map(_node_storage, rows(data)), key=lambda storage: storage.storage)
    each_once(storage.storage for storage in storages)
    return tuple(storages)


def _node_storage(row: Row) -> NodeStorage:
    try:
        total, avail, used = integer(row, "total"), integer(row, "avail"), integer(row, "used")
    except Nonsense:
        total = avail = used = None
    return NodeStorage(
        storage=required(row, "storage"),
        plugin=text(row, "type"),
        active=boolean(row, "active"),
        enabled=boolean(row, "enabled"),
        shared=boolean(row, "shared"),
        content=frozenset(words(text(row, "content"))),
        total=total,
        avail=avail,
        used=used,
    )


def volumes(data: object) -> tuple[Volume, ...]:
    """GET /nodes/{node}/storage/{storage}/content, by volume id."""
    return tuple(
        sorted(
            (Volume(volid=required(row, "volid"), content=required(row, "content")) for row in rows(data)),
            key=lambda volume: volume.volid,
        )
    )


def interfaces(data: object) -> tuple[NetworkInterface, ...]:
    """GET /nodes/{node}/network, by name. `active` is absent from an interface that is down."""
    return tuple(
        sorted(
            (
                NetworkInterface(name=required(row, "iface"), type=required(row, "type"), active=boolean(row, "active"))
                for row in rows(data)
            ),
            key=lambda interface: interface.name,
        )
    )


def disks(data: object) -> tuple[Disk, ...]:
    """GET /nodes/{node}/disks/list, by device."""
    return tuple(sorted(map(_disk, rows(data)), key=lambda disk: disk.device))


def _disk(row: Row) -> Disk:
    return Disk(
        device=required(row, "devpath"),
        type=text(row, "type") or "unknown",
        size=integer(row, "size"),
        used=text(row, "used"),
        serial=text(row, "serial"),
        link=text(row, "by_id_link"),
    )
