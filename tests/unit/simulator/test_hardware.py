"""Cards, their functions, and disks, as the server lists them."""

CARD = {"slot": "0000:41:00", "vendor": "10de", "device": "26b5", "name": "AD102GL [L40]", "iommu": 70}


def machine(**different):
    return [{"name": "pve1", "cores": 16, "threads": 32, "memory": "128Gi"} | different]


async def listed(browse, simulator, query=""):
    rows = await (await browse(simulator)).data(f"/nodes/pve1/hardware/pci{query}")
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    return {row["id"]: row for row in rows}


async def test_every_board_has_a_vga_of_its_management_that_looks_like_a_card(start, browse, describe):
    rows = await listed(browse, await start(describe(nodes=machine(), guests=[])))
    assert (rows["0000:03:00.0"]["class"], rows["0000:03:00.0"]["vendor"]) == ("0x030000", "0x1a03")


async def test_sound_of_a_card_is_a_function_in_the_same_group(start, browse, describe):
    rows = await listed(browse, await start(describe(nodes=machine(gpus=[CARD | {"audio": True}]), guests=[])))
    assert rows["0000:41:00.1"]["class"] == "0x040300"
    assert rows["0000:41:00.1"]["iommugroup"] == rows["0000:41:00.0"]["iommugroup"] == 70


async def test_virtual_functions_look_like_cards_and_kinship_is_told_since_9_2_only(start, browse, describe):
    nodes = machine(gpus=[CARD | {"vfs": 6}])
    old = await listed(browse, await start(describe(version="9.1.1", nodes=nodes, guests=[])))
    new = await listed(browse, await start(describe(version="9.2.2", nodes=nodes, guests=[])))
    assert sum(row["class"] == "0x030200" for row in old.values()) == 7
    assert (old["0000:41:01.1"]["mdev"], old["0000:41:01.1"]["nvidia"]) == (1, 1)
    assert "physfn" not in old["0000:41:01.1"]
    assert new["0000:41:01.1"]["physfn"] == "0000:41:00.0"
    assert new["0000:41:00.0"]["virtfns"]["virtfn5"] == "0000:41:01.1"


async def test_without_iommu_every_group_is_minus_one(start, browse, describe):
    rows = await listed(browse, await start(describe(nodes=machine(gpus=[CARD], iommu=False), guests=[])))
    assert {row["iommugroup"] for row in rows.values()} == {-1}


async def test_names_are_left_out_where_unknown_or_not_asked_for(start, browse, describe):
    unknown = {key: value for key, value in CARD.items() if key != "name"}
    simulator = await start(describe(nodes=machine(gpus=[unknown]), guests=[]))
    assert "device_name" not in (await listed(browse, simulator))["0000:41:00.0"]
    short = (await listed(browse, simulator, "?verbose=0"))["0000:41:00.0"]
    assert short.keys() == {"id", "class", "vendor", "device", "iommugroup"}


async def test_bridges_are_filtered_unless_the_blacklist_is_empty(start, browse, describe):
    simulator = await start(describe(nodes=machine(), guests=[]))
    assert "0000:00:1c.0" not in await listed(browse, simulator)
    assert "0000:00:1c.0" in await listed(browse, simulator, "?pci-class-blacklist=")


async def test_what_lies_on_which_disk_can_be_found(start, browse, describe):
    disks = [
        {"devpath": "/dev/nvme0n1", "type": "nvme", "size": "1T", "used": "LVM", "memberOf": "pve"},
        {"devpath": "/dev/sda", "type": "hdd", "size": "8T", "used": "ZFS", "memberOf": "tank"},
        {"devpath": "/dev/sdb", "type": "hdd", "size": "8T", "used": "ZFS", "memberOf": "tank"},
        {"devpath": "/dev/sdc", "type": "ssd", "size": "2T", "used": "mounted", "memberOf": "/mnt/pve/fast"},
        {"devpath": "/dev/sdd", "type": "ssd", "size": "2T"},
    ]
    pve = await browse(await start(describe(nodes=machine(disks=disks), guests=[])))
    rows = {row["devpath"]: row for row in await pve.data("/nodes/pve1/disks/list?skipsmart=1")}
    assert rows["/dev/sda"]["type"] == "hdd"
    assert "used" not in rows["/dev/sdd"]
    assert {row["health"] for row in rows.values()} == {"UNKNOWN"}
    [group] = (await pve.data("/nodes/pve1/disks/lvm"))["children"]
    assert (group["name"], [each["name"] for each in group["children"]]) == ("pve", ["/dev/nvme0n1p3"])
    assert [each["name"] for each in await pve.data("/nodes/pve1/disks/zfs")] == ["tank"]
    [pool] = (await pve.data("/nodes/pve1/disks/zfs/tank"))["children"]
    links = [f"{rows[path]['by_id_link']}-part1" for path in ("/dev/sda", "/dev/sdb")]
    assert [leaf["name"] for leaf in pool["children"][0]["children"]] == links
    [thin] = await pve.data("/nodes/pve1/disks/lvmthin")
    assert (thin["vg"], thin["lv"]) == ("pve", "data")
    [directory] = await pve.data("/nodes/pve1/disks/directory")
    assert directory["path"] == "/mnt/pve/fast"
    assert directory["device"].startswith("/dev/disk/by-uuid/")


