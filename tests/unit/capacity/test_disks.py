"""Disks: bytes are sold once, however many storages show them, and only where somebody read that they are free."""

from dataclasses import replace
from typing import Any

import pytest

from proxmox_offerings.proxmox.answers import Disk, Permissions
from proxmox_offerings.resources import LimitingResource, Stock
from support.cluster import (
    AUDITOR,
    EVERYTHING,
    ClusterFacts,
    available,
    cluster,
    config,
    guest,
    node,
    offer,
    placement,
    planned,
    storage,
    tier,
)

DISK = tier(memory="1Mi", disk="10Gi")
"""Units of 10 GiB; CPU and memory in plenty."""
NODES = tuple(node(name) for name in ("pve1", "pve2", "pve3"))


def disks(*storages: Any, nodes: Any = NODES, **rest: Any) -> ClusterFacts:
    return cluster(nodes=nodes, storages=storages, **rest)


def one(*storages: Any, **rest: Any) -> ClusterFacts:
    return disks(*storages, nodes=(node(),), **rest)


@pytest.mark.reliability("T13")
def test_local_storage_of_one_id_is_another_disk_on_each_node() -> None:
    assert placement(disks(storage("local-lvm", avail="25Gi")), DISK) == {"pve1": 2, "pve2": 2, "pve3": 2}


@pytest.mark.reliability("T13")
def test_shared_storage_is_counted_once() -> None:
    assert available(disks(storage("ceph", "rbd", avail="35Gi")), DISK) == 3


def test_shared_mark_on_a_single_row_makes_the_id_shared() -> None:
    """A directory on a cluster file system is shared only because its definition says so; one node may not have heard yet."""
    seen = disks(storage("gluster", "dir", path="/mnt/g", avail="35Gi", shared=False))
    fast = seen.fast
    first, *others = fast.resources.storages
    rows = (replace(first, shared=True), *others)
    assert available(seen, DISK) == 9
    assert available(seen.snapshot(fast=replace(fast, resources=replace(fast.resources, storages=rows))), DISK) == 3


def test_shared_storage_has_the_least_that_any_online_node_sees() -> None:
    seen = disks(storage("ceph", "rbd", avail="35Gi"))
    slow = seen.slow
    readings = dict(slow.nodes)
    (row,) = readings["pve2"].storages or ()
    readings["pve2"] = replace(readings["pve2"], storages=(replace(row, avail=25 * 2**30),))
    assert available(seen.snapshot(slow=replace(slow, nodes=readings)), DISK) == 2


def test_dead_nodes_account_of_a_shared_storage_is_not_asked() -> None:
    seen = disks(storage("ceph", "rbd", avail="35Gi"), nodes=(*NODES[:2], node("pve3", status="offline")))
    slow = seen.slow
    readings = dict(slow.nodes)
    (row,) = readings["pve3"].storages or ()
    readings["pve3"] = replace(readings["pve3"], storages=(replace(row, avail=0),))
    assert available(seen.snapshot(slow=replace(slow, nodes=readings)), DISK) == 3


def test_disk_lies_on_one_storage() -> None:
    """Two storages with 15 GiB each hold two disks of 10, not three."""
    seen = one(storage("a", volume_group="a", avail="15Gi"), storage("b", volume_group="b", avail="15Gi"))
    assert available(seen, DISK) == 2


def test_shared_storage_is_shared_out_between_nodes_that_have_nothing_else() -> None:
    """pve1 has room for 2 on a disk of its own; the shared 3 must not be spent on it while pve2 has no other."""
    seen = disks(
        storage("local", volume_group="l", on=["pve1"], avail="20Gi"),
        storage("ceph", "rbd", on=["pve1", "pve2"], avail="30Gi"),
        nodes=(node("pve1", threads=2), node("pve2", threads=3)),
    )
    assert placement(seen, DISK) == {"pve1": 2, "pve2": 3}


