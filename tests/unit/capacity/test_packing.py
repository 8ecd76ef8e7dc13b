"""Several kinds of units at the same time: "yes" with a valid placement and "no" exactly as looking at every arrangement says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxmox_offerings.capacity.packing import Effort, Packer, Packing, Place, Placed, Vector

quick = settings(max_examples=300)
MODELS = ("a", "b")
Question = tuple[Vector, Vector, tuple[Place, ...], dict[str, int]]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Sizes of disks, counts, nodes, and backings of which each node and kind reaches some."""
    kinds = draw(st.integers(1, 3))
    names = [f"store{number}" for number in range(draw(st.integers(1, 4)))]
    backings = {name: draw(st.integers(0, 9)) for name in names}
    places = []
    for number in range(draw(st.integers(1, 3))):
        reaches = [tuple(sorted(draw(st.sets(st.sampled_from(names), max_size=3)))) for _ in range(kinds)]
        if draw(st.booleans()):
            reaches = [reaches[0]] * kinds
        places.append(
            Place(
                name=f"pve{number}",
                room=(draw(st.integers(0, 10)), draw(st.integers(0, 10))),
                costs=tuple(
                    (draw(st.integers(1, 4)), draw(st.integers(1, 4))) if draw(st.integers(0, 5)) else None
                    for _ in range(kinds)
                ),
                cards=tuple((model, draw(st.integers(1, 4))) for model in MODELS if draw(st.booleans())),
                wants=tuple(
                    (draw(st.integers(1, 2)), draw(st.frozensets(st.sampled_from(MODELS), min_size=1)))
                    if draw(st.integers(0, 3)) == 0
                    else None
                    for _ in range(kinds)
                ),
                reach=tuple(reaches),
            )
        )
    disks = tuple(draw(st.integers(1, 4)) for _ in range(kinds))
    wanted = tuple(draw(st.integers(0, 4)) for _ in range(kinds))
    return disks, wanted, tuple(places), backings


def fits(disks: Vector, wanted: Vector, places: Sequence[Place], backings: Mapping[str, int]) -> bool:
    """By trying every place for one unit after the other."""
    names = sorted(backings)

    @cache
    def rest_fits(left: Vector, rooms: tuple[Vector, ...], cards: tuple[Vector, ...], free: Vector) -> bool:
        kind = next((kind for kind, count in enumerate(left) if count), None)
        if kind is None:
            return True
        fewer = (*left[:kind], left[kind] - 1, *left[kind + 1 :])
        for (at, place), (on, name) in product(enumerate(places), enumerate(names)):
            cost, want = place.costs[kind], place.wants[kind]
            if cost is None or name not in place.reach[kind] or free[on] < disks[kind]:
                continue
            room = tuple(have - each for have, each in zip(rooms[at], cost, strict=True))
            if min(room) < 0:
                continue
            models = [None] if want is None else [number for number, model in enumerate(MODELS) if model in want[1]]
            for model in models:
                own = list(cards[at])
                if want is not None and model is not None:
                    own[model] -= want[0]
                    if own[model] < 0:
                        continue
                if rest_fits(
                    fewer,
                    (*rooms[:at], room, *rooms[at + 1 :]),
                    (*cards[:at], tuple(own), *cards[at + 1 :]),
                    (*free[:on], free[on] - disks[kind], *free[on + 1 :]),
                ):
                    return True
        return False

    return rest_fits(
        wanted,
        tuple(place.room for place in places),
        tuple(tuple(dict(place.cards).get(model, 0) for model in MODELS) for place in places),
        tuple(backings[name] for name in names),
    )


