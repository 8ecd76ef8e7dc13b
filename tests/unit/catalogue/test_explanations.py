"""How each figure came about: the same values that made it, what one more unit would take, and what nobody can use. Counted by hand."""

from typing import Any

import pytest

from proxmox_offerings.capacity.shortage import Shortage, Stranded
from proxmox_offerings.catalogue.explain import TierAccount
from proxmox_offerings.cli.explanation import render, size, vcpus
from proxmox_offerings.resources import LimitingResource
from support.cluster import cards, cluster, config, explained, function, guest, maintenance, node, storage, tier

GIB = 2**30
CPU, MEMORY, DISK, GPU = (
    LimitingResource.CPU,
    LimitingResource.MEMORY,
    LimitingResource.DISK,
    LimitingResource.GPU,
)


def told(seen: Any, one: Any = None, **spec: Any) -> TierAccount:
    (account,) = explained(seen, one or tier(), **spec).tiers
    return account


def words(seen: Any, one: Any = None, **spec: Any) -> list[str]:
    """Lines as printed, with single spaces."""
    return [" ".join(line.split()) for line in render(explained(seen, one or tier(), **spec)).splitlines()]


class TestNodes:
    def test_memory_and_cpu_add_up_from_total_to_headroom(self) -> None:
        seen = cluster(
            nodes=[node(threads=16, memory="64Gi")],
            guests=[guest(100, cpu=3, memory="8Gi"), guest(101, cpu=5, memory="8Gi", kind="lxc")],
        )
        terms = {
            "cpu": {"percent": 200, "reserved": "500m"},
            "memory": {"reserved": "2Gi", "reservedPercent": 10, "percent": 150, "guestOverhead": "256Mi"},
        }
        (one,) = explained(seen, tier(), allocation=terms).nodes
        assert (one.cpu_total, one.cpu_unit, one.cpu.capacity, one.cpu.committed) == (16, "thread", 3100, 800)
        # A tenth of 64 GiB is more than 2 GiB; rounded up to a whole byte.
        assert one.memory_reserved == 6_871_947_674
        assert one.memory.capacity == (64 * GIB - 6_871_947_674) * 150 // 100
        assert one.memory.committed == 16 * GIB + GIB // 4
        lines = words(seen, allocation=terms)
        assert "pve1 CPU: (16 threads - 500m) x 200 % = 31 vCPUs; 8 vCPUs committed by 2 guests; 23 vCPUs left" in lines
        assert (
            "memory: (64 GiB - 6.41 GiB) x 150 % = 86.39 GiB; 16.25 GiB committed by 2 guests "
            "(with 256 MiB beside each virtual machine); 70.14 GiB left"
        ) in lines
        assert "a unit 1 vCPU, 1 GiB of memory and 256 MiB beside it, 1 GiB of disk" in lines

    def test_terms_of_a_node_are_its_own(self) -> None:
        seen = cluster(nodes=[node("pve1"), node("pve2", threads=64, cores=32)])
        overrides = [{"nodes": ["pve2"], "cpu": {"unit": "Core", "percent": 100}, "memory": {"reserved": "32Gi"}}]
        lines = words(seen, allocation={"cpu": {"percent": 300}, "overrides": overrides})
        assert "pve1 CPU: (64 threads - 0) x 300 % = 192 vCPUs; 0 vCPUs committed; 192 vCPUs left" in lines
        assert "pve2 CPU: (32 cores - 0) x 100 % = 32 vCPUs; 0 vCPUs committed; 32 vCPUs left" in lines
        assert "memory: (256 GiB - 32 GiB) x 100 % = 224 GiB; 0 B committed; 224 GiB left" in lines

    def test_node_committed_beyond_its_terms_is_said_so(self) -> None:
        seen = cluster(nodes=[node(threads=4)], guests=[guest(100, cpu=6)])
        assert (
            "pve1 CPU: (4 threads - 0) x 100 % = 4 vCPUs; 6 vCPUs committed by 1 guest; -2 vCPUs left "
            "(committed beyond these terms)"
        ) in words(seen)

    def test_every_node_that_is_left_out_has_its_reason(self) -> None:
        seen = cluster(
            nodes=[
                node("pve1"),
                node("pve2", status="offline"),
                node("pve3"),
                node("pve4"),
                node("pve5", bridges=["vmbr1"]),
                node("pve6", arch="aarch64"),
                node("pve7", status="unknown", threads=None),
            ],
            manager=maintenance("pve3"),
        )
        lines = words(seen, bridge="vmbr0", nodes={"exclude": ["pve4"]})
        for line in (
            "pve2 left out: is offline",
            "pve3 left out: is in maintenance",
            "pve4 left out: is not selected",
            "pve5 left out: lacks the bridge",
            "pve6 left out: has another architecture",
            "pve7 cannot be judged: has not reported for a while",
        ):
            assert line in lines

    def test_guests_that_return_from_a_dead_node_are_told_apart(self) -> None:
        seen = cluster(
            nodes=[node("pve1", threads=8, memory="16Gi"), node("pve2", status="offline")],
            guests=[guest(100, "pve1", cpu=1), guest(101, "pve2", cpu=3, memory="4Gi", hastate="started")],
        )
        lines = words(seen)
        assert (
            "pve1 CPU: (8 threads - 0) x 100 % = 8 vCPUs; 1 vCPU committed by 1 guest; "
            "3 vCPUs for guests of dead nodes; 4 vCPUs left"
        ) in lines
        assert (
            "memory: (16 GiB - 0 B) x 100 % = 16 GiB; 1 GiB committed by 1 guest; "
            "4 GiB for guests of dead nodes; 11 GiB left"
        ) in lines

    def test_guests_on_their_way_are_told_apart(self) -> None:
        seen = cluster(
            nodes=[node("pve1"), node("pve2", threads=8)], guests=[guest(100, "pve1", cpu=3, lock="migrate")]
        )
        assert (
            "pve2 CPU: (8 threads - 0) x 100 % = 8 vCPUs; 3 vCPUs committed by 1 that may be on the way here; 5 vCPUs left"
        ) in words(seen)

    def test_cards_are_told_by_what_keeps_them_from_being_sold(self) -> None:
        pci = [
            *cards(2),
            function("0000:03:00.0", group=-1),
            function("0000:04:00.0", group=9, device="2330", name=None),
        ]
        seen = cluster(nodes=[node(pci=pci)], guests=[guest(100)], configs={100: config("01:00")})
        lines = words(seen)
        assert "GPUs: A100 PCIe 80GB: 2 for sale, 1 free; not for sale: 1 without IOMMU group" in lines
        assert "GPUs: 10de:2330: 1 for sale, 1 free" in lines
        unread = cluster(nodes=[node(pci=cards(1))], guests=[guest(100)], configs={100: None})
        assert any("which are free is not known" in line for line in words(unread))
        assert "GPUs: could not be read" in words(cluster(nodes=[node(pci=None)]))


