"""What one more unit of a tier lacks, and what is left that no further unit can use: the other side of a fit.

Worked out from the same layout as the number itself, and only when somebody asks.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice

from proxmox_offerings.capacity.disks import Disks
from proxmox_offerings.capacity.failover import Housing, housing_of
from proxmox_offerings.capacity.fit import NODE_RESOURCES, Case, Fit, Need, fit_of
from proxmox_offerings.capacity.flow import Flow
from proxmox_offerings.capacity.gpus import devices_if_empty, keys_for
from proxmox_offerings.capacity.rooms import Room, Rooms
from proxmox_offerings.resources import Allocation as Policy
from proxmox_offerings.resources import LimitingResource, Tier

TRIES = 3
"""How many candidates are counted anew where nodes are kept for failover: each costs as much as the fit itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What would have to become free for one more unit, all of it together: bytes of `memory`, points of `cpu` and `cards` of one model
    or profile (`model`: its key, see `gpus`) on `node`, bytes of `disk` on `backing`. `beyond`: all guests of the node together do not have as much.
    """

    node: str
    memory: int = 0
    cpu: int = 0
    cards: int = 0
    model: str | None = None
    disk: int = 0
    backing: str | None = None
    beyond: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranded:
    """What is left on the nodes for at least one more unit, but cannot be used, for they have nothing left of what they `lack`.

    `disk` bytes by backing. A backing that several nodes reach is told once, with all of them and nothing else.
    """

    nodes: tuple[str, ...]
    lack: tuple[LimitingResource, ...]
    memory: int = 0
    cpu: int = 0
    cards: int = 0
    disk: Mapping[str, int] = field(default_factory=dict)


def shortage_of(tier: Tier, fit: Fit, *, rooms: Rooms, housing: Housing, policy: Policy) -> Shortage | None:
    """The least that would have to become free for one more unit, tried out; None where no one place would make room for it.

    What guests could give back comes first, then what is least in shares of a unit. Only nodes count that could carry a unit if they
    were empty; memory, CPU and cards are looked for on one node, disk on one backing. Where nodes are
    kept for failover, or guests return from dead ones, freeing something may move those guests, so that each candidate is counted
    anew.
    """
    if fit.layout is None or housing.at_risk is not None:
        return None
    need, now = Need.of(tier), housing.now
    if fit.kept is not None and fit.kept.units < fit.fitting:
        # The nodes that are left when those go down decide: what they lack, one more unit lacks.
        now = next((rest.of(now) for rest in housing.after if rest.down == fit.kept.down), housing.now)
    units = {name: need.fit(now[name]) for name in fit.carriers if name in now}
    case = Case.of(units, need=need, disks=fit.disks)
    candidates = sorted(_shortages(need, case, rooms=now, disks=fit.disks), key=lambda one: _share(one, need, now))
    tried = islice(candidates, TRIES if policy.failover_nodes else None)
    return next((one for one in tried if _helps(one, tier, fit, rooms=rooms, policy=policy)), None)


def stranded_of(tier: Tier, fit: Fit, *, rooms: Mapping[str, Room]) -> tuple[Stranded, ...]:
    """What no further unit of the tier can use: by node, in the order of names, then the backings that several of them reach.

    A node that could take more but for `maxUnits` or failover strands nothing: that is kept. Nor does one that is too small for the tier.
    """
    if fit.layout is None:
        return ()
    need, case, flow = Need.of(tier), fit.layout.case, fit.layout.flow
    lacks = {
        node.name: fit.layout.lacking(node.name, node.available)
        for node in fit.nodes
        if node.limiting and node.name in fit.carriers
    }
    bytes_left = {backing: _left_on(backing, flow, need=need, disks=fit.disks) for backing in fit.disks.headroom}
    users: dict[str, list[str]] = defaultdict(list)
    for name in fit.carriers:
        for backing in fit.disks.reach.get(name, ()):
            users[backing].append(name)
    result = []
    for node in fit.nodes:
        if node.name not in lacks:
            continue
        room, there = rooms[node.name], node.available
        gpus, memory, cpu = (allowed - there for allowed in case.units[node.name])
        own = [backing for backing in fit.disks.reach.get(node.name, ()) if users[backing] == [node.name]]
        result.append(
            Stranded(
                nodes=(node.name,),
                lack=lacks[node.name],
                memory=room.memory.headroom - there * need.memory_on(room) if memory > 0 else 0,
                cpu=room.cpu.headroom - there * need.points_on(room) if cpu > 0 else 0,
                cards=gpus * tier.gpu.count if tier.gpu and gpus > 0 else 0,
                disk={backing: bytes_left[backing] for backing in own if bytes_left[backing]},
            )
        )
    result = [one for one in result if one.memory or one.cpu or one.cards or one.disk]
    for backing, names in users.items():
        if len(names) > 1 and bytes_left[backing] and all(name in lacks for name in names):
            lack = {resource for name in names for resource in lacks[name]}
            ordered = tuple(resource for resource in (*NODE_RESOURCES, LimitingResource.DISK) if resource in lack)
            result.append(Stranded(nodes=tuple(names), lack=ordered, disk={backing: bytes_left[backing]}))
    return tuple(result)


def _shortages(need: Need, case: Case, *, rooms: Mapping[str, Room], disks: Disks) -> Iterator[Shortage]:
    """For each node what it lacks for one unit more than it can have now."""
    placed, flow = case.fill()
    for name, there in placed.items():
        lacking = (
            Shortage(node=name) if there < case.room[name] else _on_node(need, rooms[name], case.units[name], there)
        )
        if not flow.has_room(name):
            reachable = flow.within_reach(name)
            if not reachable:
                continue
            left = {backing: disks.headroom[backing] for backing in reachable}
            missing = {one: need.disk - (there if there < 0 else there % need.disk) for one, there in left.items()}
            backing = min(reachable, key=lambda backing: (missing[backing], backing))
            lacking = replace(lacking, disk=missing[backing], backing=backing)
        yield lacking


def _on_node(need: Need, room: Room, units: tuple[int, int, int], there: int) -> Shortage:
    """What one unit more than `there` lacks of the node's own resources."""
    gpus, memory, cpu = units
    result = Shortage(node=room.name)
    if memory == there:
        result = replace(result, memory=(there + 1) * need.memory_on(room) - room.memory.headroom)
    if cpu == there:
        result = replace(result, cpu=(there + 1) * need.points_on(room) - room.cpu.headroom)
    if gpus == there and need.tier.gpu is not None:
        count = need.tier.gpu.count
        total = devices_if_empty(room.node)
        taken = {key: total[key] - room.free_cards.get(key, 0) for key in keys_for(need.tier, room.node)}
        missing = {model: count - room.free_cards.get(model, 0) % count for model in taken}
        model = min(missing, key=lambda model: (missing[model] > taken[model], missing[model], model))
        result = replace(result, cards=missing[model], model=model, beyond=missing[model] > taken[model])
    beyond = result.memory > room.memory.committed or result.cpu > room.cpu.committed
    return replace(result, beyond=result.beyond or beyond)


