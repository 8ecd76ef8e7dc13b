"""Graphics cards: which slots of a node hold one, and which of them could be passed through whole.

Rules: capacity.md 5. Facts: proxmox-api.md 2.5. What guests take of them is in `device_uses`, what they hand out in `profiles`.
"""

from collections import defaultdict
from collections.abc import Sequence

from proxmox_offerings.inventory.snapshot import Card
from proxmox_offerings.proxmox.answers import PciDevice

VENDORS = frozenset({"10de", "1002", "8086"})
"""NVIDIA, AMD, Intel. An allow-list, because every server has a graphics chip of its management controller (ASPEED, Matrox) of the same
class.
"""

CLASSES = ("03", "12")
"""Display controllers and processing accelerators; the first two digits of the class code (pci.ids)."""


def cards_of(devices: Sequence[PciDevice]) -> tuple[Card, ...]:
    """The cards among a node's PCI functions, in the order of their slots, none taken yet."""
    if not any(map(_is_card, devices)):
        return ()
    virtual = virtual_functions(devices)
    carriers = {device.physical_function for device in devices if device.physical_function}
    slots: dict[str, list[PciDevice]] = defaultdict(list)
    slots_of_group: dict[int, set[str]] = defaultdict(set)
    for device in devices:
        slot = slot_of(device.address)
        slots[slot].append(device)
        slots_of_group[device.iommu_group].add(slot)
    cards = []
    for slot, functions in sorted(slots.items()):
        graphics = [f for f in functions if _is_card(f) and f.address not in virtual]
        if not graphics:
            continue
        main = min(graphics, key=lambda f: f.address)
        switched_on = (
            main.virtual_functions
            or main.address in carriers
            or any(_carries(main, other) for other in devices if other.address in virtual)
        )
        if len({f.address for f in functions}) < len(functions):
            unsellable = "Contradictory"
        elif switched_on:
            unsellable = "VirtualFunctions"
        elif any(f.iommu_group < 0 for f in functions):
            unsellable = "NoIommu"
        elif any(slots_of_group[f.iommu_group] != {slot} for f in functions):
            unsellable = "SharedIommuGroup"
        else:
            unsellable = None
        cards.append(card_of(main, unsellable=unsellable))
    return tuple(cards)


def card_of(function: PciDevice, *, unsellable: str | None) -> Card:
    """The card that shows itself by this function."""
    return Card(
        slot=slot_of(function.address),
        model=f"{function.vendor}:{function.device}",
        name=function.device_name,
        unsellable=unsellable,
        taken=False,
    )


def slot_of(address: str) -> str:
    """The slot of a PCI address in any spelling of a guest's configuration: "01:00", "01:00.0", "0000:01:00.0" -> "0000:01:00"."""
    slot = address.strip().lower().partition(".")[0]
    return slot if slot.count(":") == 2 else f"0000:{slot}"


def bus_of(slot: str) -> str:
    """ "0000:01:00" -> "0000:01"."""
    return slot.rpartition(":")[0]


def is_graphics(function: PciDevice) -> bool:
    """Whether it draws or computes, and is no management controller's."""
    return function.class_code[:2] in CLASSES and function.vendor in VENDORS


def virtual_functions(devices: Sequence[PciDevice]) -> frozenset[str]:
    """The addresses of graphics' virtual functions: as told, or by their place."""
    told = {device.address for device in devices if device.physical_function}
    told |= {address for device in devices for address in device.virtual_functions}
    graphics = [device for device in devices if _is_card(device)]
    return frozenset(told) | {other.address for other in graphics for card in graphics if _carries(card, other)}


def _is_card(function: PciDevice) -> bool:
    # Bus 00 is the processor's own graphics, which the node's console uses.
    return is_graphics(function) and function.address.split(":")[1] != "00"


def _number(function: PciDevice) -> int:
    device, _, number = function.address.rpartition(":")[2].partition(".")
    return int(device, 16) * 8 + int(number or "0", 16)


def _carries(card: PciDevice, other: PciDevice) -> bool:
    """Whether `other` looks like a virtual function of `card`, by its place (told outright only since libpve-common of 2026-04-30)."""
    return (
        bus_of(card.address) == bus_of(other.address)
        and card.vendor == other.vendor
        and card.class_code == other.class_code
        and _number(card) < 4 <= _number(other)
    )
