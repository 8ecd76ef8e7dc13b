"""What is plugged into a node: PCI functions (proxmox-api.md 2.5)."""

import re
from dataclasses import dataclass, field

from proxmox_offerings.simulator.config import GpuConfig, NodeConfig
from proxmox_offerings.simulator.endpoints import Call, Endpoint, Parameter, needs

VENDORS = {
    "8086": "Intel Corporation",
    "10de": "NVIDIA Corporation",
    "1002": "Advanced Micro Devices, Inc. [AMD/ATI]",
    "1a03": "ASPEED Technology, Inc.",
    "144d": "Samsung Electronics Co Ltd",
    "15b3": "Mellanox Technologies",
}
DEFAULT_BLACKLIST = "05;06;0b"
FIRST_VIRTUAL_FUNCTION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    address: str
    class_code: str
    vendor: str
    device: str
    group: int
    name: str | None = None
    virtual: dict[str, object] = field(default_factory=dict)


_BOARD = (
    _Function(
        address="0000:00:14.0",
        class_code="0c0330",
        vendor="8086",
        device="a1af",
        group=8,
        name="C620 Series USB 3.0 xHCI Controller",
    ),
    _Function(
        address="0000:00:1c.0",
        class_code="060400",
        vendor="8086",
        device="a190",
        group=9,
        name="C620 Series PCI Express Root Port",
    ),
    _Function(
        address="0000:5e:00.0",
        class_code="020000",
        vendor="15b3",
        device="1015",
        group=60,
        name="MT27710 Family [ConnectX-4 Lx]",
    ),
)
_BMC = _Function(
    address="0000:03:00.0", class_code="030000", vendor="1a03", device="2000", group=33, name="ASPEED Graphics Family"
)
_NVME = _Function(
    address="0000:3b:00.0",
    class_code="010802",
    vendor="144d",
    device="a80a",
    group=52,
    name="NVMe SSD Controller PM9A1/PM9A3/980PRO",
)


def _card(gpu: GpuConfig, *, kinship: bool) -> list[_Function]:
    """A card's functions. Which function is virtual is told (`kinship`) since libpve-common of April 2026 only."""
    addresses = [_virtual_address(gpu.slot, FIRST_VIRTUAL_FUNCTION + number) for number in range(gpu.vfs)]
    physical = f"{gpu.slot}.0"
    found = [
        _Function(
            address=physical,
            class_code=gpu.class_code,
            vendor=gpu.vendor,
            device=gpu.device,
            group=gpu.iommu,
            name=gpu.name,
            virtual={"virtfns": {f"virtfn{number}": each for number, each in enumerate(addresses)}}
            if kinship and addresses
            else {},
        )
    ]
    if gpu.audio:
        sound = "High Definition Audio Controller"
        found.append(
            _Function(
                address=f"{gpu.slot}.1",
                class_code="040300",
                vendor=gpu.vendor,
                device="22ba",
                group=gpu.iommu,
                name=sound,
            )
        )
    for number, address in enumerate(addresses):
        nvidia = {"nvidia": 1} if gpu.vendor == "10de" else {}
        found.append(
            _Function(
                address=address,
                class_code=gpu.class_code,
                vendor=gpu.vendor,
                device=gpu.device,
                group=1000 + gpu.iommu * 100 + number if gpu.iommu >= 0 else -1,
                name=gpu.name,
                virtual={"mdev": 1, **nvidia} | ({"physfn": physical} if kinship else {}),
            )
        )
    return found


def _virtual_address(slot: str, number: int) -> str:
    """Functions above 7 go on in the next device of the bus."""
    bus, _, device = slot.rpartition(":")
    number += int(device, 16) * 8
    return f"{bus}:{number // 8:02x}.{number % 8}"


def _functions(node: NodeConfig, *, kinship: bool) -> list[_Function]:
    found = [
        *_BOARD,
        *([_BMC] if node.bmc else []),
        *([_NVME] if any(disk.type == "nvme" for disk in node.disks) else []),
    ]
    for gpu in node.gpus:
        found += _card(gpu, kinship=kinship)
    return sorted(found, key=lambda each: each.address)


def pci(call: Call) -> object:
    """Sorted by address; classes that begin with one of the blacklist's are left out, bridges among them."""
    blacklist = tuple(
        part for part in re.split(r"[,;\s]+", call.query.get("pci-class-blacklist", DEFAULT_BLACKLIST)) if part
    )
    verbose, node = call.flag("verbose", default=True), call.node.config
    rows: list[object] = []
    for each in _functions(node, kinship=call.version >= (9, 2)):
        if blacklist and each.class_code.startswith(blacklist):
            continue
        row: dict[str, object] = {
            "id": each.address,
            "class": f"0x{each.class_code}",
            "vendor": f"0x{each.vendor}",
            "device": f"0x{each.device}",
            "iommugroup": each.group if node.iommu else -1,
            **each.virtual,
        }
        if verbose:
            row |= {"subsystem_vendor": f"0x{each.vendor}", "subsystem_device": "0x0001"}
            names = {
                "vendor_name": VENDORS.get(each.vendor),
                "device_name": each.name,
                "subsystem_vendor_name": VENDORS.get(each.vendor),
            }
            row |= {key: value for key, value in names.items() if value is not None}
        rows.append(row)
    return rows


ENDPOINTS = (
    Endpoint(
        path="/nodes/{node}/hardware/pci",
        answer=pci,
        check=needs("/", "Sys.Audit", "Sys.Modify"),
        parameters={"pci-class-blacklist": Parameter(), "verbose": Parameter(boolean=True)},
        proxied=True,
    ),
)
