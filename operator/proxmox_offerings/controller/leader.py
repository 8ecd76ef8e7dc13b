"""Who of several processes leads: elects one by a Lease, starts its work, and stops it before anybody else can start.

The rules are those of client-go, with what it leaves open decided (docs/design/one-leader-by-lease.md):

- Only monotonic clocks decide. A follower counts the Lease's duration from when it *saw* the Lease change; the leader counts its deadline, which is
  shorter, from when it *sent* the request that succeeded. The times in the Lease are for people.
- `require` is asked right before each write, so that nothing is sent after the deadline, however long the process was paused.
- Who loses stops its work, and applies anew. The Lease is given back only when the work has ended.
"""

import asyncio
import math
import os
import random
import socket
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from proxmox_offerings.controller.claims import claimed, given_back
from proxmox_offerings.kube.errors import Conflict, KubeError, NotFound, NotLeading
from proxmox_offerings.kube.lease import Claim, LiveLease

log = structlog.get_logger(__name__)

RELEASE_SECONDS: Final = 2.0
"""How long giving the Lease back may take: without an answer by then, it runs out by itself."""


class LeaseStore(Protocol):
    """Where the Lease is (kube.lease.Lease)."""

    async def read(self) -> LiveLease | None: ...

    async def write(self, claim: Claim, *, before: LiveLease | None) -> LiveLease: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """In seconds: how long others wait after the last renewal, how long the leader believes in it, and how often it renews.

    Each is shorter than the one before.
    """

    lease_duration: int
    renew_deadline: float
    retry_period: float


class _LostError(Exception):
    """Another one holds the Lease, or it is gone."""


def own_identity() -> str:
    """A name that no other process has: that of the pod, and something nobody else thinks of."""
    return f"{os.environ.get('HOSTNAME') or socket.gethostname()}_{uuid.uuid4()}"


class Elector:
    """One candidate. The Lease is closed at the end, with `aclose`. Time is the running loop's; `now` only writes what people read."""

    def __init__(
        self,
        lease: LeaseStore,
        *,
        identity: str,
        timing: Timing,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rng: random.Random | None = None,
    ) -> None:
        self.identity = identity
        self._lease = lease
        self._timing = timing
        self._now = now
        self._random = rng or random.Random()  # noqa: S311 - delays, not secrets
        self._until = -math.inf
        self._seen: LiveLease | None = None
        self._seen_at = -math.inf
        self._gone = False
        self._claimed = False
        self._told = ""

    @property
    def leading(self) -> bool:
        """Whether nobody else can lead at this moment, and we do."""
        return asyncio.get_running_loop().time() < self._until

    def require(self) -> None:
        """Raises NotLeading unless `leading`."""
        if not self.leading:
            raise NotLeading("not sent: this process does not lead")

    async def run(self, *, lead: Callable[[], None], rest: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled: whenever elected call `lead`, and when that ends await `rest`, after which nothing may be left of what `lead` started."""
        try:
            while True:
                await self._until_elected()
                log.info("leading", identity=self.identity)
                try:
                    lead()
                    why = await self._until_lost()
                    log.warning("not leading any more", identity=self.identity, problem=why)
                finally:
                    # First: what is abandoned may not write on its way out.
                    self._until = -math.inf
                    await rest()
        finally:
            await self._release()

    async def aclose(self) -> None:
        """Close the connection to the Lease."""
        await self._lease.aclose()

    async def _until_elected(self) -> None:
        while True:
            try:
                if await self._apply():
                    self._told = ""
                    return
                self._told = ""
            except Conflict:
                pass  # somebody was faster
            except KubeError as error:
                self._tell(str(error))
            # Twice as often as the leader renews: a Lease that was given back is taken up within half a period.
            clock = asyncio.get_running_loop().time()
            runs_out = self._seen_at + self._promised() - clock
            delay = self._jittered(self._timing.retry_period / 2)
            await asyncio.sleep(min(delay, runs_out) if runs_out > 0 else delay)

    async def _apply(self) -> bool:
        """Claim the Lease if it is free. Raises KubeError."""
        clock = asyncio.get_running_loop().time
        found = await self._lease.read()
        if found is None:
            # Nobody had it yet; or somebody deleted it, and whoever held it may not know.
            if self._seen is not None and not self._gone:
                self._gone, self._seen_at = True, clock()
            taken = self._gone
        else:
            if self._gone or self._seen is None or found.version != self._seen.version:
                self._seen, self._seen_at, self._gone = found, clock(), False
            taken = found.claim.holder not in ("", self.identity)
        if taken and clock() < self._seen_at + self._promised():
            return False
        await self._claim(found)
        return self.leading

    async def _until_lost(self) -> str:
        """Renew until that fails; returns why."""
        try:
            while True:
                async with asyncio.timeout_at(self._until):
                    await asyncio.sleep(self._jittered(self._timing.retry_period))
                    await self._renew()
        except TimeoutError:
            return "the Lease was not renewed in time"
        except _LostError as lost:
            return str(lost)

    async def _renew(self) -> None:
        """Try to renew. Raises _LostError."""
        deadline = self._until
        try:
            try:
                await self._claim(self._seen)
            except Conflict:
                # Somebody wrote to it; perhaps we ourselves, and the answer was lost.
                await self._claim(await self._still_ours())
        except NotFound:
            raise _LostError("the Lease was deleted") from None
        except KubeError as error:
            self._tell(str(error))
            return
        if asyncio.get_running_loop().time() >= deadline:
            # Nobody else led meanwhile, but work may have been refused, and is begun anew as a whole.
            raise _LostError("the Lease was renewed too late")
        self._told = ""

    async def _still_ours(self) -> LiveLease:
        """The Lease as it is by now. Raises KubeError, _LostError if it is not ours any more."""
        found = await self._lease.read()
        if found is None or found.claim.holder != self.identity:
            raise _LostError("another process took the Lease")
        return found

    async def _claim(self, before: LiveLease | None) -> None:
        """Say that it is ours, in a Lease that differs from `before` whatever the clock says. Raises KubeError."""
        clock = asyncio.get_running_loop().time
        claim = claimed(self.identity, before=before, duration=self._timing.lease_duration, now=self._now())
        self._claimed = True
        began = clock()
        written = await self._lease.write(claim, before=before)
        self._seen, self._seen_at, self._gone = written, clock(), False
        self._until = began + self._timing.renew_deadline

    async def _release(self) -> None:
        """Let another one lead at once."""
        if not self._claimed:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                found = await self._lease.read()
                if found is not None and found.claim.holder == self.identity:
                    await self._lease.write(given_back(found.claim), before=found)
                    log.info("lease given back", identity=self.identity)
        except (KubeError, TimeoutError) as problem:
            log.warning("lease not given back", identity=self.identity, problem=str(problem) or "no answer")

    def _promised(self) -> float:
        """Seconds for which the Lease that was seen last is its holder's."""
        return float((self._seen.claim.duration if self._seen else 0) or self._timing.lease_duration)

    def _jittered(self, seconds: float) -> float:
        return seconds * self._random.uniform(0.75, 1.0)

    def _tell(self, problem: str) -> None:
        """One line when what is wrong changes."""
        if problem != self._told:
            self._told = problem
            log.warning("lease not read or written", identity=self.identity, lease=str(self._lease), problem=problem)
