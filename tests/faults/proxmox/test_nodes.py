"""Nodes and clusters that fail (T1 to T8): what Offerings say meanwhile, and that it is as before when it is over."""

import asyncio
from typing import Any

import pytest

from faults.proxmox.conftest import OpenShop
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import GuestConfig
from proxmox_offerings.simulator.faults import Fault
from support.shop import INVENTORY, REFRESH, SMALL

GIB = 2**30


@pytest.mark.reliability("T1", "T3")
async def test_dead_node_costs_its_own_room_and_nothing_else(shop: OpenShop) -> None:
    """Calls to it answer 595 with an empty body, and for five minutes its guests read `running` and its storages `available`."""
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        assert set(before) == {"pve1", "pve2", "pve3"}
        site.cluster.kill_node("pve2")
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.sold() == {name: units for name, units in before.items() if name != "pve2"}
        assert site.stock("gpu") == ("LowStock", 1)
        assert site.node("pve2")["excluded"] == "Offline"
        site.cluster.restore_node("pve2")
        await site.heals(claims)


@pytest.mark.reliability("T1")
async def test_node_that_looks_well_but_cannot_be_asked_is_not_sold_and_costs_the_others_nothing(
    shop: OpenShop,
) -> None:
    """Its row says online; every call to it ends in an empty 595, from the first turn on."""
    broken = Fault(path="/nodes/pve1/*", status=595, reason="No route to host", body="")
    async with shop(before=lambda cluster: cluster.add_fault(broken)) as site:
        assert site.ready == ("True", "Observed")
        assert set(site.sold()) == {"pve2", "pve3"}
        assert "pve1" in site.said()["message"]
        others = site.sold()
        site.forget_calls()
        await site.pass_time(4.5 * REFRESH)  # short of the next look at all that is slow
        assert len(site.calls("/nodes/pve1/")) <= 5  # one for each turn, not the whole list of them
        site.cluster.remove_fault()
        await site.pass_time(2 * REFRESH)
        assert {name: units for name, units in site.sold().items() if name != "pve1"} == others
        assert "pve1" in site.sold()


@pytest.mark.reliability("T2")
async def test_rows_without_numbers_of_a_dead_node_are_neither_an_error_nor_a_zero(shop: OpenShop) -> None:
    """First `cpu`, `mem` and `uptime` are gone, after 300 s `maxcpu` and `maxmem` too, and `level`."""
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        site.cluster.kill_node("pve3")
        for _ in range(7):
            await site.turn()
            assert site.ready == ("True", "Observed")
            assert site.sold() == {name: units for name, units in before.items() if name != "pve3"}
            assert site.stock("gpu") == ("OutOfStock", 0)
        dead = site.node("pve3")
        assert dead["excluded"] == "Offline"
        assert not {"cpu", "memoryAllocation"} & dead.keys()
        site.cluster.restore_node("pve3")
        await site.heals(claims)


@pytest.mark.reliability("T3")
async def test_ha_guests_of_a_dead_node_have_their_room_kept_where_they_will_start(shop: OpenShop) -> None:
    """They still read `running` on the dead node, and after 300 s have no size at all."""
    config = presets.demo()
    config.guests.append(GuestConfig(vmid=500, node="pve2", cpu=8, memory=128 * GIB, hastate="started"))
    async with shop(config) as site:
        alone = dict(site.sold())
        site.cluster.kill_node("pve2")
        await site.turn()
        units = 128 // 4
        assert sum(site.sold().values()) == alone["pve1"] + alone["pve3"] - units
        kept = site.sold()
        await site.pass_time(400)
        assert site.ready == ("True", "Observed")
        assert site.sold() == kept


