"""The other answers, in the shapes that servers of all versions were seen to send."""

from typing import Any

import pytest

from proxmox_offerings.proxmox.answers import (
    Disk,
    GuestConfig,
    GuestKind,
    MdevType,
    PciMapping,
    PciMappingEntry,
    StorageConfig,
)
from proxmox_offerings.proxmox.parse import cluster, disk_trees, guests, nodes
from proxmox_offerings.proxmox.parse.values import Nonsense

GIB = 2**30


@pytest.mark.reliability("T8")
def test_a_standalone_node_has_no_quorum_to_lose() -> None:
    """T8"""
    status = cluster.cluster_status([{"type": "node", "name": "pve", "nodeid": 0, "online": 1, "local": 1}])
    assert (status.name, status.quorate, status.online) == (None, True, {"pve": True})


@pytest.mark.parametrize(("told", "quorate"), [(1, True), ("1", True), (0, False), ("0", False), ("", False)])
@pytest.mark.reliability("T5")
def test_a_cluster_says_whether_it_has_a_quorum(told: object, quorate: bool) -> None:
    """T5"""
    rows = [{"type": "cluster", "name": "c", "quorate": told}, {"type": "node", "name": "a", "online": "0"}]
    status = cluster.cluster_status(rows)
    assert (status.name, status.quorate, status.online) == ("c", quorate, {"a": False})


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"type": "cluster", "name": "c"}],
        [{"type": "cluster", "quorate": 1}] * 2,
        [{"type": "node", "name": name, "online": 1} for name in ("a", "b")],
    ],
)
def test_a_cluster_status_that_leaves_the_quorum_open_is_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(Nonsense):
        cluster.cluster_status(rows)


def test_high_availability_that_was_never_used_has_no_states() -> None:
    status = cluster.manager_status({"manager_status": {"node_status": {}}, "quorum": {"node": "pve", "quorate": "1"}})
    assert (status.node_status, status.lrm_mode) == ({}, {})


@pytest.mark.reliability("T6")
def test_maintenance_is_told_in_two_places() -> None:
    """T6; and rows with an empty node name exist."""
    status = cluster.manager_status(
        {
            "manager_status": {"node_status": {"b": "online", "a": "maintenance"}},
            "lrm_status": {"a": {"mode": "maintenance"}, "": {"mode": "active"}, "b": {"state": "wait"}},
        }
    )
    assert (status.node_status, status.lrm_mode) == ({"a": "maintenance", "b": "online"}, {"a": "maintenance"})


def test_where_ha_moves_guests_is_told_by_their_states() -> None:
    services = {
        "vm:100": {"state": "migrate", "node": "a", "target": "b"},
        "ct:101": {"state": "relocate", "node": "a", "target": "c"},
        "vm:102": {"state": "started", "node": "a", "target": "b"},
        "vm:103": {"state": "migrate", "node": "a"},
        "vm:x": {"state": "migrate", "target": "b"},
        "vm:104": None,
    }
    status = cluster.manager_status({"manager_status": {"service_status": services}})
    assert status.targets == {100: "b", 101: "c"}


def test_a_privilege_that_does_not_propagate_is_there_all_the_same() -> None:
    told = cluster.permissions({"/": {"Sys.Audit": 1, "VM.Audit": "0"}, "/vms": {}})
    assert told.paths == {"/": {"Sys.Audit": True, "VM.Audit": False}, "/vms": {}}
    assert cluster.permissions({}).paths == cluster.permissions([]).paths == {}


def test_versions_of_all_generations() -> None:
    assert cluster.version({"version": "7.4-16", "release": "7.4", "repoid": "x"}).numbers == (7, 4)
    assert cluster.version({"version": "9.1.1"}).release == "9.1"


def test_a_storage_definition_says_on_which_nodes_it_is() -> None:
    told = [
        {
            "storage": "tank",
            "type": "zfspool",
            "pool": "rpool/data",
            "content": "rootdir,images",
            "nodes": "b,a",
            "disable": 1,
        },
        {"storage": "ceph", "type": "rbd", "monhost": "10.0.0.1 10.0.0.2", "shared": "1", "content": "images"},
    ]
    assert cluster.storage_configs(told) == (
        StorageConfig(
            storage="ceph", plugin="rbd", monitors="10.0.0.1 10.0.0.2", shared=True, content=frozenset({"images"})
        ),
        StorageConfig(
            storage="tank",
            plugin="zfspool",
            pool="rpool/data",
            content=frozenset({"images", "rootdir"}),
            nodes=frozenset({"a", "b"}),
            disabled=True,
        ),
    )


