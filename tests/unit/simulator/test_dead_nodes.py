"""A node that dies goes on looking alive for five minutes; then nothing is known of what was on it."""

import httpx
import pytest


async def test_call_to_dead_node_is_595_with_empty_body(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.kill_node("pve2")
    answer = await pve.get("/nodes/pve2/status")
    assert (answer.status_code, answer.reason_phrase, answer.content) == (595, "No route to host", b"")
    assert "content-length" not in answer.headers
    assert "content-type" not in answer.headers


async def test_guests_of_a_dead_node_look_alive_until_the_data_expires(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.kill_node("pve2")
    rows = await pve.rows("/cluster/resources")
    assert rows["node/pve2"]["status"] == "offline"
    assert {"maxcpu", "maxmem", "maxdisk", "level"} <= rows["node/pve2"].keys()
    assert not {"cpu", "mem", "disk", "uptime"} & rows["node/pve2"].keys()
    assert rows["qemu/200"]["status"] == "running"
    assert rows["storage/pve2/local-lvm"]["status"] == "available"


async def test_what_was_on_a_node_dead_for_long_has_no_name_and_no_size(start, browse, describe):
    """Lock and tags come from the cluster's files and stay; a template is no longer told to be one."""
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.kill_node("pve2")
    simulator.advance(301)
    rows = await pve.rows("/cluster/resources")
    assert rows["node/pve2"] == {
        "id": "node/pve2",
        "node": "pve2",
        "type": "node",
        "status": "offline",
        "cgroup-mode": 2,
    }
    assert rows["qemu/200"] == {
        "id": "qemu/200",
        "vmid": 200,
        "node": "pve2",
        "type": "qemu",
        "status": "unknown",
        "lock": "backup",
        "tags": "a;b",
    }
    assert rows["qemu/9000"].keys() == {"id", "vmid", "node", "type", "status"}
    assert rows["storage/pve2/nfs"]["status"] == "unknown"
    assert not {"disk", "maxdisk"} & rows["storage/pve2/nfs"].keys()
    assert rows["qemu/100"]["status"] == "running", "other nodes are not touched"


async def test_dead_node_refuses_connections_and_comes_back_at_its_address(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    assert (await pve.get("/version", node="pve2")).status_code == 200
    simulator.kill_node("pve2")
    with pytest.raises((httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError)):
        await pve.get("/version", node="pve2")
    with pytest.raises(httpx.ConnectError):
        await pve.get("/version", node="pve2")
    address = simulator.endpoint("pve2")
    simulator.restore_node("pve2")
    assert simulator.endpoint("pve2") == address
    assert (await pve.rows("/cluster/resources", node="pve2"))["node/pve2"]["uptime"] < 60


async def test_right_is_checked_before_it_is_known_whether_the_node_lives(start, browse, describe):
    simulator = await start(describe(users=[{"acls": [{"path": "/vms", "role": "PVEAuditor"}]}]))
    pve = await browse(simulator)
    simulator.kill_node("pve2")
    assert (await pve.get("/nodes/pve2/status")).status_code == 403


async def test_unknown_node_is_a_500_that_names_it(start, browse, describe):
    answer = await (await browse(await start(describe()))).get("/nodes/pve9/status")
    assert answer.status_code == 500
    assert "hostname lookup 'pve9' failed" in answer.reason_phrase


async def test_node_whose_pvestatd_is_stuck_answers_but_is_unknown(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.silence_node("pve2")
    simulator.advance(299)
    assert (await pve.rows("/cluster/resources"))["node/pve2"]["status"] == "online"
    simulator.advance(2)
    rows = await pve.rows("/cluster/resources")
    assert rows["node/pve2"]["status"] == "unknown"
    assert "maxcpu" not in rows["node/pve2"]
    assert rows["qemu/200"]["status"] == "unknown"
    assert (await pve.data("/nodes/pve2/status"))["cpuinfo"]["cpus"] == 64


async def test_storage_that_hangs_blocks_all_storage_calls_of_its_node(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.set_storage("nfs", node="pve1", hanging=True)
    for path in (
        "/nodes/pve1/storage",
        "/nodes/pve1/storage?storage=local-lvm",
        "/nodes/pve1/storage/local-lvm/status",
    ):
        answer = await pve.get(path)
        assert (answer.status_code, answer.content) == (596, b""), path
    assert (await pve.get("/nodes/pve1/storage?content=iso")).status_code == 596
    assert (await pve.get("/nodes/pve2/storage")).status_code == 200
    assert (await pve.get("/cluster/resources")).status_code == 200
    simulator.advance(301)
    assert (await pve.rows("/cluster/resources"))["qemu/100"]["status"] == "unknown", "its pvestatd waits too"
    simulator.set_storage("nfs", node="pve1", hanging=False)
    assert (await pve.rows("/cluster/resources"))["qemu/100"]["status"] == "running"
    assert (await pve.get("/nodes/pve1/storage")).status_code == 200


async def test_inactive_storage_is_at_once_inactive_on_the_node_and_only_later_in_the_cluster(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.set_storage("local-lvm", node="pve1", active=False)
    [row] = [row for row in await pve.data("/nodes/pve1/storage") if row["storage"] == "local-lvm"]
    assert (row["active"], row["total"], row["enabled"]) == (0, 0, 1)
    assert (await pve.rows("/cluster/resources"))["storage/pve1/local-lvm"]["status"] == "available"
    simulator.advance(301)
    assert (await pve.rows("/cluster/resources"))["storage/pve1/local-lvm"]["status"] == "unknown"
    assert (await pve.rows("/cluster/resources"))["storage/pve2/local-lvm"]["status"] == "available"


async def test_quorum_is_lost_with_the_majority_and_reads_still_work(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.kill_node("pve2")
    assert (await pve.rows("/cluster/status"))["cluster"]["quorate"] == 1
    simulator.kill_node("pve3")
    rows = await pve.rows("/cluster/status")
    assert rows["cluster"]["quorate"] == 0
    assert (rows["node/pve1"]["online"], rows["node/pve3"]["online"]) == (1, 0)
    assert (await pve.data("/cluster/ha/status/manager_status"))["quorum"] == {"node": "pve1", "quorate": "0"}
    assert len(await pve.rows("/cluster/resources?type=vm")) == 4


async def test_maintenance_is_told_by_all_three_signals(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    assert "hastate" not in (await pve.rows("/nodes"))["node/pve1"], "never used, never told"
    simulator.set_maintenance("pve1")
    told = await pve.data("/cluster/ha/status/manager_status")
    assert (await pve.rows("/cluster/resources"))["node/pve1"]["hastate"] == "maintenance"
    assert told["manager_status"]["node_status"]["pve1"] == "maintenance"
    assert told["lrm_status"]["pve1"]["mode"] == "maintenance"
    simulator.set_maintenance("pve1", on=False)
    assert (await pve.rows("/cluster/resources"))["node/pve1"]["hastate"] == "online"


async def test_standalone_node_has_no_cluster_row(start, browse, describe):
    nodes = [{"name": "pve", "cores": 4, "threads": 8, "memory": "32Gi"}]
    pve = await browse(await start(describe(cluster=None, nodes=nodes, guests=[])))
    [row] = await pve.data("/cluster/status")
    assert (row["type"], row["nodeid"], row["online"], row["local"]) == ("node", 0, 1, 1)


async def test_node_that_is_cut_off_tells_what_it_remembers_and_has_no_quorum(start, browse, describe):
    """Each side sees the other as gone, and whoever asks reaches both."""
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.isolate_node("pve1")
    seen = {}
    for entry in ("pve1", "pve2"):
        rows = await pve.rows("/cluster/status", node=entry)
        online = [rows[f"node/{name}"]["online"] for name in ("pve1", "pve2", "pve3")]
        seen[entry] = (rows["cluster"]["quorate"], online)
    assert seen == {"pve1": (0, [1, 0, 0]), "pve2": (1, [0, 1, 1])}
    assert (await pve.get("/nodes/pve1/status", node="pve2")).status_code == 595
    assert (await pve.get("/nodes/pve1/status", node="pve1")).status_code == 200
    simulator.isolate_node("pve1", isolated=False)
    assert (await pve.get("/nodes/pve1/status", node="pve2")).status_code == 200
