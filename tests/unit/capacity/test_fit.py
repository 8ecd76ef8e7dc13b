"""How many units fit at the same time, where, and what is said to run out first."""

from collections.abc import Mapping
from typing import Any

import pytest

from proxmox_offerings.inventory.gathered import Remembered
from proxmox_offerings.proxmox.errors import UncountableGuests
from proxmox_offerings.resources import LimitingResource, Stock
from support.cluster import (
    ClusterFacts,
    available,
    cards,
    cluster,
    config,
    guest,
    mapping,
    node,
    offer,
    placement,
    storage,
    tier,
    unknown,
)

GPU, MEMORY, CPU, DISK = "gpu", "memory", "cpu", "disk"


def machine(name: str = "pve1", *, threads: int = 100, memory: int = 100, gpus: int = 0) -> Any:
    """A node by how many units (1 vCPU, 1 GiB, 1 card) each resource allows."""
    return node(name, threads=threads, memory=f"{memory}Gi", pci=cards(gpus))


def local(name: str = "pve1", *, units: int) -> Any:
    return storage(f"local-{name}", volume_group=name, on=[name], avail=f"{units}Gi")


@pytest.mark.parametrize(
    ("machine_", "disk", "sold", "limit"),
    [
        pytest.param(machine(threads=3), 9, 3, CPU, id="cpu"),
        pytest.param(machine(memory=3), 9, 3, MEMORY, id="memory"),
        pytest.param(machine(), 3, 3, DISK, id="disk"),
        pytest.param(machine(threads=3, memory=3), 3, 3, MEMORY, id="a tie of three: memory before cpu before disk"),
        pytest.param(machine(threads=3), 3, 3, CPU, id="a tie of two: cpu before disk"),
        pytest.param(machine(threads=3, memory=4), 3, 3, CPU, id="what is not used up is not named"),
        pytest.param(machine(threads=3), 0, 0, DISK, id="nothing at all"),
    ],
)
def test_one_node_has_the_least_of_its_resources(machine_: Any, disk: int, sold: int, limit: str) -> None:
    said = offer(cluster(nodes=[machine_], storages=[local(units=disk)])).statement
    assert (said.available, said.limiting_resource) == (sold, limit)
    assert [(on.available, on.limiting_resource) for on in said.nodes] == [(sold, limit)]


@pytest.mark.parametrize(
    ("machine_", "sold", "limit"),
    [
        pytest.param(machine(gpus=2), 2, GPU, id="gpu"),
        pytest.param(machine(gpus=2, memory=2, threads=2), 2, GPU, id="gpu before all others"),
        pytest.param(machine(gpus=2, memory=1), 1, MEMORY, id="memory"),
    ],
)
def test_cards_are_one_of_the_resources(machine_: Any, sold: int, limit: str) -> None:
    said = offer(cluster(nodes=[machine_]), tier(gpu={"count": 1})).statement
    assert (said.available, said.limiting_resource) == (sold, limit)


class TestLimitOfSeveralNodes:
    def limit(self, *nodes: Any, disks: Mapping[str, int] | None = None, **one: Any) -> str | None:
        told = {each.name: 1000 for each in nodes} | dict(disks or {})
        seen = cluster(nodes=nodes, storages=[local(name, units=units) for name, units in told.items()])
        return offer(seen, tier(**one)).statement.limiting_resource

    def test_the_one_whose_end_would_gain_most(self) -> None:
        """Without limit, CPU would give pve1 2 more, memory would give pve2 7 more."""
        nodes = (machine("pve1", threads=3, memory=5), machine("pve2", threads=10, memory=3))
        assert self.limit(*nodes) == MEMORY

    def test_gain_counts_across_nodes_not_how_many_nodes_lack_it(self) -> None:
        nodes = (
            machine("pve1", threads=3, memory=4),
            machine("pve2", threads=3, memory=4),
            machine("pve3", threads=50, memory=10),
        )
        assert self.limit(*nodes) == MEMORY

    def test_equal_gains_go_by_the_fixed_order(self) -> None:
        nodes = (machine("pve1", threads=3, memory=5), machine("pve2", threads=5, memory=3))
        assert self.limit(*nodes) == MEMORY

    def test_where_no_single_one_would_help_what_is_used_up_is_named(self) -> None:
        """Each node lacks two at once; memory comes first in the order."""
        nodes = (machine("pve1", threads=3, memory=3), machine("pve2", threads=4, memory=4))
        assert self.limit(*nodes, disks={"pve1": 3, "pve2": 4}) == MEMORY
        assert self.limit(machine("pve1", threads=3), machine("pve2", threads=4), disks={"pve1": 3, "pve2": 4}) == CPU

    def test_gains_are_compared_after_max_units(self) -> None:
        """Six fit. Without limit, CPU would give 5 more and memory 3; at most 8 in all, both give 2, and memory is first."""
        nodes = (machine("pve1", threads=3, memory=8), machine("pve2", threads=6, memory=3))
        assert self.limit(*nodes) == CPU
        assert self.limit(*nodes, maxUnits=8) == MEMORY
        assert self.limit(*nodes, maxUnits=6) == MEMORY


