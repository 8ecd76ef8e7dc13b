"""Divides the ProxmoxHosts among several processes, and sees to it that no two ever work on the same one.

Each member holds a Lease of its own and publishes in it whom it takes for alive; with that anybody can tell which buckets it claims (ring.py). The
argument is in docs/design/members-share-the-work.md, and the rules are these:

- **Claim, then look.** A member works on a bucket only after its claim was published, and after a list that was asked for later showed no claim
  of another living member to it. Of two that claim the same at least one sees the other.
- **Let go, then publish.** What a new view takes from a member, it stops working on before it publishes that view.
- **Only monotonic clocks decide**, as in leader.py: a member stops by itself a while after it *sent* the last renewal that succeeded; others take it
  for dead a longer while after they *saw* its Lease change, and only by a list that was asked for after that.
- An answer that was lost may have been done or not, or may yet be: until another write is acknowledged, only what all these views allow is worked on.
- `require` is asked right before each write, so that nothing is sent after the deadline, however long the process was paused.

The Lease by which processes elect a leader is held by all members together: one that is told to lead does not begin beside them, nor they beside it.
"""

import asyncio
import contextlib
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from proxmox_offerings.controller import ring
from proxmox_offerings.controller.acting import host_acted_for
from proxmox_offerings.controller.claims import claimed, given_back
from proxmox_offerings.controller.leader import RELEASE_SECONDS, Timing
from proxmox_offerings.controller.ring import MOST_MEMBERS, Share, View
from proxmox_offerings.kube.errors import Conflict, KubeError, NotFound, NotLeading
from proxmox_offerings.kube.lease import Claim, LiveLease
from proxmox_offerings.kube.objects import Ref
from proxmox_offerings.resources import GROUP

log = structlog.get_logger(__name__)

LABEL: Final = f"{GROUP}/members-of"
"""Of the Leases of all members; its value is the name of the Lease that they hold together."""
VIEW: Final = f"{GROUP}/members"
"""The annotation in which a member publishes whom it takes for alive."""
TOGETHER: Final = "members share the work"
"""Who holds the Lease that is held together."""
NOTHING: Final[Share] = frozenset()


class LeaseStore(Protocol):
    """Where the Leases are (kube.lease.Leases)."""

    async def list(self) -> Mapping[str, LiveLease]: ...

    async def read(self, name: str) -> LiveLease | None: ...

    async def write(
        self, name: str, claim: Claim, *, before: LiveLease | None, annotations: Mapping[str, str]
    ) -> LiveLease: ...

    async def aclose(self) -> None: ...


Settle = Callable[[Share], Awaitable[None]]
"""Told what may be worked on by now; when it ends, nothing else is worked on any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A version of a Lease, and when we saw it first."""

    lease: LiveLease
    at: float


class _LostError(Exception):
    """Others may take this member for dead."""


