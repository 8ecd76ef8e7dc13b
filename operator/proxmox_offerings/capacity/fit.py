"""How many more units of one tier fit right now, where, and what runs out first. Rules: capacity.md 1 and 6."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from proxmox_offerings.capacity.costs import points_of_vcpu
from proxmox_offerings.capacity.disks import Disks, Shelf, disks_for
from proxmox_offerings.capacity.failover import Housing
from proxmox_offerings.capacity.flow import UNLIMITED, Flow, fill
from proxmox_offerings.capacity.rooms import LeftOut, Room, Rooms
from proxmox_offerings.inventory.snapshot import Card
from proxmox_offerings.resources import Architecture, LimitingResource, Tier, Virtualization
from proxmox_offerings.resources.globs import glob_matches

RESOURCES = (LimitingResource.GPU, LimitingResource.MEMORY, LimitingResource.CPU, LimitingResource.DISK)
"""Where several resources limit alike, the first of these is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFit:
    """One node's part of the placement, and what is used up there first."""

    name: str
    available: int
    limiting: LimitingResource | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """`available` None: nobody can tell (stock Unknown).

    `nodes` are those that were counted, in the order of their names, with one placement of exactly `available` units.
    `blind` names nodes that may carry units but could not be judged, and `left_out` nodes that are known to carry none,
    each with the reason. `homeless` is the guest for which no room was found when `limiting` is failover and `available`
    0. `carriers` could carry the tier at all, empty; `disks` what it may use.
    """

    available: int | None
    limiting: LimitingResource | None
    nodes: tuple[NodeFit, ...]
    blind: Mapping[str, str]
    left_out: Mapping[str, str]
    homeless: int | None
    carriers: tuple[str, ...]
    disks: Disks


@dataclass(frozen=True, slots=True)
class _Need:
    """One unit of a tier, and how many of it each resource of a node allows; disks apart, which nodes share."""

    tier: Tier

    def fit(self, room: Room) -> dict[LimitingResource, int]:
        """How many more units fit now."""
        return self._units(room, cpu=room.cpu.headroom, memory=room.memory.headroom, cards=room.free_cards)

    def fit_empty(self, room: Room) -> dict[LimitingResource, int]:
        """How many would fit if nothing were committed."""
        cards = Counter(card.model for card in room.node.cards or () if card.unsellable is None)
        return self._units(room, cpu=room.cpu.capacity, memory=room.memory.capacity, cards=cards)

    def _units(self, room: Room, *, cpu: int, memory: int, cards: Mapping[str, int]) -> dict[LimitingResource, int]:
        tier, node = self.tier, room.node
        points = tier.cpu * points_of_vcpu(dedicated=tier.dedicated_cpu, percent=room.cpu_policy.percent)
        size = own = tier.memory.bytes
        if tier.virtualization is Virtualization.KVM:
            size += room.memory_policy.guest_overhead.bytes
        # A single guest must fit the machine, whatever is sold of it.
        units = {
            LimitingResource.CPU: max(0, cpu) // points if tier.cpu <= (node.threads or 0) else 0,
            LimitingResource.MEMORY: max(0, memory) // size if own <= (node.memory or 0) else 0,
        }
        if tier.gpu is not None:
            wanted = {card.model for card in node.cards or () if card_matches(tier, card)}
            units[LimitingResource.GPU] = sum(
                count // tier.gpu.count for model, count in cards.items() if model in wanted
            )
        return units


def card_matches(tier: Tier, card: Card) -> bool:
    """Whether the tier takes this card: no `models` take any; globs match the device name or "vendor:device", whatever the case."""
    if tier.gpu is None:
        return False
    names = [card.model, *([card.name] if card.name else [])]
    return not tier.gpu.models or any(
        glob_matches(glob, name, ignore_case=True) for glob in tier.gpu.models for name in names
    )


