"""A second account of how many units fit, for small clusters: slow, naive, and sharing no code with the product.

It works on its own description of a cluster (whole threads, GiB and cards), counts with loops, and finds how many disks fit by looking at
every set of nodes (Hall's theorem: units fit on their backings exactly if no set of nodes wants more than its backings hold together).
`facts` turns the same description into what the API would have told.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from typing import Any, Literal

from support.cluster import ClusterFacts, StorageFacts, cluster, config, function, guest, node, storage, tier

GIB = 2**30
MODELS = {"a": "20b5", "b": "2330"}
"""Device ids of two kinds of cards."""


@dataclass(frozen=True, kw_only=True)
class Guest:
    """`cards` are numbers of its node's cards, from 1. `ha`: it is started elsewhere when its node is dead."""

    vmid: int
    node: str
    cpu: int
    memory: int
    kind: Literal["qemu", "lxc"] = "qemu"
    running: bool = True
    template: bool = False
    dedicated: bool = False
    migrating: bool = False
    ha: bool = False
    cards: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Machine:
    """`cards` are the models of its cards, such as "aab"."""

    name: str
    threads: int
    memory: int
    cards: str = ""
    online: bool = True


@dataclass(frozen=True, kw_only=True)
class View:
    """One storage id on a backing: the GiB that it shows as free, and its class."""

    name: str
    free: int
    storage_class: str = "ssd"
    content: Literal["images", "rootdir", "images,rootdir"] = "images,rootdir"


@dataclass(frozen=True, kw_only=True)
class Store:
    """One set of bytes, which `views` show. `nodes`: where it is; of one that is not shared there is another on each node."""

    name: str
    nodes: frozenset[str]
    shared: bool
    views: tuple[View, ...]


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is sold; `cards` 0: no tier for cards, `model` None: any of one kind. `nodes` None: on all."""

    cpu: int
    memory: int
    disk: int
    kind: Literal["qemu", "lxc"] = "qemu"
    dedicated: bool = False
    cards: int = 0
    model: str | None = None
    storage_class: str | None = None
    nodes: frozenset[str] | None = None

    @property
    def tier(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"cpu": self.cpu, "memory": f"{self.memory}Gi", "disk": f"{self.disk}Gi"}
        fields["virtualization"] = "KVM" if self.kind == "qemu" else "LXC"
        fields["dedicatedCPU"] = self.dedicated
        if self.cards:
            fields["gpu"] = {"count": self.cards}
            if self.model:
                fields["gpu"]["models"] = [f"10de:{MODELS[self.model]}"]
        if self.storage_class:
            fields["storageClass"] = self.storage_class
        if self.nodes is not None:
            fields["nodes"] = {"include": sorted(self.nodes)}
        return tier(**fields)


@dataclass(frozen=True, kw_only=True)
class NodeTerms:
    """`percent` of threads for sale, `reserved` GiB of memory kept, `overhead` GiB of each virtual machine."""

    percent: int = 100
    reserved: int = 0
    overhead: int = 0


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms of all nodes, other ones of some (`other_nodes`), and `failover` nodes that may go down."""

    usual: NodeTerms = NodeTerms()
    other: NodeTerms = NodeTerms()
    other_nodes: frozenset[str] = frozenset()
    failover: int = 0
    ignore_stopped: bool = False

    def of(self, name: str) -> NodeTerms:
        return self.other if name in self.other_nodes else self.usual

    @property
    def allocation(self) -> dict[str, Any]:
        overrides = [{"nodes": sorted(self.other_nodes), **_written(self.other)}] if self.other_nodes else []
        return {
            **_written(self.usual),
            "overrides": overrides,
            "failoverNodes": self.failover,
            "stoppedGuests": "Ignore" if self.ignore_stopped else "Count",
        }


def _written(terms: NodeTerms) -> dict[str, Any]:
    return {
        "cpu": {"percent": terms.percent},
        "memory": {"reserved": f"{terms.reserved}Gi", "guestOverhead": f"{terms.overhead}Gi"},
    }