def test_a_mapping_entry_may_take_several_devices() -> None:
    told = [
        {"id": "a100", "type": "pci", "map": ["id=10de:20b5,iommugroup=40,node=pve1,path=0000:17:00.0;0000:18:00.0"]}
    ]
    entry = PciMappingEntry(node="pve1", paths=("0000:17:00.0", "0000:18:00.0"))
    assert cluster.pci_mappings(told) == (PciMapping(id="a100", entries=(entry,)),)
    with pytest.raises(Nonsense):
        cluster.pci_mappings([{"id": "a100", "map": ["id=10de:20b5,node=pve1"]}])


def test_types_of_mediated_devices_in_all_dialects() -> None:
    """NVIDIA describes in one line what a card holds at all and what an instance gets; Intel does not, and newer drivers have no text."""
    told = nodes.mdev_types(
        [
            {
                "type": "nvidia-231",
                "available": "8",
                "name": "GRID T4-2Q",
                "description": "num_heads=4, frl_config=60, framebuffer=2048M, max_resolution=7680x4320, max_instance=8\n",
            },
            {
                "type": "i915-GVTg_V5_4",
                "available": 1,
                "description": "low_gm_size: 128MB\nhigh_gm_size: 512MB\nfence: 4\n",
            },
            {"type": "nvidia-1150", "available": 1, "description": ""},
        ]
    )
    assert told == (
        MdevType(type="i915-GVTg_V5_4", available=1),
        MdevType(type="nvidia-1150", available=1),
        MdevType(type="nvidia-231", available=8, name="GRID T4-2Q", most=8, memory=2 * 2**30),
    )
    assert nodes.mdev_types([]) == ()
    for broken in ({"type": "x"}, {"available": 1}, {"type": "x", "available": "many"}):
        with pytest.raises(Nonsense):
            nodes.mdev_types([broken])


def test_pci_identities_are_written_one_way() -> None:
    (device,) = nodes.pci_devices(
        [
            {
                "id": "0000:0A:00.0",
                "class": "0x030200",
                "vendor": "0x10DE",
                "device": "0x20b5",
                "iommugroup": "40",
                "mdev": 1,
                "physfn": "0000:0A:00.1",
            }
        ]
    )
    assert (device.address, device.class_code, device.vendor, device.device) == (
        "0000:0a:00.0",
        "030200",
        "10de",
        "20b5",
    )
    assert (device.iommu_group, device.mdev, device.device_name, device.physical_function) == (
        40,
        True,
        None,
        "0000:0a:00.1",
    )


@pytest.mark.parametrize("group", [-1, "-1", None, ""])
@pytest.mark.reliability("T34")
def test_a_device_without_iommu_group_has_none(group: object) -> None:
    """T34: such a card cannot be passed through."""
    (device,) = nodes.pci_devices(
        [{"id": "0000:01:00.0", "class": "0x030000", "vendor": "0x10de", "device": "0x1", "iommugroup": group}]
    )
    assert device.iommu_group == -1
    assert device.device == "0001"


@pytest.mark.parametrize("spoilt", [{"id": "01:00.0"}, {"class": "VGA"}, {"vendor": ...}, {"iommugroup": "x"}])
def test_a_pci_device_that_cannot_be_read_is_never_left_out(spoilt: dict[str, Any]) -> None:
    """It may share the group of a card, which would then look free of others."""
    row = {"id": "0000:01:00.0", "class": "0x030000", "vendor": "0x10de", "device": "0x20b5", "iommugroup": 1} | spoilt
    with pytest.raises(Nonsense):
        nodes.pci_devices([{key: value for key, value in row.items() if value is not ...}])


@pytest.mark.parametrize(("hvm", "has"), [("1", True), (1, True), ("", False)])
def test_hardware_virtualisation_is_a_text_of_one(hvm: object, has: bool) -> None:
    status = nodes.node_status(
        {"cpuinfo": {"cpus": 8, "cores": 4, "sockets": 1, "hvm": hvm, "mhz": "3400.0"}, "memory": {"total": 4}}
    )
    assert (status.hvm, status.cpus, status.cores, status.memory_total) == (has, 8, 4, 4)


