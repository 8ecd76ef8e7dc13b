"""Storages that fail, hang, or are not what they seem (T13 to T18)."""

from typing import Any

import pytest

from faults.proxmox.conftest import OpenShop
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import SimulatorConfig, StorageConfig
from proxmox_offerings.simulator.faults import Fault
from support.shop import INVENTORY, REFRESH

GIB = 2**30
ARCHIVE = {"name": "archive", "cpu": 1, "memory": "1Gi", "disk": "1Ti"}
"""Disks decide how many of these fit: on the demo's cluster 12 TiB of the NFS server, and 2360 GiB on each node."""
EVERYTHING: dict[str, Any] = {"allocation": {"storage": {"reservedPercent": 0}}}


def with_storages(*storages: StorageConfig) -> SimulatorConfig:
    """The demo's cluster with these instead of its own."""
    config = presets.demo()
    config.guests.clear()
    return config.model_copy(update={"storages": list(storages)})


def storages_of(status: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in status["storages"] if one["name"] == name]


@pytest.mark.reliability("T13")
async def test_shared_storage_counts_once_and_local_ones_of_one_id_each(shop: OpenShop) -> None:
    """It is listed once for each node; so are the local ones, which are other disks."""
    async with shop(tiers=[ARCHIVE]) as site:
        assert site.stock("archive") == ("InStock", 12 + 3 * 2)
        told = site.host["status"]["storages"]
        assert [one["shared"] for one in told if one["name"] == "nfs"] == [True]
        assert site.sold("archive").keys() == {"pve1", "pve2", "pve3"}


