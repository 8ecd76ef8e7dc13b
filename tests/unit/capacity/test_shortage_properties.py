"""What is said of one more unit and of what is stranded, held against the product itself on larger clusters."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from proxmox_offerings.capacity.shortage import Shortage
from proxmox_offerings.catalogue.explain import TierAccount
from support import reference
from support.cluster import cards, explained, node, offer
from support.reference import Lab, Terms, Unit
from support.strategies import even_terms, plain_labs, plain_units, quick


@quick
@given(plain_labs, plain_units, even_terms)
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
@given(plain_labs, plain_units, even_terms, st.sampled_from((1, 1, 2)))
def test_what_is_said_to_make_room_does_so_beside_failover_too(lab: Lab, unit: Unit, on: Terms, failover: int) -> None:
    on = replace(on, failover=failover)
    account = told(lab, unit, on)
    if account.shortage is not None:
        assert sold_with(lab, unit, on, account, account.shortage) > (account.available or 0)


@quick
@given(plain_labs, plain_units, even_terms)
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
    threads = -(-more.cpu // on.usual.percent)
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
                pci=cards(len(machine.cards) + more.cards),
            )
        )
    grown = {name for disk in account.disks if disk.backing == more.backing for name in disk.storages}
    storages = tuple(
        replace(one, avail=(one.avail or 0) + more.disk) if one.definition.storage in grown else one
        for one in facts.storages
    )
    allocation = on.allocation | {
        # Whole threads more, of which the node keeps what was not asked for.
        "overrides": [
            {"nodes": [more.node], "cpu": {"reserved": f"{threads * 1000 - more.cpu * 1000 // on.usual.percent}m"}}
        ]
    }
    larger = facts.but(nodes=tuple(nodes), storages=storages)
    return offer(larger, unit.tier, allocation=allocation).statement.available or 0
