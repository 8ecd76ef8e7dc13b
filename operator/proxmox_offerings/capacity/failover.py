"""Room for guests whose nodes are down, or may go down. Rules: capacity.md 2 and 6 (`failoverNodes`).

It states that capacity exists, not that a guest with local disks will restart. No tier matters here: it is worked out once for all of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from proxmox_offerings.capacity.rooms import Resident, Room, Rooms, cards_left
from proxmox_offerings.resources import Allocation as Policy


class Homeless(Exception):
    """A guest fits on no node that is left."""

    def __init__(self, vmid: int) -> None:
        super().__init__(f"no node has room for guest {vmid}")
        self.vmid = vmid


@dataclass(frozen=True, slots=True, kw_only=True)
class Housing:
    """The eligible nodes with the guests that come back from dead ones, and what would be left for each set of nodes that may go down.

    `homeless` is a guest that finds no room now; `at_risk` one that would find none if nodes went down (0: every node might go down).
    """

    now: Mapping[str, Room]
    homeless: int | None = None
    after: tuple[Mapping[str, Room], ...] = ()
    at_risk: int | None = None


def housing_of(rooms: Rooms, policy: Policy) -> Housing:
    """House the returning guests, then those of each set of `failoverNodes` eligible nodes on the others."""
    now = rooms.eligible
    if not now:
        return Housing(now=now)
    try:
        now = _rehost(rooms.returning, now, policy=policy)
    except Homeless as problem:
        return Housing(now=now, homeless=problem.vmid)
    try:
        return Housing(now=now, after=tuple(_after(rooms, now, policy=policy)))
    except Homeless as problem:
        return Housing(now=now, at_risk=problem.vmid)


def _after(rooms: Rooms, now: Mapping[str, Room], *, policy: Policy) -> Iterator[Mapping[str, Room]]:
    k = policy.failover_nodes
    if k == 0:
        return
    if k >= len(now):
        raise Homeless(vmid=0)
    residents = {name: rooms.residents(name) for name in now}
    for down in combinations(now, k):
        guests = [guest for name in down for guest in residents[name]]
        yield _rehost(guests, {name: room for name, room in now.items() if name not in down}, policy=policy)


def _rehost(guests: Iterable[Resident], rooms: dict[str, Room], *, policy: Policy) -> dict[str, Room]:
    """Largest memory first, then CPU, then vmid; each on the first node in name order with headroom in CPU, memory and cards.

    A guest whose needs of cards are not known may take any: then none is surely free. Raises Homeless.
    """
    cpu = {name: room.cpu.headroom for name, room in rooms.items()}
    memory = {name: room.memory.headroom for name, room in rooms.items()}
    cards = {name: room.free_cards for name, room in rooms.items()}
    changed = set()
    for guest in sorted(guests, key=lambda guest: guest.order):
        needs = guest.cards
        for name, room in rooms.items():
            points, size = room.points_of(guest, policy), room.memory_of(guest)
            if points > cpu[name] or size > memory[name]:
                continue
            if needs and any(count > cards[name].get(model, 0) for model, count in needs.items()):
                continue
            cpu[name] -= points
            memory[name] -= size
            cards[name] = cards_left(cards[name], needs)
            changed.add(name)
            break
        else:
            raise Homeless(guest.guest.vmid)
        if needs is None:
            cards = {name: {} for name in cards}
            changed |= rooms.keys()
    return {
        name: replace(
            room,
            cpu=replace(room.cpu, committed=room.cpu.capacity - cpu[name]),
            memory=replace(room.memory, committed=room.memory.capacity - memory[name]),
            free_cards=cards[name],
        )
        if name in changed
        else room
        for name, room in rooms.items()
    }
