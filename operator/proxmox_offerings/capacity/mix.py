"""Whether units of several tiers fit at the same time, and where each would go.

The rules are those of one tier (capacity.md 6), made to hold together: what a node has left in CPU, memory and cards is shared by all tiers,
and so is what a backing has for sale: the least that any of its ids shows which one of these tiers may use. With `failoverNodes`, the mix
must fit now, and on the rest for every set of nodes that may go down, once their guests were re-hosted there. A mix of one tier fits exactly
if its `available` says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

from proxmox_offerings.capacity.failover import Housing, Left, Rest
from proxmox_offerings.capacity.fit import Fit, Need
from proxmox_offerings.capacity.gpus import keys_for, of_one_kind
from proxmox_offerings.capacity.packing import Effort, Packer, Packing, Place, Placed
from proxmox_offerings.capacity.rooms import Room
from proxmox_offerings.resources import LimitingResource, Tier

STEPS = 1_000_000
STEPS_OF_A_CASE = 5_000
"""Effort for one question: some seconds at most; and more for each case of failover, of which 32 nodes have 496 if two may go down."""
MOST_TIERS_IN_SUMS = 8
"""Subsets of more tiers are not summed up one by one, only all tiers together."""


class Verdict(StrEnum):
    """The answer. `CannotTell`: it does not fit on the nodes that could be judged, but others could not be. `Undecided`: neither an
    arrangement nor a proof that there is none was found within the effort.
    """

    FITS = "Fits"
    DOES_NOT_FIT = "DoesNotFit"
    CANNOT_TELL = "CannotTell"
    UNDECIDED = "Undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """Even alone the tier does not fit so often; `fit` says why."""

    tier: str
    wanted: int
    fit: Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """`tiers` together want more of a resource than all nodes have left on which any of them can be: points of CPU, bytes, or cards.

    `down`: with these nodes down.
    """

    tiers: tuple[str, ...]
    resource: LimitingResource
    wanted: int
    left: int
    down: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoArrangement:
    """There may be enough of everything in total, but in no arrangement is there a place for each unit. `down`: with these nodes down."""

    down: tuple[str, ...]


Reason = Alone | Short | NoArrangement


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The answer to `wanted` units by tier, in the order in which they were asked for.

    `placed` (tier, node, backing, units) are all of them, or where they do not fit, as many as were found, the first tier served first;
    `most`: no more than these is proven to fit in that order. `reasons` say why not all fit; `blind` the nodes that could not be judged.
    """

    wanted: Mapping[str, int]
    verdict: Verdict
    placed: tuple[tuple[str, str, str, int], ...]
    most: bool
    reasons: tuple[Reason, ...]
    blind: Mapping[str, str]

    @property
    def fitting(self) -> dict[str, int]:
        """Units by tier in `placed`."""
        return {name: sum(units for tier, _, _, units in self.placed if tier == name) for name in self.wanted}


def mix_of(
    wanted: Mapping[str, int],
    *,
    tiers: Mapping[str, Tier],
    fits: Mapping[str, Fit],
    housing: Housing,
    steps: int = STEPS,
) -> Mix:
    """Whether so many units of each of these tiers fit at the same time; `fits` says what fits of each alone."""
    counts = dict(wanted)
    blind = {node: reason for name in counts for node, reason in fits[name].blind.items()}
    alone = tuple(
        Alone(tier=name, wanted=count, fit=fits[name])
        for name, count in counts.items()
        if count > (fits[name].available or 0)
    )
    question = _Question.of([tiers[name] for name in sorted(counts)], fits=fits, housing=housing, steps=steps)
    proven, reasons = True, tuple[Reason, ...](alone)
    if not alone:
        packing, down = question.ask(counts)
        if packing.placed is not None:
            return Mix(
                wanted=counts,
                verdict=Verdict.FITS,
                placed=question.named(packing.placed),
                most=True,
                reasons=(),
                blind=blind,
            )
        proven = packing.proven
        reasons = (question.reason(counts, down),) if proven else ()
    placed, most = question.served_in_order(counts, fits)
    capped = any(one.fit.limiting is LimitingResource.MAX_UNITS for one in alone)
    verdict = Verdict.DOES_NOT_FIT if proven else Verdict.UNDECIDED
    if blind and not capped:
        verdict = Verdict.CANNOT_TELL
    return Mix(wanted=counts, verdict=verdict, placed=placed, most=most, reasons=reasons, blind=blind)


