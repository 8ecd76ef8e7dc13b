"""Room for guests whose nodes are down, or may go down. Rules: capacity.md 2 and 6 (`failoverNodes`).

It states that capacity exists, not that a guest with local disks will restart.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations

from proxmox_offerings.capacity.rooms import Resident, Room, Rooms
from proxmox_offerings.resources import Allocation as Policy


class Homeless(Exception):
    """A guest fits on no node that is left."""

    def __init__(self, vmid: int) -> None:
        super().__init__(f"no node has room for guest {vmid}")
        self.vmid = vmid


def rehost_returning(rooms: Rooms, *, policy: Policy) -> dict[str, Room]:
    """The eligible nodes after HA brought back the guests of nodes that are down. Raises Homeless."""
    return _rehost(rooms.returning, dict(rooms.eligible), policy=policy)


def without(
    k: int, *, rooms: Rooms, housed: Mapping[str, Room], policy: Policy
) -> Iterator[dict[str, Room] | Homeless]:
    """For each set of k eligible nodes: what is left of the others once the set's guests moved there, or who found no room."""
    if k >= len(housed):
        yield Homeless(vmid=0)
        return
    for down in combinations(housed, k):
        guests = [guest for name in down for guest in rooms.residents.get(name, ())]
        try:
            yield _rehost(guests, {name: room for name, room in housed.items() if name not in down}, policy=policy)
        except Homeless as problem:
            yield problem


def _rehost(guests: Iterable[Resident], rooms: dict[str, Room], *, policy: Policy) -> dict[str, Room]:
    """Largest memory first, then CPU, then vmid; each on the first node in name order with headroom in CPU, memory and cards."""
    cpu = {name: room.cpu.headroom for name, room in rooms.items()}
    memory = {name: room.memory.headroom for name, room in rooms.items()}
    cards = {name: dict(room.free_cards) for name, room in rooms.items()}
    for guest in sorted(guests, key=lambda guest: guest.order):
        for name, room in rooms.items():
            points, size = room.points_of(guest, policy), room.memory_of(guest)
            if points > cpu[name] or size > memory[name]:
                continue
            if any(count > cards[name].get(model, 0) for model, count in guest.cards.items()):
                continue
            cpu[name] -= points
            memory[name] -= size
            for model, count in guest.cards.items():
                cards[name][model] -= count
            break
        else:
            raise Homeless(guest.guest.vmid)
    return {
        name: replace(
            room,
            cpu=replace(room.cpu, committed=room.cpu.capacity - cpu[name]),
            memory=replace(room.memory, committed=room.memory.capacity - memory[name]),
            free_cards=cards[name],
        )
        for name, room in rooms.items()
    }
