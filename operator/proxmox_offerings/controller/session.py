"""What is remembered about one ProxmoxHost between two reconciles: its observer, what it saw last, and when Proxmox may be asked again.

All of it may be lost at any time; then Proxmox is read once more. The rhythm is kept here, so that a reconcile that happens for another reason
(an Offering edited by hand, the echo of our own write) never asks Proxmox out of turn.
"""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.problems import SUSPENDED, Problem
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.kube.objects import Ref
from proxmox_offerings.proxmox.errors import ObservationError
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.resources import ProxmoxHostSpec


class Observer(Protocol):
    """Reads one cluster (observation.connect)."""

    async def observe(self) -> Snapshot: ...

    async def aclose(self) -> None: ...


class OpenObserver(Protocol):
    """Makes an observer; nothing is read yet. `on_news` is called when it is worth observing again before it is time."""

    def __call__(self, *, spec: ProxmoxHostSpec, token: Token, on_news: Callable[[], None]) -> Observer: ...


ReadToken = Callable[[str, str], Awaitable[Token]]
"""Namespace and name of the Secret -> the token (kube.secrets.Secrets.token)."""
NEWS_SECONDS: Final = 1.0
"""News is waited for this long, so that what comes together (the nodes of a cluster, one after another) is read together."""

Observed = Callable[[str, float], None]
"""Told of each reading of Proxmox: "ok" or the reason of the failure, and how many seconds it took."""


