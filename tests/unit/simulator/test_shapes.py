"""Answers have the keys, and the loose types, of recorded answers of real servers."""

import json
from typing import Any

import pytest

from proxmox_offerings.simulator.config import Behaviour


@pytest.fixture
def recorded(recordings):
    """The data of a recorded answer."""

    def read(name: str) -> Any:
        document = json.loads((recordings / name).read_text())
        return document.get("body", document)["data"]

    return read


def shape(value: Any, optional: frozenset[str] = frozenset()) -> Any:
    """Keys and JSON types, numbers as one: a load is 0 or 0.05."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in sorted(value.items()) if key not in optional}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def rows(data: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    return next(row for row in data if all(row.get(key) == value for key, value in wanted.items()))


async def test_resources_have_the_keys_of_a_recorded_9_1_cluster(start, browse, describe, recorded):
    real = recorded("proxmox-go-sdk/TestClusterAndHAReads__cluster_resources.json")
    simulator = await start(describe())
    simulator.set_maintenance("pve1", on=False)  # HA was used in the recorded cluster
    ours = await (await browse(simulator)).data("/cluster/resources")
    for kind in ("node", "storage", "network"):
        assert shape(rows(ours, type=kind)) == shape(rows(real, type=kind)), kind


async def test_machine_rows_have_the_keys_of_recorded_ones(start, browse, describe, recorded):
    optional = frozenset({"hastate"})
    new = recorded("proxmox-go-sdk/TestHAResourceMigrate__cluster_resources_type=vm__2.json")
    ours = await (await browse(await start(describe()))).data("/cluster/resources?type=vm")
    assert shape(rows(ours, vmid=100)) == shape(new[0], optional)
    old = recorded("go-proxmox/pve7x__cluster_resources__2.json")
    ours = await (await browse(await start(describe(version="7.4-16")))).data("/cluster/resources")
    for kind in ("qemu", "node", "storage"):
        assert shape(rows(ours, type=kind), frozenset({"lock", "tags"})) == shape(rows(old, type=kind)), kind


async def test_node_status_has_the_keys_of_a_recorded_7_4(start, browse, describe, recorded):
    ours = await (await browse(await start(describe(version="7.4-16")))).data("/nodes/pve1/status")
    assert shape(ours) == shape(recorded("go-proxmox/pve7x__nodes_node1_status.json"))


@pytest.mark.parametrize(("path", "recording", "optional"), [
    ("/version", "proxmox-go-sdk/TestVersionRoundTrip__version.json", ()),
    ("/cluster/ha/status/manager_status", "proxmox-go-sdk/TestHAStatusReads__cluster_ha_status_manager_status.json", ()),
    ("/cluster/ha/status/current", "proxmox-go-sdk/TestHAStatusReads__cluster_ha_status_current.json", ()),
    ("/nodes", "go-proxmox/pve7x__nodes.json", ("cgroup-mode",)),
])  # fmt: skip
async def test_answers_have_the_shape_of_recorded_ones(start, browse, describe, recorded, path, recording, optional):
    behaviour = Behaviour(shuffle=False)
    ours = await (await browse(await start(describe(version="9.2.2"), behaviour=behaviour))).data(path)
    ours = (
        [{key: value for key, value in row.items() if key not in optional} for row in ours]
        if isinstance(ours, list)
        else ours
    )
    assert shape(ours) == shape(recorded(recording))


async def test_cluster_status_has_the_shape_of_a_recorded_one(start, browse, describe, recorded):
    ours, real = (
        await (await browse(await start(describe()))).data("/cluster/status"),
        recorded("go-proxmox/pve7x__cluster_status.json"),
    )
    for kind in ("cluster", "node"):
        assert shape(rows(ours, type=kind)) == shape(rows(real, type=kind))


async def test_lxc_rows_have_the_keys_of_recorded_7_4_ones(start, browse, describe, recorded):
    [ours] = await (await browse(await start(describe(version="7.4-16")))).data("/nodes/pve2/lxc")
    assert shape(ours) == shape(recorded("go-proxmox/pve7x__nodes_node1_lxc.json")[0])


async def test_graphics_cards_are_listed_as_derived_from_the_server(start, browse, describe, recorded):
    card = {"vendor": "10de", "device": "20b5", "name": "GA100 [A100 PCIe 80GB]"}
    cards = [card | {"slot": "0000:17:00", "iommu": 40}, card | {"slot": "0000:ca:00", "iommu": 81}]
    disks = [{"devpath": "/dev/nvme0n1", "type": "nvme", "size": "1T"}]
    nodes = [{"name": "pve1", "cores": 32, "threads": 64, "memory": "256Gi", "gpus": cards, "disks": disks}]
    ours = await (await browse(await start(describe(nodes=nodes, guests=[])))).data("/nodes/pve1/hardware/pci")
    told = ("id", "class", "vendor", "device", "iommugroup")
    real = {
        tuple(row[key] for key in told)
        for row in recorded("derived-gpu/pci-a100-2x.json")
        if row["class"] != "0x010601"
    }
    assert {tuple(row[key] for key in told) for row in ours} == real
    assert shape(ours[-1]) == shape(recorded("derived-gpu/pci-a100-2x.json")[-1])