class TestMaxUnits:
    def test_caps_and_says_so(self) -> None:
        said = offer(cluster(nodes=[machine(threads=9)]), tier(maxUnits=4)).statement
        assert (said.available, said.limiting_resource) == (4, LimitingResource.MAX_UNITS)
        assert [(on.available, on.limiting_resource) for on in said.nodes] == [(4, None)]

    def test_exactly_as_many_as_fit_is_no_cap(self) -> None:
        said = offer(cluster(nodes=[machine(threads=4)]), tier(maxUnits=4)).statement
        assert (said.available, said.limiting_resource) == (4, LimitingResource.CPU)

    def test_capped_units_fill_the_nodes_in_order(self) -> None:
        seen = cluster(nodes=[machine(name, threads=3) for name in ("pve1", "pve2", "pve3")])
        assert placement(seen, tier(maxUnits=5)) == {"pve1": 3, "pve2": 2, "pve3": 0}


class TestPlacement:
    def test_nodes_are_filled_in_the_order_of_their_names_as_far_as_the_total_allows(self) -> None:
        """Seven disks fit on the shared storage: pve1 takes its 5, pve2 the other 2; listed the other way round all the same."""
        nodes = [machine("pve2", threads=5), machine("pve1", threads=5)]
        assert placement(cluster(nodes=nodes, storages=[storage("ceph", "rbd", avail="7Gi")])) == {"pve1": 5, "pve2": 2}

    def test_first_node_leaves_the_shared_disk_to_one_that_has_no_other(self) -> None:
        """Both fit 4; the shared 4 belong to pve2, for pve1 has 4 of its own."""
        nodes = [machine("pve1", threads=4), machine("pve2", threads=4)]
        disks = [local("pve1", units=4), storage("ceph", "rbd", avail="4Gi")]
        assert placement(cluster(nodes=nodes, storages=disks)) == {"pve1": 4, "pve2": 4}

    def test_disks_move_through_a_chain_of_nodes(self) -> None:
        """pve1 reaches a, pve2 a and b, pve3 b and c: pve1 can only be served if the others move over."""
        disks = [
            storage("a", "nfs", server="1", export="/a", on=["pve1", "pve2"], avail="2Gi"),
            storage("b", "nfs", server="2", export="/b", on=["pve2", "pve3"], avail="2.2Gi"),
            storage("c", "nfs", server="3", export="/c", on=["pve3"], avail="2.4Gi"),
        ]
        nodes = [machine(name, threads=2) for name in ("pve1", "pve2", "pve3")]
        assert placement(cluster(nodes=nodes, storages=disks)) == {"pve1": 2, "pve2": 2, "pve3": 2}
        assert available(cluster(nodes=nodes[::-1], storages=disks[::-1])) == 6


