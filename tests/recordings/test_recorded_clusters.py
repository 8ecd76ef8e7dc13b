"""Real servers' answers through the real client to the numbers that a person derives from them by hand.

Recordings are partial: what was not recorded of a server is stated in the test, and everything else is an error there, as it would be of a
server that refuses it.
"""

from pathlib import Path
from typing import Any

import pytest

from proxmox_offerings.inventory.snapshot import NodeState, Snapshot
from proxmox_offerings.resources import Quantity, Stock
from support.cluster import available, offer, placement, planned, tier
from support.recorded import AUDITOR_EVERYWHERE, data_of, free_space, observed

USUAL = {"cpu": {"percent": 400}, "memory": {"reserved": "2Gi"}, "storage": {"reservedPercent": 10}}
"""The schema's defaults."""


def committed(snapshot: Snapshot) -> dict[str, tuple[str, int]]:
    """By node: vCPUs and bytes."""
    nodes = planned(snapshot, tier(), allocation=USUAL).observed.nodes
    return {
        one.name: (str(one.cpu.committed), one.memory_allocation.committed.bytes)
        for one in nodes
        if one.cpu is not None and one.memory_allocation is not None
    }


class TestFourNodesOfSeven:
    """go-proxmox' recordings of a 7.4-16 cluster: node1 (an i7-6700) in full, the others by their rows."""

    async def snapshot(self, recordings: Path, **more: Any) -> Snapshot:
        """Not recorded, so stated: storage definitions and free space (those recorded are of another server), HA (never used)."""
        folder = recordings / "go-proxmox"
        resources = data_of(folder / "pve7x__cluster_resources__2.json")
        return await observed(
            {
                "/version": data_of(folder / "pve7x__nodes_node1_version.json"),
                "/access/permissions": data_of(folder / "pve7x__access_permissions.json"),
                "/cluster/status": data_of(folder / "pve7x__cluster_status.json"),
                "/cluster/resources": resources,
                "/cluster/ha/status/manager_status": {"manager_status": {}},
                "/storage": [
                    {"storage": "local-zfs", "type": "zfspool", "pool": "rpool/data", "content": "images,rootdir"},
                    {"storage": "local", "type": "dir", "path": "/var/lib/vz", "content": "backup,vztmpl,iso"},
                    {"storage": "cloud-init", "type": "dir", "path": "/var/lib/ci", "content": "snippets"},
                ],
                "/nodes/node1/status": data_of(folder / "pve7x__nodes_node1_status.json"),
                "/nodes/node1/network": data_of(folder / "pve7x__nodes_node1_network.json"),
                **{f"/nodes/{name}/storage": free_space(resources, name) for name in NODES},
                **more,
            }
        )

    async def test_hardware(self, recordings: Path) -> None:
        """node1: "cores": 4 of all sockets together, "cpus": 8; the rows' maxcpu and maxmem for all."""
        snapshot = await self.snapshot(recordings)
        one = snapshot.nodes["node1"]
        assert (one.cores, one.threads, one.sockets, one.hvm) == (4, 8, 1, True)
        assert one.cpu_model == "Intel(R) Core(TM) i7-6700 CPU @ 3.40GHz"
        assert one.bridges == {"vmbr0"}
        assert {name: (node.threads, node.memory) for name, node in snapshot.nodes.items()} == {
            "node1": (8, 65_919_459_328),
            "node2": (12, 33_567_911_936),
            "node3": (4, 16_668_827_648),
            "node4": (4, 16_651_702_272),
        }
        assert (snapshot.version, snapshot.cluster_name) == ("7.4-16", "clustername")

    async def test_committed(self, recordings: Path) -> None:
        """node1: the stopped 102 and 200 with 4 vCPUs and 8,388,608,000 bytes each; 101 is a template. node2: 100 runs with 1 and 1 GiB."""
        snapshot = await self.snapshot(recordings)
        assert committed(snapshot) == {
            "node1": ("8", 16_777_216_000),
            "node2": ("1", 2**30),
            "node3": ("0", 0),
            "node4": ("0", 0),
        }
        assert [template.vmid for template in snapshot.templates] == [101]

    async def test_virtual_machines_are_sold_where_the_hardware_is_known(self, recordings: Path) -> None:
        """1 vCPU, 4 GiB, 20 GiB on node1. CPU: 8 x 4 - 8 = 24. Memory: 65,919,459,328 - 2 GiB - 16,777,216,000 = 46,994,759,680: 10.9 units.

        Disk: local-zfs has 955,016,175,616 - 14,446,702,592 free, less a tenth of the whole: 845,067,855,462: 39.3 units.
        """
        said = offer(await self.snapshot(recordings), tier(memory="4Gi", disk="20Gi"), allocation=USUAL).statement
        assert (said.available, said.limiting_resource) == (10, "memory")
        assert said.storage is not None
        assert said.storage.names == ("local-zfs",)
        assert said.message == (
            "10 fit: 10 on node1; memory runs out first; not counted: node2 did not show its hardware, "
            "node3 did not show its hardware and node4 did not show its hardware"
        )

    async def test_containers_are_sold_on_all(self, recordings: Path) -> None:
        """1 vCPU, 2 GiB, 8 GiB; memory decides everywhere: 46,994,759,680 / 2 GiB = 21.9; node2 30,346,686,464: 14.1; node3
        14,521,344,000: 6.8; node4 14,504,218,624: 6.8.
        """
        unit = tier(memory="2Gi", disk="8Gi", virtualization="LXC")
        snapshot = await self.snapshot(recordings)
        assert placement(snapshot, unit, allocation=USUAL) == {"node1": 21, "node2": 14, "node3": 6, "node4": 6}

    async def test_directories_on_a_zpool_are_the_pool_itself(self, recordings: Path) -> None:
        """On node1 the pool has 940,569,473,024 bytes free, and its two directories show 77,824 fewer: one disk under three ids, on each node
        its own.
        """
        snapshot = await self.snapshot(recordings)
        backings: dict[str, set[str]] = {name: set() for name in NODES}
        for place in snapshot.storages:
            backings[place.node].add(place.backing)
        assert [len(own) for own in backings.values()] == [1, 1, 1, 1]
        assert len(set.union(*backings.values())) == len(NODES)

    async def test_cards_were_not_read(self, recordings: Path) -> None:
        gpu = tier(gpu={"count": 1})
        assert offer(await self.snapshot(recordings), gpu).statement.stock is Stock.UNKNOWN

    async def test_containers_with_numbers_as_strings(self, recordings: Path) -> None:
        """7.4's own list of containers has "vmid": "106"; so have their rows here. 105 and 106: 1 vCPU and 512 MiB each; 101 is a template."""
        listed = data_of(recordings / "go-proxmox" / "pve7x__nodes_node1_lxc.json")
        resources = data_of(recordings / "go-proxmox" / "pve7x__cluster_resources__2.json")
        nodes = [row for row in resources if row["type"] != "qemu"]
        snapshot = await self.snapshot(
            recordings,
            **{
                "/cluster/resources": [*nodes, *(_as_row(row) for row in listed)],
                "/nodes/node1/lxc/101/config": data_of(
                    recordings / "go-proxmox" / "pve7x__nodes_node1_lxc_101_config.json"
                ),
            },
        )
        assert [guest.vmid for own in snapshot.guests.values() for guest in own] == [105, 106]
        assert committed(snapshot)["node1"] == ("2", 2**30)
        (template,) = snapshot.templates
        assert (template.vmid, template.kind, template.name) == (101, "lxc", "test-container")

    async def test_containers_that_tell_no_cpu_are_judged_by_their_configuration(self, recordings: Path) -> None:
        """telegraf's recordings: "vmid": "111" and 112, 512 MiB each, no CPU; the configuration has no limit either: unlimited."""
        listed = data_of(recordings / "telegraf" / "lxc.json")
        resources = data_of(recordings / "go-proxmox" / "pve7x__cluster_resources__2.json")
        nodes = [row for row in resources if row["type"] != "qemu"]
        # Shortened by telegraf; every server tells the digest.
        config = {"digest": "0" * 40, **data_of(recordings / "telegraf" / "lxcConfig.json")}
        rows = {"/cluster/resources": [*nodes, *(_as_row(row) for row in listed)]}
        read = await self.snapshot(
            recordings, **rows, **{f"/nodes/node1/lxc/{vmid}/config": config for vmid in (111, 112)}
        )
        assert committed(read)["node1"] == ("0", 2**30)
        unread = await self.snapshot(recordings, **rows, **{"/nodes/node1/lxc/111/config": config})
        unit = tier(memory="2Gi", disk="8Gi", virtualization="LXC")
        assert placement(unread, unit, allocation=USUAL) == {"node2": 14, "node3": 6, "node4": 6}


