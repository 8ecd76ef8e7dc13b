"""Which nodes may be sold at all (rules of the product: a node is eligible, known to be unusable, or cannot be judged)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from proxmox_offerings.catalogue.plan import plan
from proxmox_offerings.proxmox.answers import ManagerStatus, Permissions
from proxmox_offerings.proxmox.errors import CallFailed, NotQuorate
from proxmox_offerings.resources import InvalidResource, LimitingResource, Stock
from support.cluster import (
    FIXED_PATHS,
    ClusterFacts,
    NodeFacts,
    available,
    cluster,
    config,
    guest,
    host,
    maintenance,
    node,
    offer,
    placement,
    planned,
    storage,
    tier,
    unknown,
)

SMALL = {"threads": 4, "memory": "16Gi"}
"""Four units fit on such a node: four threads, one vCPU each."""


def pair(**second: Any) -> ClusterFacts:
    """A healthy node pve1 beside pve2 with something about it."""
    return cluster(nodes=[node("pve1", **SMALL), node("pve2", **{**SMALL, **second})])


def test_units_of_all_healthy_nodes_add_up() -> None:
    assert placement(pair()) == {"pve1": 4, "pve2": 4}


@pytest.mark.reliability("T3")
def test_dead_node_with_fresh_looking_guests_sells_nothing() -> None:
    """For 300 s after a node died its totals are still told, its guests still run and its storages are available."""
    seen = pair(status="offline").but(guests=(guest(100, "pve2", cpu=1),))
    assert placement(seen) == {"pve1": 4}


def test_node_that_corosync_lost_sells_nothing_though_its_row_says_online() -> None:
    seen = pair()
    lost = replace(seen.fast.cluster, online={"pve1": True, "pve2": False})
    assert placement(seen.snapshot(fast=replace(seen.fast, cluster=lost))) == {"pve1": 4}


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(pair(hastate="maintenance"), id="the node's own row"),
        pytest.param(pair().but(manager=maintenance("pve2")), id="the manager's node_status"),
        pytest.param(
            pair().but(manager=ManagerStatus(node_status={}, lrm_mode={"pve2": "maintenance"})), id="the LRM's mode"
        ),
    ],
)
@pytest.mark.reliability("T6")
def test_each_of_three_signals_alone_puts_a_node_in_maintenance(seen: ClusterFacts) -> None:
    assert placement(seen) == {"pve1": 4}


def test_stale_ha_state_does_not_stop_sales() -> None:
    """The manager's word for a node is no sign of life: it freezes when HA has nothing to do. Only `maintenance` counts."""
    assert placement(pair(hastate="unknown")) == {"pve1": 4, "pve2": 4}


@pytest.mark.parametrize(
    "second",
    [
        pytest.param({"status": "unknown", "threads": None, "memory": None}, id="not heard of for 300 s"),
        pytest.param({"threads": None}, id="no threads told"),
        pytest.param({"memory": None}, id="no memory told"),
        pytest.param({"status_unread": True}, id="hardware virtualization unread"),
        pytest.param({"storages_unread": True}, id="storages unread"),
    ],
)
def test_node_that_cannot_be_judged_is_named_and_not_counted(second: dict[str, Any]) -> None:
    said = offer(pair(**second)).statement
    assert [(on.name, on.available) for on in said.nodes] == [("pve1", 4)]
    assert said.message is not None
    assert "; not counted: pve2 " in said.message


@pytest.mark.parametrize(
    "alone",
    [
        pytest.param(node(status="unknown", threads=None, memory=None), id="not heard of for 300 s"),
        pytest.param(node(threads=None, memory=None), id="no totals"),
        pytest.param(node(status_unread=True), id="hardware unread"),
        pytest.param(node(storages_unread=True), id="storages unread"),
    ],
)
def test_unreadable_cluster_is_unknown_not_sold_out(alone: NodeFacts) -> None:
    said = offer(cluster(nodes=[alone])).statement
    assert (said.stock, said.available, said.limiting_resource) == (Stock.UNKNOWN, None, None)
    assert said.message is not None
    assert said.message.startswith("nobody can tell: pve1 ")


