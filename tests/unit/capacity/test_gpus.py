"""Graphics cards: sold whole, by slot, and only where nobody's configuration names them."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxmox_offerings.proxmox.answers import GuestConfig
from proxmox_offerings.resources import InvalidResource, LimitingResource, Stock
from support.cluster import (
    ClusterFacts,
    available,
    cards,
    cluster,
    config,
    function,
    guest,
    host,
    mapping,
    node,
    offer,
    planned,
    tier,
)

GPU = tier(gpu={"count": 1})
A100 = cards(2)


def gpus(*functions: Any, pci: Any = None, **rest: Any) -> ClusterFacts:
    return cluster(nodes=[node(pci=pci if pci is not None else functions)], **rest)


def users(count: int = 1, **rest: Any) -> list[Any]:
    return [guest(100 + number, **rest) for number in range(count)]


class TestWhatIsACard:
    @pytest.mark.parametrize(
        ("functions", "sold"),
        [
            pytest.param(A100, 2, id="two cards"),
            pytest.param(cards(1, cls="120000", vendor="1002", device="74a1", name=None), 1, id="accelerator, no name"),
            pytest.param(cards(1, cls="038000", vendor="1002", device="740f"), 1, id="display controller"),
            pytest.param(cards(1, vendor="8086", device="56c0"), 1, id="Intel card"),
            pytest.param(
                [
                    function("0000:01:00.0", cls="030000", device="2684", group=12),
                    function("0000:01:00.1", cls="040300", device="22ba", group=12),
                ],
                1,
                id="picture and sound are one card",
            ),
            pytest.param([function("0000:01:00.0", cls="020000")], 0, id="network controller"),
        ],
    )
    def test_cards(self, functions: Any, sold: int) -> None:
        assert available(gpus(*functions), GPU) == sold

    @pytest.mark.parametrize(("vendor", "device"), [("1a03", "2000"), ("102b", "0536"), ("1234", "1111")])
    def test_bmc_vga_is_never_sold(self, vendor: str, device: str) -> None:
        """Every server has one, of the very class of a graphics card, in a group of its own."""
        said = offer(gpus(function("0000:03:00.0", vendor=vendor, device=device, cls="030000", group=3)), GPU).statement
        assert (said.available, said.limiting_resource) == (0, LimitingResource.GPU)

    def test_integrated_graphics_is_never_sold(self) -> None:
        assert available(gpus(function("0000:00:02.0", vendor="8086", device="4680", group=1)), GPU) == 0

    def test_card_without_iommu_is_not_sold(self) -> None:
        assert available(gpus(function("0000:01:00.0", group=-1)), GPU) == 0
        half = [function("0000:01:00.0", group=1), function("0000:01:00.1", cls="040300", group=-1)]
        assert available(gpus(*half), GPU) == 0

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(function("0000:02:00.0", group=1), id="another card"),
            pytest.param(function("0000:02:00.0", cls="010802", vendor="144d", group=1), id="a disk"),
            pytest.param(function("0000:02:00.0", cls="020000", vendor="8086", group=1), id="a network controller"),
        ],
    )
    def test_card_that_would_take_another_device_along_is_not_sold(self, other: Any) -> None:
        assert available(gpus(function("0000:01:00.0", group=1), other), GPU) == 0

    def test_slot_listed_as_two_things_is_not_sold(self) -> None:
        twice = [function("0000:3b:00.0", group=4), function("0000:3b:00.0", cls="010802", vendor="144d", group=4)]
        assert available(gpus(*twice, function("0000:17:00.0", group=5)), GPU) == 1


class TestVirtualFunctions:
    def test_told_outright_neither_the_card_nor_its_functions_are_sold(self) -> None:
        functions = [
            function("0000:41:00.0", group=10, virtual_functions=("0000:41:00.4", "0000:41:00.5")),
            function("0000:41:00.4", group=11, physical_function="0000:41:00.0"),
            function("0000:41:00.5", group=12, physical_function="0000:41:00.0"),
        ]
        assert available(gpus(*functions), GPU) == 0

    def test_not_told_they_are_known_by_their_place(self) -> None:
        """Before 2026-04-30 a virtual function looks like a further card: 0000:41:00.4, 0000:41:01.0 and so on."""
        functions = [
            function("0000:41:00.0", group=10),
            function("0000:41:00.4", group=11),
            function("0000:41:01.0", group=12),
            function("0000:42:00.0", group=13),
        ]
        assert available(gpus(*functions), GPU) == 1

    def test_physical_function_named_by_its_virtual_ones_alone(self) -> None:
        functions = [
            function("0000:41:00.0", group=10),
            function("0000:42:00.0", group=11, physical_function="0000:41:00.0"),
        ]
        assert available(gpus(*functions), GPU) == 0

    def test_other_devices_on_the_bus_do_not_make_a_card_a_carrier(self) -> None:
        functions = [
            function("0000:41:00.0", group=10),
            function("0000:41:04.0", cls="0c0330", group=11),
        ]
        assert available(gpus(*functions), GPU) == 1


class TestTaken:
    @pytest.mark.parametrize(
        "written",
        [
            "0000:01:00.0",
            "0000:01:00",
            "01:00.0",
            "01:00",
            "host=01:00,pcie=1",
            "host=0000:01:00.0,x-vga=1",
            "pcie=1,host=01:00",
            "01:00.1",
            "0000:09:00;0000:01:00",
            "01:00.0,mdev=nvidia-63",
        ],
    )
    def test_address_in_every_spelling(self, written: str) -> None:
        seen = gpus(*A100, guests=users(), configs={100: config(written)})
        assert available(seen, GPU) == 1

    def test_card_of_a_stopped_guest_is_taken(self) -> None:
        """It keeps no reservation, but starting it would fail if the card were sold again."""
        seen = gpus(*A100, guests=users(status="stopped"), configs={100: config("01:00")})
        assert available(seen, GPU) == 1
        assert available(seen, GPU, allocation={"stoppedGuests": "Ignore"}) == 1

    def test_card_of_a_template_is_free(self) -> None:
        seen = gpus(*A100, guests=users(template=True), configs={100: config("01:00")})
        assert available(seen, GPU) == 2

    def test_card_that_a_guest_will_have_after_its_next_start_is_taken(self) -> None:
        both = (GuestConfig(hostpci=("01:00",)), GuestConfig(hostpci=("02:00",)))
        assert available(gpus(*A100, guests=users(), configs={100: both}), GPU) == 0

    @pytest.mark.parametrize("written", ["41:00.5", "0000:41:01.2,mdev=nvidia-1150"])
    def test_card_whose_virtual_functions_are_switched_off_for_now_is_taken(self, written: str) -> None:
        """After a restart they may not be there yet; the guest that names one will want it back."""
        pci = [function("0000:41:00.0", group=1), function("0000:42:00.0", group=2)]
        assert available(gpus(*pci, guests=users(status="stopped"), configs={100: config(written)}), GPU) == 1

    def test_card_named_by_two_guests_is_taken_once(self) -> None:
        seen = gpus(*A100, guests=users(2), configs={100: config("01:00"), 101: config("01:00")})
        assert available(seen, GPU) == 1

    def test_guest_of_another_node_takes_nothing_here(self) -> None:
        seen = cluster(
            nodes=[node("gpu1", pci=A100), node("gpu2", pci=A100)],
            guests=[guest(100, "gpu2")],
            configs={100: config("01:00")},
        )
        assert available(seen, GPU) == 3

    def test_unread_configuration_makes_free_cards_unknown(self) -> None:
        said = offer(gpus(*A100, guests=users(), configs={100: None}), GPU).statement
        assert (said.stock, said.available) == (Stock.UNKNOWN, None)

    def test_configuration_never_asked_for_is_as_good_as_unread(self) -> None:
        assert available(gpus(*A100, guests=users()), GPU) is None

    def test_containers_take_no_cards(self) -> None:
        assert available(gpus(*A100, guests=users(kind="lxc")), GPU) == 2

    def test_unread_cards_touch_gpu_tiers_alone(self) -> None:
        seen = cluster(nodes=[node("gpu1", pci=None, threads=4), node("gpu2", pci=A100, threads=4)])
        assert available(seen, GPU) == 2
        assert available(seen) == 8
        alone = cluster(nodes=[node("gpu1", pci=None, threads=4)])
        assert available(alone, GPU) is None
        assert available(alone) == 4


class TestMappings:
    BOTH = mapping("a100", ("pve1", "0000:01:00.0"), ("pve1", "0000:02:00"))

    def test_mapping_takes_one_entry_per_use(self) -> None:
        def free(uses: int) -> int | None:
            seen = gpus(*cards(3), guests=users(), configs={100: config(*["mapping=a100"] * uses)})
            return available(seen.but(mappings=(self.BOTH,)), GPU)

        assert [free(uses) for uses in range(5)] == [3, 2, 1, 1, 1]

    def test_uses_of_several_guests_add_up(self) -> None:
        seen = gpus(*cards(3), guests=users(2), configs={100: config("mapping=a100"), 101: config("mapping=a100")})
        assert available(seen.but(mappings=(self.BOTH,)), GPU) == 1

    def test_entry_of_two_paths_takes_both(self) -> None:
        pair = mapping("pair", ("pve1", "0000:01:00.0;0000:02:00.0"))
        seen = gpus(*cards(3), guests=users(), configs={100: config("mapping=pair,pcie=1")}, mappings=(pair,))
        assert available(seen, GPU) == 1

    def test_entries_of_other_nodes_do_not_count(self) -> None:
        elsewhere = mapping("m", ("pve9", "0000:01:00.0"))
        seen = gpus(*A100, guests=users(), configs={100: config("mapping=m")}, mappings=(elsewhere,))
        assert available(seen, GPU) == 2

    def test_direct_addresses_come_first(self) -> None:
        """The card named directly is gone already: the use of the mapping takes the other one."""
        seen = gpus(*A100, guests=users(2), configs={100: config("01:00"), 101: config("mapping=a100")})
        assert available(seen.but(mappings=(self.BOTH,)), GPU) == 0

    def test_uses_of_overlapping_mappings_take_as_many_cards_as_they_can(self) -> None:
        """`one` can only take card 1; `both` must then be counted with card 2, whichever is looked at first."""
        only = mapping("one", ("pve1", "0000:01:00"))
        for first, second in (("one", "a100"), ("a100", "one")):
            seen = gpus(
                *cards(3), guests=users(2), configs={100: config(f"mapping={first}"), 101: config(f"mapping={second}")}
            )
            assert available(seen.but(mappings=(only, self.BOTH)), GPU) == 1
            assert available(seen.but(mappings=(self.BOTH, only)), GPU) == 1

    def test_larger_entries_are_presumed_taken(self) -> None:
        either = mapping("m", ("pve1", "0000:01:00"), ("pve1", "0000:02:00;0000:03:00"))
        seen = gpus(*cards(3), guests=users(), configs={100: config("mapping=m")}, mappings=(either,))
        assert available(seen, GPU) == 1

    @pytest.mark.parametrize(
        ("entries", "uses", "sold"),
        [
            pytest.param(["1;2", "2;3"], 1, 1, id="whichever it gets, two; which of three, is not told"),
            pytest.param(["1;2;3", "1;2;4", "5;6"], 2, 0, id="1;2;3 and 5;6 together, not the two largest"),
            pytest.param(["1", "2"], 1, 3, id="entries that share nothing are exact"),
            pytest.param(["1;2", "3;4"], 1, 2, id="so are larger ones"),
            pytest.param(["1.0", "1.1", "2.0"], 2, 2, id="functions of one card are one card"),
        ],
    )
    def test_entries_that_share_cards_never_count_too_few_as_taken(
        self, entries: list[str], uses: int, sold: int
    ) -> None:
        paths = [";".join(f"0000:0{card[0]}:00.{card[2:] or '0'}" for card in entry.split(";")) for entry in entries]
        total = max(4, *(int(card[0]) for entry in entries for card in entry.split(";")))
        seen = gpus(*cards(total), guests=users(), configs={100: config(*["mapping=m"] * uses)})
        assert available(seen.but(mappings=(mapping("m", *(("pve1", path) for path in paths)),)), GPU) == sold

    @given(
        st.lists(st.frozensets(st.integers(1, 6), min_size=1, max_size=3), min_size=1, max_size=5), st.integers(1, 3)
    )
    def test_no_choice_of_entries_takes_more_than_is_presumed(self, entries: list[frozenset[int]], uses: int) -> None:
        """At start a guest gets an entry of which nothing is in use yet: all choices of entries that share nothing are tried here."""
        worst = max(
            len(frozenset().union(*chosen))
            for count in range(uses + 1)
            for chosen in combinations(entries, count)
            if sum(map(len, chosen)) == len(frozenset().union(*chosen))
        )
        paths = [";".join(f"0000:0{card}:00.0" for card in sorted(entry)) for entry in entries]
        seen = gpus(*cards(6), guests=users(), configs={100: config(*["mapping=m"] * uses)})
        free = available(seen.but(mappings=(mapping("m", *(("pve1", path) for path in paths)),)), GPU)
        assert free is not None
        assert free <= 6 - worst

    def test_mapping_of_two_models_may_take_either(self) -> None:
        """One use of it: a tier for the one model must not count on the other being taken."""
        pci = [function("0000:01:00.0", group=1), function("0000:02:00.0", group=2, device="2330", name="GH100 [H100]")]
        seen = gpus(*pci, guests=users(), configs={100: config("mapping=a100")}, mappings=(self.BOTH,))
        assert available(seen, tier(gpu={"models": ["*A100*"]})) == 0
        assert available(seen, tier(gpu={"models": ["*H100*"]})) == 0

    def test_current_and_pending_use_of_one_guest_is_one_use(self) -> None:
        both = (GuestConfig(hostpci=("mapping=a100",)), GuestConfig(hostpci=("mapping=a100",)))
        seen = gpus(*cards(3), guests=users(), configs={100: both}, mappings=(self.BOTH,))
        assert available(seen, GPU) == 2

    @pytest.mark.parametrize(
        "mappings",
        [
            None,
            (),
            (mapping("other", ("pve1", "0000:02:00")),),
            pytest.param((mapping("a100"),), id="without entries on any node"),
        ],
    )
    def test_unread_mapping_may_be_any_card(self, mappings: Any) -> None:
        seen = gpus(*A100, guests=users(), configs={100: config("mapping=a100")}, mappings=mappings)
        assert available(seen, GPU) is None

    def test_unread_mappings_do_not_matter_where_nobody_uses_one(self) -> None:
        seen = gpus(*A100, guests=users(), configs={100: config("01:00")}, mappings=None)
        assert available(seen, GPU) == 1


class TestTiers:
    TWO_MODELS = (*cards(3), function("0000:11:00.0", device="2330", group=50, name="GH100 [H100 SXM5 80GB]"))

    def test_cards_of_one_unit_are_of_one_model(self) -> None:
        """3 A100 and 1 H100: one pair, not two."""
        assert available(gpus(*self.TWO_MODELS), tier(gpu={"count": 2})) == 1
        assert available(gpus(*self.TWO_MODELS), tier(gpu={"count": 1})) == 4

    @pytest.mark.parametrize(
        ("models", "sold"),
        [
            (["*A100*"], 3),
            (["*a100*"], 3),
            (["10de:20b5"], 3),
            (["10DE:2330"], 1),
            (["10de:*"], 4),
            (["*[H100*]"], 1),
            (["GA100 [A100 PCIe 80G?]"], 3),
            (["*A100*", "*H100*"], 4),
            (["*MI300*"], 0),
            (["A100"], 0),
        ],
    )
    def test_models_are_globs_over_names_and_numbers(self, models: list[str], sold: int) -> None:
        assert available(gpus(*self.TWO_MODELS), tier(gpu={"count": 1, "models": models})) == sold

    def test_card_without_a_name_is_found_by_its_numbers(self) -> None:
        seen = gpus(*cards(1, vendor="1002", device="74a1", name=None))
        assert available(seen, tier(gpu={"models": ["1002:74a1"]})) == 1
        assert available(seen, tier(gpu={"models": ["*MI300*"]})) == 0

    def test_containers_with_cards_are_refused(self) -> None:
        with pytest.raises(InvalidResource):
            host(tier(virtualization="LXC", gpu={"count": 1}))

    def test_cards_taken_and_free_are_told(self) -> None:
        seen = gpus(*A100, guests=users(), configs={100: config("01:00")})
        (status,) = planned(seen, GPU).observed.nodes
        assert [(gpu.model, gpu.total, gpu.free) for gpu in status.gpus or ()] == [("A100 PCIe 80GB", 2, 1)]

    def test_free_cards_that_nobody_knows_are_not_told(self) -> None:
        (status,) = planned(gpus(*A100, guests=users()), GPU).observed.nodes
        assert [(gpu.model, gpu.total, gpu.free) for gpu in status.gpus or ()] == [("A100 PCIe 80GB", 2, None)]