@dataclass(frozen=True, kw_only=True)
class Lab:
    machines: tuple[Machine, ...]
    guests: tuple[Guest, ...]
    stores: tuple[Store, ...]

    @property
    def rules(self) -> list[dict[str, str]]:
        """storageRules: the class of each storage."""
        return [{"match": view.name, "class": view.storage_class} for store in self.stores for view in store.views]

    @property
    def facts(self) -> ClusterFacts:
        return cluster(
            nodes=[
                node(
                    one.name,
                    threads=one.threads,
                    memory=f"{one.memory}Gi",
                    pci=[
                        function(f"0000:{number:02x}:00.0", device=MODELS[model], group=number)
                        for number, model in enumerate(one.cards, start=1)
                    ],
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
                    kind=one.kind,
                    status="running" if one.running else "stopped",
                    template=one.template,
                    tags=["dedicated"] if one.dedicated else [],
                    lock="migrate" if one.migrating else None,
                    hastate="started" if one.ha else None,
                )
                for one in self.guests
            ],
            storages=_storages(self.stores),
            configs={
                one.vmid: config(*(f"{card:02x}:00" for card in sorted(one.cards)), cores=one.cpu)
                for one in self.guests
            },
        )


def _storages(stores: Sequence[Store]) -> list[StorageFacts]:
    """Volume groups and Ceph clusters: file systems that happen to be free alike would be taken for one."""
    return [
        storage(
            view.name,
            "rbd" if store.shared else "lvm",
            on=store.nodes,
            avail=view.free * GIB,
            content=view.content.split(","),
            monitors=store.name,
            volume_group=store.name,
        )
        for store in stores
        for view in store.views
    ]


