"""Units are sold one by one into a simulated cluster, each where the Offering says that one fits, until it says that none does.

A second account of the cluster, by its own configuration, refuses what does not fit: no unit may be refused, and none may fit at the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from proxmox_offerings.catalogue.plan import plan
from proxmox_offerings.resources import OfferingStatus
from proxmox_offerings.simulator.config import GuestConfig, SimulatorConfig, parse
from proxmox_offerings.simulator.simulator import Simulator
from support.cluster import host, tier
from unit.observation.conftest import Watch, Watching

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Trade:
    """What is sold of which cluster, on these terms: 200 % of the threads, and 2 GiB of memory kept.

    `unit` are the values of a guest that is one unit, beside its `cards`. `storages` in the order in which a seller uses them; `written`:
    each unit writes its whole disk at once.
    """

    tier: dict[str, Any]
    unit: dict[str, Any]
    storages: tuple[str, ...]
    units: int
    nodes: tuple[dict[str, Any], ...]
    shelves: tuple[dict[str, Any], ...]
    guests: tuple[dict[str, Any], ...] = ()
    cards: int = 0
    reserved_percent: int = 10
    provisioned: bool = False
    written: bool = False
    failover: int = 0

    @property
    def config(self) -> SimulatorConfig:
        return parse(
            {
                "cluster": {"name": "shop"},
                "nodes": list(self.nodes),
                "storages": list(self.shelves),
                "guests": list(self.guests),
            }
        )

    @property
    def allocation(self) -> dict[str, Any]:
        storage = {
            "reservedPercent": self.reserved_percent,
            "accounting": "Provisioned" if self.provisioned else "Free",
        }
        return {
            "cpu": {"percent": 200},
            "memory": {"reserved": "2Gi"},
            "storage": storage,
            "failoverNodes": self.failover,
        }


def server(name: str, *, threads: int = 8, memory: int = 34, gpus: int = 0) -> dict[str, Any]:
    cards = [
        {"slot": f"0000:{bus}:00", "vendor": "10de", "device": "20b5", "iommu": 40 + number, "audio": True}
        for number, bus in enumerate(("17", "ca", "e1")[:gpus])
    ]
    return {"name": name, "cores": threads, "threads": threads, "memory": f"{memory}Gi", "gpus": cards}


def shelf(name: str, kind: str, size: int, **more: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, "size": f"{size}Gi", "content": ["images", "rootdir"], **more}


LOCAL = shelf("tank", "zfspool", 100, pool="tank", used="10Gi")
SAN = shelf("san", "lvm", 200, vgname="san", shared=True, used="20Gi")

TRADES = [
    pytest.param(
        # Free: 100 - 10 - 10 kept is 80: 8 units by disk on each of the first two. pve3 has memory for 14 - 2 - 4 = 8: two units.
        Trade(
            tier=tier(cpu=1, memory="4Gi", disk="10Gi"),
            unit={"cpu": 1, "memory": 4 * GIB, "disk": 10 * GIB},
            storages=("tank",),
            units=8 + 8 + 2,
            nodes=(server("pve1", memory=64), server("pve2"), server("pve3", memory=14)),
            shelves=(LOCAL,),
            guests=({"vmid": 100, "node": "pve3", "cpu": 2, "memory": "4Gi"},),
        ),
        id="virtual machines on local disks",
    ),
    pytest.param(
        # 200 - 20 - 20 kept is 160 in all: 10 units of 16, though memory has room for 8 + 8 + 8.
        Trade(
            tier=tier(cpu=1, memory="4Gi", disk="16Gi"),
            unit={"cpu": 1, "memory": 4 * GIB, "disk": 16 * GIB},
            storages=("san",),
            units=10,
            nodes=(server("pve1"), server("pve2"), server("pve3")),
            shelves=(SAN,),
        ),
        id="virtual machines on a shared disk",
    ),
    pytest.param(
        # pve2 has no disk of its own: the 5 units that the shared one holds are its, up to the 3 that its memory has room for.
        Trade(
            tier=tier(cpu=1, memory="8Gi", disk="32Gi"),
            unit={"cpu": 1, "memory": 8 * GIB, "disk": 32 * GIB},
            storages=("tank", "san"),
            units=4 + 3,
            nodes=(server("pve1"), server("pve2", memory=26)),
            shelves=({**LOCAL, "nodes": ["pve1"]}, SAN),
        ),
        id="virtual machines on local and shared disks",
    ),
    pytest.param(
        # Ceph shows what is written: 150 - 30 kept is 120 in all. 3 and 3 units by memory, 5 by disk.
        Trade(
            tier=tier(cpu=1, memory="10Gi", disk="24Gi"),
            unit={"cpu": 1, "memory": 10 * GIB, "disk": 24 * GIB},
            storages=("vms",),
            units=5,
            nodes=(server("pve1"), server("pve2")),
            shelves=(shelf("vms", "rbd", 150, pool="vms"), shelf("more", "cephfs", 150, content=["vztmpl"])),
            reserved_percent=20,
            written=True,
        ),
        id="virtual machines on written bytes",
    ),
    pytest.param(
        # A thin pool shows no new disk as used. Of its 100 GiB, 40 are promised: six units of 10, though 90 are free.
        Trade(
            tier=tier(cpu=1, memory="1Gi", disk="10Gi"),
            unit={"cpu": 1, "memory": GIB, "disk": 10 * GIB},
            storages=("thin",),
            units=6,
            nodes=(server("pve1"),),
            shelves=(shelf("thin", "lvmthin", 100, vgname="pve", thinpool="data", used="10Gi"),),
            guests=({"vmid": 100, "node": "pve1", "disk": "40Gi", "storage": "thin"},),
            provisioned=True,
        ),
        id="virtual machines on promised bytes",
    ),
    pytest.param(
        # 8 threads are 16 shared vCPUs; the guest has 2 of them, and a dedicated vCPU takes a thread: 7 on pve1, 8 on pve2, 2 to a unit.
        Trade(
            tier=tier(cpu=2, memory="1Gi", disk="1Gi", dedicatedCPU=True),
            unit={"cpu": 2, "memory": GIB, "disk": GIB, "tags": ["web", "dedicated"]},
            storages=("tank",),
            units=3 + 4,
            nodes=(server("pve1"), server("pve2")),
            shelves=(LOCAL,),
            guests=({"vmid": 100, "node": "pve1", "cpu": 2, "memory": "1Gi"},),
        ),
        id="dedicated processors",
    ),
    pytest.param(
        # By memory, (34 - 2) / 3 is 10 on pve2; pve1 has 9 beside a container without limit, whose processors are nobody's by this policy.
        Trade(
            tier=tier(cpu=1, memory="3Gi", disk="4Gi", virtualization="LXC"),
            unit={"type": "lxc", "cpu": 1, "memory": 3 * GIB, "disk": 4 * GIB},
            storages=("tank",),
            units=9 + 10,
            nodes=(server("pve1"), server("pve2")),
            shelves=(LOCAL,),
            guests=({"vmid": 100, "type": "lxc", "node": "pve1", "cpu": 0, "memory": "4Gi"},),
        ),
        id="containers",
    ),
    pytest.param(
        # pve1 has three cards, one of them in a stopped guest; pve2 has one; pve3 none.
        Trade(
            tier=tier(cpu=1, memory="1Gi", disk="1Gi", gpu={"count": 1}),
            unit={"cpu": 1, "memory": GIB, "disk": GIB},
            storages=("tank",),
            units=2 + 1,
            nodes=(server("pve1", gpus=3), server("pve2", gpus=1), server("pve3")),
            shelves=(LOCAL,),
            guests=({"vmid": 100, "node": "pve1", "status": "stopped", "hostpci": ["ca:00.0,pcie=1"]},),
            cards=1,
        ),
        id="one card each",
    ),
    pytest.param(
        # Two pairs: one of three cards on pve1, one on pve3; the one card of pve2 is no pair.
        Trade(
            tier=tier(cpu=1, memory="1Gi", disk="1Gi", gpu={"count": 2}),
            unit={"cpu": 1, "memory": GIB, "disk": GIB},
            storages=("tank",),
            units=1 + 1,
            nodes=(server("pve1", gpus=3), server("pve2", gpus=1), server("pve3", gpus=2)),
            shelves=(LOCAL,),
            cards=2,
        ),
        id="two cards each",
    ),
    pytest.param(
        # (34 - 2) / 4 is 8 on each; any one may go down with all of its guests: 2 x 8, less the 2 guests that are there already.
        Trade(
            tier=tier(cpu=1, memory="4Gi", disk="1Gi"),
            unit={"cpu": 1, "memory": 4 * GIB, "disk": GIB},
            storages=("san",),
            units=14,
            nodes=(server("pve1"), server("pve2"), server("pve3")),
            shelves=(SAN,),
            guests=tuple({"vmid": 100 + n, "node": f"pve{n}", "cpu": 1, "memory": "4Gi"} for n in (1, 3)),
            failover=1,
        ),
        id="virtual machines with room for those of any one node",
    ),
]


@pytest.mark.parametrize("trade", TRADES)
async def test_every_unit_can_be_sold_and_then_no_more(watching: Watching, trade: Trade) -> None:
    vmids = count(1000)
    async with watching(trade.config, provisioned=trade.provisioned) as watch:
        for left in range(trade.units, 0, -1):
            said = await _said(watch, trade)
            assert said.available == left
            nodes = [one.name for one in said.nodes if one.available]
            # Any of them will do: the placement fits as a whole.
            unit = next(_units(watch.cluster, trade, node=nodes[left % len(nodes)], vmid=next(vmids)), None)
            assert unit is not None, f"{nodes} have no room for one of the {left} units said to fit"
            watch.cluster.add_guest(unit)
            if trade.written:
                storage = watch.cluster.storages[trade.storages[0]].mounts[unit.node]
                watch.cluster.fill_storage(trade.storages[0], storage.room.used + unit.disk)
        assert (await _said(watch, trade)).available == 0
        more = [
            unit for name in watch.cluster.nodes for unit in _units(watch.cluster, trade, node=name, vmid=next(vmids))
        ]
        assert more == []
        # So far the fast loop followed what the slow loop had read before all sales; read again, nothing else comes out.
        await watch.slow_loop()
        assert (await _said(watch, trade)).available == 0


async def _said(watch: Watch, trade: Trade) -> OfferingStatus:
    snapshot = await watch.observe()
    (offering,) = plan(host=host(trade.tier, allocation=trade.allocation), snapshot=snapshot, past={}).offerings
    return offering.statement


def _units(cluster: Simulator, trade: Trade, *, node: str, vmid: int) -> Iterator[GuestConfig]:
    """One more unit on that node, on each of the storages that has room for it; none where anything else does not fit."""
    taken = {
        address[:2]
        for guest in cluster.guests_on(node)
        for device in guest.config.hostpci
        for address in _addresses(device)
    }
    free = [gpu.slot for gpu in cluster.nodes[node].config.gpus if gpu.slot.removeprefix("0000:")[:2] not in taken]
    if len(free) < trade.cards:
        return
    for storage in trade.storages:
        unit = GuestConfig.model_validate(
            {"vmid": vmid, "node": node, "storage": storage, "hostpci": free[: trade.cards], **trade.unit}
        )
        guests = [guest.config for guest in cluster.guests.values()]
        if _disk_fits(cluster, trade, unit) and _survives(cluster, trade, [*guests, unit]):
            yield unit


def _addresses(device: str) -> list[str]:
    return [address.removeprefix("0000:") for address in device.partition(",")[0].split(";")]


def _disk_fits(cluster: Simulator, trade: Trade, unit: GuestConfig) -> bool:
    mount = cluster.storages[unit.storage or ""].mounts.get(unit.node)
    if mount is None:
        return False
    if trade.provisioned:
        promised = sum(guest.config.disk for guest in cluster.guests.values() if guest.config.storage == unit.storage)
        if promised + unit.disk > mount.room.total:
            return False
    return unit.disk <= mount.room.available - mount.room.total * trade.reserved_percent / 100


def _survives(cluster: Simulator, trade: Trade, guests: list[GuestConfig]) -> bool:
    """Whether all guests have room where they are, and elsewhere too when any `failover` nodes go down."""
    if not all(_has_room(cluster, name, guests) for name in cluster.nodes):
        return False
    return trade.failover == 0 or all(_can_lose(cluster, name, guests) for name in cluster.nodes)


def _can_lose(cluster: Simulator, down: str, guests: list[GuestConfig]) -> bool:
    """Whether some way of moving its guests one after the other to the other nodes leaves all with room; they are alike here."""
    placed = [guest for guest in guests if guest.node != down]
    for guest in guests:
        if guest.node != down:
            continue
        moved = [guest.model_copy(update={"node": name}) for name in cluster.nodes if name != down]
        fitting = [one for one in moved if _has_room(cluster, one.node, [*placed, one])]
        if not fitting:
            return False
        placed.append(fitting[0])
    return True


def _has_room(cluster: Simulator, name: str, guests: list[GuestConfig]) -> bool:
    machine = cluster.nodes[name].config
    here = [guest for guest in guests if guest.node == name]
    vcpus = sum(guest.cpu * (2 if "dedicated" in guest.tags else 1) for guest in here)
    return vcpus <= 2 * machine.threads and sum(guest.memory for guest in here) <= machine.memory - 2 * GIB
