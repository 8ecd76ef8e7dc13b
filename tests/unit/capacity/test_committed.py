"""What guests take of a node: what they are configured with, never what they use."""

from collections.abc import Mapping
from typing import Any

import pytest

from proxmox_offerings.proxmox.answers import GuestConfig, GuestRow, ManagerStatus
from support.cluster import available, cards, cluster, config, guest, node, placement, planned, tier, unknown

BY_CPU = tier(memory="1Mi", disk="1Mi")
"""Counts free vCPUs."""
BY_MEMORY = tier(memory="1Gi", disk="1Mi")
"""Counts free GiB on a node with vCPUs in plenty."""


def free_vcpus(*guests: GuestRow, threads: int = 16, one: Mapping[str, Any] = BY_CPU, **rest: Any) -> int | None:
    configs = rest.pop("configs", {})
    return available(cluster(nodes=[node(threads=threads, memory="64Gi")], guests=guests, configs=configs), one, **rest)


def free_gib(*guests: GuestRow, memory: str = "16Gi", **rest: Any) -> int | None:
    configs = rest.pop("configs", {})
    seen = cluster(nodes=[node(threads=8000, memory=memory)], guests=guests, configs=configs)
    return available(seen, BY_MEMORY, **rest)


@pytest.mark.parametrize(
    ("guests", "left"),
    [
        pytest.param([], 16, id="empty"),
        pytest.param([guest(100, cpu=4, memory="4Gi")], 12, id="running"),
        pytest.param([guest(100, cpu=4, memory="4Gi", status="stopped")], 12, id="stopped: it may be started"),
        pytest.param([guest(100, cpu=4, memory="4Gi", status="paused")], 12, id="paused"),
        pytest.param([guest(100, cpu=4, memory="4Gi", status="io-error")], 12, id="a status nobody thought of"),
        pytest.param([guest(100, cpu=4, memory="4Gi", kind="lxc")], 12, id="container"),
        pytest.param([guest(100, cpu=4, memory="4Gi", template=True)], 16, id="template: it never runs"),
        pytest.param([guest(100, cpu=4, memory="4Gi", lock="backup")], 12, id="locked"),
        pytest.param(
            [guest(100, cpu=1, memory="1Gi"), guest(101, cpu=2, memory="2Gi"), guest(102, cpu=3, memory="3Gi")],
            10,
            id="several",
        ),
    ],
)
def test_every_guest_that_can_run_counts(guests: list[GuestRow], left: int) -> None:
    assert free_vcpus(*guests) == left
    assert free_gib(*guests) == left


def test_template_is_not_counted() -> None:
    assert free_vcpus(guest(9000, cpu=16, template=True)) == 16


def test_stopped_guest_counts() -> None:
    assert free_vcpus(guest(100, cpu=16, status="stopped")) == 0


@pytest.mark.parametrize(("status", "left"), [("stopped", 16), ("paused", 12), ("prelaunch", 12), ("running", 12)])
def test_only_exactly_stopped_guests_are_ignored_on_request(status: str, left: int) -> None:
    assert free_vcpus(guest(100, cpu=4, status=status), allocation={"stoppedGuests": "Ignore"}) == left


def test_unknown_guest_is_not_taken_for_a_stopped_one() -> None:
    seen = cluster(nodes=[node(threads=16)], guests=[unknown(100)], configs={100: config(cores=4, memory="1Gi")})
    assert available(seen, BY_CPU, allocation={"stoppedGuests": "Ignore"}) == 12


def test_unknown_template_is_recognised_by_its_configuration() -> None:
    """A template whose node was not heard of loses its mark together with its size."""
    seen = cluster(nodes=[node(threads=16)], guests=[unknown(9000)], configs={9000: config(cores=4, template=True)})
    assert available(seen, BY_CPU) == 16


def test_unknown_guest_without_a_memory_setting_has_the_default() -> None:
    """512 MiB: 15.5 GiB are left of 16."""
    assert free_gib(unknown(100), configs={100: config(cores=1)}) == 15


def test_unknown_guest_takes_the_larger_of_current_and_pending() -> None:
    both = (GuestConfig(cores=2, memory=2**30), GuestConfig(cores=6, memory=2**29))
    assert free_vcpus(unknown(100), configs={100: both}) == 10
    assert free_gib(unknown(100), configs={100: both}) == 15


