"""One cluster, observed again and again: the fast loop in `observe`, the slow loop behind it.

`observe` makes three calls, whatever the size of the cluster, and puts their answers together with what the slow loop knows by now. It makes
more calls where what it sees cannot be believed without: rights when something vanished, nodes that appeared or restarted, configurations of
guests that are new. These are waited for, but only for a `grace`; what comes later is news, and `on_news` is called.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from proxmox_offerings.inventory.build import configs_wanted, remember, snapshot_of
from proxmox_offerings.inventory.gathered import Fast, Remembered, Slow, WantedConfig
from proxmox_offerings.inventory.privileges import require_rights
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.observation.configs import GuestConfigs
from proxmox_offerings.observation.slow import SlowLoop
from proxmox_offerings.proxmox.answers import Permissions
from proxmox_offerings.proxmox.body import let_go
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.errors import CallFailed, ObservationError, PrivilegesMissing

GRACE_SECONDS = 10.0
FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class _Visible:
    """What a token that loses rights would no longer see; rows that vanish are all that tells of it (proxmox-api.md, fact 1)."""

    guests: frozenset[int]
    storages: frozenset[str]
    nodes_with_numbers: frozenset[str]

    @classmethod
    def of(cls, fast: Fast) -> "_Visible":
        return cls(
            guests=frozenset([guest.vmid for guest in fast.resources.guests]),
            storages=frozenset(storage.storage for storage in fast.resources.storages),
            nodes_with_numbers=frozenset(node.name for node in fast.resources.nodes if node.maxcpu is not None),
        )

    def lost(self, now: "_Visible") -> bool:
        return not (
            self.guests <= now.guests
            and self.storages <= now.storages
            and self.nodes_with_numbers <= now.nodes_with_numbers
        )


class Observer:
    """Observes one cluster. Never two turns at once: `observe` during a turn gets that turn's result.

    `inventory_interval` seconds between slow loops; `provisioned`: storage is accounted by configured sizes. `clock` tells the wall time,
    `monotonic` seconds that never go back. `grace` seconds are waited for what must be read at once, None: until all is there. `on_news` is
    called when the slow loop has read something that no turn has seen yet; `on_progress` is told in a few words what was read. `phase`, from 0 to 1,
    says how soon the second slow loop comes: after half of the interval to all of it.
    """

    def __init__(
        self,
        *,
        client: ProxmoxClient,
        inventory_interval: float,
        provisioned: bool,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        on_news: Callable[[], None],
        grace: float | None = GRACE_SECONDS,
        on_progress: Callable[[str], None] = lambda _: None,
        phase: float = 1.0,
    ) -> None:
        self._client = client
        self._interval = inventory_interval
        self._provisioned = provisioned
        self._clock = clock
        self._monotonic = monotonic
        self._on_news = on_news
        self._grace = grace
        self._slow = SlowLoop(client=client, interval=inventory_interval, monotonic=monotonic, on_progress=on_progress)
        self._configs = GuestConfigs(client=client, interval=inventory_interval, monotonic=monotonic)
        self._remembered = Remembered()
        self._visible: _Visible | None = None
        self._turn: asyncio.Task[Snapshot] | None = None
        self._cycle: asyncio.Task[None] | None = None
        self._cycle_due = 0.0
        self._phase = phase
        self._last: Snapshot | None = None

    @property
    def last(self) -> Snapshot | None:
        """The last snapshot; None before the first."""
        return self._last

    async def observe(self) -> Snapshot:
        """Read the cluster now. Raises ObservationError where nothing new may be said."""
        if self._turn is None or self._turn.done():
            self._turn = asyncio.create_task(self._observe())
            self._turn.add_done_callback(_retrieve)
        # Whoever gives up waiting does not end the turn: another may wait for it, and the next turn must not overlap it.
        return await asyncio.shield(self._turn)

    async def aclose(self) -> None:
        """End all reads, and the client's connections."""
        running = [task for task in (self._turn, self._cycle) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._slow.aclose()
        await self._configs.aclose()
        await self._client.aclose()

    async def _observe(self) -> Snapshot:
        fast, visible = await self._read_believable()
        if fast.cluster.quorate:  # else nothing more is worth reading, and snapshot_of says so
            self._visible = visible
            await self._wait(self._slow.notice(fast.resources))
            self._begin_cycle_if_due(fast)
        slow = self._known()
        wanted = self._wanted(fast, slow)
        if fast.cluster.quorate:
            await self._wait(self._configs.notice(wanted, fast.resources.guests, silent=self._slow.silent))
        snapshot = snapshot_of(fast=fast, slow=slow, configs=self._configs.known(wanted), remembered=self._remembered)
        self._remembered = remember(fast=fast, slow=slow, snapshot=snapshot, remembered=self._remembered)
        self._last = snapshot
        return snapshot

    async def _read_believable(self) -> tuple[Fast, _Visible]:
        """The fast loop's answers and what can be seen in them, read after the token's rights were found to be enough.

        Rows that vanished may have been hidden for a moment only, while somebody replaced the token's rights, so they are read again once the
        rights are known to be there.
        """
        slow = self._slow.known()
        if slow is None:
            await self._slow.read_cluster()
            # Those of many clusters that are read for the first time together do not come due together for ever.
            self._cycle_due = self._monotonic() + self._interval * (1 + self._phase) / 2
        elif not _may_count(slow.permissions):
            await self._slow.read_permissions()
        fast = await self._read_fast()
        visible = _Visible.of(fast)
        if self._visible is not None and self._visible.lost(visible):
            await self._slow.read_permissions()
            fast = await self._read_fast()
            visible = _Visible.of(fast)
        return fast, visible

    async def _read_fast(self) -> Fast:
        read_at, client = self._clock(), self._client
        try:
            cluster, resources, manager = await client.cluster_now()
        except ObservationError as failure:
            await self._explain(failure)
            raise
        return Fast(read_at=read_at, endpoint=client.endpoint, cluster=cluster, resources=resources, manager=manager)

    async def _explain(self, failure: ObservationError) -> None:
        """A 403 means that a privilege is missing; which, the permissions tell."""
        if isinstance(failure, CallFailed) and failure.status == FORBIDDEN:
            await self._slow.read_permissions()

    def _known(self) -> Slow:
        slow = self._slow.known()
        if slow is None:
            raise CallFailed("what is known of the cluster's storages and rights is too old to be believed")
        return slow

    def _wanted(self, fast: Fast, slow: Slow) -> tuple[WantedConfig, ...]:
        return configs_wanted(fast=fast, slow=slow, remembered=self._remembered, provisioned=self._provisioned)

    async def _wait(self, reads: Iterable[asyncio.Task[None]]) -> None:
        """Until all are done, or for the grace; those that are not done by then will be news."""
        pending = set(reads)
        if pending:
            done, pending = await asyncio.wait(pending, timeout=self._grace)
            for read in done:
                read.result()
        for read in pending:
            read.add_done_callback(self._tell)

    def _tell(self, read: asyncio.Task[None]) -> None:
        if not read.cancelled():
            self._on_news()

    def _begin_cycle_if_due(self, fast: Fast) -> None:
        if self._cycle is not None:
            if not self._cycle.done():
                return
            self._cycle.result()  # whatever went wrong there that is no ObservationError is raised here
            self._cycle = None
        if self._monotonic() >= self._cycle_due:
            self._cycle_due = self._monotonic() + self._interval
            self._cycle = asyncio.create_task(self._read_again(fast))

    async def _read_again(self, fast: Fast) -> None:
        """One slow loop. What fails in it is believed as it was for a while, and then missing from `known`."""
        try:
            await self._slow.read_cluster()
        except CallFailed:
            pass  # the nodes may answer all the same
        except ObservationError:
            self._on_news()
            return
        await self._slow.read_nodes(fast.resources)
        slow = self._slow.known()
        if slow is not None:
            await self._configs.read_again(self._wanted(fast, slow), silent=self._slow.silent)
        self._on_news()


def _may_count(permissions: Permissions) -> bool:
    """While it may not, each turn asks again, so that a right which is granted is noticed with the next."""
    try:
        require_rights(permissions)
    except PrivilegesMissing:
        return False
    return True


def _retrieve(turn: asyncio.Task[Snapshot]) -> None:
    """A turn that nobody waits for any more may fail unheard: the next one tells. Until then the turn is kept, and its failure, but no answer."""
    if not turn.cancelled() and isinstance(failure := turn.exception(), ObservationError):
        let_go(failure)
