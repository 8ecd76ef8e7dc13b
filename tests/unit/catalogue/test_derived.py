"""Tiers for a host that names none: from hardware alone, never coming and going."""

import re
from typing import Any

import pytest

from proxmox_offerings.resources import OfferingSpec
from support.cluster import cards, cluster, config, function, guest, node, planned, tier

STANDARD = {"cpu": {"percent": 400}, "memory": {"reserved": "2Gi"}}


def derived(*nodes: Any, existing: Any = (), **spec: Any) -> dict[str, OfferingSpec]:
    seen = spec.pop("seen", None) or cluster(nodes=nodes)
    spec.setdefault("allocation", STANDARD)
    return {one.tier: one.spec for one in planned(seen, existing=existing, **spec).offerings}


def test_sizes_double_while_the_largest_empty_node_could_carry_one() -> None:
    """8 threads; 15 GiB less 2 of reserve are 13: std-8 would take 16."""
    assert list(derived(node(threads=8, memory="15Gi"))) == ["std-1", "std-2", "std-4"]
    assert list(derived(node(threads=8, memory="18Gi"))) == ["std-1", "std-2", "std-4", "std-8"]


def test_no_guest_has_more_vcpus_than_a_node_has_threads() -> None:
    assert list(derived(node(threads=2, memory="40Gi")))[:2] == ["std-1", "std-2"]
    assert "std-4" not in derived(node(threads=2, memory="40Gi"))


def test_no_guest_has_more_memory_than_a_node_has() -> None:
    """Twice 6 GiB could be committed, but std-4 would take 8 at once."""
    terms = {"memory": {"percent": 200, "reserved": "0"}, "cpu": {"percent": 400}}
    assert list(derived(node(threads=8, memory="6Gi"), allocation=terms)) == ["std-1", "std-2"]


def test_largest_node_decides() -> None:
    names = list(derived(node("pve1", threads=2, memory="6Gi"), node("pve2", threads=4, memory="10Gi")))
    assert names == ["std-1", "std-2", "std-4"]


def test_standard_unit() -> None:
    spec = derived(node(threads=8, memory="32Gi"))["std-4"]
    assert (spec.cpu, str(spec.memory), str(spec.disk)) == (4, "8Gi", "100Gi")


def test_memory_tiers_come_where_each_offered_vcpu_could_have_eight_gib() -> None:
    """4 threads x 400 % are 16 vCPUs: 128 GiB beside the reserve make mem tiers, one byte less does not."""
    rich, poor = derived(node(threads=4, memory="130Gi")), derived(node(threads=4, memory=130 * 2**30 - 1))
    assert [name for name in rich if name.startswith("mem")] == ["mem-1", "mem-2", "mem-4"]
    assert not [name for name in poor if name.startswith("mem")]
    assert str(rich["mem-2"].memory) == "16Gi"


def test_tiers_do_not_come_and_go_with_load() -> None:
    empty = cluster(nodes=[node(threads=8, memory="32Gi", pci=cards(2))])
    full = empty.but(guests=(guest(100, cpu=32, memory="30Gi"),), configs={100: config("01:00", "02:00")})
    assert derived(seen=empty) == derived(seen=full)


def test_tiers_stay_when_the_node_that_suggested_them_dies() -> None:
    nodes = (node("pve1", threads=2, memory="6Gi"), node("pve2", threads=8, memory="32Gi", pci=cards(1)))
    before = derived(*nodes)
    dark = node("pve2", threads=None, memory=None, status="offline", pci=None)
    assert derived(nodes[0], dark, existing=before.values()) == before
    assert list(derived(nodes[0], dark)) == ["std-1", "std-2"]


def test_former_tiers_of_a_persons_own_do_not_stay() -> None:
    own = derived(node(threads=8, memory="32Gi"))["std-1"].model_copy(update={"tier": "small"})
    assert "small" not in derived(node(threads=8, memory="32Gi"), existing=[own])


