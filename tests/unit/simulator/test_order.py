"""Order and loads differ from call to call, as a real server's do, and nothing else does."""

import json

from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour


async def test_rows_keys_and_contents_come_in_another_order_each_time(start, browse, describe):
    pve = await browse(await start(describe()))
    answers = [(await pve.get("/cluster/resources")).text for _ in range(8)]
    parsed = [json.loads(answer)["data"] for answer in answers]
    assert len({tuple(row["id"] for row in rows) for rows in parsed}) > 1
    node_keys = {tuple(row) for rows in parsed for row in rows if row["id"] == "node/pve1"}
    guest_keys = {tuple(row) for rows in parsed for row in rows if row["id"] == "qemu/100"}
    contents = {row["content"] for rows in parsed for row in rows if row["id"] == "storage/pve1/local-lvm"}
    assert len(node_keys) > 1
    assert len(guest_keys) > 1
    assert contents == {"images,rootdir", "rootdir,images"}


async def test_lists_whose_order_means_something_keep_it(start, browse, describe):
    pve = await browse(await start(describe()))
    for _ in range(5):
        load = [float(value) for value in (await pve.data("/nodes/pve1/status"))["loadavg"]]
        assert load == sorted(load, reverse=True)


async def test_without_shuffling_and_jitter_the_same_state_gives_the_same_bytes(start, browse, describe):
    still = Behaviour(shuffle=False, jitter=False)
    pve = await browse(await start(describe(), behaviour=still, clock=lambda: 1_700_000_000.0))
    for path in ("/cluster/resources", "/nodes/pve1/status", "/nodes", "/storage"):
        assert (await pve.get(path)).content == (await pve.get(path)).content, path


async def test_clock_speed_is_a_string_that_changes(start, browse, describe):
    pve = await browse(await start(describe()))
    told = {(await pve.data("/nodes/pve1/status"))["cpuinfo"]["mhz"] for _ in range(5)}
    assert len(told) > 1
    assert all(isinstance(value, str) for value in told)


async def test_uptime_follows_the_clock_though_rows_are_kept(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    before = (await pve.rows("/cluster/resources"))["qemu/100"]["uptime"]
    simulator.advance(100)
    assert (await pve.rows("/cluster/resources"))["qemu/100"]["uptime"] - before in (90, 100, 110)


def test_generated_cluster_is_the_same_for_the_same_seed():
    assert presets.mixed(nodes=4, guests=50) == presets.mixed(nodes=4, guests=50)
    assert presets.mixed(nodes=4, guests=50) != presets.mixed(nodes=4, guests=50, seed=1)


async def test_big_cluster_answers_with_all_that_it_has(start, browse):
    pve = await browse(await start(presets.mixed(nodes=8, guests=1000)))
    rows = await pve.data("/cluster/resources")
    assert len(rows) == 8 + 1000 + 8 * 3 + 8
    assert len({row["id"] for row in rows}) == len(rows)