@pytest.mark.reliability("T4")
async def test_node_that_no_longer_reports_loses_neither_guests_nor_templates(shop: OpenShop) -> None:
    """pvestatd of pve1 hangs: after 300 s its guests are `unknown`, without size, name and mark of a template."""
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        systems = site.said()["operatingSystems"]
        assert {one["template"] for one in systems} == {9000, 9001}
        site.cluster.silence_node("pve1")
        await site.pass_time(280)
        assert site.sold() == before
        await site.pass_time(120)
        assert site.ready == ("True", "Observed")
        assert site.node("pve1")["excluded"] == "Unknown"
        assert site.sold() == {name: units for name, units in before.items() if name != "pve1"}
        assert {one["template"] for one in site.said()["operatingSystems"]} == {9000, 9001}
        site.cluster.silence_node("pve1", silent=False)
        await site.heals(claims)


@pytest.mark.reliability("T4")
async def test_guest_without_a_size_on_a_live_node_takes_no_zero_room(shop: OpenShop) -> None:
    """Its configuration tells the size; where that cannot be read either, its node is not sold."""

    def forget_size(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        keep = ("id", "vmid", "node", "type")
        return [
            {**{key: row[key] for key in keep}, "status": "unknown"} if row.get("vmid") == 120 else row for row in rows
        ]

    async with shop() as site:
        before = site.sold()
        await site.tamper("/cluster/resources", forget_size)
        await site.turn()
        assert site.sold() == before
        hidden = site.cluster.add_fault(Fault(path="/nodes/pve2/qemu/120/config", status=500))
        await site.pass_time(2 * INVENTORY + 2 * REFRESH)
        assert site.ready == ("True", "Observed")
        assert site.node("pve2")["excluded"] == "UncountableGuest"
        assert site.sold() == {name: units for name, units in before.items() if name != "pve2"}
        site.cluster.remove_fault(hidden)
        await site.pass_time(2 * REFRESH)
        assert site.sold() == before


@pytest.mark.reliability("T5")
async def test_cluster_without_quorum_freezes_what_was_said(shop: OpenShop) -> None:
    async with shop() as site:
        claims = site.claims()
        site.cluster.set_quorum(quorate=False)
        await site.freezes("NotQuorate", kind="Reconciling")
        assert site.conditions["Quorate"] == "False"
        assert site.conditions["Reachable"] == "True"
        assert site.host["status"]["proxmox"]["quorate"] is False
        site.cluster.set_quorum(quorate=True)
        await site.heals(claims)


@pytest.mark.reliability("T5")
async def test_cluster_file_system_that_is_down_on_one_node_is_not_noticed_and_on_all_freezes(shop: OpenShop) -> None:
    """Every call that a node answers itself is then a 500."""
    reason = "RPCEnvironment init request failed: Unable to load access control list: Connection refused"
    async with shop() as site:
        claims = site.claims()
        site.cluster.add_fault(Fault(node="pve1", status=500, reason=reason))
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.claims() == claims
        site.cluster.add_fault(Fault(status=500, reason=reason))
        await site.freezes("CallFailed", kind="Reconciling")
        assert "access control list" not in site.message
        site.cluster.remove_fault()
        await site.heals(claims)


@pytest.mark.reliability("T6")
async def test_node_in_maintenance_is_not_sold_and_is_again_afterwards(shop: OpenShop) -> None:
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        site.cluster.set_maintenance("pve1")
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.node("pve1")["excluded"] == "Maintenance"
        assert site.sold() == {name: units for name, units in before.items() if name != "pve1"}
        site.cluster.set_maintenance("pve1", on=False)
        await site.heals(claims)


@pytest.mark.reliability("T7")
async def test_entry_node_that_dies_in_the_middle_of_a_poll_costs_no_poll(shop: OpenShop) -> None:
    """It has told that it is online when it dies; another node answers the rest, all within the same turn."""
    async with shop() as site:
        claims, before, read_at = site.claims(), site.sold(), site.said()["observedAt"]
        site.cluster.add_fault(Fault(node="pve1", path="/cluster/resources", hang=True))
        turn = asyncio.create_task(site.turn())
        site.forget_calls()
        await site.until(lambda: site.calls("/cluster/resources"))
        site.cluster.kill_node("pve1")
        site.cluster.remove_fault()
        await turn
        assert site.ready == ("True", "Observed")
        assert site.said()["observedAt"] > read_at
        assert site.sold() == {name: units for name, units in before.items() if name != "pve1"}
        assert site.host["status"]["proxmox"]["endpoint"] == site.cluster.endpoint("pve2")
        site.cluster.restore_node("pve1")
        await site.heals(claims)


@pytest.mark.reliability("T7")
async def test_cluster_of_which_nobody_answers_is_unknown_after_its_validity_and_not_before(shop: OpenShop) -> None:
    async with shop() as site:
        claims = site.claims()
        for node in list(site.cluster.nodes):
            site.cluster.kill_node(node)
        await site.freezes("ConnectionFailed", kind="Reconciling")
        assert site.conditions["Reachable"] == "False"
        for node in list(site.cluster.nodes):
            site.cluster.restore_node(node)
        await site.heals(claims)


@pytest.mark.reliability("T8")
async def test_standalone_node_is_sold_without_a_cluster_around_it(shop: OpenShop) -> None:
    """No cluster row, nodeid 0; there is no quorum that could be lost."""
    async with shop(presets.standalone(), tiers=[SMALL]) as site:
        claims = site.claims()
        assert site.ready == ("True", "Observed")
        assert site.stock()[0] == "InStock"
        assert set(site.sold()) == {"pve"}
        assert "clusterName" not in site.host["status"]["proxmox"]
        site.cluster.kill_node("pve")
        await site.freezes("ConnectionFailed", kind="Reconciling")
        site.cluster.restore_node("pve")
        await site.heals(claims)


@pytest.mark.reliability("T5", "T8")
async def test_statement_ends_with_its_validity_also_while_the_cluster_is_read_and_not_believed(shop: OpenShop) -> None:
    """Reading goes on every minute, and each reading fails: no clock of the statement starts anew."""
    async with shop() as site:
        end = site.said()["validUntil"]
        site.cluster.set_quorum(quorate=False)
        while site.now().isoformat() < end.replace("Z", "+00:00"):
            await site.pass_time(REFRESH)
            if site.now().isoformat() < end.replace("Z", "+00:00"):
                assert site.said()["validUntil"] == end
                assert site.stock()[0] == "InStock"
        assert site.stock() == ("Unknown", None)


@pytest.mark.reliability("T5", "T7")
async def test_entry_node_that_is_cut_off_from_the_others_is_left_for_one_with_the_majority(shop: OpenShop) -> None:
    """It answers as well as ever, and shows a believable picture of a minute ago."""
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        assert site.host["status"]["proxmox"]["endpoint"] == site.cluster.endpoint("pve1")
        site.cluster.isolate_node("pve1")
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.host["status"]["proxmox"]["endpoint"] == site.cluster.endpoint("pve2")
        assert site.node("pve1")["excluded"] == "Offline"
        assert site.sold() == {name: units for name, units in before.items() if name != "pve1"}
        site.forget_calls()
        await site.pass_time(3 * REFRESH)
        assert {request.node for request in site.cluster.requests} == {"pve2"}
        site.cluster.isolate_node("pve1", isolated=False)
        await site.heals(claims)


@pytest.mark.reliability("T5", "T7")
async def test_answers_of_two_nodes_that_see_different_clusters_are_not_put_together(shop: OpenShop) -> None:
    """The node that is cut off fails only the question for the quorum, which another answers; its rows would say that the others are gone."""
    async with shop() as site:
        before = site.sold()
        site.cluster.isolate_node("pve1")
        site.cluster.add_fault(Fault(path="/cluster/status", node="pve1", status=500))
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.sold() == {name: units for name, units in before.items() if name != "pve1"}


@pytest.mark.reliability("T5")
async def test_whoever_reaches_only_the_minority_learns_nothing_new(shop: OpenShop) -> None:
    async with shop() as site:
        claims = site.claims()
        site.cluster.isolate_node("pve1")
        for name in ("pve2", "pve3"):
            site.cluster.add_fault(Fault(node=name, drop=True))
        await site.freezes("NotQuorate", kind="Reconciling")
        site.cluster.remove_fault()
        site.cluster.isolate_node("pve1", isolated=False)
        await site.heals(claims)
