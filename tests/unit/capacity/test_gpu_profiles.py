"""Parts of graphics cards (mediated devices, vGPUs): sold by profile, only where the driver counts what is left."""

from typing import Any

import pytest

from proxmox_offerings.catalogue.count import count
from proxmox_offerings.catalogue.mixes import answer
from proxmox_offerings.proxmox.answers import GuestConfig
from proxmox_offerings.resources import LimitingResource, Quantity, Stock
from support.cluster import (
    ClusterFacts,
    available,
    cluster,
    config,
    function,
    guest,
    handing_out,
    host,
    mapping,
    mdev,
    node,
    offer,
    placement,
    planned,
    t4s,
    tier,
)

ONE, TWO = "0000:01:00.0", "0000:02:00.0"
WHOLE = tier(gpu={"count": 1})
ON_ONE, ON_TWO = "01:00.0,mdev=nvidia-230", "02:00.0,mdev=nvidia-230"
ANY = mapping("t4", ("pve1", ONE), ("pve1", TWO))


def vgpu(profile: str = "nvidia-230", **gpu: Any) -> dict[str, Any]:
    return tier(gpu={"profile": profile, **gpu})


def t4(*types: Any, running: Any = (), **rest: Any) -> ClusterFacts:
    """A node with one T4 that hands out `types`, by default 16 of nvidia-230."""
    told = {ONE: handing_out(*(types or [mdev()]), running=running)}
    return cluster(nodes=[node(pci=t4s(1), mdevs=told)], **rest)


def two_t4(left: int = 16, right: int = 16, *, running: Any = (), most: int | None = None, **rest: Any) -> ClusterFacts:
    mdevs = {
        ONE: handing_out(mdev(available=left, most=most), running=running),
        TWO: handing_out(mdev(available=right, most=most), running=running),
    }
    return cluster(nodes=[node(pci=t4s(2), mdevs=mdevs)], **rest)


class TestWhatIsSold:
    def test_as_many_as_the_driver_would_make(self) -> None:
        said = offer(t4(mdev(available=7)), vgpu()).statement
        assert (said.available, said.limiting_resource) == (7, LimitingResource.GPU)
        assert available(two_t4(7, 4), vgpu()) == 11

    def test_units_of_several_instances(self) -> None:
        assert available(two_t4(7, 4), vgpu(count=2)) == 5

    @pytest.mark.parametrize(
        ("gpu", "sold"),
        [
            ({"profile": "nvidia-230"}, 16),
            ({"profile": "GRID T4-1Q"}, 16),
            ({"profile": "grid t4-?q"}, 16),
            ({"profile": "nvidia-23"}, 0),
            ({"profile": "nvidia-231"}, 8),
            ({"profile": "*", "models": ["*T4*"]}, 16),
            ({"profile": "*", "models": ["10de:1eb8"]}, 16),
            ({"profile": "*", "models": ["*A100*"]}, 0),
        ],
    )
    def test_profiles_are_patterns_over_types_and_their_names(self, gpu: Any, sold: int) -> None:
        seen = t4(mdev("nvidia-230", 16, name="GRID T4-1Q"), mdev("nvidia-231", 8, name="GRID T4-2Q"))
        assert available(seen, tier(gpu=gpu)) == sold

    def test_two_types_out_of_one_card_are_not_added_up(self) -> None:
        """16 of one or 8 of the other come out of the same memory: not 24."""
        assert available(t4(mdev("nvidia-230", 16), mdev("nvidia-231", 8)), vgpu("nvidia-*")) == 16

    def test_nothing_is_promised_where_no_card_hands_out_parts(self) -> None:
        said = offer(cluster(nodes=[node(pci=t4s(1, mdev=False))]), vgpu()).statement
        assert (said.available, said.limiting_resource) == (0, LimitingResource.GPU)

    def test_integrated_graphics_of_intel_hand_out_parts_too(self) -> None:
        graphics = function("0000:00:02.0", vendor="8086", device="5912", cls="030000", group=1, mdev=True)
        told = {"0000:00:02.0": handing_out(mdev("i915-GVTg_V5_4", 2))}
        seen = cluster(nodes=[node(pci=[graphics], mdevs=told)])
        assert available(seen, vgpu("i915-GVTg_V5_4")) == 2
        assert available(seen, WHOLE) == 0
        used = seen.but(guests=(guest(100, status="stopped"),), configs={100: config("00:02.0,mdev=i915-GVTg_V5_4")})
        assert available(used, vgpu("i915-GVTg_V5_4")) == 1

    def test_devices_that_are_no_graphics_hand_out_nothing(self) -> None:
        other = function(ONE, cls="0b4000", vendor="8086", device="37c8", group=1, mdev=True)
        assert available(cluster(nodes=[node(pci=[other], mdevs={ONE: handing_out(mdev())})]), vgpu()) == 0

    def test_what_a_unit_gets_is_named_with_its_memory(self) -> None:
        said = offer(t4(mdev(name="GRID T4-1Q", memory=2**30)), vgpu()).statement.gpu
        assert said is not None
        assert (said.name, said.memory) == ("GRID T4-1Q", Quantity.parse("1Gi"))

    def test_profile_that_is_sold_out_still_describes_the_tier(self) -> None:
        full = t4(mdev(available=0, most=1), running=[100], guests=[guest(100)], configs={100: config(ON_ONE)})
        said = offer(full, vgpu()).statement
        assert said.available == 0
        assert said.gpu is not None

    def test_host_tells_what_is_left(self) -> None:
        (status,) = planned(t4(mdev(available=3, name="GRID T4-1Q")), vgpu()).observed.nodes
        (told,) = status.gpu_profiles
        assert (told.profile, told.model, told.name, told.free) == ("nvidia-230", "Tesla T4", "GRID T4-1Q", 3)