@pytest.mark.parametrize(
    ("state", "sold"),
    [
        pytest.param({}, 2, id="available"),
        pytest.param({"status": "unknown"}, 0, id="not heard of for 300 s"),
        pytest.param({"disabled": True}, 0, id="disabled"),
        pytest.param({"active": False}, 0, id="inactive"),
        pytest.param({"content": ["rootdir", "backup"]}, 0, id="not for disks of virtual machines"),
    ],
)
@pytest.mark.reliability("T18")
def test_storage_sells_only_where_it_can_be_used(state: dict[str, Any], sold: int) -> None:
    said = offer(one(storage("local-lvm", avail="20Gi", **state)), DISK).statement
    assert said.available == sold
    assert sold or said.limiting_resource is LimitingResource.DISK


def test_containers_need_rootdir_virtual_machines_images() -> None:
    seen = one(
        storage("vms", volume_group="a", content=["images"], avail="20Gi"),
        storage("cts", volume_group="b", content=["rootdir"], avail="30Gi"),
    )
    assert available(seen, DISK) == 2
    assert available(seen, {**DISK, "virtualization": "LXC"}) == 3


def test_only_selected_storages_are_sold() -> None:
    seen = one(storage("a", volume_group="a", avail="20Gi"), storage("b", volume_group="b", avail="30Gi"))
    assert available(seen, DISK, storages={"exclude": ["b"]}) == 2


@pytest.mark.reliability("T15")
def test_unread_storage_is_unknown_not_sold_out() -> None:
    """A new storage is listed by the fast loop before anybody asked how much is free on it."""
    said = offer(one(storage("new", avail=None)), DISK).statement
    assert (said.stock, said.available) == (Stock.UNKNOWN, None)


def test_unread_storage_adds_nothing_to_those_that_were_read() -> None:
    seen = one(storage("old", volume_group="a", avail="20Gi"), storage("new", volume_group="b", avail=None))
    assert available(seen, DISK) == 2


def test_node_whose_storages_were_not_read_does_not_borrow_the_account_of_another() -> None:
    seen = disks(
        storage("ceph", "rbd", avail="1000Gi"), nodes=(node("pve1", threads=2), node("pve2", storages_unread=True))
    )
    assert placement(seen, DISK) == {"pve1": 2}


def test_storage_taken_from_the_token_is_not_sold() -> None:
    seen = one(storage("a", volume_group="a", avail="20Gi"), storage("b", volume_group="b", avail="30Gi"))
    without_b = Permissions(paths={**EVERYTHING.paths, "/storage/a": AUDITOR, "/storage/b": {"Sys.Audit": True}})
    snapshot = seen.but(permissions=without_b).snapshot()
    assert available(snapshot, DISK) == 2
    assert [gap.path for gap in snapshot.missing_privileges] == ["/storage/b"]


class TestFreeBytes:
    @pytest.mark.parametrize(
        ("total", "avail", "percent", "sold"),
        [
            ("100Gi", "100Gi", 0, 10),
            ("100Gi", "100Gi", 10, 9),
            ("100Gi", "15Gi", 10, 0),
            ("100Gi", "20Gi", 10, 1),
            ("100Gi", "5Gi", 10, 0),
        ],
    )
    def test_reserve_is_a_share_of_the_whole_taken_from_what_is_free(
        self, total: str, avail: str, percent: int, sold: int
    ) -> None:
        terms = {"storage": {"reservedPercent": percent}}
        assert available(one(storage("a", total=total, avail=avail)), DISK, allocation=terms) == sold

    def test_reserve_rounds_up(self) -> None:
        """A tenth of 101 bytes is 11 bytes."""
        seen = one(storage("a", total=101, avail=101))
        terms = {"storage": {"reservedPercent": 10}}
        assert available(seen, tier(disk="90"), allocation=terms) == 1
        assert available(seen, tier(disk="91"), allocation=terms) == 0

    def test_writes_since_the_slow_read_are_taken_off(self) -> None:
        assert available(one(storage("a", total="100Gi", avail="50Gi", written="15Gi")), DISK) == 3

    def test_deletions_since_the_slow_read_are_given_back_but_never_beyond_the_whole(self) -> None:
        assert available(one(storage("a", total="100Gi", avail="50Gi", written=-20 * 2**30)), DISK) == 7
        assert available(one(storage("a", total="100Gi", avail="50Gi", written=-90 * 2**30)), DISK) == 10

    def test_what_cannot_be_followed_since_the_slow_read_is_unread(self) -> None:
        """What was free minutes ago may be full now."""
        seen = one(storage("a", total="100Gi", avail="50Gi"))
        fast = seen.fast
        (row,) = fast.resources.storages
        rows = replace(fast.resources, storages=(replace(row, disk=None),))
        assert available(seen.snapshot(fast=replace(fast, resources=rows)), DISK) is None

    def test_more_written_than_was_free_is_none_left(self) -> None:
        assert available(one(storage("a", total="100Gi", avail="50Gi", written="60Gi")), DISK) == 0


