"""Each node under the seller's terms: whether anything may be sold on it, and how much of it is left. Rules: capacity.md 1-3."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from math import inf

from proxmox_offerings.capacity.allocation import POINTS, Allocation, cpu_capacity, memory_capacity
from proxmox_offerings.capacity.costs import Size, is_dedicated, points_of, size_of
from proxmox_offerings.capacity.gpus import devices_left, free_devices
from proxmox_offerings.inventory.snapshot import Node, NodeState, Snapshot
from proxmox_offerings.proxmox.answers import GuestRow
from proxmox_offerings.proxmox.errors import UncountableGuests
from proxmox_offerings.resources import Allocation as Policy
from proxmox_offerings.resources import CPUUnit, ProxmoxHostSpec, StoppedGuests


class LeftOut(StrEnum):
    """Why nothing is sold on a node. The first five are known facts; the others mean that the node could not be judged."""

    NOT_SELECTED = "NotSelected"
    OFFLINE = "Offline"
    MAINTENANCE = "Maintenance"
    NO_BRIDGE = "NoBridge"
    UNKNOWN = "Unknown"
    UNREADABLE = "Unreadable"
    BRIDGES_UNREAD = "BridgesUnread"
    UNCOUNTABLE_GUEST = "UncountableGuest"

    @property
    def blind(self) -> bool:
        """Whether the node may well be usable, only nobody can tell."""
        return self in {LeftOut.UNKNOWN, LeftOut.UNREADABLE, LeftOut.BRIDGES_UNREAD, LeftOut.UNCOUNTABLE_GUEST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One node: what may be committed on it, what is, and its free cards and profiles by key (see `gpus`: "10de:20b5" -> count).

    `unit_total` is the node's threads, or cores where the policy counts cores; `percent` of them are for sale. `overhead` is what each
    virtual machine takes beside its own memory. Guests with one of `dedicated_tags` share no thread here. `arriving` guests of other
    nodes may be on their way to it, and count.
    """

    node: Node
    left_out: LeftOut | None
    cpu: Allocation
    memory: Allocation
    unit_total: int
    percent: int
    overhead: int
    dedicated_tags: frozenset[str] = frozenset()
    free_cards: Mapping[str, int] = field(default_factory=dict)
    arriving: int = 0

    @property
    def name(self) -> str:
        return self.node.name

    def points_of(self, resident: "Resident", policy: Policy) -> int:
        """What the guest's vCPUs cost here: costs follow the node's policy."""
        return points_of(
            resident.size,
            dedicated=is_dedicated(resident.guest, self.dedicated_tags),
            percent=self.percent,
            unit_total=self.unit_total,
            unlimited=policy.unlimited_containers,
            limit_read=resident.limit_read,
        )

    def memory_of(self, resident: "Resident") -> int:
        """What the guest's memory costs here: a virtual machine needs some beside its own."""
        return resident.size.memory + (self.overhead if resident.guest.kind == "qemu" else 0)


