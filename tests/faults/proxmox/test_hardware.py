"""Processors, memory and graphics cards that are told in ways that invite a wrong count (T30 to T36)."""

from typing import Any

import pytest

from faults.proxmox.conftest import OpenShop
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import GpuConfig, GuestConfig, SimulatorConfig
from proxmox_offerings.simulator.faults import Fault
from support.shop import GPU, INVENTORY, REFRESH, SMALL

GIB = 2**30
VCPU = {"name": "vcpu", "cpu": 1, "memory": "16Mi", "disk": "1Gi"}
"""Processors decide how many of these fit."""
A100 = {"slot": "0000:17:00", "vendor": "10de", "device": "20b5", "name": "GA100 [A100 PCIe 80GB]", "iommu": 40}
CORES = {"allocation": {"cpu": {"unit": "Core", "percent": 100}, "memory": {"reserved": "0"}}}
THREADS = {"allocation": {"cpu": {"unit": "Thread", "percent": 100}, "memory": {"reserved": "0"}}}


def one_node(*guests: GuestConfig, gpus: tuple[dict[str, Any], ...] = (), **node: Any) -> SimulatorConfig:
    """The standalone node with other hardware, and no guests but these."""
    config = presets.standalone()
    cards = [GpuConfig.model_validate(gpu) for gpu in gpus]
    return config.model_copy(
        update={
            "nodes": [config.nodes[0].model_copy(update={"gpus": cards, **node})],
            "guests": list(guests),
        }
    )


@pytest.mark.reliability("T30")
async def test_cores_of_all_sockets_are_not_multiplied_by_the_sockets(shop: OpenShop) -> None:
    config = one_node(sockets=2, cores=16, threads=32)
    async with shop(config, tiers=[VCPU], **CORES) as site:
        assert site.stock("vcpu") == ("InStock", 16)
        assert site.node("pve")["cores"] == 16
    async with shop(config, tiers=[VCPU], **THREADS) as site:
        assert site.stock("vcpu") == ("InStock", 32)


@pytest.mark.reliability("T30")
async def test_arm_that_tells_one_core_of_64_is_counted_by_its_threads(shop: OpenShop) -> None:
    """It tells no `hvm` either, and is sold for tiers of its own architecture alone."""
    config = one_node(sockets=1, cores=1, threads=64, arch="aarch64").model_copy(update={"version": "9.2.4"})
    arm = VCPU | {"name": "arm", "architecture": "arm64"}
    async with shop(config, tiers=[VCPU, arm], **CORES) as site:
        assert site.stock("arm") == ("InStock", 64)
        assert site.stock("vcpu")[0] == "OutOfStock"


@pytest.mark.reliability("T31")
async def test_container_without_a_limit_is_no_reservation_of_the_whole_node(shop: OpenShop) -> None:
    """Its row tells the node's 32 threads. By policy it counts as nothing, or as all of them; one with that very limit counts always."""
    unlimited = GuestConfig(vmid=200, type="lxc", node="pve", cpu=0, memory=GIB)
    limited = GuestConfig(vmid=201, type="lxc", node="pve", cpu=32, memory=GIB)
    async with shop(one_node(unlimited), tiers=[VCPU], **THREADS) as site:
        assert site.stock("vcpu") == ("InStock", 32)
        await site.amend(allocation=THREADS["allocation"] | {"unlimitedContainers": "CountAsNode"})
        assert site.stock("vcpu") == ("OutOfStock", 0)
    async with shop(one_node(limited), tiers=[VCPU], **THREADS) as site:
        assert site.stock("vcpu") == ("OutOfStock", 0)