class TestFailover:
    """`failoverNodes: k`: only what still fits on the rest, with the lost guests there, whichever k nodes go down."""

    def three(self, *guests: Any, threads: int = 10, storages: Any = None) -> ClusterFacts:
        nodes = [machine(name, threads=threads) for name in ("pve1", "pve2", "pve3")]
        return cluster(nodes=nodes, guests=guests, **({"storages": storages} if storages else {}))

    def sold(self, seen: ClusterFacts, one: Any = None, k: int = 1, **terms: Any) -> tuple[int | None, str | None]:
        said = offer(seen, one, allocation={"failoverNodes": k, **terms}).statement
        return said.available, said.limiting_resource

    def test_room_of_one_node_is_kept(self) -> None:
        assert self.sold(self.three()) == (20, "failover")
        assert self.sold(self.three(), k=2) == (10, "failover")

    def test_lost_guests_take_room_on_the_rest(self) -> None:
        """Any one down, its 2 to 6 vCPUs go to the others: 30 - 10 - (2 + 4 + 6) = 8 are left whichever it is."""
        guests = (guest(100, "pve1", cpu=2), guest(101, "pve2", cpu=4), guest(102, "pve3", cpu=6))
        assert self.sold(self.three(*guests)) == (8, "failover")

    def test_worst_node_decides(self) -> None:
        """pve3 alone has a large disk: without it 2 + 2 fit."""
        disks = [local("pve1", units=2), local("pve2", units=2), local("pve3", units=9)]
        assert self.sold(self.three(storages=disks)) == (4, "failover")

    def test_shared_storage_stays_when_a_node_goes(self) -> None:
        assert self.sold(self.three(storages=[storage("ceph", "rbd", avail="15Gi")])) == (15, "disk")

    def test_reserve_that_does_not_bind_is_not_named(self) -> None:
        """Five disks in all fit on any two nodes."""
        seen = self.three(storages=[storage("ceph", "rbd", avail="5Gi")])
        assert self.sold(seen)[1] == "disk"

    def test_guest_that_fits_nowhere_stops_sales_and_is_named(self) -> None:
        guests = [guest(100 + number, f"pve{number + 1}", cpu=6) for number in range(3)]
        said = offer(self.three(*guests), allocation={"failoverNodes": 1}).statement
        assert (said.stock, said.limiting_resource) == (Stock.OUT_OF_STOCK, LimitingResource.FAILOVER)
        assert said.message == "none fits: if nodes go down, guest 100 would find no room"

    @pytest.mark.parametrize(("count", "k"), [(1, 1), (1, 2), (2, 2)])
    def test_all_nodes_down_leaves_nothing(self, count: int, k: int) -> None:
        nodes = [machine(f"pve{number}", threads=10) for number in range(count)]
        assert self.sold(cluster(nodes=nodes), k=k) == (0, "failover")

    def test_node_already_down_does_not_count(self) -> None:
        seen = self.three()
        down = seen.but(nodes=(*seen.nodes[:2], node("pve3", threads=10, memory="100Gi", status="offline")))
        assert self.sold(down) == (10, "failover")

    def test_reserve_is_over_all_nodes_of_the_host_whatever_the_tier_selects(self) -> None:
        """The tier lives on pve1 alone; pve1 may be the one that goes down."""
        assert self.sold(self.three(), tier(nodes={"include": ["pve1"]})) == (0, "failover")

    def test_guests_of_nodes_that_the_tier_does_not_use_need_room_too(self) -> None:
        """pve3's 8 vCPUs go to pve1 first: 2 units are left on it; the tier's other node keeps 10, but may go down itself."""
        seen = self.three(guest(100, "pve3", cpu=8))
        assert self.sold(seen, tier(nodes={"include": ["pve1", "pve2"]})) == (10, "failover")
        on_one = self.three(guest(100, "pve3", cpu=8), guest(101, "pve3", cpu=8))
        assert self.sold(on_one, tier(nodes={"include": ["pve1", "pve2"]})) == (4, "failover")

    def test_largest_memory_goes_first(self) -> None:
        """By memory, 60 goes to pve1 (75 free) and 25 to pve2 (50 free); smallest first, 60 would find no room."""
        nodes = [
            node("pve1", threads=10, memory="75Gi"),
            node("pve2", threads=10, memory="50Gi"),
            node("pve3", threads=10, memory="100Gi"),
        ]
        guests = [guest(100, "pve3", memory="25Gi"), guest(101, "pve3", memory="60Gi")]
        seen = cluster(nodes=nodes, guests=guests)
        assert self.sold(seen) == (18, "failover")

    def test_costs_follow_the_node_that_takes_the_guest(self) -> None:
        """A dedicated guest of 2 costs 200 points on pve1, but 800 of pve2's 1200, where four vCPUs share a thread: 4 are left."""
        terms = {"overrides": [{"nodes": ["pve2"], "cpu": {"percent": 400}}]}
        nodes = [machine("pve1", threads=10), machine("pve2", threads=3)]
        seen = cluster(nodes=nodes, guests=[guest(100, "pve1", cpu=2, tags=["dedicated"])])
        assert self.sold(seen, **terms) == (4, "failover")

    def test_cards_of_lost_guests_are_kept_by_model(self) -> None:
        """gpu1 has 4 cards, one of them in use, gpu2 has 3: with gpu1 down its guest takes one on gpu2, and 2 are left there."""
        nodes = [machine("gpu1", gpus=4), machine("gpu2", gpus=3)]
        seen = cluster(
            nodes=nodes, guests=[guest(100, "gpu1"), guest(101, "gpu2")], configs={100: config("01:00"), 101: config()}
        )
        assert available(seen, tier(gpu={"count": 1})) == 6
        assert self.sold(seen, tier(gpu={"count": 1})) == (2, "failover")

    def test_cards_of_lost_guests_by_mapping_are_kept_too(self) -> None:
        nodes = [machine("gpu1", gpus=4), machine("gpu2", gpus=3)]
        seen = cluster(
            nodes=nodes,
            guests=[guest(100, "gpu1"), guest(101, "gpu2")],
            configs={100: config("mapping=a100"), 101: config()},
            mappings=(mapping("a100", ("gpu1", "0000:01:00"), ("gpu2", "0000:01:00")),),
        )
        assert self.sold(seen, tier(gpu={"count": 1})) == (2, "failover")

    def test_guest_that_finds_no_card_elsewhere_stops_sales(self) -> None:
        nodes = [machine("gpu1", gpus=1), machine("pve1"), machine("pve2")]
        seen = cluster(nodes=nodes, guests=[guest(100, "gpu1")], configs={100: config("01:00")})
        assert self.sold(seen) == (0, "failover")
        assert self.sold(seen.but(configs={100: config()}))[0] == 199

    def test_guest_whose_cards_nobody_knows_leaves_none_free(self) -> None:
        """gpu1 cannot be judged for GPU tiers; if it goes down, its guest may take any card of gpu2."""
        nodes = [machine("gpu1", gpus=3), machine("gpu2", gpus=3), machine("gpu3", gpus=3)]
        seen = cluster(nodes=nodes, guests=[guest(100, "gpu1")], configs={100: None})
        assert available(seen, tier(gpu={"count": 1})) == 6
        assert self.sold(seen, tier(gpu={"count": 1})) == (0, "failover")
        assert self.sold(seen)[0] == 199

    @pytest.mark.parametrize(
        ("told", "sold"),
        [
            pytest.param(None, 0, id="configuration unread"),
            pytest.param(config("01:00"), 0, id="configuration names a device of which nobody knows what it is"),
            pytest.param(config(), 3, id="configuration names none"),
        ],
    )
    def test_guest_of_a_node_whose_devices_nobody_read(self, told: Any, sold: int) -> None:
        """If pve1 goes down, its guest may want a card of gpu1 or gpu2, which have 3 each."""
        nodes = [node("pve1", pci=None), machine("gpu1", gpus=3), machine("gpu2", gpus=3)]
        seen = cluster(nodes=nodes, guests=[guest(100, "pve1")], configs={100: told})
        assert self.sold(seen, tier(gpu={"count": 1})) == (sold, "failover")

    def test_max_units_below_the_reserve_is_named(self) -> None:
        assert self.sold(self.three(), tier(maxUnits=7)) == (7, "maxUnits")