class TestGuests:
    def test_running_guest_is_not_taken_off_twice(self) -> None:
        """It ran when the driver said 15: its own is gone from that already."""
        seen = t4(mdev(available=15), running=[100], guests=[guest(100)], configs={100: config(ON_ONE)})
        assert available(seen, vgpu()) == 15

    @pytest.mark.parametrize(
        ("status", "ran"),
        [
            pytest.param("stopped", [], id="configured, and not running"),
            pytest.param("running", [], id="started since"),
            pytest.param("stopped", [100], id="stopped since, or just before"),
            pytest.param("unknown", [100], id="not heard of"),
        ],
    )
    def test_guest_that_the_driver_may_not_have_counted_is_taken_off(self, status: str, ran: list[int]) -> None:
        seen = t4(mdev(available=15), running=ran, guests=[guest(100, status=status)], configs={100: config(ON_ONE)})
        assert available(seen, vgpu()) == 14

    def test_what_a_guest_will_have_after_its_next_start_is_taken_off(self) -> None:
        both = (GuestConfig(hostpci=(ON_ONE,)), GuestConfig(hostpci=(ON_ONE, ON_ONE)))
        seen = t4(mdev(available=15), running=[100], guests=[guest(100)], configs={100: both})
        assert available(seen, vgpu()) == 14

    def test_templates_take_nothing(self) -> None:
        seen = t4(guests=[guest(100, template=True)], configs={100: config(ON_ONE, template=True)})
        assert available(seen, vgpu()) == 16

    def test_stopped_guest_of_another_type_keeps_its_card(self) -> None:
        """A card of NVIDIA hands out one type at a time."""
        seen = two_t4(guests=[guest(100, status="stopped")], configs={100: config("01:00.0,mdev=nvidia-231")})
        assert available(seen, vgpu()) == 16

    def test_use_by_mapping_takes_one_wherever_it_finds_it(self) -> None:
        stopped = guest(100, status="stopped")
        seen = two_t4(3, 2, guests=[stopped], configs={100: config("mapping=t4,mdev=nvidia-230")}, mappings=(ANY,))
        assert available(seen, vgpu()) == 4
        other = seen.but(configs={100: config("mapping=t4,mdev=nvidia-231")})
        assert available(other, vgpu()) == 0

    def test_more_guests_than_a_card_has_room_for_take_nothing_of_another(self) -> None:
        guests = [guest(100 + number, status="stopped") for number in range(4)]
        seen = two_t4(2, 5, guests=guests, configs={one.vmid: config(ON_ONE) for one in guests})
        assert available(seen, vgpu()) == 5

    def test_never_more_than_a_card_has_at_all(self) -> None:
        """The guest restarted while the driver was asked, which said 2 although it runs: of 2, one is taken."""
        seen = t4(mdev(available=2, most=2), running=[100], guests=[guest(100)], configs={100: config(ON_ONE)})
        assert available(seen, vgpu()) == 1

    def test_unread_configuration_makes_what_is_left_unknown(self) -> None:
        seen = t4(guests=[guest(100)], configs={100: None})
        assert offer(seen, vgpu()).statement.stock is Stock.UNKNOWN
        assert available(seen) == 63

    def test_unread_mapping_may_be_any_card(self) -> None:
        seen = t4(guests=[guest(100)], configs={100: config("mapping=t4,mdev=nvidia-230")}, mappings=None)
        assert available(seen, vgpu()) is None

    def test_unread_list_is_unknown_not_empty(self) -> None:
        seen = cluster(nodes=[node(pci=t4s(2), mdevs={ONE: handing_out(mdev())})])
        said = offer(seen, vgpu()).statement
        assert (said.stock, said.available) == (Stock.UNKNOWN, None)
        assert available(seen, WHOLE) is None


