"""Guests and what they use, as it changes while the cluster runs."""

import pytest

from proxmox_offerings.simulator.changes import NoSuchThingError
from proxmox_offerings.simulator.config import GuestConfig


async def test_changes_of_guests_show_in_the_next_answer(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.stop_guest(100)
    stopped = (await pve.rows("/cluster/resources"))["qemu/100"]
    assert (stopped["status"], stopped["uptime"], stopped["mem"], stopped["maxmem"]) == ("stopped", 0, 0, 8 * 2**30)
    simulator.start_guest(100)
    simulator.set_guest(100, memory="16Gi")
    simulator.add_guest(GuestConfig(vmid=300, node="pve3", name="new", cpu=2, count=2))
    simulator.remove_guest(200)
    rows = await pve.rows("/cluster/resources?type=vm")
    assert (rows["qemu/100"]["status"], rows["qemu/100"]["maxmem"]) == ("running", 16 * 2**30)
    assert {rows["qemu/300"]["name"], rows["qemu/301"]["name"]} == {"new-1", "new-2"}
    assert "qemu/200" not in rows


async def test_migrating_guest_is_locked_where_it_is_until_it_has_arrived(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.begin_migration(100)
    moving = (await pve.rows("/cluster/resources"))["qemu/100"]
    assert (moving["node"], moving["lock"]) == ("pve1", "migrate")
    simulator.finish_migration(100, "pve3")
    arrived = (await pve.rows("/cluster/resources"))["qemu/100"]
    assert arrived["node"] == "pve3"
    assert "lock" not in arrived


async def test_machine_has_at_most_the_threads_of_its_host_and_container_without_limit_all(start, browse, describe):
    guests = [
        {"vmid": 100, "node": "pve1", "cpu": 200},
        {"vmid": 101, "node": "pve1", "type": "lxc", "cpu": 0},
        {"vmid": 102, "node": "pve1", "type": "lxc", "cpu": 0, "cpulimit": 1.5},
    ]
    pve = await browse(await start(describe(guests=guests)))
    rows = await pve.rows("/cluster/resources?type=vm")
    assert [rows[name]["maxcpu"] for name in ("qemu/100", "lxc/101", "lxc/102")] == [64, 64, 1.5]
    unlimited = await pve.data("/nodes/pve1/lxc/101/config")
    assert not {"cores", "cpulimit"} & unlimited.keys()


async def test_memory_in_a_machine_config_is_a_string_of_mebibytes(start, browse, describe):
    config = await (await browse(await start(describe()))).data("/nodes/pve1/qemu/100/config")
    assert (config["memory"], config["cores"], config["sockets"]) == ("8192", 4, 1)
    assert config["scsi0"] == "local-lvm:vm-100-disk-0,size=50G"


async def test_pending_device_is_told_unless_the_current_state_is_asked_for(start, browse, describe):
    guests = [{"vmid": 100, "node": "pve1", "hostpci": [], "pendingHostpci": ["0000:17:00"]}]
    simulator = await start(describe(guests=guests))
    pve = await browse(simulator)
    assert (await pve.data("/nodes/pve1/qemu/100/config"))["hostpci0"] == "0000:17:00"
    assert "hostpci0" not in await pve.data("/nodes/pve1/qemu/100/config?current=1")
    simulator.start_guest(100)
    assert (await pve.data("/nodes/pve1/qemu/100/config?current=1"))["hostpci0"] == "0000:17:00"


async def test_disk_takes_its_room_at_once_only_on_storage_that_is_not_thin(start, browse, describe):
    storages = [
        {"id": "thick", "type": "lvm", "vgname": "data", "content": ["images"], "size": "1Ti"},
        {"id": "thin", "type": "lvmthin", "vgname": "pve", "thinpool": "data", "content": ["images"], "size": "1Ti"},
    ]
    simulator = await start(describe(storages=storages, guests=[]))
    pve = await browse(simulator)
    for vmid, storage in ((100, "thick"), (101, "thin")):
        simulator.add_guest(GuestConfig(vmid=vmid, node="pve1", disk=100 * 2**30, storage=storage))
    rows = await pve.rows("/cluster/resources?type=storage")
    assert rows["storage/pve1/thick"]["disk"] == 100 * 2**30
    assert rows["storage/pve1/thin"]["disk"] == 0
    assert rows["storage/pve2/thick"]["disk"] == 0
    simulator.remove_guest(100)
    assert (await pve.rows("/cluster/resources?type=storage"))["storage/pve1/thick"]["disk"] == 0


async def test_shared_storage_is_one_set_of_bytes_and_local_ones_are_not(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.fill_storage("nfs", 3 * 2**40)
    simulator.fill_storage("local-lvm", 2**39, node="pve2")
    rows = await pve.rows("/cluster/resources?type=storage")
    assert {rows[f"storage/{name}/nfs"]["disk"] for name in ("pve1", "pve2", "pve3")} == {3 * 2**40}
    assert {rows[f"storage/{name}/nfs"]["shared"] for name in ("pve1", "pve2", "pve3")} == {1}
    assert [rows[f"storage/{name}/local-lvm"]["disk"] for name in ("pve1", "pve2")] == [100 * 2**30, 2**39]


async def test_disabled_storage_is_not_in_the_cluster_but_on_the_node(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.set_storage("nfs", disabled=True)
    assert "storage/pve1/nfs" not in await pve.rows("/cluster/resources")
    rows = {row["storage"]: row for row in await pve.data("/nodes/pve1/storage")}
    assert (rows["nfs"]["enabled"], rows["nfs"]["total"]) == (0, 0)
    assert {row["storage"] for row in await pve.data("/nodes/pve1/storage?enabled=1")} == {"local-lvm"}
    assert (await pve.get("/nodes/pve1/storage/nfs/content")).reason_phrase == "storage 'nfs' is disabled"


@pytest.mark.parametrize("change", [
    lambda simulator: simulator.start_guest(1234),
    lambda simulator: simulator.start_guest(9000),
    lambda simulator: simulator.add_guest(GuestConfig(vmid=100, node="pve1")),
    lambda simulator: simulator.add_guest(GuestConfig(vmid=500, node="pve9")),
    lambda simulator: simulator.set_guest(100, type="lxc"),
    lambda simulator: simulator.set_guest(100, memory="much"),
    lambda simulator: simulator.kill_node("pve9"),
    lambda simulator: simulator.fill_storage("nowhere", 0),
    lambda simulator: simulator.set_version("pve1", "nine"),
])  # fmt: skip
async def test_impossible_changes_are_refused_and_change_nothing(start, browse, describe, change):
    simulator = await start(describe())
    pve = await browse(simulator)
    with pytest.raises(NoSuchThingError):
        change(simulator)
    assert set(await pve.rows("/cluster/resources?type=vm")) == {"qemu/100", "qemu/200", "lxc/201", "qemu/9000"}