NODES = ("node1", "node2", "node3", "node4")


def _as_row(listed: dict[str, Any]) -> dict[str, Any]:
    """A row of a node's list as /cluster/resources has it (pve-manager API2Tools.pm: `cpus` is called `maxcpu` there)."""
    renamed = {("maxcpu" if key == "cpus" else key): value for key, value in listed.items()}
    return {**renamed, "id": f"lxc/{listed['vmid']}", "node": "node1"}


class TestThreeNodesOfNine:
    """proxmox-go-sdk's recordings of a 9.1.1 (later 9.2.2) cluster of pve, pve2-dogfood and pve3-dogfood: 4 threads, 7.8 GiB each."""

    HOSTS = ("pve", "pve2-dogfood", "pve3-dogfood")

    async def snapshot(
        self, recordings: Path, *, guests: str | None = None, nodes: str | None = None, version: str, **more: Any
    ) -> Snapshot:
        """Not recorded, so stated: the token's rights, quorum, the nodes' hardware, and that the free space is all that is not used."""
        folder = recordings / "proxmox-go-sdk"
        resources = data_of(folder / "TestClusterAndHAReads__cluster_resources.json")
        if nodes is not None:
            resources = [row for row in resources if row["type"] != "node"] + data_of(folder / nodes)
        if guests is not None:
            resources = resources + data_of(folder / guests)
        status = {"cpuinfo": {"cpus": 4, "cores": 4, "sockets": 1, "hvm": "1", "model": "QEMU Virtual CPU"}}
        return await observed(
            {
                "/version": data_of(folder / version),
                "/access/permissions": AUDITOR_EVERYWHERE,
                "/cluster/status": [
                    {"type": "cluster", "name": "dogfood", "quorate": 1, "nodes": 3, "version": 3, "id": "cluster"},
                    *({"type": "node", "name": name, "online": 1, "id": f"node/{name}"} for name in self.HOSTS),
                ],
                "/cluster/resources": resources,
                "/cluster/ha/status/manager_status": data_of(
                    folder / "TestHAStatusReads__cluster_ha_status_manager_status.json"
                ),
                "/storage": data_of(folder / "TestStorageReads__storage.json"),
                **{f"/nodes/{name}/status": status for name in self.HOSTS},
                **{f"/nodes/{name}/storage": free_space(resources, name) for name in self.HOSTS},
                **more,
            }
        )

    async def test_empty_cluster(self, recordings: Path) -> None:
        """1 vCPU, 1 GiB, 3 GiB. CPU 16 each. Memory: 8,327,630,848 - 2 GiB = 6,180,147,200: 5.8. Disk: local-lvm has 12,675,186,688, less a
        tenth 11,407,668,019: 3.5. Rows of type `network` are no news.
        """
        snapshot = await self.snapshot(recordings, version="TestClusterAndHAReads__version.json")
        said = offer(snapshot, tier(disk="3Gi"), allocation=USUAL).statement
        assert {on.name: on.available for on in said.nodes} == {"pve": 3, "pve2-dogfood": 3, "pve3-dogfood": 3}
        assert (said.available, said.limiting_resource) == (9, "disk")
        assert said.storage is not None
        assert said.storage.names == ("local-lvm",)
        assert {one.state for one in snapshot.nodes.values()} == {NodeState.ONLINE}
        assert (snapshot.version, snapshot.cluster_name) == ("9.1.1", "dogfood")
        assert snapshot.missing_privileges == ()

    async def test_guest_under_way_counts_wherever_it_may_arrive(self, recordings: Path) -> None:
        """9301 (1 vCPU, 256 MiB) is listed on pve3 with "lock": "migrate"; 9302, the same size, is on pve2 without a lock, but HA says that
        it moves it ("hastate": "migrate"). Nobody recorded where to, so both count on all three.
        """
        snapshot = await self.snapshot(
            recordings,
            guests="TestResourceAffinityPlacement__cluster_resources_type=vm__4.json",
            version="TestResourceAffinityPlacement__version.json",
        )
        size = 256 * 2**20
        assert committed(snapshot) == dict.fromkeys(("pve", "pve2-dogfood", "pve3-dogfood"), ("2", 2 * size))

    async def test_new_guests_without_a_size_are_asked_for_it(self, recordings: Path) -> None:
        """9.2.2, seconds after 9301 and 9302 were made on pve: `unknown`, without a size. Their configurations, stated: 1 core, 256 MiB."""
        config = {"digest": "0" * 40, "cores": 1, "memory": "256"}
        snapshot = await self.snapshot(
            recordings,
            nodes="TestHAResourceMigrate__cluster_resources_type=node.json",
            guests="TestHAResourceMigrate__cluster_resources_type=vm.json",
            version="TestHAResourceMigrate__version.json",
            **{f"/nodes/pve/qemu/{vmid}/config": config for vmid in (9301, 9302)},
        )
        assert committed(snapshot)["pve"] == ("2", 512 * 2**20)
        assert available(snapshot, tier(disk="3Gi"), allocation=USUAL) == 9

    async def test_new_guests_that_nobody_can_size_stop_sales_on_their_node(self, recordings: Path) -> None:
        snapshot = await self.snapshot(
            recordings,
            nodes="TestHAResourceMigrate__cluster_resources_type=node.json",
            guests="TestHAResourceMigrate__cluster_resources_type=vm.json",
            version="TestHAResourceMigrate__version.json",
        )
        assert placement(snapshot, tier(disk="3Gi"), allocation=USUAL) == {"pve2-dogfood": 3, "pve3-dogfood": 3}

    async def test_running_guests_of_the_same_cluster_later(self, recordings: Path) -> None:
        """9301 on pve, 9302 on pve3, 1 vCPU and 256 MiB each, both of HA: with one node down, 2 x 3 disks are left."""
        snapshot = await self.snapshot(
            recordings,
            nodes="TestHAResourceMigrate__cluster_resources_type=node.json",
            guests="TestHAResourceMigrate__cluster_resources_type=vm__4.json",
            version="TestHAResourceMigrate__version.json",
        )
        size = 256 * 2**20
        assert committed(snapshot) == {"pve": ("1", size), "pve2-dogfood": ("0", 0), "pve3-dogfood": ("1", size)}
        assert available(snapshot, tier(disk="3Gi"), allocation={**USUAL, "failoverNodes": 1}) == 6


