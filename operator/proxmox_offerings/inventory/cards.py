"""Graphics cards: which slots of a node hold one, which of them could be passed through whole, and which a guest's configuration names.

Rules: capacity.md 5. The API never says that a device is in use (proxmox-api.md 2.5); a stopped guest keeps no reservation, but would
fail to start.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from proxmox_offerings.inventory.snapshot import Card
from proxmox_offerings.proxmox.answers import GuestConfig, PciDevice, PciMapping

VENDORS = frozenset({"10de", "1002", "8086"})
"""NVIDIA, AMD, Intel. An allow-list, because every server has a graphics chip of its management controller (ASPEED, Matrox) of the same
class.
"""

CLASSES = ("03", "12")
"""Display controllers and processing accelerators; the first two digits of the class code (pci.ids)."""


def cards_of(devices: Sequence[PciDevice]) -> tuple[Card, ...]:
    """The cards among a node's PCI functions, in the order of their slots, none taken yet."""
    virtual = _virtual_functions(devices)
    carriers = {device.physical_function for device in devices if device.physical_function}
    slots: dict[str, list[PciDevice]] = defaultdict(list)
    slots_of_group: dict[int, set[str]] = defaultdict(set)
    for device in devices:
        slot = slot_of(device.address)
        slots[slot].append(device)
        slots_of_group[device.iommu_group].add(slot)
    cards = []
    for slot, functions in sorted(slots.items()):
        graphics = [f for f in functions if _is_graphics(f) and f.address not in virtual]
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
        cards.append(
            Card(
                slot=slot,
                model=f"{main.vendor}:{main.device}",
                name=main.device_name,
                unsellable=unsellable,
                taken=False,
            )
        )
    return tuple(cards)


def slot_of(address: str) -> str:
    """The slot of a PCI address in any spelling of a guest's configuration: "01:00", "01:00.0", "0000:01:00.0" -> "0000:01:00"."""
    slot = address.strip().lower().partition(".")[0]
    return slot if slot.count(":") == 2 else f"0000:{slot}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceUse:
    """What one hostpciN asks for: the slots that it names, or the mapping of which it takes one entry."""

    slots: frozenset[str] = frozenset()
    mapping: str | None = None


def device_uses(config: GuestConfig) -> tuple[DeviceUse, ...]:
    """The hostpci values of a guest: `[host=]ADDRESS[;ADDRESS...][,option=value...]` or `mapping=ID[,...]` (qemu-server QemuServer/PCI.pm)."""
    uses = []
    for value in config.hostpci:
        slots: set[str] = set()
        mapping = None
        for part in value.split(","):
            key, equals, rest = part.partition("=")
            if not equals:
                key, rest = "host", part
            if key.strip() == "mapping":
                mapping = rest.strip()
            elif key.strip() == "host":
                slots.update(slot_of(address) for address in rest.split(";") if address.strip())
        uses.append(DeviceUse(slots=frozenset(slots), mapping=mapping))
    return tuple(uses)


class UnknownMapping(LookupError):
    """A guest uses a PCI mapping that could not be read: any card may be the one."""


def mark_taken(
    cards: Sequence[Card],
    *,
    node: str,
    guests: Iterable[Collection[GuestConfig]],
    mappings: Sequence[PciMapping] | None,
) -> tuple[Card, ...]:
    """The cards with `taken` set, given each guest's configurations (current and pending: a card named in either is taken).

    Raises UnknownMapping.
    """
    known = {mapping.id: mapping for mapping in mappings or ()}
    direct: set[str] = set()
    uses_of_mapping: dict[str, int] = defaultdict(int)
    for configs in guests:
        most: dict[str, int] = defaultdict(int)
        for config in configs:
            own: dict[str, int] = defaultdict(int)
            for use in device_uses(config):
                direct |= use.slots
                if use.mapping is not None:
                    own[use.mapping] += 1
            for mapping, count in own.items():
                most[mapping] = max(most[mapping], count)
        for mapping, count in most.items():
            uses_of_mapping[mapping] += count
    if not uses_of_mapping.keys() <= known.keys():
        raise UnknownMapping
    entries = {
        mapping: [
            frozenset(slot_of(path) for path in entry.paths) for entry in known[mapping].entries if entry.node == node
        ]
        for mapping in uses_of_mapping
    }
    sellable = {card.slot for card in cards if card.unsellable is None} - direct
    taken = direct.union(*_entries_taken(uses_of_mapping, entries, sellable))
    return tuple(replace(card, taken=card.slot in taken) for card in cards)