@pytest.mark.reliability("T32")
async def test_memory_that_a_file_system_cache_uses_is_not_taken_for_committed(shop: OpenShop) -> None:
    """ZFS' cache counts as used in all that Proxmox tells; it moves nothing here, and who wants to keep room for it says so."""
    config = presets.standalone()
    cached = config.model_copy(update={"nodes": [config.nodes[0].model_copy(update={"memory_used": 90 * GIB})]})
    async with shop(config, tiers=[SMALL]) as site:
        claims = site.claims()
    async with shop(cached, tiers=[SMALL]) as site:
        assert site.claims() == claims
        assert site.stock() == ("InStock", 22)  # as many as there are disks for
        await site.amend(allocation={"memory": {"reserved": "34Gi"}})
        assert site.stock() == ("InStock", (128 - 34 - 12) // 4)


@pytest.mark.reliability("T33")
async def test_overcommitted_node_is_sold_out_and_takes_nothing_from_others(shop: OpenShop) -> None:
    """Its headroom is negative and told so; what it lacks is not missing elsewhere."""
    config = presets.demo()
    config.guests.append(GuestConfig(vmid=600, node="pve1", cpu=4, memory=512 * GIB))
    async with shop() as site:
        before = site.sold()
    async with shop(config) as site:
        assert site.sold() == before | {"pve1": 0}
        assert str(site.node("pve1")["memoryAllocation"]["headroom"]).startswith("-")


GPU_CASES = [
    pytest.param(A100, 1, id="a card"),
    pytest.param(A100 | {"audio": True}, 1, id="with a sound function"),
    pytest.param(A100 | {"iommu": -1}, 0, id="without an IOMMU group"),
    pytest.param(A100 | {"vfs": 4}, 0, id="with virtual functions switched on"),
    pytest.param(A100 | {"name": None}, 1, id="without a name in the device database"),
    pytest.param(A100 | {"class": "120000"}, 1, id="an accelerator without display"),
    pytest.param({**A100, "vendor": "1a03", "device": "2000", "class": "030000"}, 0, id="the BMC's"),
    pytest.param({**A100, "vendor": "1234", "device": "1111", "class": "030000"}, 0, id="a virtual VGA"),
]


@pytest.mark.reliability("T34")
@pytest.mark.parametrize(("card", "units"), GPU_CASES)
async def test_only_whole_cards_that_can_be_passed_through_are_sold(
    shop: OpenShop, card: dict[str, Any], units: int
) -> None:
    anything = GPU | {"gpu": {"count": 1, "models": ["10de:20b5", "1a03:*", "1234:*"]}}
    async with shop(one_node(gpus=(card,), bmc=True), tiers=[anything]) as site:
        assert site.ready == ("True", "Observed")
        assert site.stock("gpu")[1] == units


@pytest.mark.reliability("T34")
async def test_cards_in_one_group_go_together_and_are_not_sold_apart(shop: OpenShop) -> None:
    second = A100 | {"slot": "0000:18:00"}
    async with shop(one_node(gpus=(A100, second)), tiers=[GPU]) as site:
        assert site.stock("gpu") == ("OutOfStock", 0)


@pytest.mark.reliability("T35")
@pytest.mark.parametrize("spelling", ["0000:17:00.0", "0000:17:00,pcie=1", "17:00", "17:00.0", "host=17:00;18:00"])
async def test_card_of_a_stopped_guest_is_taken_however_it_is_spelled(shop: OpenShop, spelling: str) -> None:
    """Its start would fail if the card were sold again."""
    owner = GuestConfig(vmid=300, node="pve", status="stopped", memory=GIB, hostpci=[spelling])
    async with shop(one_node(owner, gpus=(A100,)), tiers=[GPU]) as site:
        assert site.stock("gpu") == ("OutOfStock", 0)


@pytest.mark.reliability("T35")
async def test_cards_are_not_free_because_a_guests_configuration_cannot_be_read(shop: OpenShop) -> None:
    """Unknown, and only for tiers with cards; free again as soon as it can be read."""
    owner = GuestConfig(vmid=300, node="pve", memory=GIB)
    hidden = Fault(path="/nodes/pve/qemu/300/config", status=500)
    config = one_node(owner, gpus=(A100,))
    async with shop(config, before=lambda cluster: cluster.add_fault(hidden)) as site:
        assert site.ready == ("True", "Observed")
        assert site.stock("gpu") == ("Unknown", None)
        assert site.stock()[0] == "InStock"
        site.cluster.remove_fault()
        await site.pass_time(3 * REFRESH)
        assert site.stock("gpu") == ("LowStock", 1)


@pytest.mark.reliability("T36")
async def test_disk_that_hangs_when_it_is_asked_for_its_health_holds_up_nothing(shop: OpenShop) -> None:
    """The list is asked for without SMART; where even that hangs, only the class of local storages is not known."""
    ssd = SMALL | {"name": "nvme", "storageClass": "nvme"}
    async with shop(tiers=[SMALL, ssd]) as site:
        claims = site.claims()
        listed = [request for request in site.cluster.requests if request.path.endswith("/disks/list")]
        assert {request.query for request in listed} == {"skipsmart=1"}
    hanging = Fault(path="/nodes/*/disks/list", delay=30, status=596, reason="Connection timed out")
    async with shop(tiers=[SMALL, ssd], before=lambda cluster: cluster.add_fault(hanging)) as site:
        assert site.ready == ("True", "Observed")
        await site.pass_time(2 * REFRESH)
        assert site.claims()["small"]["available"] == claims["small"]["available"]
        assert site.stock("nvme")[1] in (None, 0)
        site.cluster.remove_fault()
        await site.pass_time(2 * INVENTORY)
        await site.heals(claims)
