"""What must hold on any cluster, held against a second, naive account of the rules (tests/support/reference.py)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxmox_offerings.catalogue.plan import Plan
from support import reference
from support.cluster import offer, planned
from support.reference import Lab, Terms, Unit, View
from support.strategies import NAMES, guests, labs, plain_terms, quick, terms, units
from support.wire import reread


def said(lab: Lab, unit: Unit, on: Terms, **more: Any) -> Any:
    return offer(lab.facts, {**unit.tier, **more}, allocation=on.allocation, storageRules=lab.rules).statement


def sold(lab: Lab, unit: Unit, on: Terms) -> int:
    return said(lab, unit, on).available or 0


@settings(quick, max_examples=300)
@given(labs(), units(), terms)
def test_available_is_what_the_naive_account_says(lab: Lab, unit: Unit, on: Terms) -> None:
    """Not one more, which would be a false claim, and not one less."""
    assert sold(lab, unit, on) == reference.available(lab, unit, on)


@quick
@given(labs(), units(), terms)
def test_placement_is_exactly_what_is_available_and_fits(lab: Lab, unit: Unit, on: Terms) -> None:
    statement = said(lab, unit, on)
    placement = {one.name: one.available for one in statement.nodes}
    assert sum(placement.values()) == (statement.available or 0)
    assert reference.fits(lab, unit, on, placement)


@quick
@given(labs(), units(), plain_terms)
def test_one_more_unit_never_fits(lab: Lab, unit: Unit, on: Terms) -> None:
    """Whatever node it is put on beside the placement; where a node has room left, nobody has a disk left for it."""
    placement = {one.name: one.available for one in said(lab, unit, on).nodes}
    for name, units_there in placement.items():
        assert not reference.fits(lab, unit, on, {**placement, name: units_there + 1})


@quick
@given(labs(), units(), plain_terms, st.data())
def test_units_that_were_sold_leave_so_many_fewer(lab: Lab, unit: Unit, on: Terms, data: st.DataObject) -> None:
    """Put as guests where the placement says, with their disks written: all of them leave none, some leave the others."""
    placement = {one.name: one.available for one in said(lab, unit, on).nodes}
    most = sum(placement.values())
    some = data.draw(st.integers(0, most))
    assert sold(reference.sold(lab, unit, placement, some), unit, on) == most - some
    assert sold(reference.sold(lab, unit, placement, most), unit, on) == 0


@quick
@given(labs(), units(), terms)
def test_nodes_are_filled_in_order(lab: Lab, unit: Unit, on: Terms) -> None:
    """Of all placements of so many units, this one has most on the first node, then on the second and so on."""
    statement = said(lab, unit, on)
    placement = {one.name: one.available for one in statement.nodes}
    names = sorted(placement)
    for earlier, later in ((a, b) for a in names for b in names if a < b and placement[b]):
        moved = {**placement, earlier: placement[earlier] + 1, later: placement[later] - 1}
        assert not reference.fits(lab, unit, on, moved)


@quick
@given(labs(), units(), plain_terms, st.data())
def test_one_guest_more_never_leaves_more(lab: Lab, unit: Unit, on: Terms, data: st.DataObject) -> None:
    more = replace(lab, guests=(*lab.guests, data.draw(guests(999, lab.machines))))
    assert sold(more, unit, on) <= sold(lab, unit, on)


@quick
@given(labs(), units(), plain_terms, st.sampled_from(NAMES))
def test_one_node_less_never_leaves_more(lab: Lab, unit: Unit, on: Terms, lost: str) -> None:
    less = replace(lab, machines=tuple(replace(one, online=one.online and one.name != lost) for one in lab.machines))
    assert sold(less, unit, on) <= sold(lab, unit, on)


@quick
@given(labs(), units(), plain_terms)
def test_larger_reserve_never_leaves_more(lab: Lab, unit: Unit, on: Terms) -> None:
    before, usual = sold(lab, unit, on), on.usual
    assert sold(lab, unit, replace(on, usual=replace(usual, reserved=usual.reserved + 1))) <= before
    assert sold(lab, unit, replace(on, usual=replace(usual, overhead=usual.overhead + 1))) <= before
    if not unit.dedicated and not any(one.dedicated for one in lab.guests):  # below 100 %, one costs less than a thread
        assert sold(lab, unit, replace(on, usual=replace(usual, percent=usual.percent // 2))) <= before


@quick
@given(labs(), units(), terms)
def test_keeping_room_for_failover_never_leaves_more(lab: Lab, unit: Unit, on: Terms) -> None:
    assert sold(lab, unit, replace(on, failover=max(1, on.failover))) <= sold(lab, unit, replace(on, failover=0))


@quick
@given(labs(), units(), terms, st.randoms(use_true_random=False))
@pytest.mark.reliability("T29")
def test_order_of_rows_changes_nothing(lab: Lab, unit: Unit, on: Terms, random: Any) -> None:
    facts = lab.facts
    parts = {name: list(getattr(facts, name)) for name in ("nodes", "guests", "storages")}
    for rows in parts.values():
        random.shuffle(rows)
    shuffled = facts.but(**{name: tuple(rows) for name, rows in parts.items()})
    one, other = (planned(seen, unit.tier, allocation=on.allocation) for seen in (facts, shuffled))
    assert one == other


@quick
@given(labs(), units(), plain_terms, st.permutations(range(5)), st.permutations("abcdefghi"))
def test_names_mean_nothing(lab: Lab, unit: Unit, on: Terms, numbers: list[int], letters: list[str]) -> None:
    """Guests and storages may have any names, and nodes any that leave them in their order, by which nodes are filled."""

    def node(name: str) -> str:
        return f"a{name}.lan"

    views = [one.name for store in lab.stores for one in store.views]

    def view(own: View) -> View:
        return replace(own, name=f"{letters[views.index(own.name)]}{own.name}")

    vmids = {one.vmid: 700 + numbers[index] for index, one in enumerate(lab.guests)}
    renamed = Lab(
        machines=tuple(replace(one, name=node(one.name)) for one in lab.machines),
        guests=tuple(replace(one, vmid=vmids[one.vmid], node=node(one.node)) for one in lab.guests),
        stores=tuple(
            replace(one, name=f"x{one.name}", nodes=frozenset(map(node, one.nodes)), views=tuple(map(view, one.views)))
            for one in lab.stores
        ),
    )
    its_unit = unit if unit.nodes is None else replace(unit, nodes=frozenset(map(node, unit.nodes)))
    its_terms = replace(on, other_nodes=frozenset(map(node, on.other_nodes)))
    one, other = said(lab, unit, on), said(renamed, its_unit, its_terms)
    assert (other.stock, other.available, other.limiting_resource) == (one.stock, one.available, one.limiting_resource)
    assert [(own.name, own.available, own.limiting_resource) for own in other.nodes] == [
        (node(own.name), own.available, own.limiting_resource) for own in one.nodes
    ]


@quick
@given(labs(), units(), terms)
@pytest.mark.reliability("T25")
def test_numbers_written_as_texts_are_the_same_numbers(lab: Lab, unit: Unit, on: Terms) -> None:
    """The server checks no types of what it answers: through the parsers, "4" is 4, and "1" is true."""

    def plan(seen: Any) -> Plan:
        return planned(seen, unit.tier, allocation=on.allocation, storageRules=lab.rules)

    facts = lab.facts
    as_numbers, as_texts = plan(reread(facts, number=int)), plan(reread(facts, number=str))
    assert as_numbers == as_texts == plan(facts)


@quick
@given(labs(), units(), terms, st.integers(1, 5))
def test_max_units_caps_and_nothing_else(lab: Lab, unit: Unit, on: Terms, most: int) -> None:
    capped = said(lab, unit, on, maxUnits=most)
    assert capped.available == min(most, sold(lab, unit, on))
    assert sum(one.available for one in capped.nodes) == capped.available