class TestStorages:
    def test_what_each_contributes_and_keeps_back(self) -> None:
        seen = cluster(
            nodes=[node("pve1"), node("pve2")],
            storages=[
                storage("thin", volume_group="pve", thin_pool="data", on=["pve1"], total="100Gi", avail="55Gi"),
                storage("ceph", "rbd", total="400Gi", avail="100Gi"),
            ],
        )
        lines = words(seen, tier(disk="20Gi"), allocation={"storage": {"reservedPercent": 10}})
        assert "thin on pve1 nvme: 100 GiB, 55 GiB free, 10 GiB kept back; 45 GiB for sale" in lines
        assert (
            "ceph on pve1 and pve2 (shared) network: 400 GiB, 100 GiB free, 40 GiB kept back; 60 GiB for sale" in lines
        )
        assert "disk thin on pve1: 45 GiB for sale, enough for 2; 2 placed" in lines
        assert "disk ceph on pve1 and pve2 (shared): 60 GiB for sale, enough for 3; 3 placed" in lines

    def test_ids_on_the_same_bytes_are_counted_once_and_said_so(self) -> None:
        one_pool = [
            storage("fast", "zfspool", pool="tank/a", total="100Gi", avail="50Gi"),
            storage("slow", "zfspool", pool="tank/b", total="100Gi", avail="40Gi"),
        ]
        seen = cluster(storages=one_pool)
        lines = words(seen, tier(disk="10Gi"))
        assert (
            "fast on pve1 nvme: 100 GiB, 50 GiB free, 0 B kept back; 50 GiB for sale; the same bytes as slow" in lines
        )
        assert (
            "disk fast and slow on pve1: 40 GiB for sale, enough for 4 (2 ids on the same bytes, counted once); 4 placed"
        ) in lines

    @pytest.mark.parametrize(
        ("hidden", "why"),
        [
            (storage("x", disabled=True), "not sold: disabled"),
            (storage("x", active=False), "not sold: not active"),
            (storage("x", status="unknown"), "not sold: its state is not known"),
            (storage("x", avail=None), "not sold: nobody could read how much of it is free"),
            (storage("secret"), "not sold: not selected by spec.storages"),
        ],
    )
    def test_why_a_storage_is_not_sold_at_all(self, hidden: Any, why: str) -> None:
        lines = words(cluster(storages=[hidden]), storages={"exclude": ["secret"]})
        name = hidden.definition.storage
        assert f"{name} on pve1 {why}" in lines
        again = [line for line in lines if line.startswith(f"disk {name} on pve1 is not used")]
        assert bool(again) == ("nobody could read" in why)

    def test_why_a_storage_is_not_used_by_a_tier(self) -> None:
        seen = cluster(
            storages=[storage("iso", "dir", path="/iso", content=["iso"]), storage("ceph", "rbd"), storage("a")]
        )
        lines = words(seen, tier(storageClass="nvme"))
        assert "disk iso on pve1 is not used: it does not take images" in lines
        assert "disk ceph on pve1 (shared) is not used: of another class" in lines

    def test_what_is_promised_counts_where_it_is_accounted(self) -> None:
        seen = cluster(
            guests=[guest(100)],
            configs={100: config(volumes={"thin:vm-100-disk-0": "70Gi"})},
            storages=[storage("thin", volume_group="pve", thin_pool="data", total="100Gi", avail="95Gi")],
        )
        lines = words(seen, tier(disk="10Gi"), allocation={"storage": {"accounting": "Provisioned"}})
        assert (
            "thin on pve1 nvme: 100 GiB, 95 GiB free, 0 B kept back; 70 GiB promised to volumes; 30 GiB for sale"
        ) in lines


