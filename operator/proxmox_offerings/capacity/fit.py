"""How many more units of one tier fit right now, where, and what runs out first. Rules: capacity.md 1 and 6."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from proxmox_offerings.capacity import gpus
from proxmox_offerings.capacity.allocation import POINTS
from proxmox_offerings.capacity.costs import points_of_vcpu
from proxmox_offerings.capacity.disks import Disks
from proxmox_offerings.capacity.failover import Housing, Left
from proxmox_offerings.capacity.flow import UNLIMITED, Flow, fill
from proxmox_offerings.capacity.rooms import LeftOut, Room, Rooms
from proxmox_offerings.inventory.snapshot import Node
from proxmox_offerings.resources import Architecture, LimitingResource, Tier, Virtualization

NODE_RESOURCES = (LimitingResource.GPU, LimitingResource.MEMORY, LimitingResource.CPU)
RESOURCES = (*NODE_RESOURCES, LimitingResource.DISK)
"""Where several resources limit alike, the first of these is named."""


class NodeFit(NamedTuple):
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
    0. `carriers` could carry the tier at all, empty, and reach a storage for it; `unfit` names what the other counted nodes have too
    little of for a single unit. `disks` are what the tier may use.
    `layout` is how the placement came about, None where nothing was placed; `kept` what failover leaves of the `fitting` units.
    """

    available: int | None
    limiting: LimitingResource | None
    nodes: tuple[NodeFit, ...]
    blind: Mapping[str, str]
    left_out: Mapping[str, str]
    homeless: int | None
    carriers: tuple[str, ...]
    unfit: Mapping[str, LimitingResource]
    disks: Disks
    layout: "Layout | None" = None
    fitting: int = 0
    kept: "Kept | None" = None


Units = tuple[int, int, int]
"""How many units each resource of one node allows: cards, memory, CPU, in the order of RESOURCES. Disks are apart: nodes share them."""


