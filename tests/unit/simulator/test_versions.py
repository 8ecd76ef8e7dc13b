"""What differs between Proxmox VE 7.4, 8.x and 9.x, and in a cluster that is being upgraded."""

import pytest


def node(name, **different):
    return {"name": name, "sockets": 1, "cores": 16, "threads": 32, "memory": "128Gi"} | different


@pytest.mark.reliability("T28")
async def test_pci_mappings_do_not_exist_before_8(start, browse, describe):
    mapping = {"id": "a100", "entries": [{"node": "pve1", "path": "0000:17:00.0", "id": "10de:20b5", "iommugroup": 40}]}
    old = await browse(await start(describe(version="7.4-16", mappings=[mapping])))
    new = await browse(await start(describe(version="8.0.2", mappings=[mapping])))
    assert (await old.get("/cluster/mapping/pci")).status_code == 501
    [row] = await new.data("/cluster/mapping/pci")
    assert (row["id"], row["map"]) == ("a100", ["id=10de:20b5,iommugroup=40,node=pve1,path=0000:17:00.0"])


@pytest.mark.parametrize(("version", "privileges"), [("7.4-16", 5), ("8.4.1", 6), ("9.1.1", 7)])
async def test_auditor_has_what_the_version_knows(start, browse, describe, version, privileges):
    told = await (await browse(await start(describe(version=version)))).data("/access/permissions")
    assert len(told["/"]) == privileges
    assert ("/pools" in told) == (version == "7.4-16")
    assert ("/pool" in told) == (version != "7.4-16")


@pytest.mark.parametrize(("version", "there"), [("7.4-16", False), ("8.2.4", False), ("8.2.9", True), ("9.1.1", True)])
async def test_maintenance_shows_on_node_rows_since_8_2_9(start, browse, describe, version, there):
    simulator = await start(describe(version=version))
    simulator.set_maintenance("pve2")
    assert ("hastate" in (await (await browse(simulator)).rows("/cluster/resources"))["node/pve2"]) == there


@pytest.mark.parametrize(
    ("version", "available", "free_is_available"),
    [("7.4-16", False, True), ("8.3.5", False, True), ("8.4.1", False, False), ("9.1.1", True, False)],
)
@pytest.mark.reliability("T27")
async def test_free_memory_means_something_else_since_8_4(
    start, browse, describe, version, available, free_is_available
):
    memory = (await (await browse(await start(describe(version=version)))).data("/nodes/pve1/status"))["memory"]
    assert ("available" in memory) == available
    assert (memory["free"] == memory["total"] - memory["used"]) == free_is_available


async def test_vmid_of_containers_is_a_string_in_7(start, browse, describe):
    for version, vmid in (("7.4-16", "201"), ("8.4.1", 201)):
        [row] = await (await browse(await start(describe(version=version)))).data("/nodes/pve2/lxc")
        assert row["vmid"] == vmid


@pytest.mark.parametrize(("version", "path", "status"), [
    ("8.2.9", "/nodes/pve1/storage/nfs/content?content=import", 400),
    ("8.3.0", "/nodes/pve1/storage/nfs/content?content=import", 200),
    ("7.4-16", "/nodes/pve1/storage?format=1", 400),
    ("8.4.1", "/nodes/pve1/storage?format=1", 200),
    ("7.4-16", "/nodes/pve1/network?type=vnet", 400),
    ("8.4.1", "/nodes/pve1/network?type=include_sdn", 400),
    ("9.1.1", "/nodes/pve1/network?type=include_sdn", 200),
    ("7.4-16", "/pools?poolid=x", 400),
    ("9.1.1", "/cluster/resources?type=network", 400),
])  # fmt: skip
async def test_parameters_newer_than_the_version_are_refused(start, browse, describe, version, path, status):
    assert (await (await browse(await start(describe(version=version)))).get(path)).status_code == status


async def test_zones_are_sdn_rows_in_8_and_network_rows_in_9_node_by_node(start, browse, describe):
    config = describe(version="8.4.1", nodes=[node("pve1"), node("pve2", version="9.1.1")], guests=[])
    pve = await browse(await start(config))
    types = {row["type"] for row in (await pve.rows("/cluster/resources")).values() if "localnetwork" in row["id"]}
    assert types == {"sdn", "network"}
    assert {row["node"] for row in await pve.data("/cluster/resources?type=sdn")} == {"pve1"}


@pytest.mark.reliability("T27")
async def test_each_node_answers_in_its_own_version_while_the_cluster_is_upgraded(start, browse, describe):
    simulator = await start(describe(version="8.4.1"))
    pve = await browse(simulator)
    simulator.set_version("pve2", "9.1.1")
    assert (await pve.data("/version"))["version"] == "8.4.1"
    assert (await pve.data("/nodes/pve2/version"))["release"] == "9.1"
    assert "available" in (await pve.data("/nodes/pve2/status"))["memory"]
    assert "available" not in (await pve.data("/nodes/pve1/status"))["memory"]
    assert "memhost" in (await pve.rows("/cluster/resources"))["qemu/200"]
    assert "memhost" not in (await pve.rows("/cluster/resources"))["qemu/100"]


async def test_architecture_is_told_since_9_2_and_only_where_it_is_not_x86(start, browse, describe):
    nodes = [node("pve1"), node("arm", arch="aarch64", cores=1, threads=64)]
    rows = await (await browse(await start(describe(version="9.2.2", nodes=nodes, guests=[])))).rows("/nodes")
    assert rows["node/arm"]["host-arch"] == "aarch64"
    assert "host-arch" not in rows["node/pve1"]
    old = await (await browse(await start(describe(version="9.1.1", nodes=nodes, guests=[])))).rows("/nodes")
    assert "host-arch" not in old["node/arm"]