_Nodes = tuple[tuple[str, ...], tuple[Place, ...]]
"""The nodes that are down, and the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """The tiers in an order of their own, so that the order of asking decides nothing; the nodes now and in each case of failover."""

    needs: Mapping[str, Need]
    backings: Mapping[str, int]
    cases: Sequence[_Nodes]
    steps: int
    narrowed: bool
    """Several of the tiers take of one model of cards, whole or by different profiles: only one of these was looked at on each node, so that no
    "no" is proven.
    """

    @classmethod
    def of(cls, tiers: Sequence[Tier], *, fits: Mapping[str, Fit], housing: Housing, steps: int) -> "_Question":
        needs = {tier.name: Need.of(tier) for tier in tiers}
        backings: dict[str, int] = {}
        for name in needs:
            for backing, left in fits[name].disks.headroom.items():
                backings[backing] = min(max(0, left), backings.get(backing, left))
        names = sorted({node.name for tier in needs for node in fits[tier].nodes})
        now = {name: _place(housing.now[name], needs, fits) for name in names}
        cases = [((), tuple(now.values())), *(_case(rest, now) for rest in housing.after)]
        narrowed = any(len(of_one_kind(dict.fromkeys(keys, 1), keys)) < len(keys) for keys in map(_keys, now.values()))
        return cls(needs=needs, backings=backings, cases=cases, steps=steps, narrowed=narrowed)

    @property
    def effort(self) -> Effort:
        """For one round of asking."""
        return Effort(left=self.steps + (len(self.cases) - 1) * STEPS_OF_A_CASE)

    def ask(self, counts: Mapping[str, int], *, effort: Effort | None = None) -> tuple[Packing, tuple[str, ...]]:
        """The placement of so many units as things are now; where some case has none, that case: the nodes that are down in it."""
        wanted = self._vector(counts)
        packer = Packer(disks=tuple(need.disk for need in self.needs.values()), effort=effort or self.effort)
        undecided: tuple[Packing, tuple[str, ...]] | None = None
        now: Packing | None = None
        for down, places in self.cases:
            if not self.narrowed and self._short(wanted, places) is not None:
                return Packing(placed=None, proven=True), down
            packing = packer.pack(wanted, places=places, backings=self.backings)
            if packing.placed is None and self.narrowed:
                packing = Packing(placed=None, proven=False)
            now = now or packing
            if packing.placed is None:
                if packing.proven:
                    return packing, down
                undecided = undecided or (packing, down)
        return undecided or (now or Packing(placed=None, proven=True), ())

    def reason(self, counts: Mapping[str, int], down: tuple[str, ...]) -> Reason:
        """Why so many proved not to fit while these nodes are down."""
        places = next(places for those, places in self.cases if those == down)
        short = self._short(self._vector(counts), places)
        if short is None:
            return NoArrangement(down=down)
        kinds, resource, wanted, left = short
        names = list(self.needs)
        return Short(
            tiers=tuple(name for name in counts if names.index(name) in kinds),
            resource=resource,
            wanted=wanted,
            left=left,
            down=down,
        )

    def served_in_order(
        self, counts: Mapping[str, int], fits: Mapping[str, Fit]
    ) -> tuple[tuple[tuple[str, str, str, int], ...], bool]:
        """As many units as were found, each tier as many as fit beside those before it; and whether more are proven not to fit."""
        effort = self.effort
        kept = dict.fromkeys(counts, 0)
        placed: tuple[Placed, ...] = ()
        most = True
        for name, count in counts.items():
            fewest, many = 0, min(count, fits[name].available or 0)
            tried = many
            while fewest < many:
                packing, _ = self.ask({**kept, name: tried}, effort=effort)
                if packing.placed is not None:
                    fewest, placed = tried, packing.placed
                else:
                    many = tried - 1
                    most = most and packing.proven
                tried = (fewest + many + 1) // 2
            kept[name] = fewest
        return self.named(placed), most

    def named(self, placed: Sequence[Placed]) -> tuple[tuple[str, str, str, int], ...]:
        names = list(self.needs)
        return tuple((names[kind], node, backing, units) for kind, node, backing, units in placed)

    def _vector(self, counts: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(counts[name] for name in self.needs)

    def _short(
        self, wanted: Sequence[int], places: Sequence[Place]
    ) -> tuple[tuple[int, ...], LimitingResource, int, int] | None:
        """The fewest tiers that together want more of some resource than all places have on which any of them can be."""
        kinds = [kind for kind, count in enumerate(wanted) if count]
        sizes = range(1, len(kinds) + 1) if len(kinds) <= MOST_TIERS_IN_SUMS else (len(kinds),)
        for size in sizes:
            for some in combinations(kinds, size):
                for resource, need, left in self._sums(some, wanted, places):
                    if need > left:
                        return some, resource, need, left
        return None

    def _sums(
        self, kinds: Sequence[int], wanted: Sequence[int], places: Sequence[Place]
    ) -> Iterator[tuple[LimitingResource, int, int]]:
        """By resource, what the kinds want together at least, and what there is."""
        usable = [place for place in places if any(place.costs[kind] and place.reach[kind] for kind in kinds)]
        takes = [[cost for place in usable if (cost := place.costs[kind]) is not None] for kind in kinds]
        for number, resource in ((1, LimitingResource.MEMORY), (0, LimitingResource.CPU)):
            need = sum(
                wanted[kind] * min((cost[number] for cost in costs), default=0)
                for kind, costs in zip(kinds, takes, strict=True)
            )
            yield resource, need, sum(place.room[number] for place in usable)
        reached = {backing for place in usable for kind in kinds if place.costs[kind] for backing in place.reach[kind]}
        needs = list(self.needs.values())
        yield (
            LimitingResource.DISK,
            sum(wanted[kind] * needs[kind].disk for kind in kinds),
            sum(self.backings[backing] for backing in reached),
        )
        each = [needs[kind].tier.gpu for kind in kinds]
        if all(each):
            cards = sum(
                count
                for place in usable
                for model, count in place.cards
                if any(want is not None and model in want[1] for want in (place.wants[kind] for kind in kinds))
            )
            yield (
                LimitingResource.GPU,
                sum(wanted[kind] * gpu.count for kind, gpu in zip(kinds, each, strict=True) if gpu is not None),
                cards,
            )


def _case(rest: Rest, now: Mapping[str, Place]) -> _Nodes:
    """The places that remain, with what is left of them."""
    places = []
    for name, place in now.items():
        if name not in rest.down:
            left = rest.changed.get(name)
            places.append(place if left is None else replace(place, room=_room(left), cards=_cards(left, _keys(place))))
    return rest.down, tuple(places)


def _place(room: Room, needs: Mapping[str, Need], fits: Mapping[str, Fit]) -> Place:
    left = Left.of(room)
    wants = tuple(
        (need.tier.gpu.count, keys_for(need.tier, room.node)) if need.tier.gpu is not None else None
        for need in needs.values()
    )
    return Place(
        name=room.name,
        room=_room(left),
        costs=tuple(
            (need.points_on(room), need.memory_on(room))
            if any(node.name == room.name for node in fits[name].nodes) and not need.exceeds(room.node)
            else None
            for name, need in needs.items()
        ),
        cards=_cards(left, _wanted_keys(wants)),
        wants=wants,
        reach=tuple(fits[name].disks.reach.get(room.name, ()) for name in needs),
    )


def _room(left: Left) -> tuple[int, int]:
    return max(0, left.cpu), max(0, left.memory)


def _cards(left: Left, keys: frozenset[str]) -> tuple[tuple[str, int], ...]:
    return tuple(of_one_kind(left.cards, keys).items())


def _keys(place: Place) -> frozenset[str]:
    return _wanted_keys(place.wants)


def _wanted_keys(wants: Iterable[tuple[int, frozenset[str]] | None]) -> frozenset[str]:
    return frozenset().union(*(want[1] for want in wants if want is not None))