class TestCards:
    """GPU listings derived from the source of the PCI listing and the device database (no real ones are published)."""

    async def snapshot(self, recordings: Path, listing: str, **more: Any) -> Snapshot:
        """A standalone node around the listing, stated: 128 threads, 1 TiB, one local disk of 10 TiB."""
        row = {"type": "node", "id": "node/pve1", "node": "pve1", "status": "online", "maxcpu": 128, "maxmem": 2**40}
        disk = {
            "type": "storage",
            "id": "storage/pve1/local-lvm",
            "node": "pve1",
            "storage": "local-lvm",
            "plugintype": "lvmthin",
            "status": "available",
            "content": "images,rootdir",
            "shared": 0,
            "disk": 0,
            "maxdisk": 10 * 2**40,
        }
        resources = [row, disk, *more.pop("guests", [])]
        return await observed(
            {
                "/version": {"version": "9.1.1", "release": "9.1", "repoid": "0"},
                "/access/permissions": AUDITOR_EVERYWHERE,
                "/cluster/status": [{"type": "node", "name": "pve1", "online": 1, "nodeid": 0}],
                "/cluster/resources": resources,
                "/cluster/ha/status/manager_status": {"manager_status": {}},
                "/cluster/mapping/pci": data_of(recordings / "derived-gpu" / "cluster-mapping-pci.json"),
                "/storage": [{"storage": "local-lvm", "type": "lvmthin", "vgname": "pve", "thinpool": "data"}],
                "/nodes/pve1/status": {"cpuinfo": {"cpus": 128, "cores": 64, "sockets": 2, "hvm": "1"}},
                "/nodes/pve1/storage": free_space(resources, "pve1"),
                "/nodes/pve1/hardware/pci": data_of(recordings / "derived-gpu" / f"pci-{listing}.json"),
                **more,
            }
        )

    @pytest.mark.parametrize(
        ("listing", "free", "name", "memory"),
        [
            pytest.param(
                "a100-2x", 2, "A100 PCIe 80GB", "80Gi", id="two A100 in groups of their own; not the BMC's VGA"
            ),
            pytest.param(
                "h100-8x-sxm",
                7,
                "H100 SXM5 80GB",
                "80Gi",
                id="eight H100, one at an address that is listed as a disk too",
            ),
            pytest.param("l40-vgpu-sriov", 0, None, None, id="an L40 with two virtual functions is not sold whole"),
            pytest.param(
                "rtx4090-with-audio-same-group", 1, "GeForce RTX 4090", "24Gi", id="picture and sound are one card"
            ),
            pytest.param(
                "amd-mi210-mi300x", 2, "1002:74a1 or Instinct MI210", None, id="MI210, and MI300X without a name"
            ),
            pytest.param("no-iommu", 0, None, None, id="no IOMMU"),
            pytest.param("no-gpu", 0, None, None, id="the BMC's VGA alone"),
            pytest.param("intel-igpu-gvtg", 0, None, None, id="integrated graphics"),
            pytest.param("verbose0", 1, "10de:20b5", "80Gi", id="a listing without names"),
        ],
    )
    async def test_free_cards(
        self, recordings: Path, listing: str, free: int, name: str | None, memory: str | None
    ) -> None:
        said = offer(await self.snapshot(recordings, listing), tier(gpu={"count": 1})).statement
        assert said.available == free
        assert (said.gpu.name if said.gpu else None) == name
        told = said.gpu.memory if said.gpu else None
        assert told == (Quantity.parse(memory) if memory else None)

    async def test_units_of_several_cards(self, recordings: Path) -> None:
        """7 free H100: three pairs, one set of four, none of eight. MI210 and MI300X make no pair."""
        seven = await self.snapshot(recordings, "h100-8x-sxm")
        assert [available(seven, tier(gpu={"count": count})) for count in (2, 4, 8)] == [3, 1, 0]
        assert available(await self.snapshot(recordings, "amd-mi210-mi300x"), tier(gpu={"count": 2})) == 0

    @pytest.mark.parametrize("status", ["running", "stopped"])
    async def test_guest_with_both_cards(self, recordings: Path, status: str) -> None:
        """hostpci0 names 0000:17:00, hostpci1 uses the mapping a100 of 0000:17:00.0 and 0000:ca:00.0: both are taken, running or not."""
        row = {"type": "qemu", "id": "qemu/100", "vmid": 100, "node": "pve1", "status": status, "template": 0}
        size = {"maxcpu": 8, "maxmem": 2**35}
        config = data_of(recordings / "derived-gpu" / "qemu-config-hostpci.json")
        seen = await self.snapshot(
            recordings, "a100-2x", guests=[{**row, **size}], **{"/nodes/pve1/qemu/100/config": config}
        )
        assert available(seen, tier(gpu={"count": 1})) == 0
        only_direct = {key: value for key, value in config.items() if key != "hostpci1"}
        seen = await self.snapshot(
            recordings, "a100-2x", guests=[{**row, **size}], **{"/nodes/pve1/qemu/100/config": only_direct}
        )
        assert available(seen, tier(gpu={"count": 1})) == 1

    async def test_guest_whose_configuration_is_refused(self, recordings: Path) -> None:
        row = {"type": "qemu", "id": "qemu/100", "vmid": 100, "node": "pve1", "status": "running", "template": 0}
        seen = await self.snapshot(recordings, "a100-2x", guests=[{**row, "maxcpu": 8, "maxmem": 2**35}])
        assert available(seen, tier(gpu={"count": 1})) is None
