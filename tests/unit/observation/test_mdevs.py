"""Parts of graphics cards from the server's answers to the Offering's number, over real HTTPS."""

from typing import Any

from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import GuestConfig
from proxmox_offerings.simulator.faults import Fault
from support.cluster import available, tier
from unit.observation.conftest import Watching

HALVES = tier(gpu={"profile": "GRID T4-2Q"}, nodes={"include": ["pve1"]})


def machine(vmid: int, mdev: str = "nvidia-231", **rest: Any) -> GuestConfig:
    return GuestConfig(vmid=vmid, node="pve1", hostpci=[f"mapping=t4,mdev={mdev}"], **rest)


def mdev_calls(paths: list[str]) -> list[str]:
    return [path for path in paths if path.endswith("/mdev")]


async def test_each_sale_takes_one_at_once_and_all_can_be_sold(watching: Watching) -> None:
    """Two T4 make 8 + 8; 3 guests run and one more is configured: 12 are left. Nothing is read again after a while that changes that."""
    async with watching(presets.vgpu()) as watch:
        left = available(await watch.observe(), HALVES)
        assert left == 12
        for number in range(left):
            watch.cluster.add_guest(machine(200 + number))
            assert available(await watch.observe(), HALVES) == left - 1 - number
        assert available(await watch.observe(), tier(gpu={"profile": "nvidia-230"}, nodes={"include": ["pve1"]})) == 0


async def test_stopping_and_removing_is_noticed_with_the_next_turn(watching: Watching) -> None:
    async with watching(presets.vgpu()) as watch:
        assert available(await watch.observe(), HALVES) == 12
        watch.cluster.stop_guest(100)
        assert available(await watch.observe(), HALVES) == 12
        watch.cluster.remove_guest(100)
        assert available(await watch.observe(), HALVES) == 13
        watch.cluster.remove_guest(101)
        assert available(await watch.observe(), HALVES) == 14
        watch.cluster.start_guest(110)
        assert available(await watch.observe(), HALVES) == 14


async def test_only_functions_that_count_are_asked_and_only_when_something_runs_or_stops(watching: Watching) -> None:
    async with watching(presets.vgpu()) as watch:
        await watch.observe()
        asked = mdev_calls([request.path for request in watch.cluster.requests])
        assert sorted(path.rpartition("/pci/")[2] for path in asked) == ["0000:17:00.0/mdev", "0000:ca:00.0/mdev"]
        assert mdev_calls(await watch.calls_of_a_turn()) == []
        watch.cluster.start_guest(110)
        assert len(mdev_calls(await watch.calls_of_a_turn())) == 2
        assert mdev_calls(await watch.calls_of_a_turn()) == []


async def test_card_that_is_passed_whole_hands_out_nothing(watching: Watching) -> None:
    config = presets.vgpu()
    config.guests.clear()
    async with watching(config) as watch:
        whole = tier(gpu={"count": 1, "models": ["*T4*"]})
        assert available(await watch.observe(), HALVES) == 16
        assert available(await watch.observe(), whole) == 2
        watch.cluster.add_guest(GuestConfig(vmid=100, node="pve1", hostpci=["17:00"]))
        assert available(await watch.observe(), HALVES) == 8
        assert available(await watch.observe(), whole) == 1


async def test_what_virtual_functions_hand_out_is_unknown(watching: Watching) -> None:
    async with watching(presets.vgpu()) as watch:
        seen = await watch.observe()
        assert available(seen, tier(gpu={"profile": "nvidia-1150"}, nodes={"include": ["pve2"]})) is None
        assert available(seen, tier(gpu={"count": 1}, nodes={"include": ["pve2"]})) == 0


async def test_list_that_cannot_be_read_is_unknown_until_it_can(watching: Watching) -> None:
    async with watching(presets.vgpu()) as watch:
        watch.cluster.add_fault(Fault(path="/nodes/pve1/hardware/pci/*/mdev", status=500, reason="no"))
        assert available(await watch.observe(), HALVES) is None
        assert available(await watch.observe(), tier()) is not None
        watch.cluster.remove_fault()
        await watch.slow_loop()
        assert available(await watch.observe(), HALVES) == 12