class TestOneBacking:
    """Storages that draw on the same bytes are one."""

    def test_two_ids_on_one_zpool_are_one(self) -> None:
        seen = disks(
            storage("vms", "zfspool", pool="tank/vms", avail="30Gi"),
            storage("fast", "zfspool", pool="tank", avail="40Gi"),
        )
        assert placement(seen, DISK) == {"pve1": 3, "pve2": 3, "pve3": 3}

    def test_backing_has_the_least_that_its_ids_show(self) -> None:
        """A quota on the dataset, say."""
        seen = one(
            storage("vms", "zfspool", pool="tank/vms", avail="20Gi"),
            storage("all", "zfspool", pool="tank", avail="50Gi"),
        )
        assert available(seen, DISK) == 2

    def test_id_that_the_tier_may_not_use_does_not_bind_it(self) -> None:
        seen = one(
            storage("vms", "zfspool", pool="tank/vms", avail="20Gi", content=["rootdir"]),
            storage("all", "zfspool", pool="tank", avail="50Gi"),
        )
        assert available(seen, DISK) == 5

    @pytest.mark.parametrize(
        ("first", "second", "sold"),
        [
            pytest.param(
                storage("a", "zfspool", pool="tank", avail="30Gi"),
                storage("b", "zfspool", pool="tank/vms/fast", avail="40Gi"),
                3,
                id="a pool and a dataset in it",
            ),
            pytest.param(
                storage("a", "zfspool", pool="tank", avail="30Gi"),
                storage("b", "zfspool", pool="tank2", avail="50Gi"),
                8,
                id="two pools whose names begin alike",
            ),
            pytest.param(
                storage("a", "lvm", volume_group="vg", avail="30Gi"),
                storage("b", "lvm", volume_group="vg", avail="30Gi"),
                3,
                id="one volume group",
            ),
            pytest.param(
                storage("a", "lvm", volume_group="vg", avail="30Gi"),
                storage("b", "lvmthin", volume_group="vg", thin_pool="p", avail="50Gi"),
                8,
                id="a thin pool, and what its volume group has beside it",
            ),
            pytest.param(
                storage("a", "lvmthin", volume_group="vg", thin_pool="p", avail="30Gi"),
                storage("b", "lvmthin", volume_group="vg", thin_pool="p", avail="30Gi"),
                3,
                id="one thin pool",
            ),
            pytest.param(
                storage("a", "lvmthin", volume_group="vg", thin_pool="p", avail="30Gi"),
                storage("b", "lvmthin", volume_group="vg", thin_pool="q", avail="30Gi"),
                6,
                id="two thin pools of one volume group",
            ),
            pytest.param(
                storage("a", "dir", path="/mnt/x/", avail="30Gi"),
                storage("b", "btrfs", path="//mnt//x", avail="40Gi"),
                3,
                id="one path, written differently",
            ),
            pytest.param(
                storage("a", "dir", path="/mnt/x", avail="30Gi"),
                storage("b", "dir", path="/mnt/y", avail="50Gi"),
                8,
                id="two file systems",
            ),
            pytest.param(
                storage("a", "nfs", server="nas", export="/x", avail="30Gi"),
                storage("b", "nfs", server="nas", export="/x/", avail="40Gi"),
                3,
                id="one export",
            ),
            pytest.param(
                storage("a", "nfs", server="nas.example.net", export="/x", avail="30Gi"),
                storage("b", "nfs", server="NAS.Example.net.", export="/x", avail="40Gi"),
                3,
                id="one server, written differently",
            ),
            pytest.param(
                storage("a", "nfs", server="nas", export="/x", avail="30Gi"),
                storage("b", "nfs", server="nas", export="/X", avail="50Gi"),
                8,
                id="two exports: paths keep their case",
            ),
            pytest.param(
                storage("a", "cifs", server="nas", share="x", avail="30Gi"),
                storage("b", "cifs", server="NAS", share="X", avail="40Gi"),
                3,
                id="one share: its name has no case",
            ),
            pytest.param(
                storage("a", "rbd", pool="p", avail="30Gi"),
                storage("b", "cephfs", avail="40Gi"),
                3,
                id="the local Ceph cluster",
            ),
            pytest.param(
                storage("a", "rbd", pool="p", monitors="10.0.0.1,10.0.0.2", avail="30Gi"),
                storage("b", "rbd", pool="q", monitors="10.0.0.2:6789;10.0.0.1:6789", avail="40Gi"),
                3,
                id="one remote Ceph cluster",
            ),
            pytest.param(
                storage("a", "rbd", monitors="10.0.0.1 10.0.0.2", avail="30Gi"),
                storage("b", "cephfs", monitors="[v2:10.0.0.2:3300/0,v1:10.0.0.2:6789/0]", avail="40Gi"),
                3,
                id="one remote Ceph cluster by one of its monitors",
            ),
            pytest.param(
                storage("a", "rbd", monitors="[fd00::1]:6789", avail="30Gi"),
                storage("b", "rbd", monitors="fd00::1 fd00::2", avail="40Gi"),
                3,
                id="one remote Ceph cluster over IPv6",
            ),
            pytest.param(
                storage("a", "rbd", monitors="10.0.0.1", avail="30Gi"),
                storage("b", "rbd", monitors="10.0.0.11", avail="50Gi"),
                8,
                id="two remote Ceph clusters",
            ),
            pytest.param(
                storage("a", "rbd", monitors="10.0.0.1", avail="30Gi"),
                storage("b", "rbd", avail="50Gi"),
                8,
                id="a remote Ceph cluster and the local one",
            ),
        ],
    )
    def test_by_definition(self, first: Any, second: Any, sold: int) -> None:
        assert available(one(first, second), DISK) == sold

    def test_file_systems_with_the_same_free_space_are_one(self) -> None:
        """A directory on a ZFS dataset shows the pool's free space: 40.00 and 40.02 GiB are the same bytes."""
        first = storage("dir", "dir", path="/tank/dir", avail="40Gi")
        assert available(one(first, storage("zfs", "zfspool", pool="tank", avail=40 * 2**30 + 2**24)), DISK) == 4
        assert available(one(first, storage("zfs", "zfspool", pool="tank", avail="41Gi")), DISK) == 8

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            pytest.param(
                {"server": "nas", "export": "/a"}, {"server": "nas", "export": "/b"}, id="two exports of a volume"
            ),
            pytest.param(
                {"server": "nas", "export": "/a"}, {"server": "192.0.2.7", "export": "/a"}, id="name and address"
            ),
        ],
    )
    def test_exports_with_the_same_free_space_are_one(self, first: Any, second: Any) -> None:
        seen = disks(storage("a", "nfs", avail="40Gi", **first), storage("b", "nfs", avail="40Gi", **second))
        assert available(seen, DISK) == 4
        apart = disks(storage("a", "nfs", avail="40Gi", **first), storage("b", "nfs", avail="41Gi", **second))
        assert available(apart, DISK) == 8

    def test_export_and_share_with_the_same_free_space_are_one(self) -> None:
        seen = disks(
            storage("a", "nfs", server="nas", export="/vol", avail="40Gi"),
            storage("b", "cifs", server="nas", share="vol", avail="40Gi"),
        )
        assert available(seen, DISK) == 4

    def test_exports_that_one_node_sees_as_one_are_one_on_all(self) -> None:
        """pve2 read them a moment apart, and would add 4 units on what it takes for a second volume."""
        alike = storage("a", "nfs", server="nas", export="/a", avail="40Gi")
        seen = disks(alike, storage("b", "nfs", server="nas", export="/b", avail="40Gi"), nodes=NODES[:2])
        slow = seen.slow
        reading = slow.nodes["pve2"]
        moved = tuple(replace(one, avail=35 * 2**30) if one.storage == "b" else one for one in reading.storages or ())
        nodes = {**slow.nodes, "pve2": replace(reading, storages=moved)}
        assert available(seen.snapshot(slow=replace(slow, nodes=nodes)), DISK) == 3

    def test_local_and_remote_file_systems_of_the_same_size_are_not_one(self) -> None:
        seen = one(
            storage("a", "dir", path="/a", avail="40Gi"), storage("b", "nfs", server="nas", export="/b", avail="40Gi")
        )
        assert available(seen, DISK) == 8

    def test_thin_pools_of_the_same_size_are_not_one(self) -> None:
        seen = one(storage("a", volume_group="a", avail="40Gi"), storage("b", volume_group="b", avail="40Gi"))
        assert available(seen, DISK) == 8

    def test_pair_once_found_stays_a_pair(self) -> None:
        """Read a moment apart, one of two views of a file system may have moved."""

        def seen(second: str, **more: Any) -> ClusterFacts:
            return one(
                storage("a", "dir", path="/a", avail="40Gi"), storage("b", "dir", path="/b", avail=second, **more)
            )

        alike, apart = seen("40Gi"), seen("45Gi")
        assert available(apart, DISK) == 8
        remembered = alike.remembered()
        assert available(apart.snapshot(remembered=remembered), DISK) == 4
        assert available(apart.snapshot(remembered=apart.remembered(remembered)), DISK) == 4

    def test_pairs_are_forgotten_when_a_storage_is_defined_anew(self) -> None:
        before = one(storage("a", "dir", path="/a", avail="40Gi"), storage("b", "dir", path="/b", avail="40Gi"))
        after = one(storage("a", "dir", path="/a", avail="40Gi"), storage("b", "dir", path="/mnt/new", avail="45Gi"))
        assert available(after.snapshot(remembered=before.remembered()), DISK) == 8

    def test_pair_of_one_node_does_not_join_the_same_ids_of_another(self) -> None:
        seen = disks(
            storage("a", "dir", path="/a", avail="40Gi"),
            storage("b", "dir", path="/b", avail="40Gi", on=["pve1"]),
            storage("b2", "dir", path="/b", avail="50Gi", on=["pve2"]),
            nodes=NODES[:2],
        )
        assert placement(seen, DISK) == {"pve1": 4, "pve2": 9}

    def test_backing_named_by_hand_joins_storages(self) -> None:
        seen = disks(
            storage("san-a", "iscsi", avail="30Gi", shared=True),
            storage("san-b", "iscsi", avail="30Gi", shared=True),
        )
        assert available(seen, DISK) == 6
        assert available(seen, DISK, storageRules=[{"match": "san-*", "backing": "array"}]) == 3

    def test_backing_named_by_hand_is_one_on_each_node_for_local_storages(self) -> None:
        seen = disks(
            storage("a", volume_group="a", avail="30Gi"),
            storage("b", volume_group="b", avail="30Gi"),
            nodes=NODES[:2],
        )
        assert placement(seen, DISK, storageRules=[{"match": "*", "backing": "disks"}]) == {"pve1": 3, "pve2": 3}

    def test_backing_named_by_hand_replaces_what_was_derived(self) -> None:
        seen = one(
            storage("a", "zfspool", pool="tank/a", avail="30Gi"), storage("b", "zfspool", pool="tank/b", avail="30Gi")
        )
        assert available(seen, DISK) == 3
        apart = [{"match": "a", "backing": "x"}, {"match": "b", "backing": "y"}]
        assert available(seen, DISK, storageRules=apart) == 6


