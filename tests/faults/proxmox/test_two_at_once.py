"""Two faults at the same time, as users meet them: each spoils its own, and what is said is never more than either alone would leave."""

from datetime import datetime

import pytest

from faults.proxmox.conftest import OpenShop
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import AclConfig, GuestConfig
from proxmox_offerings.simulator.faults import Fault
from support.shop import GPU, INVENTORY, REFRESH, SMALL, VALIDITY

GIB = 2**30
AUDITOR = [AclConfig(role="PVEAuditor")]


@pytest.mark.reliability("T1", "T15")
async def test_node_dead_while_a_storage_hangs_on_another(shop: OpenShop) -> None:
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        site.cluster.set_storage("nfs", node="pve2", hanging=True)
        site.cluster.kill_node("pve3")
        await site.pass_time(100)
        assert site.sold() == {name: units for name, units in before.items() if name != "pve3"}
        await site.pass_time(300)
        assert site.ready == ("True", "Observed")
        assert site.sold() == {"pve1": before["pve1"]}
        assert {name: site.node(name)["excluded"] for name in ("pve2", "pve3")} == {
            "pve2": "Unknown",
            "pve3": "Offline",
        }
        site.cluster.restore_node("pve3")
        site.cluster.set_storage("nfs", node="pve2", hanging=False)
        await site.pass_time(2 * INVENTORY)
        await site.heals(claims)


@pytest.mark.reliability("T7", "T10")
async def test_rights_shrink_while_the_entry_node_dies(shop: OpenShop) -> None:
    """The node that answers instead shows fewer guests: that is not because they were on the dead one."""
    async with shop() as site:
        claims, before = site.claims(), site.statements()
        site.cluster.kill_node("pve1")
        site.cluster.set_acls(site.cluster.token_id, [*AUDITOR, AclConfig(path="/vms", role="NoAccess")])
        await site.turn()
        assert site.ready == ("False", "PrivilegesMissing")
        assert site.statements() == before
        site.cluster.set_acls(site.cluster.token_id, AUDITOR)
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert "pve1" not in site.sold()
        site.cluster.restore_node("pve1")
        await site.heals(claims)


@pytest.mark.reliability("T5", "T10")
async def test_quorum_lost_and_rights_gone_comes_back_to_the_truth_in_either_order(shop: OpenShop) -> None:
    async with shop() as site:
        claims = site.claims()
        site.cluster.set_quorum(quorate=False)
        site.cluster.set_acls(site.cluster.token_id, [])
        await site.turn()
        assert site.ready[0] == "False"
        site.cluster.set_quorum(quorate=True)
        await site.turn()
        assert site.ready == ("False", "PrivilegesMissing")
        site.cluster.set_acls(site.cluster.token_id, AUDITOR)
        await site.heals(claims)


@pytest.mark.reliability("T3", "T4")
async def test_node_that_dies_while_it_is_silent_already_is_not_taken_for_alive(shop: OpenShop) -> None:
    """pvestatd hung for four minutes before the node died: its guests lose their size one minute after its death."""
    config = presets.demo()
    config.guests.append(GuestConfig(vmid=500, node="pve2", cpu=4, memory=128 * GIB, hastate="started"))
    async with shop(config) as site:
        claims, before = site.claims(), site.sold()
        site.cluster.silence_node("pve2")
        await site.pass_time(240)
        site.cluster.kill_node("pve2")
        await site.pass_time(120)
        assert site.ready == ("True", "Observed")
        assert sum(site.sold().values()) == before["pve1"] + before["pve3"] - 128 // 4
        site.cluster.restore_node("pve2")
        await site.heals(claims)


@pytest.mark.reliability("T7", "T24")
async def test_entry_node_dies_while_another_shows_a_certificate_that_is_not_trusted(shop: OpenShop) -> None:
    """The third is asked; the second is told about only when nobody answers."""
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        site.cluster.replace_certificate("expired", node="pve2")
        site.cluster.kill_node("pve1")
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.host["status"]["proxmox"]["endpoint"] == site.cluster.endpoint("pve3")
        assert site.sold() == {name: units for name, units in before.items() if name != "pve1"}
        site.cluster.add_fault(Fault(node="pve3", hang=True))
        await site.turn()
        assert site.ready == ("False", "CertificateRejected")
        site.cluster.remove_fault()
        site.cluster.replace_certificate("renewed")
        site.cluster.restore_node("pve1")
        await site.heals(claims)


