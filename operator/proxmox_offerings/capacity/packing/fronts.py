"""Pareto fronts: of vectors of units, those that no other one equals or exceeds in everything; of what fits into a room, and of sums."""

from collections.abc import Iterable, Sequence
from operator import add, ge

from proxmox_offerings.capacity.packing.effort import Effort

Vector = tuple[int, ...]
"""Units by kind, or amounts by resource: never negative."""

MOST_VECTORS = 20_000
"""More vectors of one room are thinned out, after which a "no" is not proven any more."""


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


def only(caps: Vector, kinds: Vector) -> Vector:
    """The caps of these kinds; 0 for all others."""
    return tuple(cap if kind else 0 for cap, kind in zip(caps, kinds, strict=True))