class TestContainersAtTheNodesSize:
    """A container's `maxcpu` is the node's where it has no limit, or a limit of just that size: only its configuration tells which."""

    FULL = guest(100, cpu=16, kind="lxc")

    @pytest.mark.parametrize(
        ("told", "left"),
        [
            pytest.param(config(), 16, id="no limit: nothing under the policy Ignore"),
            pytest.param(config(cores=16), 0, id="limited to all cores"),
            pytest.param(config(cores=16, cpulimit=2), 14, id="the smaller of cores and cpulimit"),
            pytest.param(config(cores=3, cpulimit=16), 13, id="the smaller of cpulimit and cores"),
            pytest.param(config(cpulimit=2.5), 13, id="a fraction rounds up in whole units left"),
            pytest.param(config(cpulimit=0), 16, id="cpulimit 0 is no limit"),
            pytest.param(None, 0, id="unreadable: the whole node"),
        ],
    )
    def test_configuration_decides(self, told: Any, left: int) -> None:
        assert free_vcpus(self.FULL, configs={100: told}) == left

    def test_count_as_node_counts_the_node(self) -> None:
        as_node = {"unlimitedContainers": "CountAsNode"}
        assert free_vcpus(self.FULL, configs={100: config()}, allocation=as_node) == 0

    def test_count_as_node_follows_the_unit(self) -> None:
        """16 threads are 8 cores at 400 %: 32 vCPUs, of which an unlimited container takes 8."""
        terms = {"unlimitedContainers": "CountAsNode", "cpu": {"unit": "Core", "percent": 400}}
        assert free_vcpus(self.FULL, configs={100: config()}, allocation=terms) == 24

    def test_other_containers_need_no_configuration(self) -> None:
        assert free_vcpus(guest(100, cpu=15, kind="lxc")) == 1

    def test_virtual_machine_of_the_nodes_size_is_not_unlimited(self) -> None:
        assert free_vcpus(guest(100, cpu=16), configs={100: config()}) == 0


def test_container_fractions_round_up_to_a_hundredth() -> None:
    """At 400 %, 1 thread is 400 points: 0.501 vCPU costs 51 of them, and three units of 100 fit in the other 349."""
    assert free_vcpus(guest(100, cpu=0.501, kind="lxc"), threads=1, allocation={"cpu": {"percent": 400}}) == 3
    (status,) = planned(
        cluster(nodes=[node(threads=4)], guests=[guest(100, cpu=0.501, kind="lxc")]), tier()
    ).observed.nodes
    assert status.cpu is not None
    assert str(status.cpu.committed) == "510m"


def test_guest_overhead_counts_for_virtual_machines_old_and_new_but_not_for_containers() -> None:
    """16 GiB less one VM of 3 + 1 and a container of 4 leave 8: four VMs of 1 + 1, or eight containers of 1."""
    guests = [guest(100, memory="3Gi"), guest(101, memory="4Gi", kind="lxc")]
    terms = {"memory": {"guestOverhead": "1Gi"}}
    assert free_gib(*guests, allocation=terms) == 4
    seen = cluster(nodes=[node(threads=8000, memory="16Gi")], guests=guests)
    assert available(seen, {**BY_MEMORY, "virtualization": "LXC"}, allocation=terms) == 8