@dataclass(slots=True, kw_only=True)
class Resident:
    """A counted guest, sized: what placing it on any node takes.

    `cards` are counts by key (see `gpus`), None where nobody can tell.
    """

    guest: GuestRow
    size: Size
    limit_read: bool
    cards: Mapping[str, int] | None

    @property
    def order(self) -> tuple[int, Fraction | float, int]:
        """Largest memory first, then CPU, then vmid. An unlimited container comes before any limited one."""
        vcpus = self.size.vcpus
        return (-self.size.memory, -inf if vcpus is None else -vcpus, self.guest.vmid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """All nodes by name, in that order, and HA guests that will come back from nodes that are down.

    `guests` are those counted on each node; `residents` sizes them, which only moving them needs.
    """

    rooms: Mapping[str, Room]
    guests: Mapping[str, Sequence[GuestRow]]
    returning: tuple[Resident, ...]
    scale: "_Scale"

    @property
    def eligible(self) -> dict[str, Room]:
        return {name: room for name, room in self.rooms.items() if room.left_out is None}

    def residents(self, name: str) -> list[Resident]:
        """The guests of an eligible node: all of them have a size."""
        return [resident for guest in self.guests.get(name, ()) if (resident := self.scale.weigh(guest)) is not None]


def rooms_of(spec: ProxmoxHostSpec, snapshot: Snapshot) -> Rooms:
    """Count every node.

    Raises UncountableGuests where an HA guest of a dead node will need room somewhere and nobody ever told how much.
    """
    policy = spec.allocation
    scale = _Scale(snapshot=snapshot)
    guests = {name: counted(own, policy) for name, own in snapshot.guests.items()}
    rooms = {}
    travellers = [
        (guest.node, _destination(guest, snapshot), scale.weigh(guest))
        for own in guests.values()
        for guest in own
        if (guest.lock or guest.hastate) and is_moving(guest, snapshot.nodes.get(guest.node))
    ]
    for name, node in snapshot.nodes.items():
        room = _counted(_empty(spec, node), guests.get(name, ()), policy=policy, scale=scale)
        if room.left_out is None:
            visitors = [one for origin, to, one in travellers if (name == to if to else name != origin)]
            room = _with_visitors(room, visitors, policy=policy)
        rooms[name] = room
    return Rooms(
        rooms=rooms, guests=guests, returning=tuple(_returning(guests, snapshot=snapshot, scale=scale)), scale=scale
    )


MOVED_BY_HA = frozenset({"migrate", "relocate"})
"""HA manager's states of a service that it moves: before Proxmox locks the guest, and while a relocated one is being shut down, only these
tell (pve-ha-manager Manager.pm; its own accounting counts such a service on both nodes).
"""


def is_moving(guest: GuestRow, node: Node | None) -> bool:
    """Whether the guest is on its way to another node. What HA was about to move when its node died will be started anywhere instead."""
    return guest.lock == "migrate" or (
        guest.hastate in MOVED_BY_HA and node is not None and node.state is not NodeState.OFFLINE
    )


def will_return(guest: GuestRow, node: Node | None) -> bool:
    """Whether HA will start the guest elsewhere when its node is down: managed, wanted, and not already on its way."""
    return bool(guest.hastate) and guest.hastate not in {"ignored", "stopped"} and not is_moving(guest, node)


def _destination(guest: GuestRow, snapshot: Snapshot) -> str | None:
    """Where it arrives, as far as anybody tells: HA does, of what it moves from a node that is there."""
    node, target = snapshot.nodes.get(guest.node), snapshot.ha_targets.get(guest.vmid)
    told = node is not None and node.state is not NodeState.OFFLINE and target in snapshot.nodes
    return target if told else None


def counted(guests: Sequence[GuestRow], policy: Policy) -> Sequence[GuestRow]:
    """The guests that count under the policy: all but, if so wished, those that are exactly `stopped` (and not only for being moved)."""
    if policy.stopped_guests is StoppedGuests.IGNORE:
        # HA stops what it relocates, and starts it again elsewhere.
        return [guest for guest in guests if guest.status != "stopped" or guest.hastate in MOVED_BY_HA]
    return guests


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Tells how large guests are, by everything that was seen of them."""

    snapshot: Snapshot

    def weigh(self, guest: GuestRow) -> Resident | None:
        """The guest with its size; None where nobody told it."""
        snapshot = self.snapshot
        node = snapshot.nodes.get(guest.node)
        configs = snapshot.configs.get(guest.vmid)
        heard_of = node is not None and node.state is NodeState.ONLINE
        size = size_of(
            guest,
            node_maxcpu=node.threads if node else None,
            configs=configs,
            last_known=None if heard_of else snapshot.last_known.get(guest.vmid),
        )
        if size is None:
            return None
        return Resident(
            guest=guest,
            size=size,
            limit_read=configs is not None,
            cards=snapshot.card_needs.get(guest.vmid, {}),
        )


def _empty(spec: ProxmoxHostSpec, node: Node) -> Room:
    cpu_policy, memory_policy = spec.allocation.cpu_for(node.name), spec.allocation.memory_for(node.name)
    threads, memory = node.threads or 0, node.memory or 0
    # A platform that tells fewer cores than half of the threads does not tell cores at all (ARM: 1 core, 64 threads).
    use_cores = cpu_policy.unit is CPUUnit.CORE and node.cores is not None and node.cores * 2 >= threads
    unit_total = min(node.cores or 0, threads) if use_cores else threads
    return Room(
        node=node,
        left_out=_left_out(spec, node),
        cpu=Allocation(
            capacity=cpu_capacity(
                total=unit_total, reserved_milli=cpu_policy.reserved.milli, percent=cpu_policy.percent
            ),
            committed=0,
        ),
        memory=Allocation(
            capacity=memory_capacity(
                total=memory,
                reserved=memory_policy.reserved.bytes,
                reserved_percent=memory_policy.reserved_percent,
                percent=memory_policy.percent,
            ),
            committed=0,
        ),
        unit_total=unit_total,
        percent=cpu_policy.percent,
        overhead=memory_policy.guest_overhead.bytes,
        dedicated_tags=_as_proxmox_writes(cpu_policy.dedicated_tags),
        free_cards=free_devices(node),
    )


def _left_out(spec: ProxmoxHostSpec, node: Node) -> LeftOut | None:
    known = {
        NodeState.OFFLINE: LeftOut.OFFLINE,
        NodeState.MAINTENANCE: LeftOut.MAINTENANCE,
        NodeState.UNKNOWN: LeftOut.UNKNOWN,
    }
    if not spec.nodes.matches(node.name):
        return LeftOut.NOT_SELECTED
    if node.state in known:
        return known[node.state]
    # Cores come with the slow loop; counting threads instead would sell more.
    cores_unread = spec.allocation.cpu_for(node.name).unit is CPUUnit.CORE and node.cores is None
    if not node.threads or not node.memory or cores_unread:
        return LeftOut.UNREADABLE
    if spec.bridge is not None:
        if node.bridges is None:
            return LeftOut.BRIDGES_UNREAD
        if spec.bridge not in node.bridges:
            return LeftOut.BRIDGES_UNREAD if node.bridges_hidden else LeftOut.NO_BRIDGE
    return None


def _as_proxmox_writes(tags: Iterable[str]) -> frozenset[str]:
    """Unless a datacenter's `tag-style` says otherwise, Proxmox writes tags in lower case, however they were typed (datacenter.cfg)."""
    return frozenset(spelling for tag in tags for spelling in (tag, tag.lower()))


def _counted(room: Room, guests: Iterable[GuestRow], *, policy: Policy, scale: _Scale) -> Room:
    """The room with what its own guests are configured with."""
    vcpus: float = 0
    points = memory = machines = 0
    left_out = room.left_out
    threads, dedicated_tags = room.node.threads, room.dedicated_tags
    for guest in guests:
        maxcpu, maxmem = guest.maxcpu, guest.maxmem
        machine = guest.kind == "qemu"
        machines += machine
        # Nearly all of thousands: what the row says, at a hundred points for each vCPU.
        if (
            maxmem is not None
            and maxcpu is not None
            and (machine or maxcpu != threads)
            and maxcpu % 1 == 0
            and (guest.tag_text is None or dedicated_tags.isdisjoint(guest.tags))
        ):
            vcpus += maxcpu
            memory += maxmem
        elif (resident := scale.weigh(guest)) is not None:
            points += room.points_of(resident, policy)
            memory += resident.size.memory
        else:
            left_out = left_out or LeftOut.UNCOUNTABLE_GUEST
    return replace(
        room,
        left_out=left_out,
        cpu=replace(room.cpu, committed=points + int(vcpus) * POINTS),
        memory=replace(room.memory, committed=memory + machines * room.overhead),
    )


def _with_visitors(room: Room, visitors: Sequence[Resident | None], *, policy: Policy) -> Room:
    """The room with guests that may be on their way to it; one whose size nobody told makes it uncountable."""
    points = memory = 0
    free = room.free_cards
    for visitor in visitors:
        if visitor is None:
            return replace(room, left_out=LeftOut.UNCOUNTABLE_GUEST)
        points += room.points_of(visitor, policy)
        memory += room.memory_of(visitor)
        free = devices_left(free, visitor.cards)
    return replace(
        room,
        cpu=replace(room.cpu, committed=room.cpu.committed + points),
        memory=replace(room.memory, committed=room.memory.committed + memory),
        free_cards=free,
        arriving=len(visitors),
    )


def _returning(guests: Mapping[str, Sequence[GuestRow]], *, snapshot: Snapshot, scale: _Scale) -> Iterator[Resident]:
    for name, own in guests.items():
        node = snapshot.nodes.get(name)
        if node is not None and node.state not in {NodeState.OFFLINE, NodeState.MAINTENANCE}:
            continue
        for guest in own:
            if not will_return(guest, node):
                continue
            resident = scale.weigh(guest)
            if resident is None:
                raise UncountableGuests(
                    f"guest {guest.vmid} of node {name} will be started elsewhere by HA, but its size is not known; "
                    "nothing new is said until it is"
                )
            yield resident
