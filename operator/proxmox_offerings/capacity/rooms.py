"""Each node under the seller's terms: whether anything may be sold on it, and how much of it is left. Rules: capacity.md 1-3."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from proxmox_offerings.capacity.allocation import POINTS, Allocation, cpu_capacity, memory_capacity
from proxmox_offerings.capacity.costs import Size, is_dedicated, points_of, size_of
from proxmox_offerings.inventory.cards import device_uses
from proxmox_offerings.inventory.snapshot import Node, NodeState, Snapshot
from proxmox_offerings.proxmox.answers import GuestRow
from proxmox_offerings.proxmox.errors import UncountableGuests
from proxmox_offerings.resources import Allocation as Policy
from proxmox_offerings.resources import CPUAllocation, CPUUnit, MemoryAllocation, ProxmoxHostSpec, StoppedGuests


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
    """One node: what may be committed on it, what is, and its free cards by model ("10de:20b5" -> count).

    `unit_total` is the node's threads, or cores where the policy counts cores.
    """

    node: Node
    left_out: LeftOut | None
    cpu: Allocation
    memory: Allocation
    cpu_policy: CPUAllocation
    memory_policy: MemoryAllocation
    unit_total: int
    free_cards: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.node.name

    def points_of(self, resident: "Resident", policy: Policy) -> int:
        """What the guest's vCPUs cost here: costs follow the node's policy."""
        return points_of(
            resident.size,
            dedicated=resident.dedicated,
            policy=self.cpu_policy,
            unit_total=self.unit_total,
            unlimited=policy.unlimited_containers,
            limit_read=resident.limit_read,
        )

    def memory_of(self, resident: "Resident") -> int:
        """What the guest's memory costs here: a virtual machine needs some beside its own."""
        return resident.size.memory + (self.memory_policy.guest_overhead.bytes if resident.guest.kind == "qemu" else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A counted guest, sized: what moving it to another node takes.

    `cards` are counts by model; `everywhere`: it migrates, its target is not told, and so it counts on all nodes.
    """

    guest: GuestRow
    size: Size
    dedicated: bool
    limit_read: bool
    cards: Mapping[str, int]
    everywhere: bool

    @property
    def order(self) -> tuple[int, int, int]:
        """Largest memory first, then CPU, then vmid. An unlimited container comes before any limited one."""
        vcpus = self.size.vcpus
        return (-self.size.memory, -int((1 << 20) if vcpus is None else vcpus * POINTS), self.guest.vmid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """All nodes by name, in that order; the guests counted on each; HA guests that will come back from nodes that are down."""

    rooms: Mapping[str, Room]
    residents: Mapping[str, tuple[Resident, ...]]
    returning: tuple[Resident, ...]

    @property
    def eligible(self) -> dict[str, Room]:
        return {name: room for name, room in self.rooms.items() if room.left_out is None}


def rooms_of(spec: ProxmoxHostSpec, snapshot: Snapshot) -> Rooms:
    """Count every node.

    Raises UncountableGuests where an HA guest of a dead node will need room somewhere and nobody ever told how much.
    """
    policy = spec.allocation
    residents, uncountable = _residents(policy, snapshot)
    empty = {name: _empty(spec, node, uncountable=name in uncountable) for name, node in snapshot.nodes.items()}
    everywhere = [resident for own in residents.values() for resident in own if resident.everywhere]
    rooms = {}
    for name, room in empty.items():
        own = residents.get(name, ())
        visitors = [one for one in everywhere if one.guest.node != name] if room.left_out is None else []
        rooms[name] = _filled(room, own, visitors, policy=policy)
    return Rooms(
        rooms=rooms,
        residents={name: tuple(own) for name, own in residents.items()},
        returning=tuple(_returning(residents, snapshot=snapshot, uncountable=uncountable)),
    )


def will_return(guest: GuestRow) -> bool:
    """Whether HA will start the guest elsewhere when its node is down: managed, wanted, and not already on its way."""
    return bool(guest.hastate) and guest.hastate not in {"ignored", "stopped"} and guest.lock != "migrate"


def counted(guests: Iterable[GuestRow], policy: Policy) -> Iterator[GuestRow]:
    """The guests that count under the policy: all but, if so wished, those that are exactly `stopped`."""
    if policy.stopped_guests is StoppedGuests.IGNORE:
        return (guest for guest in guests if guest.status != "stopped")
    return iter(guests)


def _residents(policy: Policy, snapshot: Snapshot) -> tuple[dict[str, list[Resident]], dict[str, list[GuestRow]]]:
    """The counted guests of each node, and the guests of each node whose size nobody told."""
    tags = frozenset(policy.cpu.dedicated_tags)
    residents: dict[str, list[Resident]] = defaultdict(list)
    uncountable: dict[str, list[GuestRow]] = defaultdict(list)
    for guest in counted(snapshot.guests, policy):
        node = snapshot.nodes.get(guest.node)
        configs = snapshot.configs.get(guest.vmid)
        last_known = (
            snapshot.last_known.get(guest.vmid) if node is not None and node.state is not NodeState.ONLINE else None
        )
        size = size_of(guest, node_maxcpu=node.threads if node else None, configs=configs, last_known=last_known)
        if size is None:
            uncountable[guest.node].append(guest)
            continue
        residents[guest.node].append(
            Resident(
                guest=guest,
                size=size,
                dedicated=is_dedicated(guest, tags),
                limit_read=configs is not None,
                cards=_cards_named(node, guest, snapshot) if node is not None and node.cards else {},
                everywhere=guest.lock == "migrate",
            )
        )
    return residents, uncountable


def _cards_named(node: Node, guest: GuestRow, snapshot: Snapshot) -> Mapping[str, int]:
    """The cards that a guest needs wherever it runs, by model: those that it names, and one for each mapping that it uses."""
    configs = snapshot.configs.get(guest.vmid)
    if not configs or guest.kind != "qemu":
        return {}
    models = {card.slot: card.model for card in node.cards or ()}
    most: Counter[str] = Counter()
    for config in configs:
        named: Counter[str] = Counter()
        for use in device_uses(config):
            named.update(models[slot] for slot in use.slots if slot in models)
        most |= named
    return dict(most)


def _empty(spec: ProxmoxHostSpec, node: Node, *, uncountable: bool) -> Room:
    cpu_policy, memory_policy = spec.allocation.cpu_for(node.name), spec.allocation.memory_for(node.name)
    threads, memory = node.threads or 0, node.memory or 0
    # A platform that tells fewer cores than half of the threads does not tell cores at all (ARM: 1 core, 64 threads).
    use_cores = cpu_policy.unit is CPUUnit.CORE and node.cores is not None and node.cores * 2 >= threads
    unit_total = min(node.cores or 0, threads) if use_cores else threads
    return Room(
        node=node,
        left_out=_left_out(spec, node, uncountable=uncountable),
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
        cpu_policy=cpu_policy,
        memory_policy=memory_policy,
        unit_total=unit_total,
        free_cards=_free_cards(node),
    )


def _left_out(spec: ProxmoxHostSpec, node: Node, *, uncountable: bool) -> LeftOut | None:
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
            return LeftOut.NO_BRIDGE
    return LeftOut.UNCOUNTABLE_GUEST if uncountable else None


def _free_cards(node: Node) -> dict[str, int]:
    if node.cards is None or node.cards_blind:
        return {}
    return dict(Counter(card.model for card in node.cards if card.unsellable is None and not card.taken))


def _filled(room: Room, own: Iterable[Resident], visitors: Iterable[Resident], *, policy: Policy) -> Room:
    points = memory = machines = 0
    free = dict(room.free_cards)
    for resident in own:
        vcpus = resident.size.vcpus
        if vcpus.__class__ is int and not resident.dedicated:
            points += vcpus * POINTS  # the common case, spared the general rule
        else:
            points += room.points_of(resident, policy)
        memory += resident.size.memory
        machines += resident.guest.kind == "qemu"
    memory += machines * room.memory_policy.guest_overhead.bytes
    for visitor in visitors:
        points += room.points_of(visitor, policy)
        memory += room.memory_of(visitor)
        free = {model: max(0, count - visitor.cards.get(model, 0)) for model, count in free.items()}
    return replace(
        room, cpu=replace(room.cpu, committed=points), memory=replace(room.memory, committed=memory), free_cards=free
    )


def _returning(
    residents: Mapping[str, list[Resident]], *, snapshot: Snapshot, uncountable: Mapping[str, list[GuestRow]]
) -> Iterator[Resident]:
    for name, node in snapshot.nodes.items():
        if node.state not in {NodeState.OFFLINE, NodeState.MAINTENANCE}:
            continue
        lost = [guest for guest in uncountable.get(name, ()) if will_return(guest)]
        if lost:
            raise UncountableGuests(
                f"guest {lost[0].vmid} of node {name} will be started elsewhere by HA, but its size is not known; "
                "nothing new is said until it is"
            )
        yield from (resident for resident in residents.get(name, ()) if will_return(resident.guest))
