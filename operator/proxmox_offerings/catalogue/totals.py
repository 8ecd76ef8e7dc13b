"""How much a whole cluster has under its seller's terms, by resource: for charts, not for deciding whether a unit fits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from proxmox_offerings.capacity.allocation import POINTS, Allocation
from proxmox_offerings.capacity.disks import CONTENT, Shelf
from proxmox_offerings.capacity.rooms import Room, Rooms


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Sums over the nodes on which something may be sold. `headroom` is what is left, where a node that is committed beyond policy has 0."""

    capacity: Fraction | int
    committed: Fraction | int
    headroom: Fraction | int


def totals_of(rooms: Rooms, shelves: Iterable[Shelf]) -> Mapping[str, Total]:
    """cpu in vCPUs, memory and storage in bytes, gpu in whole cards.

    What nobody could read is not in there; of what there is none, there is no total.
    """
    eligible = rooms.eligible
    found = {
        "cpu": _sum(room.cpu for room in eligible.values()),
        "memory": _sum(room.memory for room in eligible.values()),
        "storage": _storage(shelves, nodes=eligible.keys()),
        "gpu": _gpu(eligible.values()),
    }
    cpu = found["cpu"]
    found["cpu"] = Total(
        capacity=Fraction(cpu.capacity, POINTS),
        committed=Fraction(cpu.committed, POINTS),
        headroom=Fraction(cpu.headroom, POINTS),
    )
    return {resource: total for resource, total in found.items() if total.capacity or total.committed}


def _sum(allocations: Iterable[Allocation]) -> Total:
    rows = tuple(allocations)
    return Total(
        capacity=sum(row.capacity for row in rows),
        committed=sum(row.committed for row in rows),
        headroom=sum(max(0, row.headroom) for row in rows),
    )


def _storage(shelves: Iterable[Shelf], *, nodes: Iterable[str]) -> Total:
    """Each backing once, by the one of its ids that shows the least."""
    least: dict[str, Shelf] = {}
    among = set(nodes)
    disks = set(CONTENT.values())
    for shelf in shelves:
        if shelf.hidden or shelf.headroom is None or shelf.place.node not in among or not disks & shelf.place.content:
            continue
        other = least.get(shelf.backing)
        if other is None or other.headroom is None or shelf.headroom < other.headroom:
            least[shelf.backing] = shelf
    return _sum(_allocation(shelf) for shelf in least.values())


def _allocation(shelf: Shelf) -> Allocation:
    used = (shelf.place.total or 0) - (shelf.place.avail or 0)
    committed = used if shelf.promised is None else shelf.promised
    return Allocation(capacity=committed + (shelf.headroom or 0), committed=committed)


def _gpu(rooms: Iterable[Room]) -> Total:
    rows = []
    for room in rooms:
        if room.node.cards is not None and not room.node.cards_blind:
            cards = [card for card in room.node.cards if card.unsellable is None]
            rows.append(Allocation(capacity=len(cards), committed=sum(card.taken for card in cards)))
    return _sum(rows)