def test_a_storage_of_a_node_that_makes_no_sense_tells_nothing() -> None:
    told = [
        {"storage": "b", "type": "dir", "active": 1, "enabled": 1, "avail": -5, "total": 9},
        {"storage": "a", "active": "1", "total": "9", "avail": 5, "used": 4},
    ]
    a, b = nodes.node_storages(told)
    assert (a.total, a.avail, a.used, a.active, a.enabled) == (9, 5, 4, True, False)
    assert (b.total, b.avail, b.used) == (None, None, None)


def test_an_interface_that_is_down_does_not_say_so() -> None:
    up, down = nodes.interfaces(
        [{"iface": "vmbr1", "type": "bridge"}, {"iface": "vmbr0", "type": "bridge", "active": 1}]
    )
    assert (up.name, up.active, down.name, down.active) == ("vmbr0", True, "vmbr1", False)


# Guests' configurations


def guest_config(told: dict[str, Any], kind: GuestKind) -> GuestConfig:
    """As parsed, with what all have."""
    return guests.guest_config({"digest": "0" * 40, **told}, kind)


def test_a_machine_has_sockets_times_cores_unless_vcpus_are_fewer() -> None:
    assert guest_config({"sockets": 2, "cores": "4", "memory": "4096"}, "qemu").cores == 8
    assert guest_config({"sockets": 2, "cores": 4, "vcpus": 3}, "qemu").cores == 3
    assert guest_config({}, "qemu").cores == 1


@pytest.mark.parametrize(
    "told", ["rubbish", "0x10", "host=", "mapping=", ",pcie=1", "0000:01:00.0;nvidia", "0000:01:00.0,mapping"]
)
def test_a_device_that_cannot_be_made_out_is_not_left_free(told: str) -> None:
    with pytest.raises(Nonsense):
        guest_config({"hostpci0": told}, "qemu")


@pytest.mark.parametrize(
    "told",
    ["0000:01:00", "01:00.0,pcie=1", "host=0000:01:00;0000:02:00.1,x-vga=on", "mapping=a100,mdev=nvidia-1", "00:1F.3"],
)
def test_devices_are_kept_as_they_are_written(told: str) -> None:
    assert guest_config({"hostpci0": told}, "qemu").hostpci == (told,)