@dataclass(frozen=True, slots=True)
class Need:
    """One unit of a tier. `points` of CPU where they are the same on all nodes; None where its vCPUs are dedicated."""

    tier: Tier
    points: int | None
    memory: int
    disk: int
    is_machine: bool

    @classmethod
    def of(cls, tier: Tier) -> "Need":
        return cls(
            tier=tier,
            points=None if tier.dedicated_cpu else tier.cpu * POINTS,
            memory=tier.memory.bytes,
            disk=tier.disk.bytes,
            is_machine=tier.virtualization is Virtualization.KVM,
        )

    def fit(self, room: Room) -> Units:
        """How many more units fit on the room now."""
        return self._units(room, cpu=room.cpu.headroom, memory=room.memory.headroom, cards=room.free_cards)

    def points_on(self, room: Room) -> int:
        """What its vCPUs cost on the room."""
        return self.points or self.tier.cpu * points_of_vcpu(dedicated=True, percent=room.percent)

    def memory_on(self, room: Room) -> int:
        """What its memory costs on the room: a virtual machine needs some beside its own."""
        return self.memory + room.overhead if self.is_machine else self.memory

    def fit_left(self, room: Room, left: Left) -> Units:
        """How many more units fit on the room once no more than that is left of it."""
        return self._units(room, cpu=left.cpu, memory=left.memory, cards=left.cards)

    def exceeds(self, node: Node) -> bool:
        """Whether a single unit is larger than the machine, whatever is sold of it."""
        return self.tier.cpu > (node.threads or 0) or self.memory > (node.memory or 0)

    def fit_empty(self, room: Room) -> Units:
        """How many would fit if nothing were committed."""
        cards = gpus.devices_if_empty(room.node) if self.tier.gpu else {}
        return self._units(room, cpu=room.cpu.capacity, memory=room.memory.capacity, cards=cards)

    def disks(self, disks: Disks) -> dict[str, int]:
        """How many disks each backing holds."""
        return {backing: max(0, left) // self.disk for backing, left in disks.headroom.items()}

    def _units(self, room: Room, *, cpu: int, memory: int, cards: Mapping[str, int]) -> Units:
        tier, node = self.tier, room.node
        with_gpu = UNLIMITED if tier.gpu is None else gpus.units_of(tier, node, cards)
        # A single guest must fit the machine, whatever is sold of it.
        with_memory = memory // self.memory_on(room) if memory > 0 and self.memory <= (node.memory or 0) else 0
        with_cpu = cpu // self.points_on(room) if cpu > 0 and tier.cpu <= (node.threads or 0) else 0
        return with_gpu, with_memory, with_cpu


def fit_of(tier: Tier, *, rooms: Rooms, housing: Housing, disks: Disks) -> Fit:
    """The largest number of units of `tier` that fit at the same time, if only this tier were sold."""
    need = Need.of(tier)
    blind, left_out, counted = _judge(tier, rooms=rooms, disks=disks)
    units = {name: need.fit(housing.now[name]) for name in counted}
    full = {name: need.fit_empty(rooms.rooms[name]) for name in counted if not all(units[name])}
    unfit = {name: LimitingResource.DISK for name in counted if name not in disks.reach}
    unfit |= {name: NODE_RESOURCES[empty.index(0)] for name, empty in full.items() if 0 in empty}
    result = Fit(
        available=0,
        limiting=LimitingResource.NODES,
        nodes=(),
        blind=blind,
        left_out=left_out,
        homeless=housing.homeless,
        carriers=tuple(name for name in counted if name not in unfit),
        unfit=unfit,
        disks=disks,
    )
    if not counted:
        return replace(result, available=None, limiting=None) if _nobody_can_tell(rooms, blind, left_out) else result
    if housing.homeless is not None:
        failover = LimitingResource.FAILOVER
        nodes = tuple(NodeFit(name=name, available=0, limiting=failover) for name in counted)
        return replace(result, limiting=failover, nodes=nodes)
    case = Case.of(units, need=need, disks=disks)
    placed, flow = case.fill()
    fitting = sum(placed.values())
    spare = kept_of(need, case, housing=housing)
    kept = UNLIMITED if spare is None else spare.units
    cap = UNLIMITED if tier.max_units is None else tier.max_units
    available = min(fitting, kept, cap)
    if available < fitting:
        placed, flow = case.fill(available)
    used_up = {name: case.used_up(name, there, flow) for name, there in placed.items()}
    if available == cap < min(fitting, kept):
        limiting: LimitingResource | None = LimitingResource.MAX_UNITS
    elif kept < fitting:
        limiting = LimitingResource.FAILOVER
    else:
        limiting = case.limiting(set(used_up.values()), fitting=fitting, cap=cap)
    return replace(
        result,
        available=available,
        limiting=limiting,
        homeless=housing.at_risk if available == 0 else None,
        nodes=tuple(NodeFit(name=name, available=there, limiting=used_up[name]) for name, there in placed.items()),
        layout=Layout(case=case, flow=flow),
        fitting=fitting,
        kept=spare,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One tier on a set of nodes: the units that each resource of a node allows, all of them together, and those that each backing holds."""

    units: Mapping[str, Units]
    room: Mapping[str, int]
    backings: Mapping[str, int]
    reach: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, units: Mapping[str, Units], *, need: Need, disks: Disks) -> "Case":
        return cls(
            units=units,
            room={name: min(own) for name, own in units.items()},
            backings=need.disks(disks),
            reach=disks.reach,
        )

    def fill(self, most: int = UNLIMITED) -> tuple[dict[str, int], Flow]:
        return fill(room=self.room, reach=self.reach, backings=self.backings, most=most)

    def used_up(self, name: str, there: int, flow: Flow) -> LimitingResource | None:
        """The first resource of which the node has nothing left for one more unit; None where a cap came first."""
        for resource, allowed in zip(NODE_RESOURCES, self.units[name], strict=True):
            if allowed <= there:
                return resource
        return None if flow.has_room(name) else LimitingResource.DISK

    def limiting(
        self, used_up: Collection[LimitingResource | None], *, fitting: int, cap: int
    ) -> LimitingResource | None:
        """The resource that, without limit, would raise what is available most; else the first that is used up on some node."""
        available = min(fitting, cap)
        best: LimitingResource | None = None
        most = available
        disks = sum(self.backings.values())
        for resource in RESOURCES:
            room = self._room_without(resource)
            bound = min(sum(room.values()), cap)
            if resource is not LimitingResource.DISK:
                bound = min(bound, disks)
                # Placing costs far more than adding up, so it is done only for what may be the most.
                if bound > most:
                    placed, _ = fill(room=room, reach=self.reach, backings=self.backings)
                    bound = min(sum(placed.values()), cap)
            if bound > most:
                best, most = resource, bound
        return best or next((resource for resource in RESOURCES if resource in used_up), None)

    def _room_without(self, resource: LimitingResource) -> Mapping[str, int]:
        """How many each node would take if `resource` were unlimited."""
        match resource:
            case LimitingResource.GPU:
                return {name: min(memory, cpu) for name, (_, memory, cpu) in self.units.items()}
            case LimitingResource.MEMORY:
                return {name: min(gpu, cpu) for name, (gpu, _, cpu) in self.units.items()}
            case LimitingResource.CPU:
                return {name: min(gpu, memory) for name, (gpu, memory, _) in self.units.items()}
            case _:
                return self.room


class Layout(NamedTuple):
    """What was to be placed, and where the disks of the placed units lie."""

    case: Case
    flow: Flow

    def lacking(self, name: str, there: int) -> tuple[LimitingResource, ...]:
        """All of which the node has nothing left for one unit more than `there`, in the order of RESOURCES."""
        used_up = [
            resource
            for resource, allowed in zip(NODE_RESOURCES, self.case.units[name], strict=True)
            if allowed <= there
        ]
        return tuple(used_up) if self.flow.has_room(name) else (*used_up, LimitingResource.DISK)


class Kept(NamedTuple):
    """The least that fits when nodes go down, and which nodes those are: the first such set in the order of names."""

    units: int
    down: tuple[str, ...]


def kept_of(need: Need, case: Case, *, housing: Housing) -> Kept | None:
    """Of what fits in `case` now the least that still fits on the rest, over all sets of nodes that may go down together; None where none may."""
    if housing.at_risk is not None:
        return Kept(units=0, down=())
    least: Kept | None = None
    for down, changed in housing.after:
        room = {name: units for name, units in case.room.items() if name not in down}
        for name, left in changed.items():
            if room.get(name):  # whoever takes guests has no more room than before
                room[name] = min(need.fit_left(housing.now[name], left))
        placed, _ = fill(room=room, reach=case.reach, backings=case.backings)
        units = sum(placed.values())
        if least is None or units < least.units:
            least = Kept(units=units, down=down)
    return least


def _judge(tier: Tier, *, rooms: Rooms, disks: Disks) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Sort the nodes: those that cannot be judged for this tier, those that are known to carry none, and those to count."""
    blind: dict[str, str] = {}
    left_out: dict[str, str] = {}
    counted: list[str] = []
    needs_hvm = tier.virtualization is Virtualization.KVM and tier.architecture is Architecture.AMD64
    for name, room in rooms.rooms.items():
        known = _known_unusable(tier, room, needs_hvm=needs_hvm)
        if known is not None:
            left_out[name] = known
            continue
        unseen = _unseen(tier, room, disks=disks, needs_hvm=needs_hvm)
        if unseen is not None:
            blind[name] = unseen
        else:
            counted.append(name)
    return blind, left_out, counted


def _known_unusable(tier: Tier, room: Room, *, needs_hvm: bool) -> str | None:
    """`needs_hvm`: whether hardware virtualization must be told; the flag is never set on ARM, where machines run all the same."""
    if room.left_out is LeftOut.NOT_SELECTED or not tier.nodes.matches(room.node.name):
        return LeftOut.NOT_SELECTED.value
    if room.left_out is not None:
        return None if room.left_out.blind else room.left_out.value
    if room.node.architecture != tier.architecture:
        return "Architecture"
    if needs_hvm and room.node.hvm is False:
        return "NoHardwareVirtualization"
    return None


def _unseen(tier: Tier, room: Room, *, disks: Disks, needs_hvm: bool) -> str | None:
    """Why a node that may carry units cannot be judged: what the tier needs of it, nobody could read."""
    node = room.node
    if room.left_out is not None:
        return room.left_out.value
    if needs_hvm and node.hvm is None:
        return "HardwareUnread"
    if node.name in disks.unread:
        return "StoragesUnread"
    return gpus.unseen(tier, node)


def _nobody_can_tell(rooms: Rooms, blind: Mapping[str, str], left_out: Mapping[str, str]) -> bool:
    """With no node to count: Unknown if only blindness stands in the way, sold out if some node is known to be unusable."""
    if any(rooms.rooms[name].left_out is None for name in blind):
        return True
    unusable = {LeftOut.OFFLINE, LeftOut.MAINTENANCE, LeftOut.NO_BRIDGE}
    return bool(blind) and unusable.isdisjoint(left_out.values())
