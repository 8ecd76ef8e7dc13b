"""Tokens that see less than everything (T9 to T12): a weak one gets HTTP 200 with rows missing, and no empty list is believed."""

import pytest

from faults.proxmox.conftest import OpenShop
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import AclConfig, UserConfig
from proxmox_offerings.simulator.faults import Fault
from proxmox_offerings.simulator.simulator import Simulator
from support.shop import REFRESH

AUDITOR = [AclConfig(role="PVEAuditor")]


def grant(cluster: Simulator, *acls: AclConfig) -> None:
    """The token's rules become these; its user keeps all."""
    cluster.set_acls(cluster.token_id, list(acls), user_acls=AUDITOR)


@pytest.mark.reliability("T9")
async def test_token_without_rights_is_told_and_nothing_is_deleted(shop: OpenShop) -> None:
    """Every list is empty, and every one comes with HTTP 200."""
    async with shop() as site:
        claims = site.claims()
        site.cluster.set_acls(site.cluster.token_id, [])
        await site.freezes("PrivilegesMissing", kind="Stalled")
        assert "no rights at all" in site.message
        assert site.conditions["Authorized"] == "False"
        missing = {(one["path"], one["privilege"]) for one in site.host["status"]["missingPrivileges"]}
        assert {("/", "VM.Audit"), ("/", "Sys.Audit"), ("/", "Datastore.Audit")} <= missing
        site.cluster.set_acls(site.cluster.token_id, AUDITOR)
        await site.heals(claims)
        assert not site.host["status"].get("missingPrivileges")


@pytest.mark.reliability("T9")
async def test_token_that_never_had_rights_claims_nothing_and_asks_no_node(shop: OpenShop) -> None:
    async with shop(before=lambda cluster: cluster.set_acls(cluster.token_id, [])) as site:
        assert site.ready == ("False", "PrivilegesMissing")
        assert [site.stock(tier) for tier in ("small", "gpu")] == [("Unknown", None)] * 2
        await site.pass_time(5 * REFRESH)
        assert not site.calls("/nodes/")
        site.cluster.set_acls(site.cluster.token_id, AUDITOR)
        await site.turn()
        assert site.stock() == ("InStock", 138)


@pytest.mark.reliability("T10")
async def test_rights_that_shrink_between_polls_do_not_free_the_room_of_hidden_guests(shop: OpenShop) -> None:
    async with shop() as site:
        claims = site.claims()
        grant(site.cluster, *AUDITOR, AclConfig(path="/vms", role="NoAccess"))
        await site.freezes("PrivilegesMissing", kind="Stalled")
        assert "VM.Audit on /vms" in site.message
        grant(site.cluster, *AUDITOR)
        await site.heals(claims)


@pytest.mark.reliability("T10")
@pytest.mark.parametrize("path", ["/vms/110", "/pool/customers"])
async def test_rights_taken_from_one_guest_or_pool_are_noticed_too(shop: OpenShop, path: str) -> None:
    """One of 25 guests vanishes; its memory must not be sold."""
    lesser = [AclConfig(path=path, privileges=["Pool.Audit"])]
    async with shop() as site:
        before = site.statements()
        grant(site.cluster, *AUDITOR, *lesser)
        await site.pass_time(6 * REFRESH)
        assert site.ready == ("False", "PrivilegesMissing")
        assert f"VM.Audit on {path}" in site.message
        stocks = {tier: one[1:3] for tier, one in site.statements().items()}
        assert all(stock in (before[tier][1:3], ("Unknown", None)) for tier, stock in stocks.items())


@pytest.mark.reliability("T10")
async def test_storage_taken_from_the_token_is_not_sold_and_the_rest_is(shop: OpenShop) -> None:
    """Its rows vanish as if it were deleted: no failure, the rights tell why. pve3 alone has memory for more than its own disks hold."""
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        grant(site.cluster, *AUDITOR, AclConfig(path="/storage/nfs", privileges=["Pool.Audit"]))
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.sold() == before | {"pve3": (3400 - 700 - 340) // 50}
        assert "nfs" not in {one["name"] for one in site.host["status"]["storages"]}
        missing = {(one["path"], one["privilege"]) for one in site.host["status"]["missingPrivileges"]}
        assert ("/storage/nfs", "Datastore.Audit") in missing
        grant(site.cluster, *AUDITOR)
        await site.pass_time(6 * REFRESH)
        await site.heals(claims)


@pytest.mark.reliability("T10")
async def test_node_taken_from_the_token_is_unreadable_not_empty(shop: OpenShop) -> None:
    """Its row stays, without numbers; its guests stay too."""
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        grant(site.cluster, *AUDITOR, AclConfig(path="/nodes/pve2", role="NoAccess"))
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.sold() == {name: units for name, units in before.items() if name != "pve2"}
        assert site.node("pve2")["excluded"] == "Unreadable"
        grant(site.cluster, *AUDITOR)
        await site.pass_time(6 * REFRESH)
        await site.heals(claims)


@pytest.mark.reliability("T11")
async def test_token_with_separated_privileges_is_told_that_its_users_rights_are_not_enough(shop: OpenShop) -> None:
    """The commonest mistake: the role was given to the user alone."""
    config = presets.demo().model_copy(update={"users": [UserConfig(acls=[], user_acls=AUDITOR)]})
    async with shop(config) as site:
        assert site.ready == ("False", "PrivilegesMissing")
        assert "to the user and, where the token has privilege separation, to the token too" in site.message
        assert site.stock() == ("Unknown", None)
        grant(site.cluster, *AUDITOR)
        await site.turn()
        assert site.stock() == ("InStock", 138)


@pytest.mark.reliability("T12")
async def test_pci_lists_that_may_not_be_read_make_gpu_offerings_unknown_and_nothing_else(shop: OpenShop) -> None:
    async with shop() as site:
        claims = site.claims()
    forbidden = Fault(path="*/hardware/pci", status=403, reason="Permission check failed (/, Sys.Audit)")
    async with shop(before=lambda cluster: cluster.add_fault(forbidden)) as site:
        assert site.ready == ("True", "Observed")
        assert site.claims()["small"] == claims["small"]
        assert site.stock("gpu") == ("Unknown", None)
        assert "did not show which GPUs are free" in site.said("gpu")["message"]
        site.cluster.remove_fault()
        await site.pass_time(6 * REFRESH)
        await site.heals(claims)
