"""Reading one node: hardware, network, storages, disks and templates, each call on its own, so that one that fails spoils only itself."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from proxmox_offerings.inventory.gathered import MdevReading, NodeReading
from proxmox_offerings.inventory.profiles import counted_functions
from proxmox_offerings.observation.memory import Memory
from proxmox_offerings.proxmox.adaptive import NODE_DOES_NOT_ANSWER
from proxmox_offerings.proxmox.answers import PciDevice, Volume
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.errors import CallFailed, ConnectionFailed, ObservationError


class NodeReader:
    """One node since it last started: what its calls answered.

    `uptime` is what its row said then; `running` tells the machines that run on it, by the latest rows.
    """

    def __init__(
        self,
        *,
        client: ProxmoxClient,
        node: str,
        uptime: int | None,
        monotonic: Callable[[], float],
        running: Callable[[], frozenset[int]],
    ) -> None:
        self._client = client
        self._node = node
        self._uptime = uptime
        self._monotonic = monotonic
        self._running = running
        self._answers = Memory()
        self._pci_failure: str | None = None
        self._mdev_functions: tuple[str, ...] = ()
        self._ran: frozenset[int] = frozenset()
        self.silent = False
        """Whether it answered nothing when it was asked last."""

    async def read(self, *, volumes: Iterable[tuple[str, str]]) -> None:
        """Ask everything once. `volumes`: (storage, content) whose files this node shall list.

        The node's status comes first: where the node does not answer even that, nothing else is tried. Storages are probed beside the rest,
        because one dead storage holds up the call for half a minute.
        """
        pairs = tuple(volumes)
        mdevs = (_mdev(address) for address in self._mdev_functions)
        self._answers.keep(
            frozenset({"status", "storages", "interfaces", "pci", "disks", "disks behind", *mdevs, *pairs})
        )
        failure = await self._keep("status", self._client.node_status(self._node))
        self.silent = _node_is_silent(failure)
        if self.silent:
            self._pci_failure = "the node does not answer"
            return
        await asyncio.gather(self._read_hardware(), self._read_storages(pairs), self._read_disks())

    def mdevs_are_outdated(self) -> bool:
        """Whether other machines run than when the mediated devices were last asked for."""
        return bool(self._mdev_functions) and self._ran != self._running()

    async def read_mdevs(self) -> None:
        """Ask what is left of mediated devices, and note what runs: what those machines use is not left."""
        if not self._mdev_functions:
            return
        self._ran = ran = self._running()
        for address in self._mdev_functions:
            await self._keep(_mdev(address), self._read_function(address, ran))

    def is_known(self, *, since: float) -> bool:
        """Whether anything came at or after `since`."""
        return any(True for _ in self._answers.believed(since=since))

    def reading(self, *, since: float) -> NodeReading:
        """What came at or after `since`."""

        def answer(call: str) -> Any:
            return self._answers.get(call, since=since)

        storages, pci = answer("storages"), answer("pci")
        return NodeReading(
            uptime=self._uptime,
            status=answer("status"),
            storages=storages,
            storage_used={storage.storage: storage.used for storage in storages or () if storage.used is not None},
            interfaces=answer("interfaces"),
            pci=pci,
            pci_failure=self._pci_failure if pci is None else None,
            mdevs={address: told for address in self._mdev_functions if (told := answer(_mdev(address))) is not None},
            disks=answer("disks"),
            disks_behind=answer("disks behind"),
            volumes=self._volumes(since),
        )

    def _volumes(self, since: float) -> dict[str, tuple[Volume, ...] | None]:
        found: dict[str, tuple[Volume, ...] | None] = {}
        for call in self._answers.believed(since=since):
            if isinstance(call, tuple):
                storage, _ = call
                volumes = cast("tuple[Volume, ...]", self._answers.get(call, since=since))
                found[storage] = tuple(sorted({*(found.get(storage) or ()), *volumes}, key=lambda volume: volume.volid))
        return dict(sorted(found.items()))

    async def _read_hardware(self) -> None:
        await self._keep("interfaces", self._client.interfaces(self._node))
        self._pci_failure = _phrase(await self._keep("pci", self._client.pci_devices(self._node)))
        devices = cast("tuple[PciDevice, ...]", self._answers.get("pci", since=0) or ())
        self._mdev_functions = tuple(device.address for device in counted_functions(devices))
        await self.read_mdevs()

    async def _read_function(self, address: str, running: frozenset[int]) -> MdevReading:
        return MdevReading(types=await self._client.mdev_types(self._node, address), running=running)

    async def _read_storages(self, volumes: tuple[tuple[str, str], ...]) -> None:
        failure = await self._keep("storages", self._client.node_storages(self._node))
        if _node_is_silent(failure):
            return
        for storage, content in volumes:
            await self._keep((storage, content), self._client.volumes(self._node, storage, content))

    async def _read_disks(self) -> None:
        if await self._keep("disks", self._client.disks(self._node)) is None:
            disks = cast("Any", self._answers.get("disks", since=0)) or ()
            await self._keep("disks behind", self._client.disks_behind(self._node, disks))

    async def _keep(self, call: str | tuple[str, str], asked: Awaitable[object]) -> ObservationError | None:
        try:
            self._answers.put(call, await asked, at=self._monotonic())
        except ObservationError as failure:
            return failure
        return None


def _mdev(address: str) -> str:
    return f"mdev {address}"


def _node_is_silent(failure: ObservationError | None) -> bool:
    if isinstance(failure, CallFailed):
        return failure.status in NODE_DOES_NOT_ANSWER
    return isinstance(failure, ConnectionFailed)


def _phrase(failure: ObservationError | None) -> str | None:
    if failure is None:
        return None
    if isinstance(failure, CallFailed) and failure.status == 403:
        return "the token may not list its PCI devices"
    status = failure.status if isinstance(failure, CallFailed) else None
    return "its PCI devices could not be read" + (f" (HTTP {status})" if status else "")
