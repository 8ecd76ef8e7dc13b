"""The guest configurations that counting needs, read once and again with each slow loop.

A configuration is read again at once when the guest's row changes (started, moved, resized), because what changed a guest may have given it a
card. One that cannot be read is None, never a guess; it is tried again with each turn, without waiting for it, unless its node answers nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Final, cast

from proxmox_offerings.inventory.gathered import Configs, WantedConfig
from proxmox_offerings.observation.slow import INTERVALS_BELIEVED
from proxmox_offerings.proxmox.answers import GuestConfig, GuestKind, GuestRow
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.errors import ObservationError
from proxmox_offerings.proxmox.transport import DEFAULT_BOUNDS

GUESTS_IN_TURN: Final = 50
"""Of one node, read one after another: a task for each of 50,000 guests, most of them waiting, would take 220 MiB."""
Place = tuple[int, str]
"""vmid and node: a guest that migrates may be listed on two."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    """`state` is what the guest's row said when `configs` was asked for; `at` None: never read well."""

    state: Hashable
    pending: bool
    configs: tuple[GuestConfig, ...] = ()
    at: float | None = None
    read: asyncio.Task[None] | None = None


_Read = tuple[WantedConfig, _Entry]


class GuestConfigs:
    """What is known of guests' configurations."""

    def __init__(self, *, client: ProxmoxClient, interval: float, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._believed = INTERVALS_BELIEVED * interval
        self._monotonic = monotonic
        self._entries: dict[Place, _Entry] = {}
        self._unfinished: set[asyncio.Task[None]] = set()

    def notice(
        self, wanted: Iterable[WantedConfig], guests: Iterable[GuestRow], *, silent: Collection[str] = ()
    ) -> list[asyncio.Task[None]]:
        """Forget what is not wanted any more, and begin to read what is not known, but nothing of the nodes that are `silent`.

        Returns the reads worth waiting for: of guests that are new, or whose row changed.
        """
        since = self._monotonic() - self._believed
        wanted_at = {(want.vmid, want.node): want for want in wanted}
        states = {
            place: (guest.kind, guest.status, guest.maxcpu, guest.maxmem, guest.template)
            for guest in guests
            if (place := (guest.vmid, guest.node)) in wanted_at
        }
        entries: dict[Place, _Entry] = {}
        urgent: list[_Read] = []
        others: list[_Read] = []
        for place, want in wanted_at.items():
            state, entry = states.get(place), self._entries.get(place)
            if entry is None or entry.state != state or (want.pending and not entry.pending):
                entry = _Entry(state=state, pending=want.pending)
                if want.node not in silent:
                    urgent.append((want, entry))
            elif (entry.at is None or entry.at < since) and want.node not in silent:
                others.append((want, entry))
            entries[place] = entry
        self._entries = entries
        begun = self._begin(urgent)
        self._begin(others)
        return begun

    async def read_again(self, wanted: Iterable[WantedConfig], *, silent: Collection[str] = ()) -> None:
        """Read all that is wanted and known of, whether it was read before or not, but nothing of the nodes that are `silent`."""
        reads = [
            (want, entry)
            for want in wanted
            if want.node not in silent and (entry := self._entries.get((want.vmid, want.node))) is not None
        ]
        await asyncio.gather(*self._begin(reads))

    def known(self, wanted: Iterable[WantedConfig]) -> Configs:
        """vmid -> its configurations, on all nodes that list it; None where one of them is not known."""
        since = self._monotonic() - self._believed
        found: dict[int, tuple[GuestConfig, ...] | None] = {}
        for want in wanted:
            entry = self._entries.get((want.vmid, want.node))
            before = found.get(want.vmid, ())
            known = entry is not None and entry.at is not None and entry.at >= since
            found[want.vmid] = (*before, *entry.configs) if known and entry and before is not None else None
        return found

    async def aclose(self) -> None:
        """End the reads under way."""
        unfinished = tuple(self._unfinished)
        for read in unfinished:
            read.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)

    def _begin(self, reads: Iterable[_Read]) -> list[asyncio.Task[None]]:
        """Begin those that are not under way. All tasks that have to do with them, some guests of one node to each."""
        tasks: list[asyncio.Task[None]] = []
        of_nodes: defaultdict[str, list[_Read]] = defaultdict(list)
        for want, entry in reads:
            if entry.read is None or entry.read.done():
                of_nodes[want.node].append((want, entry))
            else:
                tasks.append(entry.read)
        for of_node in of_nodes.values():
            # Two at least, because so many calls of a node may be in flight.
            most = min(GUESTS_IN_TURN, -(-len(of_node) // DEFAULT_BOUNDS.calls_per_node))
            for begin in range(0, len(of_node), most):
                task = asyncio.create_task(self._read_in_turn(of_node[begin : begin + most]))
                for _, entry in of_node[begin : begin + most]:
                    entry.read = task
                self._unfinished.add(task)
                task.add_done_callback(self._unfinished.discard)
                tasks.append(task)
        return tasks

    async def _read_in_turn(self, reads: Iterable[_Read]) -> None:
        for want, entry in reads:
            await self._read(want, entry)

    async def _read(self, want: WantedConfig, entry: _Entry) -> None:
        kind = cast("GuestKind", want.kind)
        try:
            configs = [await self._client.guest_config(want.node, kind, want.vmid, current=True)]
            if want.pending:
                configs.append(await self._client.guest_config(want.node, kind, want.vmid, current=False))
        except ObservationError:
            return  # what was read before stays believed for a while; `known` says None after that
        entry.configs, entry.at = tuple(configs), self._monotonic()
