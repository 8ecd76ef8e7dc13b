"""Room for guests whose nodes are down, or may go down. Rules: capacity.md 2 and 6 (`failoverNodes`).

It states that capacity exists, not that a guest with local disks will restart. No tier matters here: it is worked out once for all of them.

Two nodes out of 32 are 496 sets, so what one set costs is kept small: all guests are sized and put in order once, and first fit takes a run of
guests with equal needs in one go, which gives the same as one guest after the other.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, groupby
from typing import NamedTuple

from proxmox_offerings.capacity.gpus import devices_left
from proxmox_offerings.capacity.rooms import Resident, Room, Rooms
from proxmox_offerings.resources import Allocation as Policy


class Homeless(Exception):
    """A guest fits on no node that is left."""

    def __init__(self, vmid: int) -> None:
        super().__init__(f"no node has room for guest {vmid}")
        self.vmid = vmid


class Left(NamedTuple):
    """What a node has left: points of CPU, bytes of memory, free cards by model."""

    cpu: int
    memory: int
    cards: Mapping[str, int]

    @classmethod
    def of(cls, room: Room) -> "Left":
        return cls(room.cpu.headroom, room.memory.headroom, room.free_cards)

    def to(self, room: Room) -> Room:
        """The room with so much left."""
        return replace(
            room,
            cpu=replace(room.cpu, committed=room.cpu.capacity - self.cpu),
            memory=replace(room.memory, committed=room.memory.capacity - self.memory),
            free_cards=self.cards,
        )


class Rest(NamedTuple):
    """What remains when the nodes `down` are: those in `changed` have less left, because they took guests; all others are as they were."""

    down: tuple[str, ...]
    changed: Mapping[str, Left]

    def of(self, now: Mapping[str, Room]) -> dict[str, Room]:
        """The rooms that remain, with what is left of them."""
        return {
            name: self.changed[name].to(room) if name in self.changed else room
            for name, room in now.items()
            if name not in self.down
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Housing:
    """The eligible nodes with the guests that come back from dead ones, and what would be left for each set of nodes that may go down.

    `homeless` is a guest that finds no room now; `at_risk` one that would find none if nodes went down (0: every node might go down).
    """

    now: Mapping[str, Room]
    homeless: int | None = None
    after: tuple[Rest, ...] = ()
    at_risk: int | None = None


def housing_of(rooms: Rooms, policy: Policy) -> Housing:
    """House the returning guests, then those of each set of `failoverNodes` eligible nodes on the others."""
    now = rooms.eligible
    try:
        now = _with_returning(rooms.returning, now, policy=policy)
    except Homeless as problem:
        return Housing(now=now, homeless=problem.vmid)
    try:
        return Housing(now=now, after=tuple(_after(rooms, now, policy=policy)))
    except Homeless as problem:
        return Housing(now=now, at_risk=problem.vmid)


def _with_returning(guests: Collection[Resident], now: dict[str, Room], *, policy: Policy) -> dict[str, Room]:
    if not now or not guests:
        return now
    movers = _Movers.of(guests, now, policy=policy)
    return Rest((), movers.house(range(len(guests)), {name: Left.of(room) for name, room in now.items()})).of(now)


def _after(rooms: Rooms, now: Mapping[str, Room], *, policy: Policy) -> Iterator[Rest]:
    k = policy.failover_nodes
    if not k or not now:
        return
    if k >= len(now):
        raise Homeless(vmid=0)
    movers = _Movers.of(chain.from_iterable(map(rooms.residents, now)), now, policy=policy)
    left = {name: Left.of(room) for name, room in now.items()}
    for down in combinations(now, k):
        lost = sorted(chain.from_iterable(movers.on.get(name, ()) for name in down))
        yield Rest(down, movers.house(lost, {name: own for name, own in left.items() if name not in down}))


@dataclass(frozen=True, slots=True, eq=False)
class _Needs:
    """What a guest takes: (points, bytes) under each of the terms that nodes have, and cards by model, None where nobody can tell."""

    costs: Sequence[tuple[int, int]]
    cards: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class _Movers:
    """Guests by number, in the order in which they are housed: what each needs (the same object where that is equal), and its vmid.

    `on` has the numbers of each node's guests; `terms` tells of each node which of the costs hold there.
    """

    needs: Sequence[_Needs]
    vmids: Sequence[int]
    on: Mapping[str, Sequence[int]]
    terms: Mapping[str, int]

    @classmethod
    def of(cls, guests: Iterable[Resident], rooms: Mapping[str, Room], *, policy: Policy) -> "_Movers":
        """Largest memory first, then CPU, then vmid."""
        terms = {
            name: (room.percent, room.unit_total, room.overhead, room.dedicated_tags) for name, room in rooms.items()
        }
        tags_that_matter = frozenset[str]().union(*(room.dedicated_tags for room in rooms.values()))
        examples = {terms[name]: room for name, room in rooms.items()}
        numbers = {each: number for number, each in enumerate(examples)}
        known: dict[Hashable, _Needs] = {}
        equal: dict[Hashable, _Needs] = {}
        needs, vmids, on = [], [], defaultdict(list)
        for number, guest in enumerate(sorted(guests, key=lambda guest: guest.order)):
            cards = None if guest.cards is None else tuple(sorted(guest.cards.items()))
            tags = tags_that_matter.intersection(guest.guest.tags)
            seen = (guest.size.vcpus, guest.size.memory, guest.guest.kind, tags, guest.limit_read, cards)
            its = known.get(seen)
            if its is None:
                costs = tuple((room.points_of(guest, policy), room.memory_of(guest)) for room in examples.values())
                its = known[seen] = equal.setdefault((costs, cards), _Needs(costs, guest.cards))
            needs.append(its)
            vmids.append(guest.guest.vmid)
            on[guest.guest.node].append(number)
        return cls(needs, vmids, on, {name: numbers[each] for name, each in terms.items()})

    def house(self, guests: Iterable[int], left: Mapping[str, Left]) -> dict[str, Left]:
        """Each on the first node with enough left; the nodes that have less left afterwards. Raises Homeless.

        A guest whose needs of cards are not known may take any: then none is surely free.
        """
        cpu = {name: own.cpu for name, own in left.items()}
        memory = {name: own.memory for name, own in left.items()}
        cards = {name: own.cards for name, own in left.items()}
        places = [(name, self.terms[name]) for name in left]
        changed: set[str] = set()
        for needs, run in groupby(guests, key=self.needs.__getitem__):
            alike = list(run)
            waiting = len(alike)
            for name, terms in places:
                points, size = needs.costs[terms]
                if points > cpu[name] or size > memory[name]:
                    continue
                housed = waiting
                if points:
                    housed = min(housed, cpu[name] // points)
                if size:
                    housed = min(housed, memory[name] // size)
                if needs.cards:
                    free = cards[name]
                    housed = min(housed, *(free.get(model, 0) // count for model, count in needs.cards.items()))
                    if not housed:
                        continue
                    cards[name] = devices_left(free, {model: count * housed for model, count in needs.cards.items()})
                cpu[name] -= points * housed
                memory[name] -= size * housed
                changed.add(name)
                waiting -= housed
                if not waiting:
                    break
            else:
                raise Homeless(self.vmids[alike[-waiting]])
            if needs.cards is None:
                cards = {name: {} for name in cards}
                changed.update(left)
        return {name: Left(cpu[name], memory[name], cards[name]) for name in changed}