class Session:
    """The observation of one ProxmoxHost. Not to be used by two at a time.

    `spread`: the Offerings that were written at a moment of their own, and `host_spread`: whether the host's status was (wanted.Wanted.is_spread).
    """

    def __init__(
        self,
        ref: Ref,
        *,
        open_observer: OpenObserver,
        read_token: ReadToken,
        on_news: Callable[[Ref, float], None],
        backoff: Backoff,
        observed: Observed = lambda *_: None,
    ) -> None:
        self.ref = ref
        self.snapshot: Snapshot | None = None
        self.problem: Problem | None = None
        self.spread: frozenset[str] = frozenset()
        self.host_spread = False
        self._open_observer = open_observer
        self._read_token = read_token
        self._on_news = on_news
        self._backoff = backoff
        self._observed = observed
        self._observer: Observer | None = None
        self._opened_for: tuple[object, Token] | None = None
        self._news_came = False
        self._looked_at: ProxmoxHostSpec | None = None
        self._due = -math.inf
        # Of what was read before there was this session, nobody knows how old it is; it is not younger than this.
        self._read_at = asyncio.get_running_loop().time()

    @property
    def seconds_until_due(self) -> float:
        """Until Proxmox may be asked again, not below 0; infinite while suspended."""
        return max(0.0, self._due - asyncio.get_running_loop().time())

    @property
    def seconds_until_lapsed(self) -> float:
        """Until nothing was read for as long as a statement may be trusted, whatever the wall clock says; infinite if that is so, or unknown."""
        left = self._seconds_left()
        return left if left > 0 else math.inf

    @property
    def lapsed(self) -> bool:
        """Whether nothing was read for as long as a statement may be trusted. The wall clock may think otherwise, if it was set back."""
        return self._seconds_left() <= 0

    def believable(self, spec: ProxmoxHostSpec, *, now: datetime) -> Snapshot | None:
        """The last snapshot, while a statement made from it would still be valid, and if it is of the cluster that `spec` names.

        One from the future is not believed: the clock was set back.
        """
        seen = self.snapshot
        if seen is None or self._looked_at is None or _place(self._looked_at) != _place(spec):
            return None
        if asyncio.get_running_loop().time() >= self._read_at + spec.validity_seconds:
            return None
        return seen if seen.observed_at <= now < seen.observed_at + timedelta(seconds=spec.validity_seconds) else None

    async def look(self, spec: ProxmoxHostSpec, *, now: datetime) -> None:
        """Read Proxmox if it is time to; afterwards `snapshot` and `problem` say what is known.

        Where the spec changed and a believable snapshot is at hand, that is enough for now, so that the change acts at once. Raises KubeError.
        """
        believable = self.believable(spec, now=now) is not None
        before, self._looked_at = self._looked_at, spec
        if before is not None and _place(before) != _place(spec):
            await self._another_place()
        if spec.suspend:
            await self.close()
            self.problem, self._due = SUSPENDED, math.inf
            return
        if before is None:
            self._due = -math.inf
        elif before != spec:
            self._due = min(self._due, self._next_beat(spec))
            if self.problem is not None or _read_by_observer(before) != _read_by_observer(spec):
                self._due = -math.inf
            if believable:
                return
        if not believable and self.problem is None:
            self._due = -math.inf
        if self.seconds_until_due > 0:
            return
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            await self._observe(spec)
        except ObservationError as error:
            self._observed(error.reason, clock() - began)
            self.fail(Problem.of(error), spec)
        else:
            self._observed("ok", clock() - began)
            self.problem = None
            # News that came during this reading may or may not be in it.
            self._due = min(self._next_beat(spec), clock() + NEWS_SECONDS if self._news_came else math.inf)

    def used(self) -> None:
        """What is known was good for a plan: the next failure is a first one again."""
        if self.problem is None:
            self._backoff.reset()

    def fail(self, problem: Problem, spec: ProxmoxHostSpec) -> None:
        """What is known cannot be used, for this reason; ask again before long."""
        self.problem = problem
        self._due = asyncio.get_running_loop().time() + self._backoff.next(most=spec.refresh_interval_seconds)

    async def forget(self) -> None:
        """Nobody knows what to look at: do not read until `look` is told, and believe nothing seen before."""
        await self.close()
        self.snapshot, self._looked_at, self._due = None, None, math.inf

    async def close(self) -> None:
        """Stop reading. What was seen is kept."""
        observer, self._observer, self._opened_for = self._observer, None, None
        if observer is not None:
            await observer.aclose()

    async def _observe(self, spec: ProxmoxHostSpec) -> None:
        token = await self._read_token(self.ref.namespace, spec.credentials_secret_ref.name)
        wanted = (_read_by_observer(spec), token)
        if self._observer is None or self._opened_for != wanted:
            await self.close()
            self._observer = self._open_observer(spec=spec, token=token, on_news=self._news)
            self._opened_for = wanted
        self._news_came = False
        self.snapshot = await self._observer.observe()
        self._read_at = asyncio.get_running_loop().time()

    def _seconds_left(self) -> float:
        if self._looked_at is None:
            return math.inf
        return self._read_at + self._looked_at.validity_seconds - asyncio.get_running_loop().time()

    async def _another_place(self) -> None:
        """Another cluster, or another proof of being it: nothing seen so far is about it."""
        await self.close()
        self.snapshot, self.problem = None, None
        self._due = -math.inf
        self._backoff.reset()

    def _news(self) -> None:
        """What is wrong is not mended by news; then the observer is asked again before long anyway."""
        self._news_came = True
        if self.problem is None:
            self._due = min(self._due, asyncio.get_running_loop().time() + NEWS_SECONDS)
            self._on_news(self.ref, NEWS_SECONDS)

    def _next_beat(self, spec: ProxmoxHostSpec) -> float:
        """The next moment of this host's own rhythm that is not just now: all hosts together are spread over the interval."""
        interval = spec.refresh_interval_seconds
        phase = int.from_bytes(hashlib.blake2b(str(self.ref).encode(), digest_size=4).digest()) / 2**32 * interval
        soonest = asyncio.get_running_loop().time() + interval / 10
        return phase + math.ceil((soonest - phase) / interval) * interval


def _place(spec: ProxmoxHostSpec) -> tuple[object, ...]:
    return (spec.endpoints, spec.tls)


def _read_by_observer(spec: ProxmoxHostSpec) -> object:
    """What an observer is made for (observation.connect.open_observer); all the rest of the spec is made of what it saw."""
    return (_place(spec), spec.inventory_interval_seconds, spec.allocation.storage.accounting)