def test_nodes_that_are_not_sold_suggest_nothing() -> None:
    nodes = (node("pve1", threads=2, memory="6Gi"), node("big1", threads=64, memory="256Gi"))
    assert list(derived(*nodes, nodes={"exclude": ["big*"]})) == ["std-1", "std-2"]


def test_cores_not_read_yet_do_not_suggest_sizes_that_are_never_there() -> None:
    """Half of 4 cores make 2 vCPUs; the 8 threads alone would suggest 4."""
    terms = {"cpu": {"unit": "Core", "percent": 50}}
    read = derived(node(threads=8, cores=4, memory="64Gi"), allocation=terms)
    unread = derived(node(threads=8, cores=4, memory="64Gi", status_unread=True), allocation=terms)
    assert [name for name in read if name.startswith("std")] == ["std-1", "std-2"]
    assert not unread


def test_explicit_tiers_leave_nothing_to_derive() -> None:
    (only,) = planned(cluster(nodes=[node(pci=cards(2))]), tier("own")).offerings
    assert only.tier == "own"


class TestCards:
    def names(self, *functions: Any) -> list[str]:
        return [name for name in derived(node(pci=functions)) if name.startswith("gpu")]

    def test_one_two_four_eight_up_to_the_most_on_one_node(self) -> None:
        assert self.names(*cards(1)) == ["gpu-a100-pcie-80gb-1"]
        assert self.names(*cards(7)) == [f"gpu-a100-pcie-80gb-{count}" for count in (1, 2, 4)]
        many = [name for name in derived(node("a", pci=cards(2)), node("b", pci=cards(2))) if name.startswith("gpu")]
        assert many == ["gpu-a100-pcie-80gb-1", "gpu-a100-pcie-80gb-2"]

    def test_cards_that_cannot_be_sold_suggest_nothing(self) -> None:
        assert self.names(*cards(1), *cards(1)) == []
        assert self.names(function("0000:01:00.0", group=-1)) == []

    @pytest.mark.parametrize(
        ("name", "slug"),
        [
            ("GA102 [GeForce RTX 3090]", "rtx-3090"),
            ("Aldebaran/MI200 [Instinct MI210]", "mi210"),
            ("GH100 [H100 SXM5 80GB]", "h100-sxm5-80gb"),
            ("A Very Long Name Of A Card That Goes On", "a-very-long-na"),
            (None, "10de-20b5"),
            ("[Tesla]", "10de-20b5"),
            ("Карта", "10de-20b5"),
        ],
    )
    def test_names_are_short_labels(self, name: str | None, slug: str) -> None:
        (found,) = self.names(*cards(1, name=name))
        assert found == f"gpu-{slug}-1"
        assert len(found) <= 20
        assert re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", found)

    def test_models_whose_names_shorten_to_the_same_go_by_their_numbers(self) -> None:
        one = function("0000:01:00.0", device="2331", group=1, name="[H100 PCIe 80GB rev A]")
        other = function("0000:02:00.0", device="2339", group=2, name="[H100 PCIe 80GB rev B]")
        assert self.names(one, other) == ["gpu-10de-2331-1", "gpu-10de-2339-1"]

    def test_unit_gets_its_share_of_the_smallest_node_that_has_the_card(self) -> None:
        """The smaller: 8 threads for 2 cards are 4 vCPUs each, and 34 - 2 GiB are 16 each, of which 4 GiB for each vCPU are taken."""
        small = node("a", threads=8, memory="34Gi", pci=cards(2))
        large = node("b", threads=64, memory="256Gi", pci=cards(2))
        spec = derived(small, large)["gpu-a100-pcie-80gb-2"]
        assert (spec.cpu, str(spec.memory), str(spec.disk)) == (8, "32Gi", "200Gi")
        assert spec.gpu is not None
        assert (spec.gpu.count, spec.gpu.models) == (2, ("10de:20b5",))