@pytest.mark.reliability("T2", "T35")
async def test_dead_gpu_node_whose_guests_come_back_elsewhere_frees_no_card(shop: OpenShop) -> None:
    """After 300 s nothing tells any more that the guest needs a card, and HA is to start it somewhere."""
    config = presets.demo()
    config.guests[:] = [guest for guest in config.guests if guest.vmid != 160]
    config.guests.append(GuestConfig(vmid=160, node="pve3", memory=64 * GIB, hostpci=["0000:17:00"], hastate="started"))
    async with shop(config) as site:
        claims = site.claims()
        site.cluster.kill_node("pve3")
        await site.pass_time(2 * INVENTORY)
        assert site.ready[0] == "True", site.message
        # The guest fits nowhere without its card: no room may be promised that HA will need.
        assert [site.stock(tier) for tier in ("small", "gpu")] == [("OutOfStock", 0)] * 2
        assert site.said()["limitingResource"] == "failover"
        assert "160" in site.said()["message"]
        site.cluster.restore_node("pve3")
        await site.pass_time(INVENTORY)
        await site.heals(claims)


@pytest.mark.reliability("T6", "T27")
async def test_rolling_upgrade_with_maintenance_and_a_slow_cluster(shop: OpenShop) -> None:
    """As it is done: guests are moved away, the node is in maintenance, restarts with another version, and comes back."""
    async with shop(presets.demo().model_copy(update={"version": "8.4.1"}), tiers=[SMALL]) as site:
        claims, before = site.claims(), site.sold()
        site.cluster.add_fault(Fault(path="/nodes/*", delay=5))
        for name in ("pve1", "pve2", "pve3"):
            rest = {node: units for node, units in before.items() if node != name}
            site.cluster.set_maintenance(name)
            await site.turn()
            assert site.sold() == rest
            site.cluster.set_version(name, "9.1.1")
            await site.turn()
            assert site.sold() == rest
            site.cluster.set_maintenance(name, on=False)
            await site.turn()
            assert site.sold() == before
        site.cluster.remove_fault()
        await site.heals(claims)


@pytest.mark.reliability("T3", "T15")
async def test_guest_that_moves_off_a_dying_node_is_not_lost_on_the_way(shop: OpenShop) -> None:
    """Locked for migration on a node that then dies: it may be on any other, and its size is not told after 300 s."""
    config = presets.demo()
    config.guests.append(GuestConfig(vmid=700, node="pve2", cpu=4, memory=64 * GIB))
    async with shop(config, tiers=[SMALL]) as site:
        claims = site.claims()
        site.cluster.begin_migration(700)
        await site.turn()
        moving = site.sold()
        site.cluster.kill_node("pve2")
        await site.pass_time(400)
        assert site.ready == ("True", "Observed")
        assert all(units <= moving[name] for name, units in site.sold().items())
        site.cluster.restore_node("pve2")
        await site.turn()
        assert site.sold() == moving
        site.cluster.finish_migration(700, "pve2")
        await site.heals(claims)


@pytest.mark.reliability("T9", "T22")
async def test_operator_that_begins_in_the_middle_of_two_faults_claims_nothing_of_before(shop: OpenShop) -> None:
    """Nothing is remembered from an earlier life: a login page first, then a token without rights, then the truth."""

    def broken(cluster: object) -> None:
        cluster.add_fault(Fault(body="<html>", content_type="text/html"))  # type: ignore[attr-defined]
        cluster.set_acls(cluster.token_id, [])  # type: ignore[attr-defined]

    async with shop(before=broken) as site:
        assert site.ready == ("False", "CallFailed")
        assert site.stock() == ("Unknown", None)
        site.cluster.remove_fault()
        await site.turn()
        assert site.ready == ("False", "PrivilegesMissing")
        assert site.stock() == ("Unknown", None)
        site.cluster.set_acls(site.cluster.token_id, AUDITOR)
        await site.turn()
        assert site.stock() == ("InStock", 138)


@pytest.mark.reliability("T5", "T20")
async def test_cluster_that_comes_and_goes_never_shows_more_than_it_has(shop: OpenShop) -> None:
    """Quorum and answers flap faster than statements expire; what stands is at most what the cluster has, and not older than its validity."""
    async with shop(tiers=[SMALL, GPU]) as site:
        most = site.stock()[1] or 0
        for number in range(6):
            site.cluster.set_quorum(quorate=bool(number % 2))
            if number % 3 == 0:
                site.cluster.add_fault(Fault(path="/cluster/resources", status=500, count=2))
            await site.pass_time(REFRESH)
            stock, available = site.stock()
            assert stock in ("InStock", "Unknown")
            assert available is None or available <= most
            age = (site.now() - datetime.fromisoformat(site.said()["observedAt"])).total_seconds()
            assert stock == "Unknown" or age <= VALIDITY
        site.cluster.set_quorum(quorate=True)
        await site.turn()
        assert site.stock() == ("InStock", most)
