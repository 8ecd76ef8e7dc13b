"""Whether units of several kinds fit at the same time, and where: node by node, keeping every way of filling that no other one beats.

What a node can take is a set of vectors (units by kind), of which only the maximal ones matter; what nodes can take together are the maximal
sums of those. As long as all of them are kept, "no" is proven as well as "yes". Disks on a backing that one node alone reaches belong to that
node's vectors. Backings that several nodes reach are one more place that everything must fit into: how many units of which kinds they hold
together is worked out once, and a way of filling the nodes is good if what does not lie on the nodes' own disks is within it.

Effort is counted in steps, never in time, so that the answer to the same question is always the same. Why this way:
docs/design/mixes-are-packed-exactly.md.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import add, ge, sub
from typing import NamedTuple

Vector = tuple[int, ...]
"""Units by kind, or amounts by resource: never negative."""

WIDTHS = (1, 24)
"""How many ways of filling the nodes so far a quick look keeps, before the complete search: most answers are "yes", and found at once."""
MOST_VECTORS = 20_000
FEW_VECTORS = 300
"""More ways of filling one node are thinned out, after which a "no" is not proven any more; the quick looks make do with few."""


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


class Placed(NamedTuple):
    """Units of one kind (its number) on a node, their disks on a backing."""

    kind: int
    node: str
    backing: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """`placed` None: nothing was found, and with `proven` there is nothing to be found."""

    placed: tuple[Placed, ...] | None
    proven: bool


class Exhausted(Exception):
    """The effort is used up."""


@dataclass(slots=True)
class Effort:
    """Steps that are left; `thinned` once something was left out, so that a "no" proves nothing."""

    left: int
    thinned: bool = False

    def spend(self, steps: int) -> None:
        """Raises Exhausted."""
        self.left -= steps
        if self.left < 0:
            raise Exhausted


@dataclass(slots=True, kw_only=True)
class Packer:
    """Answers one question after the other about the same kinds: `disks` bytes by kind. What it learnt of a node it keeps."""

    disks: Vector
    effort: Effort
    _known: "dict[Hashable, tuple[list[_Filling], bool]]" = field(default_factory=dict)

    def pack(self, wanted: Vector, *, places: Sequence[Place], backings: Mapping[str, int]) -> Packing:
        """Whether `wanted` units by kind fit on the places, their disks on the backings (bytes)."""
        if not any(wanted):
            return Packing(placed=(), proven=True)
        try:
            quick = _Search.prepare(self, wanted, places=places, backings=backings, few=True)
            for width in WIDTHS:
                found = quick.run(width)
                if found is not None:
                    return Packing(placed=found, proven=True)
            self.effort.thinned = False
            found = _Search.prepare(self, wanted, places=places, backings=backings, few=False).run(None)
        except Exhausted:
            return Packing(placed=None, proven=False)
        return Packing(placed=found, proven=found is not None or not self.effort.thinned)

    def fillings(
        self, place: Place, wanted: Vector, own: Sequence[tuple[int, Vector]], shares: Vector, *, few: bool
    ) -> list["_Filling"]:
        """The maximal ways of filling a place; with `few` not all splits between its own and shared backings.

        `own` are its backings (bytes, and the kinds that may use it as 0 or 1), `shares` the kinds
        whose disks may lie on shared backings too.
        """
        key = (place.room, place.costs, place.cards, place.wants, wanted, tuple(own), shares, few)
        if key not in self._known:
            before, self.effort.thinned = self.effort.thinned, False
            found = self._fillings(place, wanted, own, shares, few=few)
            self._known[key] = (found, self.effort.thinned)
            self.effort.thinned |= before
        found, thinned = self._known[key]
        self.effort.thinned |= thinned
        return found

    def _fillings(
        self, place: Place, wanted: Vector, own: Sequence[tuple[int, Vector]], shares: Vector, *, few: bool
    ) -> list["_Filling"]:
        usable = tuple(map(max, shares, *(kinds for _, kinds in own))) if own else shares
        caps = tuple(
            count if cost is not None and may else 0
            for count, cost, may in zip(wanted, place.costs, usable, strict=True)
        )
        costs = tuple(cost or (0,) * len(place.room) for cost in place.costs)
        limit = FEW_VECTORS if few else MOST_VECTORS
        rooms = {
            vector
            for limits in self._cards(place, caps)
            for vector in maximal(costs, place.room, limits, effort=self.effort, most=limit)
        }
        bytes_of = tuple((size,) for size in self.disks)
        on_own = sums(
            [
                maximal(bytes_of, (size,), tuple(_only(caps, kinds)), effort=self.effort, most=limit)
                for size, kinds in own
            ],
            caps,
            effort=self.effort,
        )
        found: dict[Vector, _Filling] = {}
        for total in pareto(rooms, effort=self.effort):
            choices = list(on_own.items())
            if few and any(shares):
                choices = [max(choices, key=lambda choice: self._relief(total, choice[0]))]
            for most, parts in choices:
                local = tuple(map(min, total, most))
                both = tuple(t if share else p for t, p, share in zip(total, local, shares, strict=True))
                found.setdefault(local + both, _Filling(local=local, total=both, parts=parts))
        return [found[vector] for vector in pareto(found, effort=self.effort)]

    def _relief(self, total: Vector, local: Vector) -> int:
        """Bytes that need not lie on shared backings."""
        return sum(min(units, most) * size for units, most, size in zip(total, local, self.disks, strict=True))

    def _cards(self, place: Place, caps: Vector) -> list[Vector]:
        """How many units the cards of the place allow: kinds that want none are limited by `caps` alone."""
        wants = [want if cap else None for want, cap in zip(place.wants, caps, strict=True)]
        if not any(wants):
            return [caps]
        fronts = []
        for model, free in place.cards:
            takers = tuple(int(want is not None and model in want[1]) for want in wants)
            costs = tuple((want[0] if want else 0,) for want in wants)
            fronts.append(maximal(costs, (free,), tuple(_only(caps, takers)), effort=self.effort))
        return [
            tuple(units if want else cap for units, want, cap in zip(vector, wants, caps, strict=True))
            for vector in sums(fronts, caps, effort=self.effort)
        ]


class _Filling(NamedTuple):
    """One way of filling a place: units with their disk on its own backings (`parts`: by backing, at least so many), and units in all."""

    local: Vector
    total: Vector
    parts: tuple[Vector, ...]


Share = tuple[int, tuple[str, ...]]
"""A kind, and the shared backings that it may use from some places."""


@dataclass(slots=True, kw_only=True)
class _Search:
    """One question.

    `shares` are the coordinates of what the shared backings hold (`sharing`: their kinds), `held` the maximal such vectors with their parts
    by backing; `roomy`: they hold all that is wanted, whatever comes from where.
    """

    wanted: Vector
    disks: Vector
    places: Sequence[Place]
    fillings: Sequence[list[_Filling]]
    steps: Sequence[list[Vector]]
    own: Sequence[tuple[str, ...]]
    share_of: Sequence[tuple[Share | None, ...]]
    shares: Sequence[Share]
    sharing: Collection[int]
    shared: Sequence[str]
    held: Mapping[Vector, tuple[Vector, ...]]
    roomy: bool
    effort: Effort
    axes: Sequence[tuple[str, int, Share | None]]
    plain: bool
    bounds: Sequence["_Bound"]

    @classmethod
    def prepare(
        cls, packer: Packer, wanted: Vector, *, places: Sequence[Place], backings: Mapping[str, int], few: bool
    ) -> "_Search":
        kinds = range(len(wanted))
        used_from: dict[str, set[str]] = defaultdict(set)
        for place in places:
            for kind in kinds:
                if wanted[kind] and place.costs[kind] is not None:
                    for backing in place.reach[kind]:
                        used_from[backing].add(place.name)
        shared = sorted(backing for backing, names in used_from.items() if len(names) > 1)
        share_of = _shares(places, wanted, set(shared))
        core = _core(share_of, kinds)
        held = _held([share for share in core if share], shared, backings=backings, wanted=wanted, packer=packer)
        full = tuple(wanted[kind] for kind, _ in filter(None, core))
        roomy = full in held
        if roomy:
            share_of = [tuple(core[kind] if own[kind] else None for kind in kinds) for own in share_of]
        shares = sorted({share for own in share_of for share in own if share})
        if not roomy:
            held = _held(shares, shared, backings=backings, wanted=wanted, packer=packer)
        own_names, fillings = [], []
        for place, sharing in zip(places, share_of, strict=True):
            names = sorted(
                {backing for reach in place.reach for backing in reach if used_from[backing] == {place.name}}
            )
            may = [
                (
                    backings[name],
                    tuple(int(name in place.reach[kind] and not (roomy and sharing[kind])) for kind in kinds),
                )
                for name in names
            ]
            fillings.append(
                packer.fillings(place, wanted, may, tuple(int(share is not None) for share in sharing), few=few)
            )
            own_names.append(tuple(names))
        axes = _axes(
            shares,
            kinds,
            roomy=roomy,
            local={kind for kind in kinds if any(one.local[kind] for some in fillings for one in some)},
        )
        search = cls(
            wanted=wanted,
            disks=packer.disks,
            places=places,
            fillings=fillings,
            steps=[],
            own=own_names,
            share_of=share_of,
            shares=shares,
            sharing={kind for kind, _ in shares},
            shared=shared,
            held=held,
            roomy=roomy,
            effort=packer.effort,
            axes=axes,
            plain=all(role == "total" for role, _, _ in axes),
            bounds=(),
        )
        search.steps = [search._vectors(number) for number in range(len(places))]
        search.bounds = search._bounds(backings)
        return search

    def run(self, width: int | None) -> tuple[Placed, ...] | None:
        """The units where they go; None where nothing was found with at most `width` ways of filling kept after each node."""
        caps = tuple(self.wanted[kind] for _, kind, _ in self.axes)
        start = (0,) * len(caps)
        states: list[Vector] = [start]
        came_from: list[dict[Vector, tuple[Vector, int]]] = []
        for number, vectors in enumerate(self.steps):
            bound = self.bounds[number + 1]
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
                    return self._placed(total, came_from, held)
            strains = {total: strain for total in grown if (strain := bound.strain(*self._units(total))) is not None}
            if width is None:
                states = pareto(strains, effort=self.effort)
            else:
                best = sorted(strains, key=lambda total: (*strains[total], total))
                kept = set(pareto(best[: width * 8], effort=self.effort))
                states = [total for total in best[: width * 8] if total in kept][:width]
            if not states:
                return None
        return None

    def _units(self, state: Vector) -> tuple[Vector, Vector]:
        """Units by kind on own disks, and in all."""
        if self.plain:
            return tuple(0 if kind in self.sharing else units for kind, units in enumerate(state)), state
        local = [0] * len(self.wanted)
        total = [0] * len(self.wanted)
        for (role, kind, _), value in zip(self.axes, state, strict=True):
            if role == "local":
                local[kind] = value
                total[kind] = max(total[kind], value)
            elif role == "total":
                total[kind] = max(total[kind], value)
                if kind not in self.sharing:
                    local[kind] = value
        for (role, kind, _), value in zip(self.axes, state, strict=True):
            if role == "share":
                total[kind] += value
        return tuple(local), tuple(map(min, total, self.wanted))

    def _reached(self, state: Vector) -> Vector | None:
        """What the shared backings hold then; None where the state is not yet all that is wanted."""
        local, total = self._units(state)
        if total != self.wanted:
            return None
        if self.roomy:
            return self._full
        reachable = self._shared_units(state, local, total)
        need = tuple(map(sub, self.wanted, local))
        for held in self.held:
            have = [0] * len(need)
            for (kind, _), may, holds in zip(self.shares, reachable, held, strict=True):
                have[kind] += min(may, holds)
            if all(map(ge, have, need)):
                return held
        return None

    @property
    def _full(self) -> Vector:
        return tuple(self.wanted[kind] for kind, _ in self.shares)

    def _shared_units(self, state: Vector, local: Vector, total: Vector) -> list[int]:
        """By coordinate of `shares`: how many units may have their disk there."""
        several = {share: value for (role, _, share), value in zip(self.axes, state, strict=True) if role == "share"}
        return [several.get(share, total[share[0]] - local[share[0]]) for share in self.shares]

    def _vectors(self, number: int) -> list[Vector]:
        """The fillings of a place in the coordinates of the search."""
        sharing = self.share_of[number]
        vectors = []
        for filling in self.fillings[number]:
            vector = []
            for role, kind, share in self.axes:
                if role == "local":
                    vector.append(filling.local[kind])
                elif role == "total":
                    vector.append(filling.total[kind])
                else:
                    vector.append(filling.total[kind] - filling.local[kind] if sharing[kind] == share else 0)
            vectors.append(tuple(vector))
        return vectors

    def _bounds(self, backings: Mapping[str, int]) -> list["_Bound"]:
        """For each place what it and all after it allow at most, and last what nothing allows."""
        resources = range(len(self.places[0].room)) if self.places else range(0)
        nothing = _Bound(
            wanted=self.wanted,
            disks=self.disks,
            room=(0,) * len(resources),
            least=((0,) * len(resources),) * len(self.wanted),
            local=(0,) * len(self.wanted),
            total=(0,) * len(self.wanted),
            shared=sum(backings[name] for name in self.shared),
        )
        ways = list(zip(self.places, self.fillings, strict=True))
        return [*accumulate(reversed(ways), lambda bound, way: bound.before(*way), initial=nothing)][::-1]

    def _placed(
        self, state: Vector, came_from: Sequence[Mapping[Vector, tuple[Vector, int]]], held: Vector
    ) -> tuple[Placed, ...]:
        """Own disks first, then shared ones, each in the order of the places, no more than is wanted."""
        chosen: dict[int, _Filling] = {}
        at = state
        for number in reversed(range(len(came_from))):
            at, index = came_from[number][at]
            chosen[number] = self.fillings[number][index]
        left = list(self.wanted)
        rest: dict[tuple[int, int], int] = {}
        placed: dict[tuple[int, str, str], int] = defaultdict(int)
        for number, filling in sorted(chosen.items()):
            for kind, most in enumerate(filling.local):
                units = min(most, left[kind])
                left[kind] -= units
                rest[number, kind] = filling.total[kind] - most
                for name, part in zip(self.own[number], filling.parts, strict=True):
                    there = min(units, part[kind])
                    units -= there
                    placed[kind, self.places[number].name, name] += there
        holds = [list(part) for part in self.held.get(held, ())]
        at_share = {share: number for number, share in enumerate(self.shares)}
        for (number, kind), most in rest.items():
            share = self.share_of[number][kind]
            if share is None:
                continue
            coordinate = at_share[share]
            here = min(most, left[kind])
            for name, hold in zip(self.shared, holds, strict=True):
                units = min(here, hold[coordinate])
                hold[coordinate] -= units
                here -= units
                left[kind] -= units
                placed[kind, self.places[number].name, name] += units
        return tuple(Placed(*key, units) for key, units in sorted(placed.items()) if units)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """What some places allow at most together: `room` by resource, the `least` cost of each kind, units on own disks and in all by kind,
    and the bytes of shared backings.
    """

    wanted: Vector
    disks: Vector
    room: Vector
    least: tuple[Vector, ...]
    local: Vector
    total: Vector
    shared: int

    def before(self, place: Place, fillings: Sequence[_Filling]) -> "_Bound":
        """With one place more."""
        zero = (0,) * len(self.wanted)
        return _Bound(
            wanted=self.wanted,
            disks=self.disks,
            room=tuple(map(add, self.room, place.room)),
            least=tuple(
                least if cost is None else cost if not any(least) else tuple(map(min, least, cost))
                for least, cost in zip(self.least, place.costs, strict=True)
            ),
            local=tuple(map(add, self.local, map(max, zero, zero, *(one.local for one in fillings)))),
            total=tuple(map(add, self.total, map(max, zero, zero, *(one.total for one in fillings)))),
            shared=self.shared,
        )

    def _demands(self, local: Vector, total: Vector) -> list[tuple[int, int]]:
        """Pairs of what is still needed and what there is at most."""
        missing = tuple(map(sub, self.wanted, total))
        pairs = list(zip(missing, self.total, strict=True))
        for resource, room in enumerate(self.room):
            pairs.append((sum(n * cost[resource] for n, cost in zip(missing, self.least, strict=True)), room))
        elsewhere = (
            max(0, wanted - own - most) * size
            for wanted, own, most, size in zip(self.wanted, local, self.local, self.disks, strict=True)
        )
        return [*pairs, (sum(elsewhere), self.shared)]

    def strain(self, local: Vector, total: Vector) -> tuple[int, int] | None:
        """How tight it will be with such units placed: less is better. None: what is missing is more than these places can hold."""
        most = together = 0
        for need, there in self._demands(local, total):
            if need > there:
                return None
            share = (need << 20) // (there + 1)
            together += share
            most = max(most, share)
        return most, together


def pareto(vectors: Iterable[Vector], *, effort: Effort) -> list[Vector]:
    """Those that no other one equals or exceeds in everything, the largest first. Raises Exhausted."""
    kept: list[Vector] = []
    ordered = sorted(set(vectors), reverse=True)
    if ordered and len(ordered[0]) <= 2:
        for vector in ordered:
            if not kept or vector[-1] > kept[-1][-1]:
                kept.append(vector)
        return kept
    for vector in ordered:
        effort.spend(1 + len(kept) // 8)
        if not any(all(map(ge, other, vector)) for other in kept):
            kept.append(vector)
    return kept


def maximal(
    costs: Sequence[Vector], room: Vector, caps: Vector, *, effort: Effort, most: int = MOST_VECTORS
) -> list[Vector]:
    """All vectors of units within `caps` whose costs are within `room`, and to which nothing can be added (and maybe some others).

    Where they are too many, some of them, among which each kind is served first once.
    """
    order = sorted((kind for kind, cap in enumerate(caps) if cap), key=lambda kind: (costs[kind], kind), reverse=True)
    if not order:
        return [(0,) * len(caps)]
    stride = 1
    while len(found := _descend(order, costs, room, caps, stride=stride, effort=effort, most=most)) > most:
        stride *= 2
    if stride > 1:
        effort.thinned = True
        for turn in range(len(order)):
            served = order[turn:] + order[:turn]
            found += _descend(served, costs, room, caps, stride=max(caps) + 1, effort=effort, most=most)
    return found


def _descend(
    order: Sequence[int], costs: Sequence[Vector], room: Vector, caps: Vector, *, stride: int, effort: Effort, most: int
) -> list[Vector]:
    """Kind after kind in this order, from the most that fits down in strides; the last one to the full. Ends once there are too many."""
    found: list[Vector] = []
    chosen = [0] * len(caps)

    def descend(depth: int, left: Vector) -> bool:
        """Whether fewer units of the kind before gain nothing, because this one and all further ones are at their caps."""
        kind = order[depth]
        top = _most(costs[kind], left, caps[kind])
        if depth == len(order) - 1:
            effort.spend(1)
            chosen[kind] = top
            found.append(tuple(chosen))
            return top == caps[kind]
        full = False
        for units in range(top, -1, -stride):
            chosen[kind] = units
            full = descend(depth + 1, tuple(have - units * cost for have, cost in zip(left, costs[kind], strict=True)))
            if full or len(found) > most:
                break
        return full and top == caps[kind] and chosen[kind] == top

    descend(0, room)
    return found


def _most(cost: Vector, room: Vector, cap: int) -> int:
    return max(0, min([cap, *(have // each for have, each in zip(room, cost, strict=True) if each)]))


def sums(fronts: Sequence[Sequence[Vector]], caps: Vector, *, effort: Effort) -> dict[Vector, tuple[Vector, ...]]:
    """The maximal sums of one vector of each front, cut at `caps`, each with its parts. Raises Exhausted."""
    result: dict[Vector, tuple[Vector, ...]] = {(0,) * len(caps): ()}
    for front in fronts:
        grown: dict[Vector, tuple[Vector, ...]] = {}
        for vector, parts in result.items():
            effort.spend(len(front))
            for more in front:
                grown.setdefault(tuple(map(min, caps, map(add, vector, more))), (*parts, more))
        result = {vector: grown[vector] for vector in pareto(grown, effort=effort)}
    return result


def _only(caps: Vector, kinds: Vector) -> Iterable[int]:
    """The caps of these kinds; 0 for all others."""
    return (cap if kind else 0 for cap, kind in zip(caps, kinds, strict=True))


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
    shares: Sequence[Share], shared: Sequence[str], *, backings: Mapping[str, int], wanted: Vector, packer: Packer
) -> dict[Vector, tuple[Vector, ...]]:
    """The maximal vectors of units, by coordinate of `shares`, that the shared backings hold together, with their parts."""

    caps = tuple(wanted[kind] for kind, _ in shares)
    costs = tuple((packer.disks[kind],) for kind, _ in shares)
    fronts = [
        maximal(
            costs,
            (backings[name],),
            tuple(cap if name in names else 0 for cap, (_, names) in zip(caps, shares, strict=True)),
            effort=packer.effort,
        )
        for name in shared
    ]
    return sums(fronts, caps, effort=packer.effort)


def _axes(
    shares: Sequence[Share], kinds: range, *, roomy: bool, local: Collection[int]
) -> list[tuple[str, int, Share | None]]:
    """What of a filling matters to the rest: where all is roomy, units in all; else also how many of them need nothing shared."""
    axes: list[tuple[str, int, Share | None]] = []
    for kind in kinds:
        own = [share for share in shares if share[0] == kind]
        if own and kind in local and not roomy:
            axes.append(("local", kind, None))
        if roomy or len(own) <= 1:
            axes.append(("total", kind, None))
        else:
            axes.extend(("share", kind, share) for share in own)
    return axes
