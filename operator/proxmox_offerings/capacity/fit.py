"""How many more units of one tier fit right now, where, and what runs out first. Rules: capacity.md 1 and 6."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from proxmox_offerings.capacity.costs import points_of_vcpu
from proxmox_offerings.capacity.disks import Disks, Shelf, disks_for
from proxmox_offerings.capacity.failover import Homeless, rehost_returning, without
from proxmox_offerings.capacity.flow import UNLIMITED, Flow, fill
from proxmox_offerings.capacity.rooms import LeftOut, Room, Rooms
from proxmox_offerings.inventory.snapshot import Card
from proxmox_offerings.resources import Architecture, LimitingResource, ProxmoxHostSpec, Tier, Virtualization
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

    `nodes` are those that were counted, in the order of their names, with one placement of exactly `available` units. `blind` names nodes
    that
    may carry units but could not be judged, and `left_out` nodes that are known to carry none, each with the reason. `homeless` is the
    guest for
    which no room was found when `limiting` is failover and `available` 0. `carriers` could carry the tier at all, empty; `disks` what it
    may use.
    """

    available: int | None
    limiting: LimitingResource | None
    nodes: tuple[NodeFit, ...]
    blind: Mapping[str, str]
    left_out: Mapping[str, str]
    homeless: int | None
    carriers: tuple[str, ...]
    disks: Disks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """One unit, in the node's own units: what each resource allows on a room, None where the tier does not need it."""

    tier: Tier

    def units(self, room: Room) -> dict[LimitingResource, int]:
        """How many units each resource of the node allows; disks apart, which nodes share."""
        tier = self.tier
        points = tier.cpu * points_of_vcpu(dedicated=tier.dedicated_cpu, percent=room.cpu_policy.percent)
        memory = tier.memory.bytes
        if tier.virtualization is Virtualization.KVM:
            memory += room.memory_policy.guest_overhead.bytes
        units = {
            LimitingResource.CPU: max(0, room.cpu.headroom) // points,
            LimitingResource.MEMORY: max(0, room.memory.headroom) // memory,
        }
        # A single guest must fit the machine, whatever is sold of it.
        if tier.cpu > (room.node.threads or 0):
            units[LimitingResource.CPU] = 0
        if tier.memory.bytes > (room.node.memory or 0):
            units[LimitingResource.MEMORY] = 0
        if tier.gpu is not None:
            free = {model: count for model, count in room.free_cards.items() if model in self.models(room)}
            units[LimitingResource.GPU] = sum(count // tier.gpu.count for count in free.values())
        return units

    def models(self, room: Room) -> frozenset[str]:
        """The card models of the node that the tier asks for."""
        return frozenset(card.model for card in room.node.cards or () if card_matches(self.tier, card))


def card_matches(tier: Tier, card: Card) -> bool:
    """Whether the tier takes this card: no `models` take any; globs match the device name or "vendor:device", whatever the case."""
    if tier.gpu is None:
        return False
    names = [card.model, *([card.name] if card.name else [])]
    return not tier.gpu.models or any(
        glob_matches(glob, name, ignore_case=True) for glob in tier.gpu.models for name in names
    )


def fit_of(tier: Tier, *, spec: ProxmoxHostSpec, rooms: Rooms, shelves: Sequence[Shelf]) -> Fit:
    """The largest number of units of `tier` that fit at the same time, if only this tier were sold."""
    disks = disks_for(tier, shelves)
    need = _Need(tier=tier)
    blind, left_out, seen = _judge(tier, rooms=rooms, disks=disks)
    counted = {name: rooms.rooms[name] for name in seen}
    result = Fit(
        available=0,
        limiting=LimitingResource.NODES,
        nodes=(),
        blind=blind,
        left_out=left_out,
        homeless=None,
        carriers=tuple(name for name, room in counted.items() if _could_carry(need, room)),
        disks=disks,
    )
    if not counted:
        return replace(result, available=None, limiting=None) if _nobody_can_tell(rooms, blind, left_out) else result
    try:
        housed = rehost_returning(rooms, policy=spec.allocation)
    except Homeless as problem:
        return replace(
            result,
            limiting=LimitingResource.FAILOVER,
            homeless=problem.vmid,
            nodes=tuple(NodeFit(name=name, available=0, limiting=LimitingResource.FAILOVER) for name in counted),
        )
    case = _Case.of(need, disks, {name: housed[name] for name in counted})
    cap = UNLIMITED if tier.max_units is None else tier.max_units
    fitting = case.total()
    reserve = _failover(need, disks, seen, spec=spec, rooms=rooms, housed=housed)
    available = min(fitting, reserve.total, cap)
    placed, flow = case.fill(available)
    if available == cap < min(fitting, reserve.total):
        limiting: LimitingResource | None = LimitingResource.MAX_UNITS
    elif reserve.total < fitting:
        limiting = LimitingResource.FAILOVER
    else:
        limiting = case.limiting(placed, flow, available=available, cap=cap)
    return replace(
        result,
        available=available,
        limiting=limiting,
        homeless=reserve.homeless if available == 0 else None,
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
    def of(cls, need: _Need, disks: Disks, rooms: Mapping[str, Room]) -> "_Case":
        size = need.tier.disk.bytes
        return cls(
            units={name: need.units(room) for name, room in rooms.items()},
            backings={backing: left // size for backing, left in disks.for_sale.items()},
            reach=disks.reach,
        )

    def total(self, *, unlimited: LimitingResource | None = None) -> int:
        placed, _ = self.fill(UNLIMITED, unlimited=unlimited)
        return sum(placed.values())

    def fill(self, most: int, *, unlimited: LimitingResource | None = None) -> tuple[dict[str, int], Flow]:
        room = {
            name: min(units for resource, units in allowed.items() if resource is not unlimited)
            for name, allowed in self.units.items()
        }
        if unlimited is LimitingResource.DISK:
            return fill(room=room, reach={name: (name,) for name in room}, backings=room, most=most)
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
        if len(self.units) == 1:
            (name,) = self.units
            return self.used_up(name, placed[name], flow)
        gains = {resource: min(self.total(unlimited=resource), cap) - available for resource in RESOURCES}
        best = max(RESOURCES, key=lambda resource: gains[resource])
        if gains[best] > 0:
            return best
        return next((r for r in RESOURCES if r in {self.used_up(name, placed[name], flow) for name in placed}), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reserve:
    total: int
    homeless: int | None


def _failover(
    need: _Need, disks: Disks, seen: Sequence[str], *, spec: ProxmoxHostSpec, rooms: Rooms, housed: Mapping[str, Room]
) -> _Reserve:
    """The least that still fits on the rest, over all sets of `failoverNodes` eligible nodes that may go down together."""
    k = spec.allocation.failover_nodes
    if k == 0:
        return _Reserve(total=UNLIMITED, homeless=None)
    least = _Reserve(total=UNLIMITED, homeless=None)
    for rest in without(k, rooms=rooms, housed=housed, policy=spec.allocation):
        if isinstance(rest, Homeless):
            return _Reserve(total=0, homeless=rest.vmid)
        total = _Case.of(need, disks, {name: rest[name] for name in seen if name in rest}).total()
        if total < least.total:
            least = _Reserve(total=total, homeless=None)
    return least


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


def _could_carry(need: _Need, room: Room) -> bool:
    """Whether one unit would fit if nothing were committed: so that what describes a tier does not come and go with load."""
    empty = replace(room, cpu=replace(room.cpu, committed=0), memory=replace(room.memory, committed=0))
    if need.tier.gpu is not None:
        cards = Counter(card.model for card in room.node.cards or () if card.unsellable is None)
        empty = replace(empty, free_cards=cards)
    return all(units > 0 for units in need.units(empty).values())