PROVISIONED = {"storage": {"accounting": "Provisioned"}}


class TestProvisioned:
    def thin(self, **configs: Any) -> ClusterFacts:
        return one(
            storage("thin", volume_group="vg", thin_pool="p", total="100Gi", avail="90Gi"),
            guests=[guest(100), guest(9000, template=True)],
            **configs,
        )

    def test_configured_sizes_count_whatever_thin_provisioning_saved(self) -> None:
        """Of 100 GiB, 50 are promised to a guest and 20 to a template: 3 units are left, though 90 are free."""
        seen = self.thin(
            configs={100: config(volumes={"thin:vm-100-disk-0": "50Gi"}), 9000: config(volumes={"thin:base": "20Gi"})}
        )
        assert available(seen, DISK) == 9
        assert available(seen, DISK, allocation=PROVISIONED) == 3

    def test_free_space_still_binds(self) -> None:
        seen = self.thin(configs={100: config(), 9000: config()})
        assert available(seen, DISK, allocation=PROVISIONED) == 9

    def test_percent_promises_more(self) -> None:
        seen = self.thin(configs={100: config(volumes={"thin:vm-100-disk-0": "130Gi"}), 9000: config()})
        terms = {"storage": {"accounting": "Provisioned", "percent": 200}}
        assert available(seen, DISK, allocation=PROVISIONED) == 0
        assert available(seen, DISK, allocation=terms) == 7

    def test_unread_configuration_sells_nothing_and_is_not_sold_out(self) -> None:
        seen = self.thin(configs={100: None, 9000: config()})
        assert available(seen, DISK) == 9
        assert available(seen, DISK, allocation=PROVISIONED) is None

    def test_dead_node_spoils_its_own_disks_and_shared_ones_but_no_others(self) -> None:
        """Nobody can read what its guests have: on nas perhaps all of it, on the local disks of pve1 nothing."""
        seen = disks(
            storage("thin", volume_group="vg", thin_pool="p", total="100Gi", avail="90Gi", content=["images"]),
            storage("nas", "nfs", server="nas", export="/x", total="100Gi", avail="90Gi", content=["rootdir"]),
            nodes=(NODES[0], node("pve2", status="offline")),
            guests=[guest(100, "pve1"), guest(101, "pve2")],
            configs={100: config(volumes={"thin:vm-100-disk-0": "50Gi"}), 101: None},
        )
        assert available(seen, DISK, allocation=PROVISIONED) == 5
        assert available(seen, {**DISK, "virtualization": "LXC"}, allocation=PROVISIONED) is None

    def test_volume_on_a_shared_storage_counts_though_its_node_may_not_use_that_any_more(self) -> None:
        seen = disks(
            storage("nas", "nfs", server="nas", export="/x", on=["pve1"], total="100Gi", avail="90Gi"),
            nodes=NODES[:2],
            guests=[guest(100, "pve2")],
            configs={100: config(volumes={"nas:100/vm-100-disk-0.qcow2": "70Gi"})},
        )
        assert available(seen, DISK, allocation=PROVISIONED) == 3

    def test_volumes_of_both_ids_of_a_backing_count(self) -> None:
        seen = one(
            storage("a", "zfspool", pool="tank/a", total="100Gi", avail="100Gi"),
            storage("b", "zfspool", pool="tank/b", total="100Gi", avail="100Gi"),
            guests=[guest(100)],
            configs={100: config(volumes={"a:vm-100-disk-0": "30Gi", "b:vm-100-disk-1": "40Gi"})},
        )
        assert available(seen, DISK, allocation=PROVISIONED) == 3

    def test_volumes_of_all_that_a_backing_named_by_hand_joins_count(self) -> None:
        """30 and 40 of 100 GiB are promised on what the seller says is one array."""
        seen = one(
            storage("a", volume_group="a", total="100Gi", avail="100Gi"),
            storage("b", volume_group="b", total="100Gi", avail="100Gi"),
            guests=[guest(100)],
            configs={100: config(volumes={"a:vm-100-disk-0": "30Gi", "b:vm-100-disk-1": "40Gi"})},
        )
        rules = [{"match": "*", "backing": "array"}]
        assert available(seen, DISK, allocation=PROVISIONED) == 13
        assert available(seen, DISK, allocation=PROVISIONED, storageRules=rules) == 3