async def test_vnets_are_listed_only_where_any_bridge_is_asked_for(start, browse, describe):
    pve = await browse(await start(describe(nodes=machine(bridges=["vmbr0", "vmbr1"], vnets=["customers"]), guests=[])))
    assert {row["iface"] for row in await pve.data("/nodes/pve1/network")} == {"enp1s0", "vmbr0", "vmbr1"}
    assert {row["iface"] for row in await pve.data("/nodes/pve1/network?type=bridge")} == {"vmbr0", "vmbr1"}
    assert {row["iface"] for row in await pve.data("/nodes/pve1/network?type=any_bridge")} == {
        "vmbr0",
        "vmbr1",
        "customers",
    }


T4 = {
    "slot": "0000:17:00",
    "vendor": "10de",
    "device": "1eb8",
    "iommu": 40,
    "mdevs": [
        {"type": "nvidia-230", "name": "GRID T4-1Q", "instances": 16, "memory": "1Gi"},
        {"type": "nvidia-231", "name": "GRID T4-2Q", "instances": 8, "memory": "2Gi"},
    ],
}


def user(vmid, value, **different):
    return {"vmid": vmid, "node": "pve1", "hostpci": [value]} | different


async def left(pve, address="0000:17:00.0"):
    return {row["type"]: row["available"] for row in await pve.data(f"/nodes/pve1/hardware/pci/{address}/mdev")}


async def test_card_hands_out_parts_of_one_type_at_a_time_to_guests_that_run(start, browse, describe):
    guests = [
        user(100, "0000:17:00.0,mdev=nvidia-231", count=3),
        user(110, "17:00.0,mdev=nvidia-231", status="stopped"),
    ]
    simulator = await start(describe(nodes=machine(gpus=[T4]), guests=guests))
    pve = await browse(simulator)
    assert await left(pve) == {"nvidia-230": 0, "nvidia-231": 5}
    simulator.start_guest(110)
    assert await left(pve) == {"nvidia-230": 0, "nvidia-231": 4}
    for vmid in (100, 101, 102, 110):
        simulator.stop_guest(vmid)
    assert await left(pve) == {"nvidia-230": 16, "nvidia-231": 8}
    [row] = [one for one in await pve.data("/nodes/pve1/hardware/pci/0000:17:00.0/mdev") if one["type"] == "nvidia-231"]
    assert row["name"] == "GRID T4-2Q"
    assert "framebuffer=2048M" in row["description"]
    assert "max_instance=8" in row["description"]
    assert await left(pve, "0000:5e:00.0") == {}


async def test_card_that_runs_in_a_guest_whole_hands_out_nothing(start, browse, describe):
    simulator = await start(describe(nodes=machine(gpus=[T4]), guests=[user(100, "0000:17:00", status="stopped")]))
    pve = await browse(simulator)
    assert (await pve.rows("/nodes/pve1/hardware/pci"))["0000:17:00.0"]["mdev"] == 1
    simulator.start_guest(100)
    assert "mdev" not in (await pve.rows("/nodes/pve1/hardware/pci"))["0000:17:00.0"]
    assert await left(pve) == {}


async def test_virtual_functions_tell_no_count(start, browse, describe):
    card = T4 | {"vfs": 2}
    simulator = await start(describe(nodes=machine(gpus=[card]), guests=[user(100, "0000:17:00.4,mdev=nvidia-231")]))
    pve = await browse(simulator)
    assert await left(pve) == {}
    assert await left(pve, "0000:17:00.4") == {}
    assert await left(pve, "0000:17:00.5") == {"nvidia-231": 1}