class TestOneMore:
    def test_memory_on_the_node_that_lacks_least(self) -> None:
        """11 GiB and 9.5 GiB are left for units of 4 GiB: 1 GiB and 2.5 GiB are missing."""
        seen = cluster(
            nodes=[node("pve1", memory="16Gi"), node("pve2", memory="16Gi")],
            guests=[guest(100, "pve1", memory="5Gi"), guest(101, "pve2", memory=13 * GIB // 2)],
        )
        account = told(seen, tier(memory="4Gi"))
        assert account.shortage == Shortage(node="pve1", memory=GIB)
        assert "one more would fit with 1 GiB of memory on pve1 more free" in words(seen, tier(memory="4Gi"))

    def test_all_that_is_missing_on_one_node_is_named_together(self) -> None:
        """2 of 8 vCPUs and 2 of 8 GiB are left; a unit takes 3 of each."""
        seen = cluster(nodes=[node(threads=8, memory="8Gi")], guests=[guest(100, cpu=6, memory="6Gi")])
        unit = tier(cpu=3, memory="3Gi")
        assert told(seen, unit).shortage == Shortage(node="pve1", memory=GIB, cpu=100)
        assert "one more would fit with 1 GiB of memory and 1 vCPU on pve1 more free" in words(seen, unit)

    def test_a_node_committed_beyond_its_terms_must_first_come_back(self) -> None:
        seen = cluster(nodes=[node(threads=4)], guests=[guest(100, cpu=6)])
        assert told(seen).shortage == Shortage(node="pve1", cpu=300)

    def test_disk_where_a_node_has_all_else(self) -> None:
        """25 GiB for units of 10 GiB: 5 are missing for the third. The reserve of the other is eaten into by 5, so 15 are."""
        seen = cluster(
            storages=[
                storage("a", volume_group="a", total="100Gi", avail="35Gi"),
                storage("b", volume_group="b", total="100Gi", avail="5Gi"),
            ]
        )
        terms = {"storage": {"reservedPercent": 10}}
        account = told(seen, tier(disk="10Gi"), allocation=terms)
        assert account.available == 2
        assert account.shortage == Shortage(node="pve1", disk=5 * GIB, backing="thin:a/data@pve1")
        assert "one more would fit with 5 GiB of disk on a on pve1 more free" in words(
            seen, tier(disk="10Gi"), allocation=terms
        )
        only = cluster(storages=[storage("b", volume_group="b", total="100Gi", avail="5Gi")])
        assert told(only, tier(disk="10Gi"), allocation=terms).shortage == Shortage(
            node="pve1", disk=15 * GIB, backing="thin:b/data@pve1"
        )

    def test_disk_that_another_node_could_leave_to_it(self) -> None:
        """pve2 reaches the shared one alone, which pve1 is in too: a disk of pve1 could move to its own, which lacks 1 GiB for it."""
        seen = cluster(
            nodes=[node("pve1", threads=4), node("pve2", threads=10)],
            storages=[
                storage("own", volume_group="own", on=["pve1"], avail="29Gi"),
                storage("ceph", "rbd", avail="31Gi"),
            ],
        )
        account = told(seen, tier(disk="10Gi"))
        assert account.available == 5
        assert account.shortage == Shortage(node="pve2", disk=GIB, backing="thin:own/data@pve1")

    def test_memory_and_disk_where_both_end_together(self) -> None:
        seen = cluster(
            nodes=[node(memory="2Gi")], guests=[guest(100, memory="1Gi")], storages=[storage("a", avail="1Gi")]
        )
        assert told(seen).shortage == Shortage(node="pve1", memory=GIB, disk=GIB, backing="thin:a/data@pve1")

    def test_a_card(self) -> None:
        seen = cluster(nodes=[node(pci=cards(2))], guests=[guest(100)], configs={100: config("01:00")})
        unit = tier(gpu={"count": 2})
        assert told(seen, unit).shortage == Shortage(node="pve1", cards=1, model="10de:20b5")
        assert "one more would fit with 1 GPU (A100 PCIe 80GB) on pve1 more free" in words(seen, unit)

    def test_what_guests_do_not_have_they_cannot_give_back(self) -> None:
        assert (
            "one more would fit with 1 vCPU on pve1 more free; the guests of pve1 do not have as much: "
            "it takes a larger node, or other terms"
        ) in words(cluster(nodes=[node(threads=4)]))

    def test_a_guest_that_can_give_it_back_comes_first(self) -> None:
        """The empty node lacks less, but nobody is on it to give anything back."""
        seen = cluster(nodes=[node("pve1", threads=7), node("pve2", threads=8)], guests=[guest(100, "pve2", cpu=6)])
        assert told(seen, tier(cpu=4)).shortage == Shortage(node="pve2", cpu=200)

    @pytest.mark.parametrize(
        ("seen", "unit", "spec", "said"),
        [
            (cluster(), tier(maxUnits=3), {}, "maxUnits allows no more than 3"),
            (cluster(nodes=[node(status="offline")]), tier(), {}, "takes a node that can carry one"),
            (cluster(nodes=[node(threads=2)]), tier(cpu=4), {}, "takes a node that can carry one"),
            (
                cluster(nodes=[node(status="unknown", threads=None)]),
                tier(),
                {},
                "cannot be said before somebody can read what is missing",
            ),
            (
                cluster(nodes=[node("pve1", threads=2), node("pve2", threads=4)], guests=[guest(7, "pve2", cpu=3)]),
                tier(),
                {"allocation": {"failoverNodes": 1}},
                "takes room for guest 7 on another node",
            ),
            (
                cluster(nodes=[node("pve1", threads=4), node("pve2", threads=4)]),
                tier(),
                {"allocation": {"failoverNodes": 1}},
                "no single place was found that would make room for it: several sets of nodes that may go down decide",
            ),
            (cluster(storages=[]), tier(), {}, "takes a node that can carry one"),
        ],
    )
    def test_where_no_amount_would_help_words_say_so(
        self, seen: Any, unit: Any, spec: dict[str, Any], said: str
    ) -> None:
        assert f"one more {said}" in words(seen, unit, **spec)

    def test_failover_names_the_nodes_that_decide_and_what_is_kept(self) -> None:
        """16 fit, 6 of them where pve2 is down and its guest on pve1: for the seventh, pve1 needs a vCPU more."""
        seen = cluster(nodes=[node("pve1", threads=8), node("pve2", threads=10)], guests=[guest(100, "pve2", cpu=2)])
        spec = {"allocation": {"failoverNodes": 1}}
        account = told(seen, **spec)
        assert (account.available, account.fitting, account.kept) == (6, 16, (6, ("pve2",)))
        assert account.shortage == Shortage(node="pve1", cpu=100)
        lines = words(seen, **spec)
        assert "unit: 6 fit; the rest is kept in case pve2 goes down" in lines
        assert "failover any one node may go down; with pve2 down and its guests on the others, 6 of 16 fit" in lines


class TestStranded:
    def test_memory_without_disk_and_disk_without_memory(self) -> None:
        seen = cluster(
            nodes=[node("pve1", memory="128Gi"), node("pve2", memory="16Gi")],
            guests=[guest(100, "pve2", memory="14Gi", cpu=10)],
            storages=[
                storage("a", volume_group="a", on=["pve1"], avail="100Gi"),
                storage("b", volume_group="b", on=["pve2"], avail="800Gi"),
            ],
        )
        unit = tier(memory="8Gi", disk="100Gi", cpu=2)
        account = told(seen, unit)
        assert account.available == 1
        assert account.stranded == (
            Stranded(nodes=("pve1",), lack=(DISK,), memory=120 * GIB, cpu=6200),
            Stranded(nodes=("pve2",), lack=(MEMORY,), cpu=5400, disk={"thin:b/data@pve2": 800 * GIB}),
        )
        lines = words(seen, unit)
        assert "stranded pve1: 120 GiB of memory and 62 vCPUs, but no disk" in lines
        assert "stranded pve2: 54 vCPUs and 800 GiB of disk on b, but no memory" in lines

    def test_crumbs_that_no_unit_fits_in_are_no_stranded_stock(self) -> None:
        seen = cluster(nodes=[node(threads=7, memory="7Gi")], storages=[storage("a", avail="7Gi")])
        assert told(seen, tier(cpu=4, memory="4Gi", disk="4Gi")).stranded == ()

    def test_what_a_cap_or_failover_keeps_is_not_stranded(self) -> None:
        assert told(cluster(), tier(maxUnits=1)).stranded == ()

    def test_nodes_too_small_for_the_tier_strand_nothing(self) -> None:
        assert told(cluster(nodes=[node(threads=2)]), tier(cpu=4)).stranded == ()
        assert told(cluster(), tier(gpu={"count": 1})).stranded == ()

    def test_cards_without_memory(self) -> None:
        seen = cluster(nodes=[node(pci=cards(4), memory="32Gi", threads=8)], storages=[storage("a", avail="2Gi")])
        account = told(seen, tier(gpu={"count": 1}, memory="16Gi", cpu=4, disk="1Gi"))
        assert account.stranded == (Stranded(nodes=("pve1",), lack=(MEMORY, CPU, DISK), cards=2),)

    def test_shared_storage_is_told_once(self) -> None:
        seen = cluster(
            nodes=[node("pve1", threads=2), node("pve2", threads=2)], storages=[storage("ceph", "rbd", avail="10Gi")]
        )
        lines = words(seen)
        assert "stranded pve1 and pve2: 6 GiB of disk on ceph, but no CPU" in lines
        assert "stranded pve1: 254 GiB of memory, but no CPU" in lines


def test_amounts_never_promise_more() -> None:
    assert [size(amount) for amount in (0, 1023, 1024, 1536, 2**30 - 1, 10 * 2**30)] == [
        "0 B",
        "1023 B",
        "1 KiB",
        "1.5 KiB",
        "1023.99 MiB",
        "10 GiB",
    ]
    assert size(2**30 + 1) == "1 GiB"
    assert size(2**30 + 1, up=True) == "1.01 GiB"
    assert size(-(2**30) - 1) == "-1.01 GiB"
    assert [vcpus(points) for points in (0, 100, 150, -205)] == ["0 vCPUs", "1 vCPU", "1.5 vCPUs", "-2.05 vCPUs"]


def test_names_of_a_hostile_cluster_do_not_reach_the_terminal_as_they_are() -> None:
    text = render(explained(cluster(nodes=[node("pve\n\x1b[31m" + "x" * 5000)]), tier()))
    assert all(line.isprintable() for line in text.splitlines())
    assert max(map(len, text.splitlines())) < 1500