class Member:
    """One member. The connection is closed at the end, with `aclose`. Time is the running loop's; `now` only writes what people read."""

    def __init__(
        self,
        leases: LeaseStore,
        *,
        group: str,
        identity: str,
        timing: Timing,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rng: random.Random | None = None,
    ) -> None:
        self.identity = identity
        self._leases = leases
        self._group = group
        self._timing = timing
        self._now = now
        self._random = rng or random.Random()  # noqa: S311 - delays, not secrets
        self._names = {number: f"{group}-{number}" for number in range(MOST_MEMBERS)}
        self._known = {group, *self._names.values()}
        self._seen: dict[str, _Seen] = {}
        self._listed_at = -math.inf
        self._number: int | None = None
        self._barred: set[int] = set()
        self._published: View | None = None
        self._unsure = False
        self._renewed_at = -math.inf
        self._own_until = -math.inf
        self._common_until = -math.inf
        self._limit: asyncio.Timeout | None = None
        self._share = NOTHING
        self._told = ""

    @property
    def share(self) -> Share:
        """What nobody else can work on at this moment, and we may."""
        return self._share if asyncio.get_running_loop().time() < self._until else NOTHING

    @property
    def members(self) -> int:
        """How many are alive, as far as we know; 0 while we are not one of them."""
        return len(self._published or ()) if asyncio.get_running_loop().time() < self._until else 0

    def owns(self, host: Ref) -> bool:
        """Whether we may work on `host`."""
        return ring.bucket_of(host) in self.share

    def require(self) -> None:
        """Raises NotLeading unless we may write for the host that is acted for."""
        host = host_acted_for()
        if host is None or not self.owns(host):
            raise NotLeading("not sent: another process may work on this host")

    async def run(self, *, settle: Settle) -> None:
        """Be a member until cancelled."""
        try:
            while True:
                try:
                    async with asyncio.timeout_at(self._until if self._share else None) as self._limit:
                        await self._try_turn(settle)
                except (TimeoutError, _LostError) as lost:
                    log.warning(
                        "not a member any more", identity=self.identity, problem=str(lost) or "not renewed in time"
                    )
                    await self._let_go(settle)
                await asyncio.sleep(self._pause())
        finally:
            self._limit = None
            await self._let_go(settle)
            await self._release()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._leases.aclose()

    @property
    def _until(self) -> float:
        return min(self._own_until, self._common_until)

    def _pause(self) -> float:
        """Twice as often as Leases are renewed, so that who leaves is noticed within half a period; more often while others have to let go."""
        waits = (
            self._number is not None and self._published and self._share != ring.share_of(self._number, self._published)
        )
        delay = self._timing.retry_period / (8 if waits else 2) * self._random.uniform(0.75, 1.0)
        left = self._until - asyncio.get_running_loop().time()
        return min(delay, left) if self._share and left > 0 else delay

    async def _let_go(self, settle: Settle) -> None:
        # First: what is abandoned may not write on its way out.
        self._share, self._published = NOTHING, None
        self._own_until = self._common_until = -math.inf
        await settle(NOTHING)

    async def _try_turn(self, settle: Settle) -> None:
        try:
            await self._turn(settle)
        except (Conflict, NotFound):
            pass  # somebody was faster, or we ourselves were and the answer was lost: the next list tells
        except KubeError as error:
            self._tell(str(error))
        else:
            self._told = ""

    async def _turn(self, settle: Settle) -> None:
        """Look, publish what is new, and work on what is ours by that. Raises KubeError, _LostError."""
        if asyncio.get_running_loop().time() >= self._own_until:
            # Others may have taken us for dead: what follows is a new beginning.
            self._published = None
        found, began = await self._look()
        number = self._place(found, began)
        view = self._alive(began) | {number}
        if view != self._published or self._unsure or began >= self._renewed_at + self._timing.retry_period:
            await self._set(settle, self._share & ring.share_of(number, view))
            if await self._publish(number, found.get(self._names[number]), view):
                found, began = await self._look()
                if self._place(found, began) != number or self._alive(began) | {number} != view:
                    return
        await self._bury(found, began, number)
        await self._hold_together(found, began)
        others = self._claims_of_others(began, number)
        in_time = asyncio.get_running_loop().time() < self._until
        await self._set(settle, ring.share_of(number, view) - others if in_time else NOTHING)

    async def _set(self, settle: Settle, share: Share) -> None:
        if share == self._share:
            return
        # What is lost is lost at once, for `settle` may take its time.
        self._share = share
        log.info(
            "share of the work",
            identity=self.identity,
            member=self._number,
            members=len(self._published or ()),
            percent=round(100 * len(share) / ring.BUCKETS, 1),
        )
        await settle(share)

    async def _look(self) -> tuple[Mapping[str, LiveLease], float]:
        """All Leases, and when they were asked for. Raises KubeError, _LostError."""
        clock = asyncio.get_running_loop().time
        began = clock()
        listed = await self._leases.list()
        found = {name: lease for name, lease in listed.items() if name in self._known}
        self._require_in_time()
        for name, lease in found.items():
            known = self._seen.get(name)
            if name == self._group and known is not None and known.lease.version != lease.version:
                # Written after it was seen last. Whoever wants to lead counts from then, and longer.
                self._common_renewed(lease, began=self._listed_at)
            self._note(name, lease)
        for name in self._seen.keys() - found.keys() - {self._group}:  # that one may be there without the label
            if not self._is_alive(name, began):
                del self._seen[name]
        self._listed_at = began
        return found, began

    def _note(self, name: str, lease: LiveLease) -> None:
        known = self._seen.get(name)
        if known is None or known.lease.version != lease.version:
            self._seen[name] = _Seen(lease=lease, at=asyncio.get_running_loop().time())

    def _is_alive(self, name: str, began: float) -> bool:
        """Whether the holder of a Lease, by a list that was asked for at `began`, may still act on it. One that was deleted meanwhile may, too."""
        seen = self._seen.get(name)
        if seen is None or not seen.lease.claim.holder:
            return False
        return began < seen.at + (seen.lease.claim.duration or self._timing.lease_duration)

    def _alive(self, began: float) -> View:
        return frozenset(number for number, name in self._names.items() if self._is_alive(name, began))

    def _place(self, found: Mapping[str, LiveLease], began: float) -> int:
        """The number that is ours, or the lowest that nobody has. Raises _LostError, KubeError if there is none."""
        ours = [
            number
            for number, name in self._names.items()
            if name in found and found[name].claim.holder == self.identity
        ]
        if self._number in ours:
            return self._number
        if self._share:
            raise _LostError("its Lease is gone, or another's")
        free = (
            number
            for number, name in self._names.items()
            if number not in self._barred and not self._is_alive(name, began)
        )
        number = next(iter(ours), next(free, None))
        if number is None:
            self._barred.clear()
            raise KubeError(f"there are {MOST_MEMBERS} members already: this process stands by")
        return number

    def _claims_of_others(self, began: float, number: int) -> Share:
        return ring.union(
            self._claim_in(other, self._seen[name].lease)
            for other, name in self._names.items()
            if other != number and self._is_alive(name, began)
        )

    def _claim_in(self, number: int, lease: LiveLease) -> Share:
        view = ring.read(lease.annotations.get(VIEW))
        return ring.ALL if view is None else ring.share_of(number, view)

    async def _publish(self, number: int, before: LiveLease | None, view: View) -> bool:
        """Renew our Lease; returns whether the claims of others have to be looked at after this. Raises KubeError, _LostError."""
        clock = asyncio.get_running_loop().time
        again = view != self._published
        until = self._own_until
        self._unsure = True
        began = clock()
        try:
            written = await self._leases.write(
                self._names[number],
                self._claim(self.identity, before),
                before=before,
                annotations={VIEW: ring.written(view)},
            )
        except Conflict:
            if before is None:
                self._barred.add(number)  # somebody was faster, or took the label away
            raise
        self._require_in_time()
        self._barred.clear()
        again |= clock() >= until
        self._unsure = False
        self._number, self._published = number, view
        self._renewed_at, self._own_until = began, began + self._timing.renew_deadline
        self._note(self._names[number], written)
        self._put_off_limit()
        return again

    async def _bury(self, found: Mapping[str, LiveLease], began: float, number: int) -> None:
        """Say of who is dead that nobody holds its Lease, so that who comes new does not wait for it. Raises KubeError.

        And of ours under another number, which a request left behind that was given up long ago.
        """
        for other, name in self._names.items():
            lease = found.get(name)
            if other == number or lease is None or not lease.claim.holder:
                continue
            if lease.claim.holder != self.identity and self._is_alive(name, began):
                continue
            with contextlib.suppress(Conflict, NotFound):
                await self._give_back(name, lease)
                log.warning("member buried", identity=self.identity, dead=lease.claim.holder)

    async def _hold_together(self, found: Mapping[str, LiveLease], began: float) -> None:
        """Renew the Lease by which others elect a leader, unless another member just did. Raises KubeError, _LostError."""
        clock = asyncio.get_running_loop().time
        lease = found.get(self._group) or await self._leases.read(self._group)
        if lease is not None:
            self._note(self._group, lease)
        holder = lease.claim.holder if lease is not None else ""
        if holder == TOGETHER:
            if began < self._seen[self._group].at + self._timing.retry_period and clock() < self._common_until:
                return
        elif self._is_alive(self._group, began):
            self._common_until = -math.inf
            raise KubeError(f"a process that leads alone ({holder or 'whose Lease was deleted'}) has to end first")
        sent = clock()
        try:
            written = await self._leases.write(self._group, self._claim(TOGETHER, lease), before=lease, annotations={})
        except (Conflict, NotFound):
            return  # another member was faster, as the next list will tell
        self._require_in_time()
        self._note(self._group, written)
        self._common_renewed(written, began=sent)

    def _common_renewed(self, lease: LiveLease, *, began: float) -> None:
        if lease.claim.holder == TOGETHER:
            self._common_until = max(self._common_until, began + self._timing.renew_deadline)
            self._put_off_limit()

    def _put_off_limit(self) -> None:
        if self._limit is not None and self._limit.when() is not None and not self._limit.expired():
            self._limit.reschedule(self._until)

    def _require_in_time(self) -> None:
        """Raises _LostError if the time was over before an answer came: it may have been over for long."""
        if self._share and asyncio.get_running_loop().time() >= self._until:
            raise _LostError("renewed too late")

    def _claim(self, holder: str, before: LiveLease | None) -> Claim:
        return claimed(holder, before=before, duration=self._timing.lease_duration, now=self._now())

    async def _release(self) -> None:
        """Let the others take over at once. What is held together is not given back: somebody may be joining at this moment."""
        if self._number is None:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                found, _ = await self._look()
                mine = found.get(self._names[self._number])
                if mine is not None and mine.claim.holder == self.identity:
                    await self._give_back(self._names[self._number], mine)
                    log.info("lease given back", identity=self.identity)
        except (KubeError, TimeoutError) as problem:
            log.warning("lease not given back", identity=self.identity, problem=str(problem) or "no answer")

    async def _give_back(self, name: str, lease: LiveLease) -> None:
        await self._leases.write(name, given_back(lease.claim), before=lease, annotations={})

    def _tell(self, problem: str) -> None:
        """One line when what is wrong changes."""
        if problem != self._told:
            self._told = problem
            log.warning("no share of the work", identity=self.identity, leases=str(self._leases), problem=problem)