def _share(one: Shortage, need: Need, rooms: Mapping[str, Room]) -> tuple[bool, Fraction, str]:
    room, gpu = rooms[one.node], need.tier.gpu
    share = Fraction(one.memory, need.memory_on(room)) + Fraction(one.cpu, need.points_on(room))
    share += Fraction(one.disk, need.disk) + (Fraction(one.cards, gpu.count) if gpu else 0)
    return one.beyond, share, one.node


def _helps(one: Shortage, tier: Tier, fit: Fit, *, rooms: Rooms, policy: Policy) -> bool:
    """Whether one more unit would really fit."""
    room = rooms.rooms[one.node]
    cards = dict(room.free_cards)
    if one.model is not None:
        cards[one.model] = cards.get(one.model, 0) + one.cards
    larger = replace(
        room,
        cpu=replace(room.cpu, capacity=room.cpu.capacity + one.cpu),
        memory=replace(room.memory, capacity=room.memory.capacity + one.memory),
        free_cards=cards,
    )
    headroom = dict(fit.disks.headroom)
    if one.backing is not None:
        headroom[one.backing] += one.disk
    enlarged = replace(rooms, rooms={**rooms.rooms, one.node: larger})
    again = fit_of(
        tier,
        rooms=enlarged,
        housing=housing_of(enlarged, policy),
        disks=replace(fit.disks, headroom=headroom),
    )
    return (again.available or 0) > (fit.available or 0)


def _left_on(backing: str, flow: Flow, *, need: Need, disks: Disks) -> int:
    """Bytes beside the placed units' disks, 0 where not even one more fits."""
    if not flow.left[backing]:
        return 0
    return disks.headroom[backing] - sum(flow.on[backing].values()) * need.disk
