"""Recorded answers of real servers (7.4, 9.1, 9.2) through the client, from bytes to values; the numbers were read off the files by hand."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxmox_offerings.proxmox.answers import MachineRow
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.errors import CallFailed
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.transport import Transport
from support.proxmox import TOKEN

Call = Callable[[ProxmoxClient], Awaitable[Any]]

# What a file holds, by its name: the folders name them after the endpoint.
CALLS: tuple[tuple[str, Call], ...] = (
    (r"__version(__\d)?$|_nodes_node1_version$", ProxmoxClient.version),
    (r"__cluster_resources(_type=\w+?)?(__\d)?$", ProxmoxClient.resources),
    (r"__cluster_status$", ProxmoxClient.cluster_status),
    (r"__access_permissions(__\d)?$", ProxmoxClient.permissions),
    (r"_manager_status$", ProxmoxClient.manager_status),
    (r"__storage$", ProxmoxClient.storage_configs),
    (r"_nodes_node1_status$", lambda client: client.node_status("node1")),
    (r"_nodes_node1_storage$", lambda client: client.node_storages("node1")),
    (r"_nodes_node\d_network$", lambda client: client.interfaces("node1")),
    (r"_local_content(__\d)?$", lambda client: client.volumes("node1", "local", "vztmpl")),
    (r"_lxc_101_config$", lambda client: client.guest_config("node1", "lxc", 101, current=True)),
    (r"^qemu-config-hostpci$", lambda client: client.guest_config("node1", "qemu", 100, current=True)),
    (r"^pci-", lambda client: client.pci_devices("node1")),
    (r"^cluster-mapping-pci$", ProxmoxClient.pci_mappings),
)
NOT_AN_ANSWER = {"pve7x__cluster_resources", "qemuConfig", "lxcConfig"}
"""Stubs of those projects' own tests: a node row without the node's name, configurations of two lines without the digest."""


def body_of(file: Path) -> Any:
    """The recorded bodies are bare in some folders, and within {request, status, body} in others."""
    recorded = json.loads(file.read_text(encoding="utf-8"))
    return recorded.get("body", recorded)


async def replay(file: Path, call: Call) -> Any:
    content = json.dumps(body_of(file)).encode()

    def transport(*_: object) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(lambda _: httpx.Response(200, content=content))

    client = ProxmoxClient(
        Transport(endpoints=["https://recorded:8006"], token=TOKEN, tls=TLSPolicy(), transport_factory=transport)
    )
    try:
        return await call(client)
    finally:
        await client.aclose()


async def test_every_recorded_answer_of_a_call_of_ours_is_understood(recordings: Path) -> None:
    understood: dict[str, int] = {}
    for file in sorted(recordings.rglob("*.json")):
        for pattern, call in CALLS:
            if re.search(pattern, file.stem) and file.stem not in NOT_AN_ANSWER and not file.stem.startswith("ERR"):
                await replay(file, call)
                understood[pattern] = understood.get(pattern, 0) + 1
    assert set(understood) == {pattern for pattern, _ in CALLS}


async def test_what_is_no_answer_is_refused(recordings: Path) -> None:
    with pytest.raises(CallFailed, match="node is missing"):
        await replay(recordings / "go-proxmox/pve7x__cluster_resources.json", ProxmoxClient.resources)


async def test_a_node_of_7_4(recordings: Path) -> None:
    status = await replay(
        recordings / "go-proxmox/pve7x__nodes_node1_status.json", lambda client: client.node_status("node1")
    )
    assert (status.cpus, status.cores, status.sockets, status.hvm) == (8, 4, 1, True)
    assert (status.memory_total, status.model) == (65919459328, "Intel(R) Core(TM) i7-6700 CPU @ 3.40GHz")


async def test_a_cluster_of_7_4(recordings: Path) -> None:
    status = await replay(recordings / "go-proxmox/pve7x__cluster_status.json", ProxmoxClient.cluster_status)
    assert (status.name, status.quorate) == ("clustername", True)
    assert status.online == {"node1": True, "node2": True, "node3": True, "node4": True}
    seen = await replay(recordings / "go-proxmox/pve7x__cluster_resources__2.json", ProxmoxClient.resources)
    assert [(guest.vmid, guest.node, guest.template) for guest in seen.guests[:4]] == [
        (100, "node2", False),
        (101, "node1", True),
        (102, "node1", False),
        (200, "node1", False),
    ]
    assert seen.guests[2].tags == ("go-proxmox+cloud-init",)
    assert seen.guests[0] == MachineRow(
        vmid=100, node="node2", status="running", name="server1", maxcpu=1, maxmem=2**30
    )


async def test_the_rights_of_7_4_are_told_under_its_own_paths(recordings: Path) -> None:
    rights = await replay(recordings / "go-proxmox/pve7x__access_permissions.json", ProxmoxClient.permissions)
    assert rights.paths["/pools"]["VM.Audit"] is True
    assert rights.paths["/storage"]["Datastore.Audit"] is True


async def test_storages_of_7_4(recordings: Path) -> None:
    local, lvm, nfs = await replay(recordings / "go-proxmox/pve7x__storage.json", ProxmoxClient.storage_configs)
    assert (local.path, lvm.volume_group, lvm.thin_pool) == ("/var/lib/vz", "pve", "data")
    assert (nfs.shared, nfs.nodes) == (True, frozenset({"node1", "node2"}))
    states = await replay(
        recordings / "go-proxmox/pve7x__nodes_node1_storage.json", lambda client: client.node_storages("node1")
    )
    assert [(one.storage, one.avail, one.used) for one in states] == [
        ("local", 50000000000, 10000000000),
        ("local-lvm", 100000000000, 20000000000),
    ]


async def test_a_container_of_7_4(recordings: Path) -> None:
    """Its mp0 is bound from the host, so that only the root file system takes room on a storage."""
    config = await replay(
        recordings / "go-proxmox/pve7x__nodes_node1_lxc_101_config.json",
        lambda client: client.guest_config("node1", "lxc", 101, current=True),
    )
    assert (config.cores, config.memory) == (2, 4 * 2**30)
    assert config.volume_sizes == {"vmstore:subvol-101-disk-0": 30 * 2**30}


async def test_a_cluster_of_9_2(recordings: Path) -> None:
    """Rows of type `network` are new there, and say nothing about capacity."""
    seen = await replay(
        recordings / "proxmox-go-sdk/TestClusterAndHAReads__cluster_resources.json", ProxmoxClient.resources
    )
    assert [(node.name, node.maxcpu, node.maxmem, node.hastate) for node in seen.nodes] == [
        ("pve", 4, 8327630848, "online"),
        ("pve2-dogfood", 4, 8327639040, "online"),
        ("pve3-dogfood", 4, 8327634944, "online"),
    ]
    assert [(row.storage, row.node, row.shared) for row in seen.storages] == [
        (storage, node, False) for storage in ("local", "local-lvm") for node in ("pve", "pve2-dogfood", "pve3-dogfood")
    ]
    assert (seen.guests, seen.ignored) == ((), 0)


async def test_guests_that_were_just_made_have_no_size_yet(recordings: Path) -> None:
    first, second = [
        await replay(
            recordings / f"proxmox-go-sdk/TestHAResourceMigrate__cluster_resources_type=vm{suffix}.json",
            ProxmoxClient.resources,
        )
        for suffix in ("", "__2")
    ]
    assert [(guest.vmid, guest.status, guest.maxmem) for guest in first.guests] == [
        (9301, "unknown", None),
        (9302, "unknown", None),
    ]
    assert [(guest.vmid, guest.status, guest.maxmem) for guest in second.guests] == [
        (9301, "stopped", 2**28),
        (9302, "stopped", 2**28),
    ]


async def test_high_availability_never_used_on_9_2(recordings: Path) -> None:
    status = await replay(
        recordings / "proxmox-go-sdk/TestHAStatusReads__cluster_ha_status_manager_status.json",
        ProxmoxClient.manager_status,
    )
    assert (status.node_status, status.lrm_mode) == ({}, {})


async def test_graphics_cards(recordings: Path) -> None:
    devices = await replay(recordings / "derived-gpu/pci-a100-2x.json", lambda client: client.pci_devices("node1"))
    cards = [
        (one.address, one.class_code, one.iommu_group)
        for one in devices
        if (one.vendor, one.device) == ("10de", "20b5")
    ]
    assert cards == [("0000:17:00.0", "030200", 40), ("0000:ca:00.0", "030200", 81)]
    (mapping,) = await replay(recordings / "derived-gpu/cluster-mapping-pci.json", ProxmoxClient.pci_mappings)
    assert [entry.paths for entry in mapping.entries] == [("0000:17:00.0",), ("0000:ca:00.0",)]
    config = await replay(
        recordings / "derived-gpu/qemu-config-hostpci.json",
        lambda client: client.guest_config("pve1", "qemu", 100, current=True),
    )
    assert (config.hostpci, config.cores) == (("0000:17:00,pcie=1", "mapping=a100,pcie=1"), 8)