class TestGuestsThatHABringsBack:
    def seen(self, *guests: Any, state: str = "offline", **rest: Any) -> ClusterFacts:
        nodes = [
            machine("pve1", threads=10),
            machine("pve2", threads=10),
            node("pve3", threads=10, memory="100Gi", status=state),
        ]
        return cluster(nodes=nodes, guests=guests, **rest)

    def test_ha_guests_of_a_dead_node_need_room_elsewhere(self) -> None:
        assert placement(self.seen(guest(100, "pve3", cpu=4, hastate="started"))) == {"pve1": 6, "pve2": 10}

    def test_guests_without_ha_stay_where_they_are(self) -> None:
        assert available(self.seen(guest(100, "pve3", cpu=4))) == 20

    @pytest.mark.parametrize(
        ("hastate", "sold"),
        [("ignored", 20), ("stopped", 20), ("started", 16), ("fence", 16), ("recovery", 16), ("error", 16)],
    )
    def test_only_those_that_ha_will_start(self, hastate: str, sold: int) -> None:
        assert available(self.seen(guest(100, "pve3", cpu=4, hastate=hastate))) == sold

    def test_ha_guests_of_a_node_in_maintenance_are_on_their_way(self) -> None:
        seen = self.seen(guest(100, "pve3", cpu=4, hastate="started"), state="online")
        quiet = seen.but(nodes=(*seen.nodes[:2], node("pve3", threads=10, memory="100Gi", hastate="maintenance")))
        assert available(seen) == 26
        assert available(quiet) == 16

    def test_guest_already_migrating_is_not_counted_twice(self) -> None:
        """It counts on both nodes where it may arrive, and once is enough."""
        migrating = guest(100, "pve3", cpu=4, hastate="started", lock="migrate")
        assert placement(self.seen(migrating)) == {"pve1": 6, "pve2": 6}

    def test_ha_guest_of_a_node_that_is_no_longer_listed_comes_back_too(self) -> None:
        """Nothing is heard of it until HA has brought it: its size is the last that was told."""
        seen = self.seen(unknown(100, "pve9", hastate="started"))
        known = Remembered(sizes={100: guest(100, "pve9", cpu=4, hastate="started")})
        assert available(seen.snapshot(remembered=known)) == 16

    def test_guest_that_fits_nowhere_stops_sales_and_is_named(self) -> None:
        said = offer(self.seen(guest(107, "pve3", cpu=11, hastate="started"))).statement
        assert (said.available, said.limiting_resource) == (0, LimitingResource.FAILOVER)
        assert said.message is not None
        assert "guest 107" in said.message
        assert [(on.name, on.available) for on in said.nodes] == [("pve1", 0), ("pve2", 0)]

    def test_they_are_placed_before_any_further_node_goes_down(self) -> None:
        """4 on pve1 from the dead node; then pve1 or pve2 may go: 6 are sold if pve2 does."""
        seen = self.seen(guest(100, "pve3", cpu=4, hastate="started"))
        assert available(seen, allocation={"failoverNodes": 1}) == 6

    def test_size_is_remembered_when_nothing_is_heard_any_more(self) -> None:
        before = self.seen(guest(100, "pve3", cpu=4, hastate="started"))
        dark = node("pve3", threads=None, memory=None, status="offline")
        after = before.but(nodes=(*before.nodes[:2], dark), guests=(unknown(100, "pve3", hastate="started"),))
        remembered = before.remembered()
        assert available(after.snapshot(remembered=remembered)) == 16
        assert available(after.snapshot(remembered=after.remembered(remembered))) == 16

    def test_size_that_nobody_ever_told_says_nothing_new(self) -> None:
        with pytest.raises(UncountableGuests, match="guest 100 of node pve3"):
            available(self.seen(unknown(100, "pve3", hastate="started")))
        assert available(self.seen(unknown(100, "pve3"))) == 20

    def test_cards_of_returning_guests_are_kept(self) -> None:
        """gpu2 died with a guest on a card: it will want one of gpu1's two."""
        nodes = [machine("gpu1", gpus=2), node("gpu2", pci=cards(2), status="offline")]
        seen = cluster(nodes=nodes, guests=[guest(100, "gpu2", hastate="started")], configs={100: config("01:00")})
        assert available(seen, tier(gpu={"count": 1})) == 1
        assert available(seen.but(configs={}), tier(gpu={"count": 1})) == 0

    def test_cards_of_returning_guests_are_remembered_from_when_their_node_answered(self) -> None:
        """A dead node is not asked for configurations, and after a while its devices are forgotten too: 3 - 1 cards are left on gpu1."""
        alive = cluster(
            nodes=[machine("gpu1", gpus=3), machine("gpu2", gpus=2), machine("pve3")],
            guests=[guest(100, "gpu2", hastate="started"), guest(101, "pve3", hastate="started")],
            configs={100: config("01:00"), 101: None},
        )
        dark = [node(name, pci=None, status="offline") for name in ("gpu2", "pve3")]
        dead = alive.but(nodes=(alive.nodes[0], *dark), configs={})
        remembered = alive.remembered()
        for _ in range(2):
            assert available(dead.snapshot(remembered=remembered), tier(gpu={"count": 1})) == 2
            remembered = dead.remembered(remembered)
        assert available(dead, tier(gpu={"count": 1})) == 0

    def test_cards_are_remembered_for_dead_nodes_only(self) -> None:
        """gpu2 is there, but one configuration of it can no longer be read: a guest that migrates may have been given other cards."""
        nodes = [machine("gpu1", gpus=3), machine("gpu2", gpus=2)]
        before = cluster(nodes=nodes, guests=[guest(100, "gpu2", lock="migrate")], configs={100: config("01:00")})
        after = before.but(configs={100: None})
        assert available(after.snapshot(remembered=before.remembered()), tier(gpu={"count": 1})) == 0