class TestWholeCards:
    def test_card_that_nobody_uses_in_parts_is_sold_whole(self) -> None:
        assert available(t4(), WHOLE) == 1

    @pytest.mark.parametrize(
        ("written", "status"), [(ON_ONE, "running"), (ON_ONE, "stopped"), ("mapping=t4,mdev=nvidia-230", "stopped")]
    )
    def test_card_of_which_a_guest_has_a_part_is_not_sold_whole(self, written: str, status: str) -> None:
        seen = t4(guests=[guest(100, status=status)], configs={100: config(written)}, mappings=(ANY,))
        assert available(seen, WHOLE) == 0

    def test_card_that_somebody_uses_in_parts_is_not_sold_whole(self) -> None:
        """15 of 16 are left, and no guest's configuration tells why."""
        assert available(t4(mdev(available=15, most=16)), WHOLE) == 0

    @pytest.mark.parametrize("written", ["01:00", "mapping=t4"])
    def test_card_passed_whole_hands_out_nothing(self, written: str) -> None:
        stopped = guest(100, status="stopped")
        seen = two_t4(guests=[stopped], configs={100: config(written)}, mappings=(mapping("t4", ("pve1", ONE)),))
        assert available(seen, vgpu()) == 16
        assert available(seen, WHOLE) == 1

    def test_card_that_a_mapping_may_give_away_whole_hands_out_nothing(self) -> None:
        stopped = guest(100, status="stopped")
        seen = two_t4(guests=[stopped], configs={100: config("mapping=t4")}, mappings=(ANY,))
        assert available(seen, vgpu()) == 0
        assert available(seen, WHOLE) == 1