def needs_of(
    cards: Sequence[Card], *, node: str, configs: Collection[GuestConfig], mappings: Sequence[PciMapping] | None
) -> Mapping[str, int] | None:
    """How many cards of each model a guest of this node takes wherever it runs; None where a mapping that it uses could not be read.

    A use of a mapping whose entries hold different models counts for each of them: which one it would get is not known.
    """
    models = {card.slot: card.model for card in cards}
    known = {mapping.id: mapping for mapping in mappings or ()}
    most: Counter[str] = Counter()
    for config in configs:
        needed: Counter[str] = Counter()
        for use in device_uses(config):
            needed.update(models[slot] for slot in use.slots if slot in models)
            if use.mapping is None:
                continue
            if use.mapping not in known:
                return None
            largest: Counter[str] = Counter()
            for entry in known[use.mapping].entries:
                if entry.node == node:
                    slots = {slot_of(path) for path in entry.paths}
                    largest |= Counter(models[slot] for slot in slots if slot in models)
            needed += largest
        most |= needed
    return most


def _entries_taken(
    uses: Mapping[str, int], entries: Mapping[str, list[frozenset[str]]], sellable: set[str]
) -> list[frozenset[str]]:
    """The entries that the uses of mappings can take at most: a maximum matching that takes the most sellable cards.

    Which entry a use gets is decided when the guest starts. Taking entries by falling worth, each if all chosen so far can
    still be matched, is the heaviest choice (a transversal matroid).
    """
    owner: dict[tuple[str, int], frozenset[str]] = {}

    def place(entry: frozenset[str], seen: set[tuple[str, int]]) -> bool:
        for mapping in sorted(uses):
            if entry not in entries[mapping]:
                continue
            for use in ((mapping, number) for number in range(uses[mapping])):
                if use in seen:
                    continue
                seen.add(use)
                if use not in owner or place(owner[use], seen):
                    owner[use] = entry
                    return True
        return False

    candidates = {entry for of_node in entries.values() for entry in of_node if entry & sellable}
    for entry in sorted(candidates, key=lambda entry: (-len(entry & sellable), sorted(entry))):
        place(entry, set())
    return list(owner.values())


def _is_graphics(function: PciDevice) -> bool:
    # Bus 00 is the processor's own graphics, which the node's console uses.
    return function.class_code[:2] in CLASSES and function.vendor in VENDORS and function.address.split(":")[1] != "00"


def _number(function: PciDevice) -> int:
    device, _, number = function.address.rpartition(":")[2].partition(".")
    return int(device, 16) * 8 + int(number or "0", 16)


def _bus(function: PciDevice) -> str:
    return function.address.rpartition(":")[0]


def _carries(card: PciDevice, other: PciDevice) -> bool:
    """Whether `other` looks like a virtual function of `card`, by its place (told outright only since libpve-common of 2026-04-30)."""
    return (
        _bus(card) == _bus(other)
        and card.vendor == other.vendor
        and card.class_code == other.class_code
        and _number(card) < 4 <= _number(other)
    )


def _virtual_functions(devices: Sequence[PciDevice]) -> frozenset[str]:
    told = {device.address for device in devices if device.physical_function}
    told |= {address for device in devices for address in device.virtual_functions}
    graphics = [device for device in devices if _is_graphics(device)]
    return frozenset(told) | {other.address for other in graphics for card in graphics if _carries(card, other)}
