"""Units of several tiers at the same time: hand-counted cases, and a naive account of the rules (tests/support/reference.py)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxmox_offerings.capacity.mix import Mix, Verdict, mix_of
from proxmox_offerings.catalogue.count import count
from proxmox_offerings.catalogue.mixes import UnknownTier, answer
from support import reference
from support.cluster import (
    ClusterFacts,
    available,
    cards,
    cluster,
    function,
    guest,
    host,
    node,
    storage,
    tier,
)
from support.reference import Lab, NodeTerms, Terms, Unit
from support.strategies import plain_labs, plain_units

FITS, DOES_NOT_FIT, CANNOT_TELL = "Fits", "DoesNotFit", "CannotTell"
quick = settings(max_examples=60)


def asked(seen: ClusterFacts, wanted: Mapping[str, int], *tiers: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    return answer(count(host=host(*tiers, **spec), snapshot=seen.snapshot()), wanted)


def packed(seen: ClusterFacts, wanted: Mapping[str, int], *tiers: Mapping[str, Any], steps: int, **spec: Any) -> Mix:
    counted = count(host=host(*tiers, **spec), snapshot=seen.snapshot())
    return mix_of(
        wanted,
        tiers={one.name: one for one in counted.tiers},
        fits={one.name: fit for one, fit in zip(counted.tiers, counted.fits, strict=True)},
        housing=counted.housing,
        steps=steps,
    )


def two(memory: str, **more: Any) -> ClusterFacts:
    return cluster(nodes=[node(name, memory=memory, **more) for name in ("pve1", "pve2")])


def places(said: Mapping[str, Any]) -> list[tuple[str, str, int, str]]:
    return [(one["node"], one["tier"], one["units"], *one["storages"]) for one in said["placement"]]


def test_fragments_that_add_up_are_no_place() -> None:
    """4 + 3 x 2 GiB are 10, and 2 x 5 GiB are there; but the 4 leave 1 on their node, and the other one takes two of the 2."""
    tiers = tier("big", memory="4Gi"), tier("mid", memory="2Gi")
    said = asked(two("5Gi"), {"big": 1, "mid": 3}, *tiers)
    assert (said["verdict"], said["proven"]) == (DOES_NOT_FIT, True)
    assert said["reasons"] == ["there may be enough in total, but every arrangement leaves some unit without a place"]
    assert said["part"] == "1 big and 2 mid fit when big is served first, and no more"
    assert asked(two("5Gi"), {"mid": 3, "big": 1}, *tiers)["part"] == "3 mid fit when mid is served first, and no more"
    assert asked(two("5Gi"), {"big": 1, "mid": 2}, *tiers)["verdict"] == FITS


def test_two_tiers_do_not_both_get_the_same_shared_bytes() -> None:
    shared = cluster(
        nodes=[node("pve1"), node("pve2")], storages=[storage("nfs", "nfs", server="s", export="/x", avail="10Gi")]
    )
    tiers = tier("one", disk="6Gi"), tier("two", disk="5Gi")
    assert all(available(shared, each) for each in tiers)
    said = asked(shared, {"one": 1, "two": 1}, *tiers)
    assert said["verdict"] == DOES_NOT_FIT
    assert said["reasons"] == ["one and two want 11 GiB of disk, and the nodes that can carry them have 10 left"]


@pytest.mark.parametrize(
    ("wanted", "verdict"),
    [
        pytest.param({"three": 2, "two": 2}, FITS, id="3 + 2 on each"),
        pytest.param({"three": 2, "four": 1}, DOES_NOT_FIT, id="10 of 10, but 3 + 4 is more than 5"),
    ],
)
def test_disks_of_different_sizes_are_bytes_not_units(wanted: Mapping[str, int], verdict: str) -> None:
    """A disk lies on one storage: what two storages have left together holds none."""
    pools = [storage(name, volume_group=name, thin_pool="data", avail="5Gi") for name in ("a", "b")]
    tiers = [tier(name, disk=disk) for name, disk in (("two", "2Gi"), ("three", "3Gi"), ("four", "4Gi"))]
    assert asked(cluster(storages=pools), wanted, *tiers)["verdict"] == verdict


def test_tier_that_may_go_anywhere_leaves_the_fast_disks_to_the_one_that_needs_them() -> None:
    seen = cluster(
        storages=[
            storage("fast", volume_group="pve", thin_pool="data", avail="4Gi"),
            storage("nfs", "nfs", server="s", export="/x", avail="4Gi"),
        ]
    )
    rules = [{"match": "fast", "class": "nvme"}]
    tiers = tier("any", disk="4Gi"), tier("nvme", disk="4Gi", storageClass="nvme")
    said = asked(seen, {"any": 1, "nvme": 1}, *tiers, storageRules=rules)
    assert places(said) == [("pve1", "any", 1, "nfs"), ("pve1", "nvme", 1, "fast")]
    assert asked(seen, {"any": 2, "nvme": 1}, *tiers, storageRules=rules)["verdict"] == DOES_NOT_FIT


def test_storage_of_one_node_is_not_reached_from_another() -> None:
    """Memory for one unit on each node, disk for two on pve1 alone."""
    seen = cluster(
        nodes=[node("pve1", memory="2Gi"), node("pve2", memory="2Gi")],
        storages=[storage("local", volume_group="pve", thin_pool="data", on=["pve1"], avail="20Gi")],
    )
    tiers = tier("one", memory="2Gi", disk="10Gi"), tier("two", memory="2Gi", disk="10Gi")
    assert asked(seen, {"one": 1, "two": 1}, *tiers)["verdict"] == DOES_NOT_FIT


def test_tier_that_takes_any_card_leaves_the_rare_one_to_the_tier_that_needs_it() -> None:
    both = (
        function("0000:01:00.0", group=1),
        function("0000:02:00.0", group=2, device="1eb8", name="TU104GL [Tesla T4]"),
    )
    seen = cluster(nodes=[node("pve1", pci=both)])
    tiers = tier("any", gpu={"count": 1}), tier("rare", gpu={"count": 1, "models": ["*A100*"]})
    assert asked(seen, {"any": 1, "rare": 1}, *tiers)["verdict"] == FITS
    assert asked(seen, {"rare": 1, "any": 1}, *tiers)["verdict"] == FITS
    said = asked(seen, {"any": 2, "rare": 1}, *tiers)
    assert said["reasons"] == ["any and rare want 3 GPUs, and the nodes that can carry them have 2 left"]


def test_cards_of_two_models_are_no_pair() -> None:
    both = (function("0000:01:00.0", group=1), function("0000:02:00.0", group=2, device="1eb8"), *cards(4)[2:])
    seen = cluster(nodes=[node("pve1", pci=both)])
    tiers = tier("pair", gpu={"count": 2}), tier("single", gpu={"count": 1})
    assert asked(seen, {"pair": 1, "single": 2}, *tiers)["verdict"] == FITS
    assert asked(seen, {"pair": 1, "single": 3}, *tiers)["verdict"] == DOES_NOT_FIT


@pytest.mark.parametrize(("shared", "verdict"), [(8, FITS), (9, DOES_NOT_FIT)])
def test_dedicated_vcpu_takes_a_whole_thread_from_those_who_share(shared: int, verdict: str) -> None:
    """4 threads at 400 %: 2 dedicated vCPUs take 2 threads, the other 2 are for 8 shared ones."""
    said = asked(
        cluster(nodes=[node("pve1", threads=4)]),
        {"own": 1, "shared": shared},
        tier("own", cpu=2, dedicatedCPU=True),
        tier("shared"),
        allocation={"cpu": {"percent": 400}},
    )
    assert said["verdict"] == verdict


def test_each_node_is_counted_by_its_own_terms_and_for_the_tiers_that_it_carries() -> None:
    """pve1 (8 GiB, 4 kept back) carries containers only by its storage, pve2 is for machines of its own tier, pve3 is ARM."""
    seen = cluster(
        nodes=[node("pve1", memory="8Gi"), node("pve2", memory="4Gi"), node("pve3", memory="4Gi", arch="aarch64")],
        storages=[
            storage("boxes", volume_group="a", thin_pool="data", on=["pve1"], content=["rootdir"]),
            storage("disks", volume_group="b", thin_pool="data", on=["pve2", "pve3"], content=["images"]),
        ],
    )
    tiers = (
        tier("box", memory="4Gi", virtualization="LXC"),
        tier("vm", memory="4Gi", nodes={"include": ["pve2", "pve3"]}),
        tier("arm", memory="4Gi", architecture="arm64"),
    )
    spec = {"allocation": {"overrides": [{"nodes": ["pve1"], "memory": {"reserved": "4Gi"}}]}}
    said = asked(seen, {"box": 1, "vm": 1, "arm": 1}, *tiers, **spec)
    assert places(said) == [("pve1", "box", 1, "boxes"), ("pve2", "vm", 1, "disks"), ("pve3", "arm", 1, "disks")]
    assert asked(seen, {"box": 2, "vm": 1}, *tiers, **spec)["verdict"] == DOES_NOT_FIT


def test_what_fits_now_but_not_with_a_node_down_is_not_promised() -> None:
    """Two nodes of 8 GiB; the guest of 2 GiB moves to the other one, which has 6 left then: enough for 4 + 2, not for 4 + 4."""
    seen = two("8Gi").but(guests=(guest(100, "pve1", memory="2Gi"),))
    tiers = tier("four", memory="4Gi"), tier("two", memory="2Gi")
    failover = {"failoverNodes": 1}
    assert asked(seen, {"four": 1, "two": 1}, *tiers, allocation=failover)["verdict"] == FITS
    said = asked(seen, {"four": 1, "two": 2}, *tiers, allocation=failover)
    assert said["verdict"] == DOES_NOT_FIT
    assert said["reasons"] == [
        "four and two want 8 GiB of memory, and the nodes that can carry them have 6 left when pve1 is down"
    ]
    assert asked(seen, {"four": 1, "two": 2}, *tiers)["verdict"] == FITS


def test_node_that_cannot_be_judged_sells_nothing_and_makes_a_no_uncertain() -> None:
    seen = cluster(nodes=[node("pve1", memory="4Gi"), node("pve2", memory="4Gi", storages_unread=True)])
    tiers = tier("one", memory="2Gi"), tier("two", memory="2Gi")
    assert asked(seen, {"one": 1, "two": 1}, *tiers)["verdict"] == FITS
    said = asked(seen, {"one": 2, "two": 1}, *tiers)
    assert (said["verdict"], said["proven"]) == (CANNOT_TELL, False)
    assert "pve2 did not show its storages" in said["message"]
    assert said["notCounted"] == [{"node": "pve2", "reason": "StoragesUnread"}]
    nothing = asked(cluster(nodes=[node("pve1", storages_unread=True)]), {"one": 1}, *tiers)
    assert nothing["verdict"] == CANNOT_TELL


def test_max_units_holds_in_a_mix_and_is_named() -> None:
    tiers = tier("few", maxUnits=2), tier("many")
    assert asked(cluster(), {"few": 2, "many": 5}, *tiers)["verdict"] == FITS
    said = asked(cluster(), {"few": 3, "many": 5}, *tiers)
    assert said["verdict"] == DOES_NOT_FIT
    assert "maxUnits allows no more" in said["reasons"][0]
    assert said["part"] == "2 few and 5 many fit when few is served first, and no more"


def test_unknown_tier_is_told_with_those_that_exist() -> None:
    with pytest.raises(UnknownTier, match="there is no tier smal; there are small and large"):
        asked(cluster(), {"smal": 1}, tier("small"), tier("large"))


def test_out_of_effort_is_said_and_what_was_found_is_kept() -> None:
    tiers = tier("big", memory="4Gi"), tier("mid", memory="2Gi")
    mix = packed(two("5Gi"), {"big": 1, "mid": 3}, *tiers, steps=0)
    assert (mix.verdict, mix.most) == (Verdict.UNDECIDED, False)
    assert packed(two("5Gi"), {"big": 1, "mid": 3}, *tiers, steps=1000).verdict is Verdict.DOES_NOT_FIT


mixes = st.lists(st.tuples(plain_units, st.integers(1, 4)), min_size=1, max_size=3)
terms = st.builds(
    Terms,
    usual=st.builds(NodeTerms, percent=st.sampled_from((50, 100, 400)), reserved=st.integers(0, 2)),
    failover=st.sampled_from((0, 0, 1, 2)),
)


def said_of(lab: Lab, wanted: Sequence[tuple[Unit, int]], on: Terms, facts: ClusterFacts | None = None) -> Mix:
    named = {f"t{number}": unit for number, (unit, _) in enumerate(wanted)}
    counts = {f"t{number}": much for number, (_, much) in enumerate(wanted)}
    tiers = [{**unit.tier, "name": name} for name, unit in named.items()]
    return packed(facts or lab.facts, counts, *tiers, steps=10**6, allocation=on.allocation)


def check(mix: Mix, lab: Lab, wanted: Sequence[tuple[Unit, int]], on: Terms) -> None:
    """No node and no storage holds more than it has; `mix` speaks of t0, t1, ..."""
    kinds = {f"t{number}": unit for number, (unit, _) in enumerate(wanted)}
    shared = {one.name: one.shared for one in lab.stores}
    used = Counter[tuple[str, str]]()
    for name, at, backing, units_there in mix.placed:
        (store,) = [one for one in lab.stores if one.name in backing]
        assert at in store.nodes
        used[store.name, "" if shared[store.name] else at] += kinds[name].disk * units_there
    free = {one.name: reference.free_of(one, wanted[0][0]) or 0 for one in lab.stores}
    assert all(used[key] <= free[key[0]] for key in used)
    for one in lab.machines:
        here = Counter[str]()
        for name, at, _, units_there in mix.placed:
            here[name] += units_there * (at == one.name)
        together = [kinds[name] for name in here.elements()]
        if not together:
            continue
        alone = reference.spaces_of(lab, on)[one.name]
        assert sum(unit.cpu for unit in together) * 100 <= alone.points
        assert sum(unit.memory for unit in together) <= alone.memory
        assert sum(unit.cards for unit in together) <= alone.cards.total()
        assert all(unit.cpu <= alone.threads and unit.memory <= alone.total for unit in together)


@quick
@given(plain_labs, mixes, terms)
def test_verdict_is_that_of_the_naive_account(lab: Lab, wanted: list[tuple[Unit, int]], on: Terms) -> None:
    mix = said_of(lab, wanted, on)
    fits = reference.mix_fits(lab, tuple(wanted), on)
    assert mix.verdict is (Verdict.FITS if fits else Verdict.DOES_NOT_FIT)
    assert mix.most
    check(mix, lab, wanted, on)
    if fits:
        assert mix.fitting == {f"t{number}": much for number, (_, much) in enumerate(wanted)}


@quick
@given(plain_labs, mixes, terms)
def test_part_is_the_most_that_fits_in_the_order_of_asking(lab: Lab, wanted: list[tuple[Unit, int]], on: Terms) -> None:
    """Each tier has as many units as fit beside those of the tiers before it, and not one less."""
    part = list(said_of(lab, wanted, on).fitting.values())
    kept = [(unit, much) for (unit, _), much in zip(wanted, part, strict=True)]
    assert reference.mix_fits(lab, tuple(kept), on)
    for number, (unit, asked_for) in enumerate(wanted):
        if part[number] < asked_for:
            assert not reference.mix_fits(lab, (*kept[:number], (unit, part[number] + 1)), on)


@quick
@given(plain_labs, plain_units, terms)
def test_mix_of_one_tier_agrees_with_available(lab: Lab, unit: Unit, on: Terms) -> None:
    sold = available(lab.facts, unit.tier, allocation=on.allocation) or 0
    assert said_of(lab, [(unit, sold + 1)], on).verdict is Verdict.DOES_NOT_FIT
    assert said_of(lab, [(unit, sold + 1)], on).fitting == {"t0": sold}
    if sold:
        assert said_of(lab, [(unit, sold)], on).verdict is Verdict.FITS


@quick
@given(plain_labs, mixes, terms, st.randoms(use_true_random=False))
def test_order_of_rows_and_of_asking_decides_nothing(
    lab: Lab, wanted: list[tuple[Unit, int]], on: Terms, random: Any
) -> None:
    facts = lab.facts
    parts = {name: list(getattr(facts, name)) for name in ("nodes", "guests", "storages")}
    for rows in parts.values():
        random.shuffle(rows)
    shuffled = facts.but(**{name: tuple(rows) for name, rows in parts.items()})
    one = said_of(lab, wanted, on)
    assert said_of(lab, wanted, on, shuffled) == one
    assert said_of(lab, wanted[::-1], on).verdict is one.verdict