class TestWhatNobodyCounts:
    SR_IOV = (
        function("0000:41:00.0", device="26b5", group=10, name="AD102GL [L40]"),
        function("0000:41:00.4", device="26b5", group=11, name="AD102GL [L40]", mdev=True, nvidia=True),
        function("0000:41:00.5", device="26b5", group=12, name="AD102GL [L40]", mdev=True, nvidia=True),
    )

    @pytest.mark.parametrize(
        "functions",
        [
            pytest.param(SR_IOV, id="NVIDIA on kernel 6.8: always says 1"),
            pytest.param(
                (SR_IOV[0], function("0000:41:00.4", device="26b5", group=11, name="AD102GL [L40]", mdev=True)),
                id="virtual functions of older kernels: each says 1",
            ),
            pytest.param((function("0000:41:00.0", group=10, mdev=True, nvidia=True),), id="told of the card itself"),
            pytest.param(
                (function(ONE, group=1, mdev=True), function(ONE, group=1, cls="010802", vendor="144d")),
                id="listed as two things",
            ),
        ],
    )
    def test_it_is_unknown_whatever_they_say(self, functions: Any) -> None:
        told = {one.address: handing_out(mdev("nvidia-1150", 1)) for one in functions}
        seen = cluster(nodes=[node(pci=functions, mdevs=told)])
        said = offer(seen, vgpu("nvidia-1150")).statement
        assert (said.stock, said.available) == (Stock.UNKNOWN, None)
        assert said.message == "nobody can tell: pve1 does not tell how many vGPUs are left"
        assert available(seen) == 64

    def test_cards_that_the_tier_does_not_take_need_no_count(self) -> None:
        seen = cluster(nodes=[node(pci=self.SR_IOV)])
        assert available(seen, vgpu("nvidia-1150", models=["*T4*"])) == 0

    def test_counted_cards_are_sold_beside_them(self) -> None:
        nodes = [
            node("pve1", pci=t4s(1), mdevs={ONE: handing_out(mdev(available=3))}),
            node("pve2", pci=self.SR_IOV),
            node("pve3", pci=(*t4s(1), *self.SR_IOV), mdevs={ONE: handing_out(mdev(available=2))}),
        ]
        assert placement(cluster(nodes=nodes), vgpu()) == {"pve1": 3, "pve3": 2}


class TestElsewhere:
    def nodes(self, status: str = "offline") -> list[Any]:
        told = {ONE: handing_out(mdev(available=3, most=16), mdev("nvidia-231", 2))}
        free = {ONE: handing_out(mdev(available=5), mdev("nvidia-231", 4))}
        return [
            node("gpu1", pci=t4s(1), mdevs=free),
            node("gpu2", pci=t4s(1), mdevs=told, status=status),
        ]

    def test_part_of_a_card_that_comes_back_elsewhere_is_kept(self) -> None:
        """gpu2 died with a guest on an instance: it will want one of gpu1's five, and its type no other beside it."""
        back = guest(100, "gpu2", hastate="started")
        seen = cluster(nodes=self.nodes(), guests=[back], configs={100: config(ON_ONE)})
        assert available(seen, vgpu()) == 4
        assert available(seen, vgpu("nvidia-231")) == 0
        assert available(seen, WHOLE) == 0
        assert available(seen.but(guests=()), vgpu()) == 5
        assert available(seen.but(guests=()), WHOLE) == 1

    def test_card_that_comes_back_whole_leaves_no_parts(self) -> None:
        back = guest(100, "gpu2", hastate="started")
        seen = cluster(nodes=self.nodes(), guests=[back], configs={100: config("01:00")})
        assert available(seen, vgpu()) == 0


def test_mix_does_not_sell_one_card_whole_and_in_parts() -> None:
    """One T4: 16 parts, or the card, or one kind of parts; a no is not proven, because only one of them is looked at."""
    seen = t4(mdev("nvidia-230", 16), mdev("nvidia-231", 8))
    parts, halves = tier("parts", gpu={"profile": "nvidia-230"}), tier("halves", gpu={"profile": "nvidia-231"})
    any_part, whole = tier("any", gpu={"profile": "nvidia-23?"}), tier("whole", gpu={"count": 1})
    tiers = (parts, halves, any_part, whole)

    def verdict(**wanted: int) -> str:
        counted = count(host=host(*tiers), snapshot=seen.snapshot())
        return str(answer(counted, wanted)["verdict"])

    assert verdict(parts=16) == verdict(any=16) == "Fits"
    assert {verdict(parts=1, whole=1), verdict(parts=1, halves=1), verdict(any=17)} <= {"Undecided", "DoesNotFit"}
    assert verdict(parts=1, whole=1) == "Undecided"
