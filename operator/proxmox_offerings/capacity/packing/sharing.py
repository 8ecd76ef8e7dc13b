"""What the backings that several nodes reach hold together: one more place, that all nodes' units must fit into."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from proxmox_offerings.capacity.packing.effort import Effort
from proxmox_offerings.capacity.packing.fillings import Place
from proxmox_offerings.capacity.packing.fronts import Vector, maximal, sums

Share = tuple[int, tuple[str, ...]]
"""A kind, and the shared backings that it may use from some places."""
Parts = tuple[Vector, ...]
"""Units by backing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """`backings` are the shared ones (`size`: bytes of all), `shares` the coordinates of what they hold, and `held` the maximal such vectors with
    their parts by backing. `of_places`: for each place and kind the share that its disks there are of. `roomy`: they hold all that is wanted,
    whatever comes from where. `own`: for each place the backings that it alone reaches.
    """

    backings: Sequence[str]
    size: int
    shares: Sequence[Share]
    held: Mapping[Vector, Parts]
    of_places: Sequence[tuple[Share | None, ...]]
    roomy: bool
    own: Sequence[tuple[str, ...]]

    @classmethod
    def of(
        cls,
        wanted: Vector,
        *,
        places: Sequence[Place],
        backings: Mapping[str, int],
        disks: Vector,
        effort: Effort,
    ) -> Self:
        """Who shares what, if so many units are wanted. Raises Exhausted."""
        used_from = _used_from(places, wanted)
        shared = sorted(backing for backing, names in used_from.items() if len(names) > 1)

        def held_as(shares: Sequence[Share]) -> dict[Vector, Parts]:
            return _held(shares, shared, backings=backings, wanted=wanted, disks=disks, effort=effort)

        of_places = _shares(places, wanted, set(shared))
        core = _core(of_places, range(len(wanted)))
        held = held_as([share for share in core if share])
        roomy = tuple(wanted[kind] for kind, _ in filter(None, core)) in held
        if roomy:
            of_places = [tuple(core[kind] if own else None for kind, own in enumerate(row)) for row in of_places]
        shares = sorted({share for row in of_places for share in row if share})
        return cls(
            backings=shared,
            size=sum(backings[name] for name in shared),
            shares=shares,
            held=held if roomy else held_as(shares),
            of_places=of_places,
            roomy=roomy,
            own=[
                tuple(sorted({name for reach in place.reach for name in reach if used_from.get(name) == {place.name}}))
                for place in places
            ],
        )


def _used_from(places: Sequence[Place], wanted: Vector) -> dict[str, set[str]]:
    """For each backing the places from which it may be used."""
    used_from: dict[str, set[str]] = defaultdict(set)
    for place in places:
        for kind, reach in enumerate(place.reach):
            if wanted[kind] and place.costs[kind] is not None:
                for backing in reach:
                    used_from[backing].add(place.name)
    return used_from


def _shares(places: Sequence[Place], wanted: Vector, shared: set[str]) -> list[tuple[Share | None, ...]]:
    """For each place and kind the shared backings that hold its disks there."""
    rows = []
    for place in places:
        row: list[Share | None] = []
        for kind, reach in enumerate(place.reach):
            reached = tuple(sorted(shared.intersection(reach)))
            row.append((kind, reached) if reached and wanted[kind] and place.costs[kind] is not None else None)
        rows.append(tuple(row))
    return rows


def _core(share_of: Sequence[tuple[Share | None, ...]], kinds: range) -> list[Share | None]:
    """For each kind the shared backings that all places with any have in common."""
    core: list[Share | None] = []
    for kind in kinds:
        sets = [set(share[1]) for own in share_of if (share := own[kind])]
        core.append((kind, tuple(sorted(set.intersection(*sets)))) if sets else None)
    return core


def _held(
    shares: Sequence[Share],
    shared: Sequence[str],
    *,
    backings: Mapping[str, int],
    wanted: Vector,
    disks: Vector,
    effort: Effort,
) -> dict[Vector, Parts]:
    """The maximal vectors of units, by coordinate of `shares`, that the shared backings hold together, with their parts."""
    caps = tuple(wanted[kind] for kind, _ in shares)
    costs = tuple((disks[kind],) for kind, _ in shares)
    fronts = [
        maximal(
            costs,
            (backings[name],),
            tuple(cap if name in names else 0 for cap, (_, names) in zip(caps, shares, strict=True)),
            effort=effort,
        )
        for name in shared
    ]
    return sums(fronts, caps, effort=effort)
