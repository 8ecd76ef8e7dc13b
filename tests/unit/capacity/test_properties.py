"""What must hold on any cluster, held against a second, naive account of the rules (tests/support/reference.py)."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxmox_offerings.capacity.shortage import Shortage
from proxmox_offerings.catalogue.explain import TierAccount
from support import reference
from support.cluster import cards, explained, node, offer, planned
from support.reference import Guest, Lab, Machine, Store, Terms, Unit

NAMES = ("pve1", "pve2", "pve3", "pve4")

quick = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def labs(draw: st.DrawFn) -> Lab:
    names = NAMES[: draw(st.integers(1, 4))]
    machines = tuple(
        Machine(
            name=name,
            threads=draw(st.integers(2, 16)),
            memory=draw(st.integers(3, 24)),
            cards=draw(st.integers(0, 4)),
            online=draw(st.integers(0, 7)) > 0,
        )
        for name in names
    )
    cards = {one.name: one.cards for one in machines}
    guests = []
    for vmid in range(100, 100 + draw(st.integers(0, 5))):
        home = draw(st.sampled_from(names))
        guests.append(
            Guest(
                vmid=vmid,
                node=home,
                cpu=draw(st.integers(1, 4)),
                memory=draw(st.integers(1, 4)),
                running=draw(st.booleans()),
                template=draw(st.integers(0, 5)) == 0,
                cards=frozenset(draw(st.sets(st.integers(1, cards[home]), max_size=2))) if cards[home] else frozenset(),
            )
        )
    stores = tuple(
        Store(
            name=f"store{number}",
            nodes=frozenset(draw(st.sets(st.sampled_from(names), min_size=1))),
            shared=draw(st.booleans()),
            free=draw(st.integers(0, 20)),
        )
        for number in range(draw(st.integers(1, 4)))
    )
    return Lab(machines=machines, guests=tuple(guests), stores=stores)


units = st.builds(
    Unit,
    cpu=st.integers(1, 3),
    memory=st.integers(1, 3),
    disk=st.integers(1, 4),
    cards=st.sampled_from((0, 0, 0, 1, 2)),
)
terms = st.builds(
    Terms,
    percent=st.sampled_from((50, 100, 150, 400)),
    reserved=st.integers(0, 2),
    failover=st.sampled_from((0, 0, 0, 1, 2)),
)


def said(lab: Lab, unit: Unit, on: Terms, **more: Any) -> Any:
    return offer(lab.facts, unit.tier, allocation=on.allocation, **more).statement


def sold(lab: Lab, unit: Unit, on: Terms) -> int:
    return said(lab, unit, on).available or 0


@quick
@given(labs(), units, terms)
def test_available_is_what_the_naive_account_says(lab: Lab, unit: Unit, on: Terms) -> None:
    """Not one more, which would be a false claim, and not one less."""
    assert sold(lab, unit, on) == reference.available(lab, unit, on)


@quick
@given(labs(), units, terms)
def test_placement_is_exactly_what_is_available_and_fits(lab: Lab, unit: Unit, on: Terms) -> None:
    statement = said(lab, unit, on)
    placement = {one.name: one.available for one in statement.nodes}
    assert sum(placement.values()) == (statement.available or 0)
    assert reference.fits(lab, unit, on, placement)


@quick
@given(labs(), units, st.builds(Terms, percent=st.sampled_from((50, 100, 400)), reserved=st.integers(0, 2)))
def test_one_more_unit_never_fits(lab: Lab, unit: Unit, on: Terms) -> None:
    """Whatever node it is put on beside the placement; where a node has room left, nobody has a disk left for it."""
    placement = {one.name: one.available for one in said(lab, unit, on).nodes}
    for name, units_there in placement.items():
        assert not reference.fits(lab, unit, on, {**placement, name: units_there + 1})


@quick
@given(labs(), units, terms)
def test_nodes_are_filled_in_order(lab: Lab, unit: Unit, on: Terms) -> None:
    """Of all placements of so many units, this one has most on the first node, then on the second and so on."""
    statement = said(lab, unit, on)
    placement = {one.name: one.available for one in statement.nodes}
    names = sorted(placement)
    for earlier, later in ((a, b) for a in names for b in names if a < b and placement[b]):
        moved = {**placement, earlier: placement[earlier] + 1, later: placement[later] - 1}
        assert not reference.fits(lab, unit, on, moved)


@quick
@given(labs(), units, terms, st.sampled_from(NAMES), st.integers(1, 3), st.integers(1, 3))
def test_one_guest_more_never_leaves_more(lab: Lab, unit: Unit, on: Terms, home: str, cpu: int, memory: int) -> None:
    """Without failover: with it, where guests are re-hosted changes, and first fit is not monotonic."""
    on = replace(on, failover=0)
    more = replace(lab, guests=(*lab.guests, Guest(vmid=999, node=home, cpu=cpu, memory=memory, running=False)))
    assert sold(more, unit, on) <= sold(lab, unit, on)


@quick
@given(labs(), units, terms, st.sampled_from(NAMES))
def test_one_node_less_never_leaves_more(lab: Lab, unit: Unit, on: Terms, lost: str) -> None:
    on = replace(on, failover=0)
    less = replace(lab, machines=tuple(replace(one, online=one.online and one.name != lost) for one in lab.machines))
    assert sold(less, unit, on) <= sold(lab, unit, on)


@quick
@given(labs(), units, terms)
def test_larger_reserve_never_leaves_more(lab: Lab, unit: Unit, on: Terms) -> None:
    on = replace(on, failover=0)
    before = sold(lab, unit, on)
    assert sold(lab, unit, replace(on, reserved=on.reserved + 1)) <= before
    assert sold(lab, unit, replace(on, percent=on.percent // 2)) <= before


@quick
@given(labs(), units, terms)
def test_keeping_room_for_failover_never_leaves_more(lab: Lab, unit: Unit, on: Terms) -> None:
    assert sold(lab, unit, replace(on, failover=max(1, on.failover))) <= sold(lab, unit, replace(on, failover=0))


@quick
@given(labs(), units, terms, st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(lab: Lab, unit: Unit, on: Terms, random: Any) -> None:
    facts = lab.facts
    parts = {name: list(getattr(facts, name)) for name in ("nodes", "guests", "storages")}
    for rows in parts.values():
        random.shuffle(rows)
    shuffled = facts.but(**{name: tuple(rows) for name, rows in parts.items()})
    one, other = (planned(seen, unit.tier, allocation=on.allocation) for seen in (facts, shuffled))
    assert one == other


@quick
@given(labs(), units, terms, st.integers(1, 5))
def test_max_units_caps_and_nothing_else(lab: Lab, unit: Unit, on: Terms, most: int) -> None:
    capped = offer(lab.facts, {**unit.tier, "maxUnits": most}, allocation=on.allocation).statement
    assert capped.available == min(most, sold(lab, unit, on))
    assert sum(one.available for one in capped.nodes) == capped.available


even_terms = st.builds(Terms, percent=st.sampled_from((50, 100, 200)), reserved=st.integers(0, 2))


@quick
@given(labs(), units, even_terms)
def test_what_one_more_unit_is_said_to_take_is_enough_and_no_more_than_that(lab: Lab, unit: Unit, on: Terms) -> None:
    """Held against the product itself, on a cluster that has so much more, and on each that has a byte, a point or a card less."""
    account = told(lab, unit, on)
    lacking = account.shortage
    if lacking is None:
        reached = {name for disk in account.disks for name in disk.nodes}
        assert not any(name in reached for name in (one.name for one in account.nodes))
        return
    assert sold_with(lab, unit, on, account, lacking) > (account.available or 0)
    for name in ("memory", "cpu", "cards", "disk"):
        if given_amount := getattr(lacking, name):
            less = replace(lacking, **{name: given_amount - 1})
            assert sold_with(lab, unit, on, account, less) == account.available, name


@quick
@given(labs(), units, even_terms, st.sampled_from((1, 1, 2)))
def test_what_is_said_to_make_room_does_so_beside_failover_too(lab: Lab, unit: Unit, on: Terms, failover: int) -> None:
    on = replace(on, failover=failover)
    account = told(lab, unit, on)
    if account.shortage is not None:
        assert sold_with(lab, unit, on, account, account.shortage) > (account.available or 0)


@quick
@given(labs(), units, terms)
def test_stranded_is_never_more_than_what_is_left(lab: Lab, unit: Unit, on: Terms) -> None:
    """Each node's and each backing's, and never what the placed units take."""
    explanation = explained(lab.facts, unit.tier, allocation=on.allocation)
    (account,) = explanation.tiers
    rooms = {one.name: one for one in explanation.nodes}
    placed = {one.name: one.placed for one in account.nodes}
    disks = {disk.backing: disk for disk in account.disks}
    for one in account.stranded:
        for name, left in one.disk.items():
            disk = disks[name]
            assert 0 < left == disk.headroom - disk.used * unit.disk * reference.GIB
        if len(one.nodes) == 1:
            room, there = rooms[one.nodes[0]], placed[one.nodes[0]]
            assert 0 <= one.memory <= max(0, room.memory.headroom - there * unit.memory * reference.GIB)
            assert 0 <= one.cpu <= max(0, room.cpu.headroom - there * unit.cpu * 100)
            assert 0 <= one.cards <= sum(card.free or 0 for card in room.cards or ()) - there * unit.cards
        else:
            assert (one.memory, one.cpu, one.cards) == (0, 0, 0)


def told(lab: Lab, unit: Unit, on: Terms) -> TierAccount:
    (account,) = explained(lab.facts, unit.tier, allocation=on.allocation).tiers
    return account


def sold_with(lab: Lab, unit: Unit, on: Terms, account: TierAccount, more: Shortage) -> int:
    """What is sold of a cluster that has so much more."""
    facts = lab.facts
    threads = -(-more.cpu // on.percent)
    nodes = []
    for machine, seen in zip(lab.machines, facts.nodes, strict=True):
        if machine.name != more.node:
            nodes.append(seen)
            continue
        nodes.append(
            node(
                machine.name,
                threads=machine.threads + threads,
                memory=machine.memory * reference.GIB + more.memory,
                pci=cards(machine.cards + more.cards),
            )
        )
    grown = {name for disk in account.disks if disk.backing == more.backing for name in disk.storages}
    storages = tuple(
        replace(one, avail=(one.avail or 0) + more.disk) if one.definition.storage in grown else one
        for one in facts.storages
    )
    allocation = on.allocation | {
        # Whole threads more, of which the node keeps what was not asked for.
        "overrides": [{"nodes": [more.node], "cpu": {"reserved": f"{threads * 1000 - more.cpu * 1000 // on.percent}m"}}]
    }
    larger = facts.but(nodes=tuple(nodes), storages=storages)
    return offer(larger, unit.tier, allocation=allocation).statement.available or 0