def check(placed: Sequence[Placed], question: Question) -> None:
    """The placement is of what was wanted, and nothing is used twice."""
    disks, wanted, places, backings = question
    assert [sum(one.units for one in placed if one.kind == kind) for kind in range(len(wanted))] == list(wanted)
    used = Counter[str]()
    for one in placed:
        assert one.units > 0
        used[one.backing] += one.units * disks[one.kind]
    assert all(used[name] <= backings[name] for name in used)
    for place in places:
        here = tuple(
            sum(one.units for one in placed if (one.kind, one.node) == (kind, place.name))
            for kind in range(len(wanted))
        )
        assert all(one.backing in place.reach[one.kind] for one in placed if one.node == place.name)
        assert all(cost is not None or not units for cost, units in zip(place.costs, here, strict=True))
        for resource, room in enumerate(place.room):
            assert sum(units * cost[resource] for units, cost in zip(here, place.costs, strict=True) if cost) <= room
        plenty = {"anywhere": 10**6}
        alone = Place(
            name=place.name,
            room=(10**6, 10**6),
            costs=((1, 1),) * len(wanted),
            cards=place.cards,
            wants=place.wants,
            reach=(tuple(plenty),) * len(wanted),
        )
        assert fits((1,) * len(wanted), here, [alone], plenty), "the cards of the node are not enough"


def pack(question: Question, *, steps: int = 10**6) -> Packing:
    disks, wanted, places, backings = question
    return Packer(disks=disks, effort=Effort(left=steps)).pack(wanted, places=places, backings=backings)


@quick
@given(questions())
def test_answer_is_that_of_looking_at_every_arrangement(question: Question) -> None:
    packing = pack(question)
    assert packing.proven
    assert (packing.placed is not None) == fits(*question)
    if packing.placed is not None:
        check(packing.placed, question)


@quick
@given(questions(), st.integers(0, 60))
def test_little_effort_may_leave_it_undecided_but_never_lies(question: Question, steps: int) -> None:
    packing = pack(question, steps=steps)
    if packing.proven:
        assert (packing.placed is not None) == fits(*question)
    else:
        assert packing.placed is None


@quick
@given(questions(), st.randoms(use_true_random=False))
def test_order_of_nodes_and_kinds_decides_nothing(question: Question, random: st.DataObject) -> None:
    disks, wanted, places, backings = question
    order = list(range(len(wanted)))
    random.shuffle(order)  # type: ignore[attr-defined]
    turned = [
        Place(
            name=place.name,
            room=place.room,
            costs=tuple(place.costs[kind] for kind in order),
            cards=place.cards,
            wants=tuple(place.wants[kind] for kind in order),
            reach=tuple(place.reach[kind] for kind in order),
        )
        for place in reversed(places)
    ]
    other = (tuple(disks[kind] for kind in order), tuple(wanted[kind] for kind in order), tuple(turned), backings)
    assert (pack(question).placed is None) == (pack(other).placed is None)


def test_many_kinds_are_placed_although_not_every_way_can_be_looked_at() -> None:
    """Twelve kinds on three nodes of 230 in all, 198 of which are wanted: far too many ways of filling a node to keep them all."""
    sizes = range(2, 14)
    places = tuple(
        Place(
            name=f"pve{number}",
            room=(100, 75 + number),
            costs=tuple((size // 2, size) for size in sizes),
            cards=(),
            wants=(None,) * len(sizes),
            reach=(("nfs",),) * len(sizes),
        )
        for number in range(3)
    )
    disks = tuple(sizes)
    question = (disks, (2, 3) * 6, places, {"nfs": 1000})
    packing = pack(question)
    assert packing.placed is not None
    check(packing.placed, question)


@pytest.mark.parametrize(
    ("wanted", "fits_"),
    [
        pytest.param((2, 0), True, id="one on the node's own, one on the shared storage"),
        pytest.param((3, 0), False, id="neither of the two holds a second one"),
        pytest.param((1, 1), True, id="either kind on either"),
        pytest.param((2, 1), False, id="the other kind finds nothing left"),
    ],
)
def test_shared_storage_takes_what_own_disks_do_not_hold_and_no_more(wanted: Vector, fits_: bool) -> None:
    """Three bytes on pve1 alone, three that both nodes reach."""
    places = tuple(
        Place(
            name=name,
            room=(10, 10),
            costs=((1, 1), (1, 1)),
            cards=(),
            wants=(None, None),
            reach=(reach, reach),
        )
        for name, reach in (("pve1", ("own", "shared")), ("pve2", ("shared",)))
    )
    question = ((3, 2), wanted, places, {"own": 3, "shared": 3})
    packing = pack(question)
    assert packing.proven
    assert (packing.placed is not None) == fits_
    if packing.placed is not None:
        check(packing.placed, question)