@pytest.mark.reliability("T14")
@pytest.mark.parametrize(
    "spoilt", [{"maxdisk": 0, "disk": 0}, {"maxdisk": "0"}, {"maxdisk": None, "disk": None}, {"disk": -1}]
)
async def test_storage_without_a_size_is_neither_full_nor_free(shop: OpenShop, spoilt: dict[str, Any]) -> None:
    """What was free before is not, and what was used has not become free; the other storages are sold as ever."""

    def edit(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row.get("storage") == "nfs":
                row.update(spoilt)

    async with shop(tiers=[ARCHIVE]) as site:
        await site.tamper("/cluster/resources", edit)
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.stock("archive") == ("InStock", 6)
        site.cluster.remove_fault()
        await site.turn()
        assert site.stock("archive") == ("InStock", 18)


@pytest.mark.reliability("T14")
async def test_storage_that_shrank_is_not_sold_at_its_old_size_until_the_slow_loop_comes(shop: OpenShop) -> None:
    async with shop(tiers=[ARCHIVE]) as site:
        site.cluster.set_storage("nfs", size=9 * 2**40)
        await site.turn()
        assert site.stock("archive") == ("InStock", 6 + 1)  # 9 TiB, 6 used; of the old size a tenth is kept back


@pytest.mark.reliability("T14")
async def test_iscsi_target_beside_other_storages_disturbs_nothing(shop: OpenShop) -> None:
    config = presets.demo()
    config.storages.append(StorageConfig(id="target", type="iscsi", content=["images"], size=0))
    async with shop(config, tiers=[ARCHIVE]) as site:
        assert site.ready == ("True", "Observed")
        assert site.stock("archive") == ("InStock", 18)


@pytest.mark.reliability("T15")
async def test_hanging_storage_holds_up_no_turn_and_what_it_had_follows_the_fast_loop_for_a_while(
    shop: OpenShop,
) -> None:
    """Asking the node for its storages ends in a 596 after half a minute, so that all of them are known from /cluster/resources alone."""
    async with shop(tiers=[ARCHIVE]) as site:
        site.cluster.add_fault(Fault(path="/nodes/pve1/storage", delay=30, status=596, reason="Connection timed out"))
        await site.pass_time(INVENTORY + REFRESH)
        assert site.ready == ("True", "Observed")
        assert site.sold("archive")["pve1"] >= 2
        read_at = site.said("archive")["observedAt"]
        site.cluster.fill_storage("local-lvm", 3000 * GIB, node="pve1")
        site.cluster.fill_storage("nfs", 20 * 1024 * GIB)
        await site.turn()
        assert site.said("archive")["observedAt"] > read_at
        assert site.sold("archive") == {"pve1": 0, "pve2": 2, "pve3": 2}
        site.cluster.fill_storage("local-lvm", 700 * GIB, node="pve1")
        await site.pass_time(INVENTORY)
        assert "pve1" not in site.sold("archive") or site.sold("archive")["pve1"] == 0  # too old to be believed
        site.cluster.remove_fault()
        await site.pass_time(INVENTORY + REFRESH)
        assert site.sold("archive") == {"pve1": 2, "pve2": 2, "pve3": 2}


@pytest.mark.reliability("T15", "T4")
async def test_storage_that_hangs_for_good_takes_its_node_out_and_gives_it_back(shop: OpenShop) -> None:
    """pvestatd of that node hangs with it: after 300 s the node is `unknown`."""
    async with shop() as site:
        claims, before = site.claims(), site.sold()
        site.cluster.set_storage("nfs", node="pve2", hanging=True)
        await site.pass_time(400)
        assert site.ready == ("True", "Observed")
        assert site.node("pve2")["excluded"] == "Unknown"
        assert site.sold() == {name: units for name, units in before.items() if name != "pve2"}
        site.cluster.set_storage("nfs", node="pve2", hanging=False)
        await site.pass_time(2 * INVENTORY)
        await site.heals(claims)


@pytest.mark.reliability("T15")
async def test_storage_that_hangs_on_all_nodes_makes_stock_unknown_not_sold_out(shop: OpenShop) -> None:
    async with shop() as site:
        claims = site.claims()
        site.cluster.set_storage("nfs", hanging=True)
        await site.pass_time(400)
        assert site.ready == ("True", "Observed")
        assert [site.stock(tier) for tier in ("small", "gpu")] == [("Unknown", None)] * 2
        assert site.offerings["small"]["status"]["conditions"][0]["reason"] == "StockUnknown"
        site.cluster.set_storage("nfs", hanging=False)
        await site.pass_time(2 * INVENTORY)
        await site.heals(claims)


@pytest.mark.reliability("T16")
async def test_storage_that_hangs_for_long_never_has_more_than_two_workers_of_its_node(shop: OpenShop) -> None:
    """Three hanging calls would block all logins of the node. Each slow loop asks once, and never again while that is under way."""
    backup = StorageConfig(id="pbs", type="pbs", content=["backup"], size=10**12)
    config = presets.demo()
    config.storages.append(backup)
    async with shop(config) as site:
        site.cluster.set_storage("pbs", hanging=True)
        site.cluster.nodes["pve1"].silent_since = None  # its pvestatd gets over it, and reports
        site.forget_calls()
        await site.pass_time(1500)
        assert max(site.cluster.peak_in_flight.values()) <= 2
        asked = [path for path in site.calls("/nodes/pve1/") if path.endswith("/storage")]
        assert 1 <= len(asked) <= 1500 / INVENTORY + 1
        assert len(site.calls("/cluster/resources")) <= 1500 / REFRESH + len(asked) + 1


@pytest.mark.reliability("T17")
async def test_two_ids_on_one_pool_are_one_room(shop: OpenShop) -> None:
    """Two data sets of one zpool on each node, two pools of one Ceph cluster: free twice, there once."""
    free = 3 * 2**40

    def both(kind: Any, **definition: Any) -> SimulatorConfig:
        content: list[Any] = ["images", "rootdir"]
        ids = {"vm": "tank/vm", "ct": "tank/ct"}
        return with_storages(
            *(
                StorageConfig(id=name, type=kind, pool=pool, content=content, size=free, **definition)
                for name, pool in ids.items()
            )
        )

    async with shop(both("zfspool"), tiers=[ARCHIVE], **EVERYTHING) as site:
        assert site.sold("archive") == {"pve1": 3, "pve2": 3, "pve3": 3}
    async with shop(both("rbd"), tiers=[ARCHIVE], **EVERYTHING) as site:
        assert site.stock("archive") == ("InStock", 3)


@pytest.mark.reliability("T18")
@pytest.mark.parametrize(
    ("change", "units"),
    [
        pytest.param({"active": False}, 6, id="inactive"),
        pytest.param({"disabled": True}, 6, id="disabled"),
        pytest.param({"content": ["iso", "backup"]}, 6, id="other content"),
        pytest.param({"node": "pve1", "active": False}, 18, id="inactive on one node"),
    ],
)
async def test_storage_that_is_switched_off_is_not_sold_where_it_is(
    shop: OpenShop, change: dict[str, Any], units: int
) -> None:
    """With a total of 0 that means nothing, and for 300 s still `available` in the fast loop's rows."""
    async with shop(tiers=[ARCHIVE]) as site:
        claims = site.claims()
        assert site.stock("archive") == ("InStock", 18)
        site.cluster.set_storage("nfs", **change)
        await site.pass_time(INVENTORY + 2 * REFRESH)
        assert site.ready == ("True", "Observed")
        assert site.stock("archive") == ("InStock", units)
        where = {"node": change["node"]} if "node" in change else {}
        site.cluster.set_storage("nfs", **where, active=True, disabled=False, content=["images", "rootdir"])
        await site.pass_time(2 * INVENTORY)
        await site.heals(claims)


@pytest.mark.reliability("T18")
async def test_storage_of_some_nodes_is_sold_on_those(shop: OpenShop) -> None:
    config = with_storages(
        StorageConfig(
            id="san", type="lvm", shared=True, vgname="san", content=["images"], nodes=["pve1", "pve3"], size=5 * 2**40
        )
    )
    async with shop(config, tiers=[ARCHIVE], **EVERYTHING) as site:
        assert site.sold("archive") == {"pve1": 5, "pve2": 0, "pve3": 0}