class TestDedicated:
    """A dedicated vCPU takes a thread whatever the percent: max(100, percent) points."""

    def test_tagged_guest_takes_whole_threads(self) -> None:
        """4 threads at 400 % are 16 shared vCPUs; a dedicated guest of 2 takes 2 threads, which is 8 of them."""
        terms = {"cpu": {"percent": 400}}
        assert free_vcpus(guest(100, cpu=2, tags=["web", "dedicated"]), threads=4, allocation=terms) == 8
        assert free_vcpus(guest(100, cpu=2, tags=["web"]), threads=4, allocation=terms) == 14

    def test_dedicated_tier_sells_threads(self) -> None:
        dedicated = {**BY_CPU, "dedicatedCPU": True}
        assert free_vcpus(threads=4, one=dedicated, allocation={"cpu": {"percent": 400}}) == 4

    def test_below_100_percent_a_dedicated_vcpu_costs_no_less_than_a_shared_one(self) -> None:
        """Half of 8 threads for sale is 4 vCPUs, dedicated or not."""
        terms = {"cpu": {"percent": 50}}
        assert free_vcpus(threads=8, one={**BY_CPU, "dedicatedCPU": True}, allocation=terms) == 4
        assert free_vcpus(guest(100, cpu=1, tags=["dedicated"]), threads=8, allocation=terms) == 3

    def test_seller_names_the_tags(self) -> None:
        terms = {"cpu": {"percent": 400, "dedicatedTags": ["pinned"]}}
        assert free_vcpus(guest(100, cpu=1, tags=["dedicated"]), threads=4, allocation=terms) == 15
        assert free_vcpus(guest(100, cpu=1, tags=["pinned"]), threads=4, allocation=terms) == 12

    def test_tag_typed_in_capitals_is_still_found(self) -> None:
        """Proxmox writes tags in lower case, however they were typed, unless told otherwise."""
        terms = {"cpu": {"percent": 400, "dedicatedTags": ["Pinned"]}}
        assert free_vcpus(guest(100, cpu=1, tags=["pinned"]), threads=4, allocation=terms) == 12
        assert free_vcpus(guest(100, cpu=1, tags=["Pinned"]), threads=4, allocation=terms) == 12

    def test_nodes_may_have_tags_of_their_own(self) -> None:
        """A guest of one vCPU with the tag of old machines takes a whole thread on old1 (4 of 16), and one vCPU elsewhere."""
        terms = {"cpu": {"percent": 400}, "overrides": [{"nodes": ["old*"], "cpu": {"dedicatedTags": ["pinned"]}}]}
        seen = cluster(
            nodes=[node("pve1", threads=4), node("old1", threads=4)],
            guests=[guest(100, "pve1", tags=["pinned"]), guest(101, "old1", tags=["pinned"])],
        )
        assert placement(seen, BY_CPU, allocation=terms) == {"old1": 12, "pve1": 15}
        migrating = cluster(
            nodes=[node("pve1", threads=4), node("old1", threads=4)],
            guests=[guest(100, "pve1", tags=["pinned"], lock="migrate")],
        )
        assert placement(migrating, BY_CPU, allocation=terms) == {"old1": 12, "pve1": 15}


class TestCPUOfANode:
    @pytest.mark.parametrize(
        ("cpu", "vcpus"),
        [
            pytest.param({"percent": 100}, 16, id="threads"),
            pytest.param({"percent": 400}, 64, id="four vCPUs to a thread"),
            pytest.param({"percent": 150}, 24, id="fractions of a vCPU are not lost before counting"),
            pytest.param({"percent": 400, "reserved": "2"}, 56, id="reserve first, then the percent"),
            pytest.param({"percent": 400, "reserved": "500m"}, 62, id="half a thread"),
            pytest.param({"percent": 100, "reserved": "100"}, 0, id="more reserved than there is"),
            pytest.param({"unit": "Core", "percent": 400}, 32, id="cores"),
        ],
    )
    def test_capacity(self, cpu: dict[str, Any], vcpus: int) -> None:
        assert free_vcpus(allocation={"cpu": cpu}) == vcpus

    def test_platform_that_does_not_tell_cores_sells_threads(self) -> None:
        """On ARM, and in some virtual machines, 1 core is told for 64 threads."""
        seen = cluster(nodes=[node(threads=64, cores=1)])
        assert available(seen, BY_CPU, allocation={"cpu": {"unit": "Core"}}) == 64

    def test_unread_cores_are_not_taken_for_threads(self) -> None:
        seen = cluster(nodes=[node(threads=64, status_unread=True)])
        lxc = {**BY_CPU, "virtualization": "LXC"}
        assert available(seen, lxc) == 64
        assert available(seen, lxc, allocation={"cpu": {"unit": "Core"}}) is None

    def test_unit_must_fit_the_machine(self) -> None:
        """400 % of 4 threads are 16 vCPUs, but no guest can have more vCPUs than there are threads."""
        terms = {"cpu": {"percent": 400}}
        assert free_vcpus(threads=4, one={**BY_CPU, "cpu": 4}, allocation=terms) == 4
        assert free_vcpus(threads=4, one={**BY_CPU, "cpu": 5}, allocation=terms) == 0
        assert free_vcpus(threads=4, one={**BY_CPU, "cpu": 5, "virtualization": "LXC"}, allocation=terms) == 0

    def test_node_committed_beyond_its_size_sells_nothing_and_says_so(self) -> None:
        seen = cluster(nodes=[node(threads=4, memory="8Gi")], guests=[guest(100, cpu=6, memory="9Gi")])
        (status,) = planned(seen, tier()).observed.nodes
        assert available(seen) == 0
        assert status.cpu is not None
        assert status.memory_allocation is not None
        assert str(status.cpu.headroom) == "-2"
        assert status.memory_allocation.headroom.bytes == -(2**30)


