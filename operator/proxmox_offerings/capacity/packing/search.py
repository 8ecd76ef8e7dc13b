"""The search for a placement: node after node, the ways of filling those so far that no other one beats."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import add, ge, sub
from typing import NamedTuple, Self

from proxmox_offerings.capacity.packing.axes import Axes
from proxmox_offerings.capacity.packing.bounds import Bound, bounds_of
from proxmox_offerings.capacity.packing.effort import Effort
from proxmox_offerings.capacity.packing.fillings import Filling, Fillings, Place
from proxmox_offerings.capacity.packing.fronts import Vector, pareto
from proxmox_offerings.capacity.packing.sharing import Share, Sharing


class Placed(NamedTuple):
    """Units of one kind (its number) on a node, their disks on a backing."""

    kind: int
    node: str
    backing: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One question: for each place the ways of filling it, the same in the coordinates of the search (`steps`), and a bound of what follows."""

    wanted: Vector
    places: Sequence[Place]
    fillings: Sequence[list[Filling]]
    steps: Sequence[list[Vector]]
    bounds: Sequence[Bound]
    axes: Axes
    sharing: Sharing
    effort: Effort

    @classmethod
    def prepare(
        cls, known: Fillings, wanted: Vector, *, places: Sequence[Place], backings: Mapping[str, int], few: bool
    ) -> Self:
        """Raises Exhausted."""
        sharing = Sharing.of(wanted, places=places, backings=backings, disks=known.disks, effort=known.effort)
        fillings = []
        for place, own, shares in zip(places, sharing.own, sharing.of_places, strict=True):
            may = [
                (
                    backings[name],
                    tuple(
                        int(name in reach and not (sharing.roomy and share))
                        for reach, share in zip(place.reach, shares, strict=True)
                    ),
                )
                for name in own
            ]
            fillings.append(known.of(place, wanted, may, tuple(int(share is not None) for share in shares), few=few))
        axes = Axes.of(wanted, sharing=sharing, fillings=fillings)
        return cls(
            wanted=wanted,
            places=places,
            fillings=fillings,
            steps=[axes.vectors(some, shares) for some, shares in zip(fillings, sharing.of_places, strict=True)],
            bounds=bounds_of(places, fillings, wanted=wanted, disks=known.disks, shared=sharing.size),
            axes=axes,
            sharing=sharing,
            effort=known.effort,
        )

    def run(self, width: int | None) -> tuple[Placed, ...] | None:
        """The units where they go; None where nothing was found with at most `width` ways of filling kept after each node."""
        caps = self.axes.caps
        states: list[Vector] = [(0,) * len(caps)]
        came_from: list[dict[Vector, tuple[Vector, int]]] = []
        for vectors, bound in zip(self.steps, self.bounds[1:], strict=True):
            grown: dict[Vector, tuple[Vector, int]] = {}
            for state in states:
                self.effort.spend(len(vectors))
                for index, vector in enumerate(vectors):
                    total = tuple(map(min, caps, map(add, state, vector)))
                    if total not in grown:
                        grown[total] = (state, index)
            came_from.append(grown)
            for total in grown:
                if (held := self._reached(total)) is not None:
                    return self._placed(self._chosen(total, came_from), held)
            strains = {
                total: strain for total in grown if (strain := bound.strain(*self.axes.units(total))) is not None
            }
            if width is None:
                states = pareto(strains, effort=self.effort)
            else:
                best = sorted(strains, key=lambda total: (*strains[total], total))
                kept = set(pareto(best[: width * 8], effort=self.effort))
                states = [total for total in best[: width * 8] if total in kept][:width]
            if not states:
                return None
        return None

    def _reached(self, state: Vector) -> Vector | None:
        """What the shared backings hold then; None where the state is not yet all that is wanted."""
        local, total = self.axes.units(state)
        if total != self.wanted:
            return None
        shares = self.sharing.shares
        if self.sharing.roomy:
            return tuple(self.wanted[kind] for kind, _ in shares)
        reachable = self.axes.shared_units(state, local, total)
        need = tuple(map(sub, self.wanted, local))
        for held in self.sharing.held:
            have = [0] * len(need)
            for (kind, _), may, holds in zip(shares, reachable, held, strict=True):
                have[kind] += min(may, holds)
            if all(map(ge, have, need)):
                return held
        return None

    def _chosen(self, state: Vector, came_from: Sequence[Mapping[Vector, tuple[Vector, int]]]) -> list[Filling]:
        """The fillings of the first places that lead to a state."""
        chosen = []
        for step, fillings in reversed([*zip(came_from, self.fillings, strict=False)]):
            state, index = step[state]
            chosen.append(fillings[index])
        return chosen[::-1]

    def _placed(self, chosen: Sequence[Filling], held: Vector) -> tuple[Placed, ...]:
        """Own disks first, then shared ones, each in the order of the places, no more than is wanted."""
        left = list(self.wanted)
        rest: dict[tuple[int, int], int] = {}
        placed: dict[tuple[int, str, str], int] = defaultdict(int)
        for number, filling in enumerate(chosen):
            for kind, most in enumerate(filling.local):
                units = min(most, left[kind])
                left[kind] -= units
                rest[number, kind] = filling.total[kind] - most
                for name, part in zip(self.sharing.own[number], filling.parts, strict=True):
                    there = min(units, part[kind])
                    units -= there
                    placed[kind, self.places[number].name, name] += there
        holds = [list(part) for part in self.sharing.held.get(held, ())]
        at_share: dict[Share, int] = {share: number for number, share in enumerate(self.sharing.shares)}
        for (number, kind), most in rest.items():
            share = self.sharing.of_places[number][kind]
            if share is None:
                continue
            coordinate = at_share[share]
            here = min(most, left[kind])
            for name, hold in zip(self.sharing.backings, holds, strict=True):
                units = min(here, hold[coordinate])
                hold[coordinate] -= units
                here -= units
                left[kind] -= units
                placed[kind, self.places[number].name, name] += units
        return tuple(Placed(*key, units) for key, units in sorted(placed.items()) if units)