class TestClasses:
    NVME = (Disk(device="/dev/nvme0n1", type="nvme"),)
    MIXED = (Disk(device="/dev/nvme0n1", type="nvme"), Disk(device="/dev/sda", type="hdd"))

    def derived(self, facts: Any, **of_node: Any) -> str:
        (status,) = planned(disks(facts, nodes=(node(**of_node),)), tier()).observed.storages
        return status.class_.value

    @pytest.mark.parametrize("plugin", ["rbd", "cephfs", "nfs", "cifs", "iscsi", "zfs"])
    def test_network_by_plugin(self, plugin: str) -> None:
        assert self.derived(storage("a", plugin), disks=self.NVME) == "network"

    def test_disks_all_alike(self) -> None:
        assert self.derived(storage("a", volume_group="vg"), disks=self.NVME) == "nvme"

    def test_mixed_disks_are_unknown_unless_it_is_told_which_lie_behind(self) -> None:
        thin = storage("a", volume_group="vg")
        assert self.derived(thin, disks=self.MIXED) == "unknown"
        assert self.derived(thin, disks=self.MIXED, disks_behind={"vg": ("/dev/sda3",)}) == "hdd"
        both = {"vg": ("/dev/sda3", "/dev/nvme0n1p1")}
        assert self.derived(thin, disks=self.MIXED, disks_behind=both) == "unknown"

    def test_partition_belongs_to_the_longest_disk_name_it_begins_with(self) -> None:
        many = (Disk(device="/dev/sda", type="hdd"), Disk(device="/dev/sdaa", type="ssd"))
        assert self.derived(storage("a", volume_group="vg"), disks=many, disks_behind={"vg": ("/dev/sdaa1",)}) == "ssd"

    def test_unread_disks_are_unknown(self) -> None:
        assert self.derived(storage("a", volume_group="vg"), disks=None) == "unknown"

    def test_stick_that_holds_nothing_is_no_data_disk(self) -> None:
        stick = Disk(device="/dev/sdb", type="usb")
        assert self.derived(storage("a", volume_group="vg"), disks=(*self.NVME, stick)) == "nvme"
        used = replace(stick, used="mounted")
        assert self.derived(storage("a", volume_group="vg"), disks=(*self.NVME, used)) == "unknown"

    def test_virtual_disks_are_of_no_known_kind(self) -> None:
        disk = Disk(device="/dev/vda", type="unknown")
        assert self.derived(storage("a", volume_group="vg"), disks=(disk,)) == "unknown"

    def test_first_rule_that_matches_wins_and_the_tier_chooses(self) -> None:
        seen = one(storage("fast", volume_group="a", avail="20Gi"), storage("slow", volume_group="b", avail="50Gi"))
        rules = [{"match": "slow", "class": "hdd"}, {"match": "*", "class": "ssd"}]
        assert available(seen, {**DISK, "storageClass": "ssd"}, storageRules=rules) == 2
        assert available(seen, {**DISK, "storageClass": "hdd"}, storageRules=rules) == 5
        assert available(seen, {**DISK, "storageClass": "nvme"}, storageRules=rules) == 0
        assert available(seen, DISK, storageRules=rules) == 7

    def test_rule_with_a_backing_alone_leaves_the_class_derived(self) -> None:
        (status,) = planned(
            disks(storage("a"), nodes=(node(disks=self.NVME),)), tier(), storageRules=[{"match": "a", "backing": "x"}]
        ).observed.storages
        assert status.class_.value == "nvme"
