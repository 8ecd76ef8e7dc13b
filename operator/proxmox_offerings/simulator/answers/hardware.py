"""What is plugged into a node: PCI functions (proxmox-api.md 2.5)."""

import re
from collections import Counter
from dataclasses import dataclass, field

from proxmox_offerings.simulator.config import GpuConfig, NodeConfig
from proxmox_offerings.simulator.endpoints import Call, Endpoint, Parameter, Rows, needs

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


def _card(gpu: GpuConfig, *, kinship: bool = True, whole: bool = False) -> list[_Function]:
    """A card's functions. Which function is virtual is told (`kinship`) since libpve-common of April 2026 only.

    One that a running guest has `whole` has lost the driver that would hand out parts of it.
    """
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
            virtual={
                **({"mdev": 1} if gpu.mdevs and not addresses and not whole else {}),
                **(
                    {"virtfns": {f"virtfn{number}": each for number, each in enumerate(addresses)}}
                    if kinship and addresses
                    else {}
                ),
            },
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


def _functions(node: NodeConfig, *, kinship: bool, whole: frozenset[str]) -> list[_Function]:
    found = [
        *_BOARD,
        *([_BMC] if node.bmc else []),
        *([_NVME] if any(disk.type == "nvme" for disk in node.disks) else []),
    ]
    for gpu in node.gpus:
        found += _card(gpu, kinship=kinship, whole=gpu.slot in whole)
    return sorted(found, key=lambda each: each.address)


def pci(call: Call) -> object:
    """Sorted by address; classes that begin with one of the blacklist's are left out, bridges among them."""
    blacklist = tuple(
        part for part in re.split(r"[,;\s]+", call.query.get("pci-class-blacklist", DEFAULT_BLACKLIST)) if part
    )
    verbose, node = call.flag("verbose", default=True), call.node.config
    rows: list[object] = []
    for each in _functions(node, kinship=call.version >= (9, 2), whole=_InUse(call).whole):
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


class _InUse:
    """What the running guests of a node have, in the order in which they would have been started: slots whole, and parts by slot and type."""

    def __init__(self, call: Call) -> None:
        self._gpus = {gpu.slot: gpu for gpu in call.node.config.gpus}
        self._slots = {each.address: gpu.slot for gpu in call.node.config.gpus for each in _card(gpu)}
        self.parts: Counter[tuple[str, str]] = Counter()
        self.functions: set[str] = set()
        whole: set[str] = set()
        for guest in call.cluster.guests_on(call.node.name):
            for value in guest.config.hostpci if guest.running else ():
                addresses, kind = self._named(call, value)
                if kind is None:
                    whole.update(address.partition(".")[0] for address in addresses)
                elif address := next((each for each in addresses if self.left(self.slot(each), kind)), None):
                    self.parts[self.slot(address), kind] += 1
                    self.functions.add(address)
        self.whole = frozenset(whole)

    def slot(self, address: str) -> str:
        """The card's, of any of its functions; "01:00" are all of them."""
        return self._slots.get(address, address)

    def left(self, slot: str, kind: str) -> int:
        """How many more of the type the card would make."""
        made = {other: count for (at, other), count in self.parts.items() if at == slot and count}
        if slot not in self._gpus or made.keys() - {kind}:
            return 0
        most = sum(mdev.instances for mdev in self._gpus[slot].mdevs if mdev.type == kind)
        return max(0, most - made.get(kind, 0))

    def _named(self, call: Call, value: str) -> tuple[list[str], str | None]:
        """The addresses that one of several may be taken of, with the type of mediated device."""
        parts = (part if "=" in part else f"host={part}" for part in value.split(","))
        options = {key: rest for key, _, rest in (part.partition("=") for part in parts)}
        if "mapping" in options:
            found = [
                entry.path
                for mapping in call.cluster.mappings
                if mapping.id == options["mapping"]
                for entry in mapping.entries
                if entry.node == call.node.name
            ]
        else:
            found = [options.get("host", "")]
        return [_full(path) for paths in found for path in paths.split(";")], options.get("mdev")


def _full(address: str) -> str:
    return address if address.count(":") == 2 else f"0000:{address}"


def mdev(call: Call) -> object:
    """What a card hands out. A virtual function tells what it could make now, and always 1, without a count (libpve-common SysFSTools.pm)."""
    address = _full(call.path["pci_id"])
    used = _InUse(call)
    listed = {each.address: each for each in _functions(call.node.config, kinship=True, whole=used.whole)}
    gpu = next((gpu for gpu in call.node.config.gpus if gpu.slot == used.slot(address)), None)
    if gpu is None or address not in listed or "mdev" not in listed[address].virtual:
        return Rows()
    if gpu.vfs:
        free = [] if address in used.functions else [each for each in gpu.mdevs if used.left(gpu.slot, each.type)]
        return Rows(
            {"type": each.type, "name": each.name or each.type, "available": 1, "description": ""} for each in free
        )
    return Rows(
        {
            "type": each.type,
            **({"name": each.name} if each.name else {}),
            "available": used.left(gpu.slot, each.type),
            "description": f"num_heads=4, frl_config=60, framebuffer={each.memory // 2**20}M, max_resolution=5120x2880, "
            f"max_instance={each.instances}\n",
        }
        for each in gpu.mdevs
    )


ENDPOINTS = (
    Endpoint(
        path="/nodes/{node}/hardware/pci/{pci_id}/mdev",
        answer=mdev,
        check=needs("/", "Sys.Audit", "Sys.Modify"),
        proxied=True,
    ),
    Endpoint(
        path="/nodes/{node}/hardware/pci",
        answer=pci,
        check=needs("/", "Sys.Audit", "Sys.Modify"),
        parameters={"pci-class-blacklist": Parameter(), "verbose": Parameter(boolean=True)},
        proxied=True,
    ),
)