def fit_of(tier: Tier, *, rooms: Rooms, housing: Housing, shelves: Sequence[Shelf]) -> Fit:
    """The largest number of units of `tier` that fit at the same time, if only this tier were sold."""
    disks = disks_for(tier, shelves)
    need = _Need(tier)
    blind, left_out, counted = _judge(tier, rooms=rooms, disks=disks)
    result = Fit(
        available=0,
        limiting=LimitingResource.NODES,
        nodes=(),
        blind=blind,
        left_out=left_out,
        homeless=housing.homeless,
        carriers=tuple(name for name in counted if all(need.fit_empty(rooms.rooms[name]).values())),
        disks=disks,
    )
    if not counted:
        return replace(result, available=None, limiting=None) if _nobody_can_tell(rooms, blind, left_out) else result
    if housing.homeless is not None:
        failover = LimitingResource.FAILOVER
        nodes = tuple(NodeFit(name=name, available=0, limiting=failover) for name in counted)
        return replace(result, limiting=failover, nodes=nodes)
    case = _Case.of(need, disks, [housing.now[name] for name in counted])
    cap = UNLIMITED if tier.max_units is None else tier.max_units
    fitting = case.total()
    kept = _kept(need, disks, counted, housing)
    available = min(fitting, kept, cap)
    placed, flow = case.fill(available)
    limiting = case.limiting(placed, flow, available=available, cap=cap)
    if available == cap < min(fitting, kept):
        limiting = LimitingResource.MAX_UNITS
    elif kept < fitting:
        limiting = LimitingResource.FAILOVER
    return replace(
        result,
        available=available,
        limiting=limiting,
        homeless=housing.at_risk if available == 0 else None,
        nodes=tuple(
            NodeFit(name=name, available=units, limiting=case.used_up(name, units, flow))
            for name, units in placed.items()
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One tier on a set of rooms: the units that each resource of each node allows, and the units that each backing holds."""

    units: Mapping[str, Mapping[LimitingResource, int]]
    backings: Mapping[str, int]
    reach: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, need: _Need, disks: Disks, rooms: Iterable[Room]) -> "_Case":
        size = need.tier.disk.bytes
        return cls(
            units={room.name: need.fit(room) for room in rooms},
            backings={backing: left // size for backing, left in disks.for_sale.items()},
            reach=disks.reach,
        )

    def total(self) -> int:
        placed, _ = self.fill(UNLIMITED)
        return sum(placed.values())

    def total_without(self, resource: LimitingResource) -> int:
        """The total if `resource` were unlimited."""
        if resource is LimitingResource.DISK:
            return sum(min(units.values()) for units in self.units.values())
        units = {
            name: {other: count for other, count in own.items() if other is not resource}
            for name, own in self.units.items()
        }
        return replace(self, units=units).total()

    def fill(self, most: int) -> tuple[dict[str, int], Flow]:
        room = {name: min(units.values()) for name, units in self.units.items()}
        return fill(room=room, reach=self.reach, backings=self.backings, most=most)

    def used_up(self, name: str, units: int, flow: Flow) -> LimitingResource | None:
        """The first resource of which the node has nothing left for one more unit; None where a cap came first."""
        for resource in RESOURCES:
            if resource is LimitingResource.DISK:
                if not flow.has_room(name):
                    return resource
            elif self.units[name].get(resource, UNLIMITED) <= units:
                return resource
        return None

    def limiting(self, placed: Mapping[str, int], flow: Flow, *, available: int, cap: int) -> LimitingResource | None:
        """The resource that, without limit, would raise `available` most; else the first that is used up on some node."""
        used_up = [self.used_up(name, units, flow) for name, units in placed.items()]
        if len(used_up) > 1:
            gains = {resource: min(self.total_without(resource), cap) - available for resource in RESOURCES}
            best = max(RESOURCES, key=lambda resource: gains[resource])
            if gains[best] > 0:
                return best
        return next((resource for resource in RESOURCES if resource in used_up), None)


def _kept(need: _Need, disks: Disks, counted: Sequence[str], housing: Housing) -> int:
    """The least that still fits on the rest, over all sets of nodes that may go down together."""
    if housing.at_risk is not None:
        return 0
    return min(
        (_Case.of(need, disks, [rest[name] for name in counted if name in rest]).total() for rest in housing.after),
        default=UNLIMITED,
    )


def _judge(tier: Tier, *, rooms: Rooms, disks: Disks) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Sort the nodes: those that cannot be judged for this tier, those that are known to carry none, and those to count."""
    blind: dict[str, str] = {}
    left_out: dict[str, str] = {}
    seen: list[str] = []
    for name, room in rooms.rooms.items():
        known = _known_unusable(tier, room)
        unseen = room.left_out.value if room.left_out is not None else _unseen(tier, room, disks=disks)
        if known is not None:
            left_out[name] = known
        elif unseen is not None:
            blind[name] = unseen
        else:
            seen.append(name)
    return blind, left_out, seen


def _known_unusable(tier: Tier, room: Room) -> str | None:
    if room.left_out is LeftOut.NOT_SELECTED or not tier.nodes.matches(room.name):
        return LeftOut.NOT_SELECTED.value
    if room.left_out is not None:
        return None if room.left_out.blind else room.left_out.value
    if room.node.architecture != tier.architecture:
        return "Architecture"
    # The flag is never set on ARM, where virtual machines run all the same.
    if tier.virtualization is Virtualization.KVM and tier.architecture is Architecture.AMD64 and room.node.hvm is False:
        return "NoHardwareVirtualization"
    return None


def _unseen(tier: Tier, room: Room, *, disks: Disks) -> str | None:
    """What the tier needs of an eligible node and nobody could read."""
    node = room.node
    if tier.virtualization is Virtualization.KVM and tier.architecture is Architecture.AMD64 and node.hvm is None:
        return "HardwareUnread"
    if node.name in disks.unread:
        return "StoragesUnread"
    if tier.gpu is not None and (node.cards is None or node.cards_blind is not None):
        return "GpusUnread"
    return None


def _nobody_can_tell(rooms: Rooms, blind: Mapping[str, str], left_out: Mapping[str, str]) -> bool:
    """With no node to count: Unknown if only blindness stands in the way, sold out if some node is known to be unusable."""
    if any(rooms.rooms[name].left_out is None for name in blind):
        return True
    unusable = {LeftOut.OFFLINE, LeftOut.MAINTENANCE, LeftOut.NO_BRIDGE}
    return bool(blind) and unusable.isdisjoint(left_out.values())