class TestMemoryOfANode:
    @pytest.mark.parametrize(
        ("memory", "gib"),
        [
            pytest.param({"reserved": "0"}, 16, id="all of it"),
            pytest.param({"reserved": "2Gi"}, 14, id="amount kept"),
            pytest.param({"reserved": "2Gi", "reservedPercent": 50}, 8, id="the larger reserve holds: percent"),
            pytest.param({"reserved": "12Gi", "reservedPercent": 50}, 4, id="the larger reserve holds: amount"),
            pytest.param({"reserved": "2Gi", "percent": 200}, 28, id="reserve first, then the percent"),
            pytest.param({"reserved": "20Gi"}, 0, id="more reserved than there is"),
            pytest.param({"reserved": "1"}, 15, id="one byte less is one unit less"),
        ],
    )
    def test_capacity(self, memory: dict[str, Any], gib: int) -> None:
        assert free_gib(allocation={"memory": memory}) == gib

    def test_reserve_rounds_up(self) -> None:
        """A tenth of 101 bytes is 11 bytes: 90 are left."""
        seen = cluster(nodes=[node(memory=101)])
        assert available(seen, tier(memory="90"), allocation={"memory": {"reservedPercent": 10}}) == 1
        assert available(seen, tier(memory="91"), allocation={"memory": {"reservedPercent": 10}}) == 0

    def test_unit_must_fit_the_machine(self) -> None:
        """200 % of 16 GiB could be committed, but a guest of 17 GiB cannot run on 16."""
        terms = {"memory": {"percent": 200}}
        seen = cluster(nodes=[node(memory="16Gi")])
        assert available(seen, tier(memory="16Gi"), allocation=terms) == 2
        assert available(seen, tier(memory="17Gi"), allocation=terms) == 0


class TestOverrides:
    NODES = cluster(nodes=[node(name, threads=4, memory="64Gi") for name in ("pve1", "pve2", "old1")])

    def vcpus(self, *overrides: dict[str, Any]) -> dict[str, str]:
        terms = {"cpu": {"percent": 200, "reserved": "1"}, "overrides": list(overrides)}
        nodes = planned(self.NODES, tier(), allocation=terms).observed.nodes
        return {one.name: str(one.cpu.capacity) for one in nodes if one.cpu is not None}

    def test_fields_left_out_come_from_the_allocation(self) -> None:
        """(4 - 1) x 200 % everywhere, but x 100 % on old machines."""
        assert self.vcpus({"nodes": ["old*"], "cpu": {"percent": 100}}) == {"pve1": "6", "pve2": "6", "old1": "3"}

    def test_first_entry_that_matches_holds_alone(self) -> None:
        """pve1 matches both: of the second entry nothing is taken, not even what the first leaves out."""
        first = {"nodes": ["pve1"], "cpu": {"percent": 400}}
        second = {"nodes": ["pve*"], "cpu": {"reserved": "0"}}
        assert self.vcpus(first, second) == {"pve1": "12", "pve2": "8", "old1": "6"}

    def test_override_of_memory_leaves_cpu_alone(self) -> None:
        only_memory = {"nodes": ["pve1"], "memory": {"reserved": "60Gi"}}
        assert self.vcpus(only_memory)["pve1"] == "6"
        assert available(self.NODES, tier(nodes={"include": ["pve1"]}), allocation={"overrides": [only_memory]}) == 4