@dataclass(kw_only=True)
class Space:
    """What is left of a node: points of CPU, GiB, free cards by model; `threads` and `total` GiB limit each single guest."""

    points: int
    memory: int
    cards: Counter[str]
    threads: int
    total: int
    terms: NodeTerms

    def cost(self, one: Guest | Unit) -> tuple[int, int]:
        """Points and GiB."""
        each = max(100, self.terms.percent) if one.dedicated else 100
        return one.cpu * each, one.memory + (self.terms.overhead if one.kind == "qemu" else 0)

    def take(self, one: Guest | Unit, cards: Mapping[str, int]) -> None:
        points, memory = self.cost(one)
        self.points -= points
        self.memory -= memory
        for model, wanted in cards.items():
            self.cards[model] = max(0, self.cards[model] - wanted)

    def has_room(self, one: Guest, cards: Mapping[str, int]) -> bool:
        points, memory = self.cost(one)
        return (
            points <= self.points
            and memory <= self.memory
            and all(self.cards[model] >= n for model, n in cards.items())
        )

    def units(self, unit: Unit) -> int:
        points, memory = self.cost(unit)
        if unit.cpu > self.threads or unit.memory > self.total:
            return 0
        most = 0
        while (most + 1) * points <= self.points and (most + 1) * memory <= self.memory:
            most += 1
        if not unit.cards:
            return most
        return min(most, sum(n // unit.cards for model, n in self.cards.items() if unit.model in (None, model)))


Spaces = dict[str, Space]


def fits(lab: Lab, unit: Unit, terms: Terms, placement: Mapping[str, int]) -> bool:
    """Whether so many units on each node fit at the same time, beside all guests, those too that HA brings back from dead nodes."""
    spaces = spaces_of(lab, terms)
    housed = _move(lab, _returning(lab, terms), spaces)
    rooms_suffice = all(
        name in _allowed(spaces, unit) and wanted <= spaces[name].units(unit)
        for name, wanted in placement.items()
        if wanted
    )
    return (housed or not any(placement.values())) and rooms_suffice and _disks_fit(lab, unit, placement)


def available(lab: Lab, unit: Unit, terms: Terms) -> int:
    """The largest number of units; with failover, the least over all sets of nodes that may go down."""
    spaces = spaces_of(lab, terms)
    if not spaces or not _move(lab, _returning(lab, terms), spaces):
        return 0
    best = _most(lab, unit, spaces)
    if terms.failover == 0:
        return best
    if terms.failover >= len(spaces):
        return 0
    for rest in _without_any(lab, terms, spaces):
        best = min(best, 0 if rest is None else _most(lab, unit, rest))
    return best


def _without_any(lab: Lab, terms: Terms, spaces: Spaces) -> Iterator[Spaces | None]:
    """What is left when each set of `failover` nodes goes down, their guests on the others; None where those find no room."""
    for down in combinations(sorted(spaces), terms.failover):
        rest = {name: _copied(own) for name, own in spaces.items() if name not in down}
        yield rest if _move(lab, [one for one in _counted(lab, terms) if one.node in down], rest) else None


def _copied(space: Space) -> Space:
    return replace(space, cards=space.cards.copy())


def sold(lab: Lab, unit: Unit, placement: Mapping[str, int], most: int) -> Lab:
    """The lab after `most` units of such a placement became guests: their disks are written, and they have cards of one kind."""
    disks = _disks(lab, unit, [name for name in sorted(placement) for _ in range(placement[name])][:most])
    free = {one.name: _free_cards(lab, one) for one in lab.machines}
    guests = list(lab.guests)
    for number, (name, _) in enumerate(disks):
        own: frozenset[int] = frozenset()
        if unit.cards:
            numbers = next(
                numbers
                for model, numbers in sorted(free[name].items())
                if unit.model in (None, model) and len(numbers) >= unit.cards
            )
            own = frozenset(numbers.pop() for _ in range(unit.cards))
        guests.append(
            Guest(
                vmid=5000 + number,
                node=name,
                cpu=unit.cpu,
                memory=unit.memory,
                kind=unit.kind,
                dedicated=unit.dedicated,
                cards=own,
            )
        )
    stores = []
    for store in lab.stores:
        # A local store is another on each node from now on: what was sold on one is still free on the others.
        for at in [store.nodes] if store.shared else [frozenset({name}) for name in sorted(store.nodes)]:
            used = sum(where == (store.name, None if store.shared else min(at)) for _, where in disks) * unit.disk
            label = store.name if store.shared else f"{store.name}-{min(at)}"
            views = tuple(
                replace(
                    view, free=max(0, view.free - used), name=view.name if store.shared else f"{view.name}-{min(at)}"
                )
                for view in store.views
            )
            stores.append(Store(name=label, nodes=at, shared=store.shared, views=views))
    return Lab(machines=lab.machines, guests=tuple(guests), stores=tuple(stores))


def _counted(lab: Lab, terms: Terms) -> list[Guest]:
    return [one for one in lab.guests if not one.template and (one.running or not terms.ignore_stopped)]


def _cards_of(lab: Lab, one: Guest) -> Counter[str]:
    home = next(machine for machine in lab.machines if machine.name == one.node)
    return Counter(home.cards[number - 1] for number in one.cards)


def _free_cards(lab: Lab, machine: Machine) -> dict[str, set[int]]:
    taken = {number for one in lab.guests if one.node == machine.name and not one.template for number in one.cards}
    return {
        model: {number for number, own in enumerate(machine.cards, start=1) if own == model and number not in taken}
        for model in MODELS
    }


def spaces_of(lab: Lab, terms: Terms) -> Spaces:
    """What the online machines have left, guests staying where they are."""
    spaces: Spaces = {}
    for one in lab.machines:
        if not one.online:
            continue
        own = terms.of(one.name)
        space = Space(
            points=one.threads * own.percent,
            memory=max(0, one.memory - own.reserved),
            cards=Counter({model: len(numbers) for model, numbers in _free_cards(lab, one).items()}),
            threads=one.threads,
            total=one.memory,
            terms=own,
        )
        for lodger in _counted(lab, terms):
            if lodger.node == one.name:
                space.take(lodger, {})
            elif lodger.migrating:
                space.take(lodger, _cards_of(lab, lodger))
        spaces[one.name] = space
    return spaces


def _returning(lab: Lab, terms: Terms) -> list[Guest]:
    dead = {one.name for one in lab.machines if not one.online}
    return [one for one in _counted(lab, terms) if one.node in dead and one.ha and not one.migrating]


def _move(lab: Lab, guests: Sequence[Guest], spaces: Spaces) -> bool:
    """Largest first, each onto the first node that has room; whether all found one."""
    for one in sorted(guests, key=lambda one: (-one.memory, -one.cpu, one.vmid)):
        cards = _cards_of(lab, one)
        home = next((spaces[name] for name in sorted(spaces) if spaces[name].has_room(one, cards)), None)
        if home is None:
            return False
        home.take(one, cards)
    return True


def _allowed(spaces: Spaces, unit: Unit) -> list[str]:
    return sorted(name for name in spaces if unit.nodes is None or name in unit.nodes)


def free_of(store: Store, unit: Unit) -> int | None:
    """GiB for such a unit; None where it may not use any of the store's ids."""
    content = "images" if unit.kind == "qemu" else "rootdir"
    usable = [
        view.free
        for view in store.views
        if content in view.content.split(",") and unit.storage_class in (None, view.storage_class)
    ]
    return min(usable, default=None)


def _holds(lab: Lab, unit: Unit, nodes: frozenset[str]) -> int:
    """How many disks all that these nodes reach holds together."""
    total = 0
    for store in lab.stores:
        reached, free = store.nodes & nodes, free_of(store, unit)
        total += ((free or 0) // unit.disk) * (bool(reached) if store.shared else len(reached))
    return total


def _disks_fit(lab: Lab, unit: Unit, placement: Mapping[str, int]) -> bool:
    return all(sum(placement[name] for name in some) <= _holds(lab, unit, some) for some in _sets(placement))


def _most(lab: Lab, unit: Unit, spaces: Spaces) -> int:
    """Whatever nodes are cut off by their rooms, the others are cut off by their backings: the least such cut is the most that fits."""
    rooms = {name: spaces[name].units(unit) for name in _allowed(spaces, unit)}
    cuts = [
        sum(room for name, room in rooms.items() if name not in some) + _holds(lab, unit, some) for some in _sets(rooms)
    ]
    return min(cuts, default=0)


def _sets(names: Mapping[str, int]) -> list[frozenset[str]]:
    ordered = sorted(names)
    return [frozenset(some) for some in chain.from_iterable(combinations(ordered, k) for k in range(len(ordered) + 1))]


Where = tuple[str, str | None]
"""A store and, of local ones, the node."""


def _disks(lab: Lab, unit: Unit, nodes: Sequence[str]) -> list[tuple[str, Where]]:
    """The node of each unit with a place for its disk, by matching disks to places one after the other (Kuhn)."""
    places: dict[Where, int] = {}
    for store in lab.stores:
        for at in [None] if store.shared else sorted(store.nodes):
            places[store.name, at] = (free_of(store, unit) or 0) // unit.disk
    reach = {
        name: [
            (store.name, None if store.shared else name)
            for store in lab.stores
            if name in store.nodes and free_of(store, unit) is not None
        ]
        for name in nodes
    }
    lying: dict[Where, list[int]] = {where: [] for where in places}

    def place(number: int, asked: set[Where]) -> bool:
        for where in reach[nodes[number]]:
            if where in asked:
                continue
            asked.add(where)
            if len(lying[where]) < places[where]:
                lying[where].append(number)
                return True
            for other in lying[where]:
                if place(other, asked):
                    lying[where].remove(other)
                    lying[where].append(number)
                    return True
        return False

    for number in range(len(nodes)):
        assert place(number, set()), "the placement does not fit"
    found = {number: where for where, numbers in lying.items() for number in numbers}
    return [(name, found[number]) for number, name in enumerate(nodes)]


def mix_fits(lab: Lab, wanted: tuple[tuple[Unit, int], ...], terms: Terms) -> bool:
    """Whether so many of each unit fit at the same time, now and with any `failover` nodes down: by trying every place for each in turn."""
    spaces = spaces_of(lab, terms)
    if not any(count for _, count in wanted):
        return True
    if (terms.failover and terms.failover >= len(spaces)) or not _move(lab, _returning(lab, terms), spaces):
        return False
    units = [unit for unit, count in wanted for _ in range(count)]
    cases = [spaces, *(_without_any(lab, terms, spaces) if terms.failover else ())]
    return all(case is not None and _arranged(lab, units, case) for case in cases)


def _arranged(lab: Lab, units: Sequence[Unit], spaces: Spaces) -> bool:
    """For units that may all use the same storages, and cards of one model."""
    shelves: dict[Where, int] = {
        (store.name, at): free_of(store, units[0]) or 0
        for store in lab.stores
        for at in ([None] if store.shared else sorted(store.nodes))
    }
    tried = set()

    def goes_on(rest: Sequence[Unit], spaces: Spaces) -> bool:
        left = [(own.points, own.memory, own.cards.total()) for own in spaces.values()]
        now = (len(rest), *left, *shelves.values())
        if now in tried:
            return False
        tried.add(now)
        if not rest:
            return True
        unit, *others = rest
        for name in _allowed(spaces, unit):
            if not spaces[name].units(unit):
                continue
            smaller = {**spaces, name: _copied(spaces[name])}
            smaller[name].take(unit, {"a": unit.cards})
            for shelf in [shelf for shelf in shelves if shelf[1] in (None, name) and name in _nodes(lab, shelf)]:
                if shelves[shelf] >= unit.disk:
                    shelves[shelf] -= unit.disk
                    found = goes_on(others, smaller)
                    shelves[shelf] += unit.disk
                    if found:
                        return True
        return False

    return goes_on(units, spaces)


def _nodes(lab: Lab, shelf: Where) -> frozenset[str]:
    return next(store.nodes for store in lab.stores if store.name == shelf[0])