@pytest.mark.parametrize(
    ("alone", "terms"),
    [
        pytest.param(node(status="offline"), {}, id="offline"),
        pytest.param(node(hastate="maintenance"), {}, id="maintenance"),
        pytest.param(node(bridges=["vmbr1"]), {"bridge": "vmbr0"}, id="without the bridge"),
    ],
)
def test_unusable_cluster_is_sold_out_for_lack_of_nodes(alone: NodeFacts, terms: Mapping[str, Any]) -> None:
    said = offer(cluster(nodes=[alone]), **terms).statement
    assert (said.stock, said.available, said.limiting_resource) == (Stock.OUT_OF_STOCK, 0, LimitingResource.NODES)


def test_dead_node_beside_an_unreadable_one_is_sold_out() -> None:
    said = offer(cluster(nodes=[node("pve1", status="offline"), node("pve2", threads=None)])).statement
    assert (said.stock, said.limiting_resource) == (Stock.OUT_OF_STOCK, LimitingResource.NODES)


def test_live_node_whose_storages_nobody_read_is_not_sold_out_because_another_is_dead() -> None:
    """What the tier needs, no node that could be judged lets us see."""
    seen = cluster(nodes=[node("pve1", status="offline"), node("pve2", storages_unread=True)])
    assert offer(seen).statement.stock is Stock.UNKNOWN


def test_node_left_out_by_the_seller_does_not_make_blindness_look_sold_out() -> None:
    """The only selected node is not heard of: that the other one is not selected says nothing about stock."""
    seen = cluster(nodes=[node("pve1", status="unknown", threads=None, memory=None), node("pve2", status="offline")])
    assert offer(seen, nodes={"exclude": ["pve2"]}).statement.stock is Stock.UNKNOWN


def test_only_selected_nodes_are_sold() -> None:
    seen = cluster(nodes=[node(name, **SMALL) for name in ("pve1", "pve2", "pve3", "gpu1")])
    assert placement(seen, nodes={"include": ["pve*"], "exclude": ["pve2"]}) == {"pve1": 4, "pve3": 4}


def test_tier_narrows_the_nodes_further() -> None:
    seen = cluster(nodes=[node(name, **SMALL) for name in ("pve1", "pve2", "pve3")])
    chosen = tier(nodes={"include": ["pve2", "pve3"]})
    assert placement(seen, chosen, nodes={"exclude": ["pve3"]}) == {"pve2": 4}


def test_empty_selection_is_refused_instead_of_taken_as_all() -> None:
    with pytest.raises(InvalidResource):
        host(tier(), nodes={"include": []})


@pytest.mark.parametrize(
    ("interface", "sold"),
    [("bridge", True), ("OVSBridge", True), ("vnet", True), ("eth", False), ("bond", False)],
)
def test_bridge_is_a_linux_bridge_an_ovs_bridge_or_a_vnet(interface: str, sold: bool) -> None:
    seen = cluster(nodes=[node(**SMALL)])
    slow = seen.slow
    reading = slow.nodes["pve1"]
    (uplink,) = reading.interfaces or ()
    changed = replace(reading, interfaces=(replace(uplink, type=interface),))
    snapshot = seen.snapshot(slow=replace(slow, nodes={"pve1": changed}))
    assert available(snapshot, bridge="vmbr0") == (4 if sold else 0)


def test_bridge_that_is_down_carries_no_guest() -> None:
    seen = cluster(nodes=[node(**SMALL)])
    slow = seen.slow
    reading = slow.nodes["pve1"]
    (uplink,) = reading.interfaces or ()
    snapshot = seen.snapshot(
        slow=replace(slow, nodes={"pve1": replace(reading, interfaces=(replace(uplink, active=False),))})
    )
    assert offer(snapshot, bridge="vmbr0").statement.limiting_resource is LimitingResource.NODES


def test_unread_bridges_matter_only_where_a_bridge_is_asked_for() -> None:
    seen = cluster(nodes=[node(**SMALL, bridges_unread=True)])
    assert available(seen) == 4
    assert available(seen, bridge="vmbr0") is None