class TestMigration:
    def nodes(self) -> list[Any]:
        return [node(name, threads=4, memory="64Gi") for name in ("pve1", "pve2", "pve3")]

    def test_migrating_guest_counts_wherever_it_may_arrive(self) -> None:
        """Its target is not told: 4 - 3 threads are left on each of three nodes."""
        seen = cluster(nodes=self.nodes(), guests=[guest(100, "pve1", cpu=3, lock="migrate")])
        assert available(seen, BY_CPU) == 3

    @pytest.mark.parametrize("hastate", ["migrate", "relocate"])
    def test_guest_that_ha_is_about_to_move_counts_at_its_target_before_it_is_locked(self, hastate: str) -> None:
        """HA tells the target: 4 - 3 threads are left on pve1 and pve3, 4 on pve2. Where it does not tell, it may be any."""
        seen = cluster(nodes=self.nodes(), guests=[guest(100, "pve1", cpu=3, hastate=hastate)])
        told = seen.but(manager=ManagerStatus(node_status={}, lrm_mode={}, targets={100: "pve3"}))
        assert placement(told, BY_CPU) == {"pve1": 1, "pve2": 4, "pve3": 1}
        assert placement(seen, BY_CPU) == {"pve1": 1, "pve2": 1, "pve3": 1}
        elsewhere = seen.but(manager=ManagerStatus(node_status={}, lrm_mode={}, targets={100: "pve9"}))
        assert available(elsewhere, BY_CPU) == 3

    def test_guest_that_ha_stopped_to_relocate_it_counts_although_stopped_guests_do_not(self) -> None:
        seen = cluster(nodes=self.nodes(), guests=[guest(100, "pve1", cpu=3, hastate="relocate", status="stopped")])
        assert available(seen, BY_CPU, allocation={"stoppedGuests": "Ignore"}) == 3
        resting = seen.but(guests=(guest(100, "pve1", cpu=3, hastate="started", status="stopped"),))
        assert available(resting, BY_CPU, allocation={"stoppedGuests": "Ignore"}) == 12

    def test_guest_that_leaves_a_node_in_maintenance_counts_where_it_goes(self) -> None:
        """Not on the first node with room, where nobody sends it."""
        nodes = [*self.nodes()[:2], node("pve3", threads=4, memory="64Gi", hastate="maintenance")]
        seen = cluster(
            nodes=nodes,
            guests=[guest(100, "pve3", cpu=3, hastate="migrate")],
            manager=ManagerStatus(node_status={}, lrm_mode={}, targets={100: "pve2"}),
        )
        assert placement(seen, BY_CPU) == {"pve1": 4, "pve2": 1}

    def test_guest_whose_node_died_while_ha_moved_it_is_started_anywhere(self) -> None:
        nodes = [*self.nodes()[:2], node("pve3", threads=4, memory="64Gi", status="offline")]
        seen = cluster(
            nodes=nodes,
            guests=[guest(100, "pve3", cpu=3, hastate="migrate")],
            manager=ManagerStatus(node_status={}, lrm_mode={}, targets={100: "pve2"}),
        )
        assert available(seen, BY_CPU) == 8 - 3

    def test_migrating_guest_costs_by_the_terms_of_each_node(self) -> None:
        """Dedicated, it takes 1 x 400 points at home and 1 x 100 where nothing is shared."""
        terms = {"cpu": {"percent": 400}, "overrides": [{"nodes": ["pve2", "pve3"], "cpu": {"percent": 100}}]}
        seen = cluster(nodes=self.nodes(), guests=[guest(100, "pve1", cpu=1, lock="migrate", tags=["dedicated"])])
        assert available(seen, BY_CPU, allocation=terms) == 12 + 3 + 3

    def test_migrating_guest_of_unknown_size_may_arrive_anywhere(self) -> None:
        seen = cluster(nodes=self.nodes(), guests=[unknown(100, "pve1", lock="migrate")], configs={100: None})
        assert available(seen, BY_CPU) is None
        assert available(seen.but(guests=(unknown(100, "pve1"),)), BY_CPU) == 8

    def test_size_of_a_migrating_guest_is_remembered_when_its_node_dies(self) -> None:
        before = cluster(nodes=self.nodes(), guests=[guest(100, "pve1", cpu=3, lock="migrate")])
        nodes = (node("pve1", status="offline", threads=None, memory=None), *before.nodes[1:])
        after = before.but(nodes=nodes, guests=(unknown(100, "pve1", lock="migrate"),))
        assert available(after.snapshot(remembered=before.remembered()), BY_CPU) == 2

    def test_migrating_guest_whose_cards_nobody_knows_may_take_any(self) -> None:
        """gpu1 cannot be judged for want of its guest's configuration; on gpu2, where it may arrive, no card is surely free."""
        nodes = [node("gpu1", pci=cards(2)), node("gpu2", pci=cards(2))]
        still = cluster(nodes=nodes, guests=[guest(100, "gpu1")], configs={100: None})
        moving = still.but(guests=(guest(100, "gpu1", lock="migrate"),))
        assert available(still, tier(gpu={"count": 1})) == 2
        assert available(moving, tier(gpu={"count": 1})) == 0
