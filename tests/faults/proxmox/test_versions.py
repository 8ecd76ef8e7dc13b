"""Types, rows and versions that are not what one expects (T25 to T29)."""

from collections.abc import Callable
from typing import Any

import pytest

from faults.proxmox.conftest import OpenShop
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import MappingConfig, MappingEntry, SimulatorConfig
from support.shop import INVENTORY, REFRESH, Shop

PATHS = ("/cluster/status", "/cluster/resources", "/cluster/ha/status/manager_status")


def of_version(version: str) -> SimulatorConfig:
    """The demo's cluster in another version."""
    config = presets.demo().model_copy(update={"version": version})
    if version.startswith("7"):
        for storage in config.storages:
            storage.content[:] = [content for content in storage.content if content != "import"]
    return config


def as_texts(value: Any) -> Any:
    """Every number as a text, as Perl may write any of them."""
    if isinstance(value, dict):
        return {key: as_texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_texts(each) for each in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


async def tampered(site: Shop, edit: Callable[[Any], Any], *paths: str) -> None:
    for path in paths:
        await site.tamper(path, edit)


@pytest.mark.reliability("T25")
async def test_numbers_that_come_as_texts_are_the_same_numbers(shop: OpenShop) -> None:
    """In both loops, guests' configurations, and the map of privileges."""
    async with shop() as site:
        claims = site.claims()
        paths = {request.path for request in site.cluster.requests} - {"/version"}
        simple = [path for path in paths if not path.startswith("/nodes/") or path.count("/") < 5]
        queries = {request.path: request.query for request in site.cluster.requests}
        await tampered(site, as_texts, *(path for path in simple if not queries[path] or path in PATHS))
        await site.pass_time(INVENTORY + 2 * REFRESH)
        assert site.ready == ("True", "Observed")
        assert site.claims() == claims


@pytest.mark.reliability("T25")
@pytest.mark.parametrize("no", [0, "0", "", None, False])
async def test_every_spelling_of_no_is_no(shop: OpenShop, no: object) -> None:
    """A guest that is taken for a template is not counted, a cluster that is taken for quorate is believed."""

    def not_a_template(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if "template" in row and not row["template"]:
                row["template"] = no

    def not_quorate(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if "quorate" in row:
                row["quorate"] = no

    async with shop() as site:
        claims = site.claims()
        await site.tamper("/cluster/resources", not_a_template)
        await site.turn()
        assert site.claims() == claims
        await site.tamper("/cluster/status", not_quorate)
        await site.turn()
        assert site.ready == ("False", "NotQuorate")


@pytest.mark.reliability("T26")
async def test_rows_keys_and_words_of_the_future_change_nothing(shop: OpenShop) -> None:
    def future(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        strange = {"a-new-key": {"nested": [1, None]}, "another": True}
        return [row | strange for row in rows] + [
            {"type": "network", "network": "fabric", "network-type": "fabric", "node": "pve1", "id": "network/x"},
            {"type": "accelerator", "id": "accelerator/1", "node": "pve1", "maxmem": 10**15},
        ]

    async with shop() as site:
        claims = site.claims()
        await tampered(site, future, *PATHS[:2])
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.claims() == claims


@pytest.mark.reliability("T26")
async def test_statuses_that_nobody_knows_are_counted_or_not_sold_but_never_free(shop: OpenShop) -> None:
    """A guest in a strange state keeps its room, a storage and a node in one are not sold."""

    def strange(kind: str, **where: object) -> Callable[[list[dict[str, Any]]], None]:
        def edit(rows: list[dict[str, Any]]) -> None:
            for row in rows:
                if row["type"] == kind and where.items() <= row.items():
                    row["status"] = "hibernating-in-the-cloud"

        return edit

    async with shop() as site:
        before = site.sold()
        await site.tamper("/cluster/resources", strange("qemu"))
        await site.turn()
        assert site.sold() == before
        site.cluster.remove_fault()
        await site.tamper("/cluster/resources", strange("node", node="pve2"))
        await site.turn()
        assert site.sold() == {name: units for name, units in before.items() if name != "pve2"}
        assert site.node("pve2")["excluded"] == "Unknown"


@pytest.mark.reliability("T26")
@pytest.mark.parametrize(
    "nonsense", [{"maxcpu": "many"}, {"maxcpu": -64}, {"maxcpu": {"cores": 64}}, {"maxmem": 1e40}, {"uptime": "NaN"}]
)
async def test_node_with_nonsense_for_a_number_is_not_sold_and_the_others_are(
    shop: OpenShop, nonsense: dict[str, Any]
) -> None:
    """The cluster counts as observed: each Offering says which node it left out."""

    def edit(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["type"] == "node" and row["node"] == "pve2":
                row.update(nonsense)

    async with shop() as site:
        claims, before = site.claims(), site.sold()
        await site.tamper("/cluster/resources", edit)
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert site.sold() == {name: units for name, units in before.items() if name != "pve2"}
        assert site.node("pve2")["excluded"] == "Unreadable"
        assert "pve2" in site.said()["message"]
        site.cluster.remove_fault()
        await site.heals(claims)


@pytest.mark.reliability("T26")
async def test_cluster_whose_only_row_is_a_node_with_nonsense_claims_nothing(shop: OpenShop) -> None:
    """Read and believed, and no tier can be judged: Unknown, neither sold out nor as before."""

    def only(name: str) -> Callable[[Any], Any]:
        row = {"type": "node", "node": name, "status": "online", "maxcpu": "lots", "maxmem": [], "id": f"node/{name}"}
        return lambda _: [row]

    async with shop() as site:
        claims, uids = site.claims(), {name: one[0] for name, one in site.statements().items()}
        await site.tamper("/cluster/resources", only("pve1"))
        await site.turn()
        assert site.ready == ("True", "Observed")
        assert [site.stock(tier) for tier in ("small", "gpu")] == [("Unknown", None)] * 2
        assert site.offerings["small"]["status"]["conditions"][0]["reason"] == "StockUnknown"
        assert {name: one[0] for name, one in site.statements().items()} == uids
        site.cluster.remove_fault()
        await site.heals(claims)
        before = site.statements()
        await site.tamper("/cluster/resources", only("elsewhere"))  # /cluster/status knows of no such member
        await site.turn()
        assert site.ready == ("False", "CallFailed")
        assert site.statements() == before
        site.cluster.remove_fault()
        await site.heals(claims)


@pytest.mark.reliability("T27")
async def test_rolling_upgrade_sells_each_node_as_before_but_the_one_that_restarts(shop: OpenShop) -> None:
    """From 8.3 to 9.1 node by node: what `memory.used` and `free` mean changes, rows get other types and keys, and nothing of that is stock."""
    async with shop(of_version("8.3.5")) as site:
        claims, before = site.claims(), site.sold()
        for name in ("pve1", "pve2", "pve3"):
            site.cluster.kill_node(name)
            await site.turn()
            assert site.sold() == {node: units for node, units in before.items() if node != name}
            site.cluster.set_version(name, "9.1.1")
            await site.turn()
            assert site.ready == ("True", "Observed")
            assert site.claims() == claims
        await site.pass_time(INVENTORY + REFRESH)
        assert site.claims() == claims
        assert site.host["status"]["proxmox"]["version"] == "9.1.1"


@pytest.mark.reliability("T27")
async def test_cluster_says_the_same_in_all_versions(shop: OpenShop) -> None:
    told = []
    for version in ("7.4-16", "8.2.7", "8.4.1", "9.1.1", "9.2.4"):
        async with shop(of_version(version)) as site:
            assert site.ready == ("True", "Observed")
            assert site.host["status"]["proxmox"]["version"] == version
            told.append(site.claims())
    assert told == [told[0]] * 5


@pytest.mark.reliability("T28")
async def test_7_4_has_no_mappings_and_sells_its_cards_all_the_same(shop: OpenShop) -> None:
    """/cluster/mapping/pci is a 501, node rows have no `hastate`; maintenance is told by HA's manager alone."""
    async with shop(of_version("7.4-16")) as site:
        assert site.stock("gpu") == ("LowStock", 1)
        assert "/cluster/mapping/pci" in site.calls()
        assert not site.host["status"].get("missingPrivileges")
        before = site.sold()
        site.cluster.set_maintenance("pve2")
        await site.turn()
        assert site.sold() == {name: units for name, units in before.items() if name != "pve2"}


@pytest.mark.reliability("T28")
async def test_mapping_that_a_later_version_knows_is_used(shop: OpenShop) -> None:
    """The other half of the above: a guest that takes a card through a mapping takes it."""
    config = presets.demo()
    entry = MappingEntry(node="pve3", path="0000:ca:00.0", id="10de:20b5", iommugroup=81)
    config.mappings.append(MappingConfig(id="a100", entries=[entry]))
    async with shop(config) as site:
        assert site.stock("gpu") == ("LowStock", 1)
        site.cluster.set_guest(170, hostpci=["mapping=a100"])
        await site.pass_time(INVENTORY + REFRESH)
        assert site.stock("gpu") == ("OutOfStock", 0)


@pytest.mark.reliability("T29")
async def test_rows_keys_and_contents_in_another_order_write_nothing(shop: OpenShop) -> None:
    """Each answer is shuffled anew, loads and clock speeds differ; five turns and a slow loop are compared."""
    async with shop(validitySeconds=86_400) as site:
        await site.pass_time(2 * REFRESH)
        versions = site.versions()
        await site.pass_time(INVENTORY + REFRESH)
        assert site.versions() == versions