def test_bridges_hidden_from_the_token_are_not_taken_for_absent() -> None:
    """From PVE 8 on, a token without SDN.Audit gets a list without its bridges, and no error."""
    hiding = {"Sys.Audit": True, "VM.Audit": True, "Datastore.Audit": True}
    seen = cluster(nodes=[node(**SMALL, bridges=())])
    blindfolded = seen.but(permissions=Permissions(paths=dict.fromkeys(FIXED_PATHS, hiding)))
    assert available(seen, bridge="vmbr0") == 0
    assert available(blindfolded, bridge="vmbr0") is None


def test_architecture_of_the_tier_decides() -> None:
    seen = cluster(nodes=[node("amd1", **SMALL), node("arm1", **SMALL, arch="aarch64", hvm=False)])
    assert placement(seen) == {"amd1": 4}
    assert placement(seen, tier(architecture="arm64")) == {"arm1": 4}


def test_virtual_machines_need_hardware_virtualization_containers_do_not() -> None:
    seen = cluster(nodes=[node(**SMALL, hvm=False)])
    assert available(seen) == 0
    assert available(seen, tier(virtualization="LXC")) == 4


@pytest.mark.reliability("T5")
def test_no_quorum_says_nothing_new() -> None:
    with pytest.raises(NotQuorate):
        cluster(quorate=False).snapshot()


@pytest.mark.reliability("T9")
def test_cluster_that_lists_no_node_is_not_an_empty_cluster() -> None:
    with pytest.raises(CallFailed):
        cluster(nodes=[]).snapshot()


def test_unknown_guest_on_a_live_node_is_sized_by_its_configuration() -> None:
    """8 threads, of which the guest's configuration takes 2 sockets x 2 cores."""
    seen = cluster(
        nodes=[node(threads=8, memory="64Gi")],
        guests=[unknown(100)],
        configs={100: config(cores=4, memory="8Gi")},
    )
    assert available(seen) == 4
    assert available(seen, tier(memory="8Gi", cpu=1)) == 4


def test_guest_whose_size_nobody_tells_takes_its_node_out_and_is_not_a_sold_out_node() -> None:
    lost = cluster(nodes=[node("pve1", **SMALL)], guests=[unknown(100, "pve1")], configs={100: None})
    said = offer(lost).statement
    assert (said.stock, said.available) == (Stock.UNKNOWN, None)
    beside = lost.but(nodes=(*lost.nodes, node("pve2", **SMALL)))
    assert placement(beside) == {"pve2": 4}


def test_size_from_before_does_not_stand_in_for_a_configuration_on_a_live_node() -> None:
    """The guest may have grown since; on a live node its configuration can tell, or nobody can."""
    before = cluster(guests=[guest(100, hastate="started")])
    after = before.but(guests=(unknown(100, hastate="started"),), configs={100: None})
    assert available(after.snapshot(remembered=before.remembered())) is None


def test_status_tells_why_a_node_is_left_out() -> None:
    seen = cluster(nodes=[node("pve1"), node("pve2", status="offline"), node("pve3", hastate="maintenance")])
    excluded = {one.name: one.excluded for one in planned(seen, tier()).observed.nodes}
    assert excluded == {"pve1": None, "pve2": "Offline", "pve3": "Maintenance"}


@pytest.mark.reliability("T29")
def test_rows_in_another_order_say_the_same() -> None:
    """Proxmox orders rows at random on every call."""
    seen = cluster(
        nodes=[node("pve2"), node("pve1"), node("pve3")],
        guests=[guest(100, "pve1", cpu=3), guest(101, "pve2", cpu=5), guest(102, "pve1", template=True)],
        storages=[
            storage("b", volume_group="b", thin_pool="b"),
            storage("ceph", "rbd"),
            storage("a", "dir", path="/a"),
        ],
    )
    other = seen.but(nodes=seen.nodes[::-1], guests=seen.guests[::-1], storages=seen.storages[::-1])
    terms = host(tier())
    one, two = (plan(host=terms, snapshot=each.snapshot(), past={}) for each in (seen, other))
    assert one.offerings == two.offerings
    assert one.observed == two.observed