@pytest.mark.parametrize("kind", ["qemu", "lxc"])
def test_memory_that_no_machine_has_is_refused_in_bytes_too(kind: GuestKind) -> None:
    """A fuzzer's idea: it is told in MiB."""
    with pytest.raises(Nonsense, match="memory"):
        guest_config({"memory": str(2**63 // 1000)}, kind)


@pytest.mark.parametrize("kind", ["qemu", "lxc"])
@pytest.mark.parametrize("told", [{}, [], {"a": 1}, {"cores": 4, "memory": "4096"}, {"digest": "", "cores": 4}])
def test_what_has_no_digest_is_no_configuration(told: object, kind: GuestKind) -> None:
    """It would name no device, and the cards of its guest would look free."""
    with pytest.raises(Nonsense, match="digest"):
        guests.guest_config(told, kind)


@pytest.mark.parametrize("told", [None, "", {}, "x"])
def test_a_mapping_without_its_entries_is_not_read_as_one_that_has_none(told: object) -> None:
    with pytest.raises(Nonsense):
        cluster.pci_mappings([{"id": "a100", "map": told}])


@pytest.mark.parametrize(
    ("parse", "row"),
    [
        (cluster.storage_configs, {"storage": "a", "type": "dir"}),
        (cluster.pci_mappings, {"id": "a", "map": []}),
        (nodes.node_storages, {"storage": "a"}),
        (nodes.mdev_types, {"type": "nvidia-1", "available": 1}),
    ],
)
def test_what_is_told_twice_contradicts_itself(parse: Any, row: dict[str, Any]) -> None:
    parse([row])
    with pytest.raises(Nonsense):
        parse([row, row])


def test_a_container_without_limits_has_none() -> None:
    config = guest_config({"memory": 1024}, "lxc")
    assert (config.cores, config.cpulimit) == (None, None)
    limited = guest_config({"cpulimit": "0.5", "cores": 4}, "lxc")
    assert (limited.cores, limited.cpulimit) == (4, 0.5)


@pytest.mark.parametrize(("told", "mebibytes"), [("4096", 4096), (4096, 4096), ("current=4096", 4096), (None, 512)])
def test_memory_is_told_in_mebibytes(told: object, mebibytes: int) -> None:
    assert guest_config({"memory": told}, "qemu").memory == mebibytes * 2**20


def test_devices_are_kept_as_written_in_their_order() -> None:
    config = guest_config({"hostpci10": "0000:02:00", "hostpci2": "mapping=a100,pcie=1", "template": 1}, "qemu")
    assert config.hostpci == ("mapping=a100,pcie=1", "0000:02:00")
    assert config.template


def test_each_disk_is_sized_and_what_is_no_disk_is_left_out() -> None:
    config = guest_config(
        {
            "scsi0": "local-lvm:vm-100-disk-0,iothread=1,size=32G",
            "virtio1": "file=nfs:100/vm-100-disk-1.qcow2,size=528K",
            "efidisk0": "local-lvm:vm-100-disk-2,efitype=4m,size=4M",
            "unused0": "local-lvm:vm-100-disk-3",
            "ide2": "local:iso/debian.iso,media=cdrom,size=630M",
            "ide0": "none,media=cdrom",
            "sata0": "/dev/disk/by-id/ata-x,size=1T",
            "scsihw": "virtio-scsi-single",
            "net0": "virtio=BC:24:11:00:00:00,bridge=vmbr0",
        },
        "qemu",
    )
    assert config.volume_sizes == {
        "local-lvm:vm-100-disk-0": 32 * GIB,
        "nfs:100/vm-100-disk-1.qcow2": 528 * 1024,
        "local-lvm:vm-100-disk-2": 4 * 2**20,
        "local-lvm:vm-100-disk-3": None,
    }


def test_mount_points_of_a_container_are_disks_unless_they_are_bound_from_the_host() -> None:
    config = guest_config(
        {
            "rootfs": "vmstore:subvol-101-disk-0,size=30G",
            "mp0": "/mnt/foo,mp=/x",
            "mp1": "volume=tank:subvol-101-disk-1,mp=/y,size=1T",
        },
        "lxc",
    )
    assert config.volume_sizes == {"vmstore:subvol-101-disk-0": 30 * GIB, "tank:subvol-101-disk-1": 2**40}


# What lies on which disks


DISKS = (
    Disk(device="/dev/sda", type="hdd", serial="WD-WCC4N1234567"),
    Disk(device="/dev/sdaa", type="ssd", serial="1"),
    Disk(device="/dev/nvme0n1", type="nvme", link="/dev/disk/by-id/nvme-eui.0025385b21404321"),
    Disk(device="/dev/nvme0n10", type="nvme"),
)


@pytest.mark.parametrize(
    ("device", "disk"),
    [
        ("/dev/sda3", "/dev/sda"),
        ("/dev/sda", "/dev/sda"),
        ("/dev/sdaa1", "/dev/sdaa"),
        ("/dev/nvme0n1p3", "/dev/nvme0n1"),
        ("/dev/nvme0n10p3", "/dev/nvme0n10"),
        ("/dev/disk/by-id/nvme-eui.0025385b21404321-part3", "/dev/nvme0n1"),
        ("/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC4N1234567-part1", "/dev/sda"),
        ("/dev/mapper/mpatha", None),
        ("/dev/disk/by-uuid/0a1b", None),
        ("/dev/disk/by-id/scsi-1", None),
    ],
)
def test_a_device_is_on_one_disk_or_on_none_that_is_known(device: str, disk: str | None) -> None:
    assert disk_trees.on_disks([device], DISKS) == ((disk,) if disk else None)


def test_a_pool_lies_on_its_mirrors_but_not_on_its_log_and_cache() -> None:
    pool = {
        "name": "rpool",
        "children": [
            {
                "name": "rpool",
                "children": [{"name": "mirror-0", "children": [{"name": "/dev/sda3"}, {"name": "/dev/sdaa3"}]}],
            },
            {"name": "logs", "children": [{"name": "/dev/nvme0n1p1"}]},
            {"name": "cache", "children": [{"name": "/dev/nvme0n10p1"}]},
        ],
    }
    assert disk_trees.zpool(pool) == ("/dev/sda3", "/dev/sdaa3")


def test_volume_groups_and_directories_name_their_devices() -> None:
    groups = {
        "leaf": 0,
        "children": [{"name": "pve", "leaf": 0, "children": [{"name": "/dev/sda3", "leaf": 1}]}, {"name": "empty"}],
    }
    assert disk_trees.volume_groups(groups) == {"pve": ("/dev/sda3",), "empty": ()}
    assert disk_trees.directories([{"path": "/mnt/x", "device": "/dev/sdb1"}]) == {"/mnt/x": ("/dev/sdb1",)}
