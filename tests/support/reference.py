"""A second account of how many units fit, for small clusters: slow, naive, and sharing no code with the product.

It works on its own description of a cluster (whole threads, GiB and cards), counts with loops, and finds how many disks fit by looking at
every set of nodes (Hall's theorem: units fit on their backings exactly if no set of nodes wants more than its backings hold together).
`facts` turns the same description into what the API would have told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

from support.cluster import ClusterFacts, cards, cluster, config, guest, node, storage, tier

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Guest:
    """`cards` are numbers of its node's cards, from 1."""

    vmid: int
    node: str
    cpu: int
    memory: int
    running: bool = True
    template: bool = False
    cards: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Machine:
    name: str
    threads: int
    memory: int
    cards: int = 0
    online: bool = True


@dataclass(frozen=True, kw_only=True)
class Store:
    """`nodes`: where it is; a shared one has `free` GiB in all, another on each node."""

    name: str
    nodes: frozenset[str]
    shared: bool
    free: int


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is sold; `cards` 0: no tier for cards."""

    cpu: int
    memory: int
    disk: int
    cards: int = 0

    @property
    def tier(self) -> dict[str, Any]:
        sizes = {"cpu": self.cpu, "memory": f"{self.memory}Gi", "disk": f"{self.disk}Gi"}
        return tier(**sizes, **({"gpu": {"count": self.cards}} if self.cards else {}))


@dataclass(frozen=True, kw_only=True)
class Terms:
    """`percent` of threads for sale, `reserved` GiB of memory kept, `failover` nodes that may go down."""

    percent: int = 100
    reserved: int = 0
    failover: int = 0

    @property
    def allocation(self) -> dict[str, Any]:
        return {
            "cpu": {"percent": self.percent},
            "memory": {"reserved": f"{self.reserved}Gi"},
            "failoverNodes": self.failover,
        }


@dataclass(frozen=True, kw_only=True)
class Lab:
    machines: tuple[Machine, ...]
    guests: tuple[Guest, ...]
    stores: tuple[Store, ...]

    @property
    def facts(self) -> ClusterFacts:
        return cluster(
            nodes=[
                node(
                    one.name,
                    threads=one.threads,
                    memory=f"{one.memory}Gi",
                    pci=cards(one.cards),
                    status="online" if one.online else "offline",
                )
                for one in self.machines
            ],
            guests=[
                guest(
                    one.vmid,
                    one.node,
                    cpu=one.cpu,
                    memory=f"{one.memory}Gi",
                    status="running" if one.running else "stopped",
                    template=one.template,
                )
                for one in self.guests
            ],
            storages=[
                storage(
                    one.name,
                    "nfs" if one.shared else "lvmthin",
                    on=one.nodes,
                    avail=f"{one.free}Gi",
                    server=one.name,
                    export="/x",
                    volume_group=one.name,
                    thin_pool="data",
                )
                for one in self.stores
            ],
            configs={one.vmid: config(*(f"{card:02x}:00" for card in sorted(one.cards))) for one in self.guests},
        )


def fits(lab: Lab, unit: Unit, terms: Terms, placement: Mapping[str, int]) -> bool:
    """Whether so many units on each node fit at the same time, guests staying where they are."""
    left = left_of(lab, terms)
    return all(units <= _room(left[name], unit) for name, units in placement.items() if units) and _disks_fit(
        lab, unit, placement
    )


def available(lab: Lab, unit: Unit, terms: Terms) -> int:
    """The largest number of units, by trying more and more; with failover, the least over all sets of nodes that may go down."""
    left = left_of(lab, terms)
    best = _most(lab, unit, left)
    if terms.failover == 0 or not left:
        return best
    if terms.failover >= len(left):
        return 0
    for down in combinations(sorted(left), terms.failover):
        rest = _with_guests_moved(lab, left, down, terms)
        best = min(best, 0 if rest is None else _most(lab, unit, rest))
    return best


Left = dict[str, list[int]]
"""By node: points of CPU, GiB, free cards; then the limits of one guest: threads and GiB of the machine."""


def left_of(lab: Lab, terms: Terms) -> Left:
    """What the online machines have left, guests staying where they are."""
    left: Left = {}
    for one in lab.machines:
        if not one.online:
            continue
        points, memory, taken = one.threads * terms.percent, max(0, one.memory - terms.reserved), set()
        for lodger in lab.guests:
            if lodger.node == one.name and not lodger.template:
                points -= 100 * lodger.cpu
                memory -= lodger.memory
                taken |= lodger.cards
        free = sum(card not in taken for card in range(1, one.cards + 1))
        left[one.name] = [points, memory, free, one.threads, one.memory]
    return left


def _room(left: list[int], unit: Unit) -> int:
    points, memory, free, threads, total = left
    units = 0
    while (
        unit.cpu <= threads
        and unit.memory <= total
        and (units + 1) * unit.cpu * 100 <= points
        and (units + 1) * unit.memory <= memory
        and (units + 1) * unit.cards <= free
    ):
        units += 1
    return units


def _holds(lab: Lab, unit: Unit, nodes: frozenset[str]) -> int:
    """How many disks all that these nodes reach holds together."""
    total = 0
    for store in lab.stores:
        reached = store.nodes & nodes
        total += (store.free // unit.disk) * (bool(reached) if store.shared else len(reached))
    return total


def _disks_fit(lab: Lab, unit: Unit, placement: Mapping[str, int]) -> bool:
    return all(sum(placement[name] for name in some) <= _holds(lab, unit, some) for some in _sets(placement))


def _most(lab: Lab, unit: Unit, left: Left) -> int:
    """Whatever nodes are cut off by their rooms, the others are cut off by their backings: the least such cut is the most that fits."""
    rooms = {name: _room(own, unit) for name, own in left.items()}
    cuts = [
        sum(room for name, room in rooms.items() if name not in some) + _holds(lab, unit, some) for some in _sets(rooms)
    ]
    return min(cuts, default=0)


def _sets(names: Mapping[str, int]) -> list[frozenset[str]]:
    ordered = sorted(names)
    return [frozenset(some) for some in chain.from_iterable(combinations(ordered, k) for k in range(len(ordered) + 1))]


def _with_guests_moved(lab: Lab, left: Left, down: tuple[str, ...], terms: Terms) -> Left | None:
    rest = {name: list(own) for name, own in left.items() if name not in down}
    lost = [one for one in lab.guests if one.node in down and not one.template]
    for one in sorted(lost, key=lambda one: (-one.memory, -one.cpu, one.vmid)):
        for name in sorted(rest):
            own = rest[name]
            if 100 * one.cpu <= own[0] and one.memory <= own[1] and len(one.cards) <= own[2]:
                own[0] -= 100 * one.cpu
                own[1] -= one.memory
                own[2] -= len(one.cards)
                break
        else:
            return None
    return rest


def mix_fits(lab: Lab, wanted: tuple[tuple[Unit, int], ...], terms: Terms) -> bool:
    """Whether so many of each unit fit at the same time, now and with any `failover` nodes down: by trying every place for each in turn."""
    left = left_of(lab, terms)
    if not any(count for _, count in wanted):
        return True
    if terms.failover and terms.failover >= len(left):
        return False
    units = [unit for unit, count in wanted for _ in range(count)]
    cases = [left, *(_with_guests_moved(lab, left, down, terms) for down in combinations(sorted(left), terms.failover))]
    return all(case is not None and _arranged(lab, units, case) for case in cases)


def _arranged(lab: Lab, units: list[Unit], left: Left) -> bool:
    shelves = {(one.name, name): one.free for one in lab.stores for name in ([""] if one.shared else sorted(one.nodes))}
    reached = {
        name: [(one.name, "" if one.shared else name) for one in lab.stores if name in one.nodes] for name in left
    }
    tried = set()

    def goes_on(rest: list[Unit]) -> bool:
        now = (len(rest), *(tuple(own) for own in left.values()), *shelves.values())
        if now in tried:
            return False
        tried.add(now)
        if not rest:
            return True
        unit, *others = rest
        for name, own in left.items():
            for shelf in reached[name]:
                if _room(own, unit) and shelves[shelf] >= unit.disk:
                    for sign in (-1, 1):
                        own[0] += sign * unit.cpu * 100
                        own[1] += sign * unit.memory
                        own[2] += sign * unit.cards
                        shelves[shelf] += sign * unit.disk
                        if sign == -1 and goes_on(others):
                            return True
        return False

    return goes_on(units)
