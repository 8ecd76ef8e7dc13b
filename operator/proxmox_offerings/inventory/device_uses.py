"""What guests' configurations name of a node's PCI devices, and which cards that takes.

The API never says that a device is in use (proxmox-api.md 2.5); a stopped guest keeps no reservation, but would fail to start. Which entry of a
mapping a guest gets is decided when it starts: as many cards are presumed taken as could be.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from proxmox_offerings.inventory.cards import bus_of, slot_of
from proxmox_offerings.inventory.snapshot import Card
from proxmox_offerings.proxmox.answers import GuestConfig, PciDevice, PciMapping, PciMappingEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceUse:
    """What one hostpciN asks for: the slots that it names, or the mapping of which it takes one entry.

    With `mdev` it takes no device, but one mediated device of that type from one of them.
    """

    slots: frozenset[str] = frozenset()
    mapping: str | None = None
    mdev: str | None = None


def device_uses(config: GuestConfig) -> tuple[DeviceUse, ...]:
    """The hostpci values of a guest: `[host=]ADDRESS[;ADDRESS...][,option=value...]` or `mapping=ID[,...]` (qemu-server QemuServer/PCI.pm)."""
    uses = []
    for value in config.hostpci:
        slots: set[str] = set()
        mapping = mdev = None
        for part in value.split(","):
            key, equals, rest = part.partition("=")
            if not equals:
                key, rest = "host", part
            match key.strip():
                case "mapping":
                    mapping = rest.strip()
                case "mdev":
                    mdev = rest.strip()
                case "host":
                    slots.update(slot_of(address) for address in rest.split(";") if address.strip())
        uses.append(DeviceUse(slots=frozenset(slots), mapping=mapping, mdev=mdev))
    return tuple(uses)


class UnknownMapping(LookupError):
    """A guest uses a PCI mapping that could not be read, or has no entry on any node: any card may be the one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MdevUse:
    """What a guest takes of one type of mediated devices from one of `slots`: `most` and `least` of its current and pending configuration."""

    vmid: int
    slots: frozenset[str]
    type: str
    most: int
    least: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What all guests of a node name: slots passed whole, mappings (with how many uses) and their entries there, and mediated devices."""

    direct: frozenset[str]
    mapped: Mapping[str, int]
    entries: Mapping[str, Sequence[frozenset[str]]]
    mdevs: tuple[MdevUse, ...]

    @property
    def whole(self) -> frozenset[str]:
        """All slots that a guest may have been given whole."""
        return self.direct.union(*(entry for mapping in self.mapped for entry in self.entries[mapping]))


def uses_of(guests: Mapping[int, Collection[GuestConfig]], *, node: str, mappings: Sequence[PciMapping] | None) -> Uses:
    """The uses of a node's guests, given each one's configurations (current and pending: what is named in either is taken).

    Raises UnknownMapping.
    """
    known = _entries_of(mappings)
    entries: dict[str, list[frozenset[str]]] = {}
    direct: set[str] = set()
    mapped: Counter[str] = Counter()
    mdevs = []

    def candidates(use: DeviceUse) -> frozenset[str]:
        if use.mapping is None:
            return use.slots
        if use.mapping not in known:
            raise UnknownMapping
        own = entries.setdefault(
            use.mapping, [frozenset(map(slot_of, one.paths)) for one in known[use.mapping] if one.node == node]
        )
        return frozenset().union(*own)

    for vmid, configs in guests.items():
        if not any(config.hostpci for config in configs):
            continue
        whole: Counter[str] = Counter()
        counts: list[Counter[tuple[frozenset[str], str]]] = []
        for config in configs:
            own: Counter[str] = Counter()
            handed_out: Counter[tuple[frozenset[str], str]] = Counter()
            for use in device_uses(config):
                slots = candidates(use)
                if use.mdev is not None:
                    handed_out[slots, use.mdev] += 1
                elif use.mapping is not None:
                    own[use.mapping] += 1
                else:
                    direct |= slots
            whole |= own
            counts.append(handed_out)
        mapped += whole
        for slots, mdev in {key for one in counts for key in one}:
            told = [one[slots, mdev] for one in counts]
            mdevs.append(MdevUse(vmid=vmid, slots=slots, type=mdev, most=max(told), least=min(told)))
    return Uses(direct=frozenset(direct), mapped=mapped, entries=entries, mdevs=tuple(mdevs))


def mark_taken(
    cards: Sequence[Card], *, uses: Uses, listed: Collection[str], busy: Collection[str]
) -> tuple[Card, ...]:
    """The cards with `taken` set. `listed` are all slots of the node, `busy` those that are known to have handed out mediated devices.

    A slot that is named and not listed is a virtual function that is switched off for now: the card that had it is taken.
    """
    missing = {bus_of(slot) for slot in uses.direct.union(*(use.slots for use in uses.mdevs)) if slot not in listed}
    taken = uses.direct.union(busy, *(use.slots for use in uses.mdevs))
    taken |= {card.slot for card in cards if bus_of(card.slot) in missing}
    sellable = {card.slot: card.model for card in cards if card.unsellable is None and card.slot not in taken}
    # The uses that take the most of one model may not take the most of another, so each is asked for by itself.
    for model in sorted(set(sellable.values())):
        of_model = {slot for slot, its in sellable.items() if its == model}
        taken = taken.union(*_entries_taken(uses.mapped, uses.entries, of_model))
    return tuple(replace(card, taken=card.slot in taken) for card in cards)


def needs_of(
    cards: Sequence[Card],
    functions: Sequence[PciDevice],
    *,
    node: str,
    configs: Collection[GuestConfig],
    mappings: Sequence[PciMapping] | None,
) -> Mapping[str, int] | None:
    """What a guest of this node takes of cards wherever it runs: cards by model, mediated devices by the key of their Profile.

    `functions` are those whose mediated devices are counted; what is not counted here is not counted elsewhere either.
    None where a mapping that it uses is unknown (see UnknownMapping). A use of a mapping whose entries hold different models counts for each of
    them: which one it would get is not known.
    """
    models = {card.slot: card.model for card in cards}
    handing_out = {slot_of(one.address): f"{one.vendor}:{one.device}" for one in functions}
    known = _entries_of(mappings)
    most: Counter[str] = Counter()
    for config in configs:
        needed: Counter[str] = Counter()
        for use in device_uses(config):
            alternatives: Iterable[Collection[str]] = [use.slots]
            if use.mapping is not None:
                if use.mapping not in known:
                    return None
                alternatives = [
                    {slot_of(path) for path in entry.paths} for entry in known[use.mapping] if entry.node == node
                ]
            largest: Counter[str] = Counter()
            for slots in alternatives:
                if use.mdev is None:
                    largest |= Counter(models[slot] for slot in slots if slot in models)
                else:
                    largest |= Counter({f"{handing_out[slot]}/{use.mdev}" for slot in slots if slot in handing_out})
            needed += largest
        most |= needed
    return most


def _entries_of(mappings: Sequence[PciMapping] | None) -> Mapping[str, Sequence[PciMappingEntry]]:
    """By id. Each has one at least (pve-guest-common PVE/Mapping/PCI.pm): what has none tells nothing."""
    return {mapping.id: mapping.entries for mapping in mappings or () if mapping.entries}


def _entries_taken(
    uses: Mapping[str, int], entries: Mapping[str, Sequence[frozenset[str]]], sellable: Collection[str]
) -> list[frozenset[str]]:
    """The entries that the uses of mappings can take at most: a maximum matching that takes the most sellable cards.

    Which entry a use gets is decided when the guest starts. Taking entries by falling worth, each if all chosen so far can
    still be matched, is the heaviest choice (a transversal matroid), as long as no two entries share a card; those that do are counted as
    one, of which any use takes all: rather too much than too little.
    """
    joined = _joined(entry for mapping in uses for entry in entries[mapping])
    options = {mapping: {joined[entry] for entry in entries[mapping]} for mapping in uses}
    owner: dict[tuple[str, int], frozenset[str]] = {}

    def place(entry: frozenset[str], seen: set[tuple[str, int]]) -> bool:
        for mapping in sorted(uses):
            if entry not in options[mapping]:
                continue
            for use in ((mapping, number) for number in range(uses[mapping])):
                if use in seen:
                    continue
                seen.add(use)
                if use not in owner or place(owner[use], seen):
                    owner[use] = entry
                    return True
        return False

    candidates = {entry for entry in joined.values() if not entry.isdisjoint(sellable)}
    for entry in sorted(candidates, key=lambda entry: (-len(entry.intersection(sellable)), sorted(entry))):
        place(entry, set())
    return list(owner.values())


def _joined(entries: Iterable[frozenset[str]]) -> Mapping[frozenset[str], frozenset[str]]:
    """Each entry with all that it shares cards with, directly or by others between."""
    group_of: dict[str, frozenset[str]] = {}
    members: dict[frozenset[str], list[frozenset[str]]] = defaultdict(list)
    for entry in entries:
        touched = {group_of[slot] for slot in entry if slot in group_of}
        whole = entry.union(*touched)
        members[whole] = [*(one for group in touched for one in members.pop(group, ())), entry]
        group_of.update(dict.fromkeys(whole, whole))
    return {entry: whole for whole, own in members.items() for entry in own}
