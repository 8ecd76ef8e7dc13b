"""Configurations of very many guests: read two at a time of each node, and little of it waits in memory."""

import asyncio
from collections import Counter

from proxmox_offerings.inventory.gathered import WantedConfig
from proxmox_offerings.observation.configs import GuestConfigs
from proxmox_offerings.proxmox.answers import GuestConfig, GuestKind
from proxmox_offerings.proxmox.client import ProxmoxClient
from support.answers import Told
from unit.controller.virtual_time import elapsed, run


class Counting(ProxmoxClient):
    """Each configuration takes a tenth of a second."""

    def __init__(self) -> None:
        super().__init__(Told({}))  # type: ignore[arg-type]
        self.read: list[int] = []
        self.in_flight: Counter[str] = Counter()
        self.peak = 0

    async def guest_config(self, node: str, kind: GuestKind, vmid: int, *, current: bool) -> GuestConfig:
        self.in_flight[node] += 1
        self.peak = max(self.peak, self.in_flight[node])
        await asyncio.sleep(0.1)
        self.in_flight[node] -= 1
        self.read.append(vmid)
        return await super().guest_config(node, kind, vmid, current=current)


def wanted(count: int, *, nodes: int) -> list[WantedConfig]:
    return [
        WantedConfig(vmid=100 + number, node=f"pve{number % nodes}", kind="qemu", pending=False)
        for number in range(count)
    ]


def test_ten_thousand_guests_take_some_hundred_tasks_and_each_is_read_once() -> None:
    async def main() -> None:
        client = Counting()
        configs = GuestConfigs(client=client, interval=600, monotonic=asyncio.get_running_loop().time)
        guests = wanted(10_000, nodes=10)
        before = len(asyncio.all_tasks())
        reads = configs.notice(guests, ())
        assert len(asyncio.all_tasks()) - before == len(reads) <= 10_000 / 50
        assert configs.notice(guests, ()) == []
        again = asyncio.create_task(configs.read_again(guests))
        await asyncio.gather(*reads, again)
        assert sorted(client.read) == [guest.vmid for guest in guests]
        await configs.aclose()

    run(main())


def test_three_guests_of_a_node_are_read_two_at_a_time() -> None:
    async def main() -> None:
        client = Counting()
        configs = GuestConfigs(client=client, interval=600, monotonic=asyncio.get_running_loop().time)
        await asyncio.gather(*configs.notice(wanted(3, nodes=1), ()))
        assert client.peak == 2
        assert 0.19 < elapsed() < 0.21
        await configs.aclose()

    run(main())
