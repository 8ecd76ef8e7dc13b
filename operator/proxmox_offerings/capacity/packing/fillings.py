"""The ways of filling one node: its room, its cards and the backings that it alone reaches, taken together."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from proxmox_offerings.capacity.packing.effort import Effort
from proxmox_offerings.capacity.packing.fronts import MOST_VECTORS, Vector, maximal, only, pareto, sums

FEW_VECTORS = 300
"""The quick looks make do with so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node: `room` by resource, and for each kind what a unit costs of it (None: it cannot be there), what it wants of the free `cards`
    (how many, all of one of these models; None: nothing), and the backings that may hold its disk.
    """

    name: str
    room: Vector
    costs: tuple[Vector | None, ...]
    cards: tuple[tuple[str, int], ...]
    wants: tuple[tuple[int, frozenset[str]] | None, ...]
    reach: tuple[tuple[str, ...], ...]


class Filling(NamedTuple):
    """One way of filling a place: units with their disk on its own backings (`parts`: by backing, at least so many), and units in all."""

    local: Vector
    total: Vector
    parts: tuple[Vector, ...]


@dataclass(slots=True, kw_only=True)
class Fillings:
    """What was learnt of places, kept: questions come one after the other about the same kinds (`disks`: bytes of each)."""

    disks: Vector
    effort: Effort
    _known: dict[Hashable, tuple[list[Filling], bool]] = field(default_factory=dict)

    def of(
        self, place: Place, wanted: Vector, own: Sequence[tuple[int, Vector]], shares: Vector, *, few: bool
    ) -> list[Filling]:
        """The maximal ways of filling a place; with `few` not all splits between its own and shared backings.

        `own` are its backings (bytes, and the kinds that may use it as 0 or 1), `shares` the kinds
        whose disks may lie on shared backings too. Raises Exhausted.
        """
        key = (place.room, place.costs, place.cards, place.wants, wanted, tuple(own), shares, few)
        if key not in self._known:
            before, self.effort.thinned = self.effort.thinned, False
            found = self._found(place, wanted, own, shares, few=few)
            self._known[key] = (found, self.effort.thinned)
            self.effort.thinned |= before
        found, thinned = self._known[key]
        self.effort.thinned |= thinned
        return found

    def _found(
        self, place: Place, wanted: Vector, own: Sequence[tuple[int, Vector]], shares: Vector, *, few: bool
    ) -> list[Filling]:
        usable = tuple(map(max, shares, *(kinds for _, kinds in own))) if own else shares
        caps = tuple(
            count if cost is not None and may else 0
            for count, cost, may in zip(wanted, place.costs, usable, strict=True)
        )
        costs = tuple(cost or (0,) * len(place.room) for cost in place.costs)
        limit = FEW_VECTORS if few else MOST_VECTORS
        rooms = {
            vector
            for limits in _by_cards(place, caps, effort=self.effort)
            for vector in maximal(costs, place.room, limits, effort=self.effort, most=limit)
        }
        bytes_of = tuple((size,) for size in self.disks)
        on_own = sums(
            [maximal(bytes_of, (size,), only(caps, kinds), effort=self.effort, most=limit) for size, kinds in own],
            caps,
            effort=self.effort,
        )
        found: dict[Vector, Filling] = {}
        for total in pareto(rooms, effort=self.effort):
            choices = list(on_own.items())
            if few and any(shares):
                choices = [max(choices, key=lambda choice: self._relief(total, choice[0]))]
            for most, parts in choices:
                local = tuple(map(min, total, most))
                both = tuple(t if share else p for t, p, share in zip(total, local, shares, strict=True))
                found.setdefault(local + both, Filling(local=local, total=both, parts=parts))
        return [found[vector] for vector in pareto(found, effort=self.effort)]

    def _relief(self, total: Vector, local: Vector) -> int:
        """Bytes that need not lie on shared backings."""
        return sum(min(units, most) * size for units, most, size in zip(total, local, self.disks, strict=True))


def _by_cards(place: Place, caps: Vector, *, effort: Effort) -> list[Vector]:
    """How many units the cards of the place allow: kinds that want none are limited by `caps` alone."""
    wants = [want if cap else None for want, cap in zip(place.wants, caps, strict=True)]
    if not any(wants):
        return [caps]
    fronts = []
    for model, free in place.cards:
        takers = tuple(int(want is not None and model in want[1]) for want in wants)
        costs = tuple((want[0] if want else 0,) for want in wants)
        fronts.append(maximal(costs, (free,), only(caps, takers), effort=effort))
    return [
        tuple(units if want else cap for units, want, cap in zip(vector, wants, caps, strict=True))
        for vector in sums(fronts, caps, effort=effort)
    ]
