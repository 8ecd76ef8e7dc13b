"""A keyed work queue with the contract of controller-runtime: what is to be done is named by a key, and nothing else is remembered about why.

- A key that waits is there once, however often it is added.
- Work on one key never overlaps. A key that is added while it is worked on is worked on once more afterwards.
- A key may be due later; the earliest time wins. Adding it at once takes the place of that.
- Of what was edited the first edit is worked on at once, those that follow closely together (pace.py).
- Work that raises is repeated after a delay that grows with each failure, apart for each key. Other keys go on.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.pace import Pace

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """When to work on the key again, if nobody adds it before: `after` seconds; None: only when added.

    `retry`: something could not be done, and is to be tried again in so many seconds, or instead of that when edits of the key are worked on.
    """

    after: float | None
    retry: float | None = None


Work = Callable[[Key], Awaitable[Requeue]]
Failed = Callable[[Key, Exception, float], None]
"""Told of each failure: the key, what was raised, and the seconds until the next attempt."""


class Watcher(Protocol):
    """Told of what happens to keys, for metrics; times in seconds."""

    def added(self) -> None: ...

    def began(self, waited: float) -> None: ...

    def ended(self, worked: float) -> None: ...

    def repeated(self) -> None: ...


class Unwatched:
    """Nobody is told."""

    def added(self) -> None: ...

    def began(self, waited: float) -> None: ...

    def ended(self, worked: float) -> None: ...

    def repeated(self) -> None: ...


class WorkQueue(Generic[Key]):
    """Calls `work` for each key, for at most `concurrency` keys at a time. Time is the running loop's."""

    def __init__(
        self,
        work: Work[Key],
        *,
        concurrency: int,
        failed: Failed[Key],
        rng: random.Random | None = None,
        watcher: Watcher | None = None,
        pace: Pace[Key] | None = None,
    ) -> None:
        self._work = work
        self._concurrency = concurrency
        self._failed = failed
        self._random = rng or random.Random()  # noqa: S311 - delays, not secrets
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._watcher = watcher or Unwatched()
        self._waiting: dict[Key, float] = {}
        self._running: dict[Key, float] = {}
        self._again: set[Key] = set()
        self._later: dict[Key, asyncio.TimerHandle] = {}
        self._pace: Pace[Key] = Pace() if pace is None else pace
        self._edited: dict[Key, asyncio.TimerHandle] = {}
        self._backoffs: dict[Key, Backoff] = {}
        self._workers: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        """Keys that wait for a worker."""
        return len(self._waiting)

    @property
    def active(self) -> int:
        """Keys that are being worked on."""
        return len(self._running)

    @property
    def seconds_in_hand(self) -> tuple[float, ...]:
        """For how long each of the keys that are being worked on has been."""
        now = asyncio.get_running_loop().time() if self._running else 0.0
        return tuple(now - since for since in self._running.values())

    def add(self, key: Key) -> None:
        """Work on `key` as soon as a worker is free."""
        for timers in (self._later, self._edited):
            if timer := timers.pop(key, None):
                timer.cancel()
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().time()
            self._watcher.added()
            self._ready.put_nowait(key)

    def edited(self, key: Key) -> None:
        """Work on `key` as soon as a worker is free or, where edits follow closely, when they pause."""
        now = asyncio.get_running_loop().time()
        due = self._pace.edited(key, now)
        if due <= now:
            self.add(key)
        elif key not in self._waiting:
            self._await_edits(key, due)

    def add_after(self, key: Key, delay: float) -> None:
        """Work on `key` in `delay` seconds, unless it is due before."""
        if delay <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        timer = self._later.get(key)
        if key in self._waiting or (timer is not None and timer.when() <= due):
            return
        if timer is not None:
            timer.cancel()
        self._later[key] = loop.call_at(due, self.add, key)

    def start(self) -> None:
        """Start the workers; keys may have been added before."""
        self._workers = [
            asyncio.create_task(self._run(), name=f"work queue worker {number}") for number in range(self._concurrency)
        ]

    async def stop(self) -> None:
        """Abandon all work where it stands, and wait until it is. Nothing is worked on afterwards, unless it is started again."""
        for timers in (self._later, self._edited):
            for timer in timers.values():
                timer.cancel()
            timers.clear()
        self._again.clear()
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.cancel()
        for worker in workers:
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    async def _run(self) -> None:
        while True:
            key = await self._ready.get()
            began = asyncio.get_running_loop().time()
            self._watcher.began(began - self._waiting.pop(key))
            self._running[key] = began
            self._pace.seen(key)
            try:
                next_time = await self._attempt(key)
            finally:
                del self._running[key]
                self._watcher.ended(asyncio.get_running_loop().time() - began)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
                continue
            if next_time.after is not None:
                self.add_after(key, next_time.after)
            if next_time.retry is not None and key not in self._edited and key not in self._waiting:
                self._await_edits(key, asyncio.get_running_loop().time() + next_time.retry)

    def _await_edits(self, key: Key, due: float) -> None:
        if timer := self._edited.pop(key, None):
            timer.cancel()
        self._edited[key] = asyncio.get_running_loop().call_at(due, self.add, key)

    async def _attempt(self, key: Key) -> Requeue:
        try:
            requeue = await self._work(key)
        except Exception as error:  # noqa: BLE001 - one broken key must not stop the others; `failed` is told
            delay = self._backoffs.setdefault(key, Backoff(rng=self._random)).next()
            self._watcher.repeated()
            self._failed(key, error, delay)
            return Requeue(after=None, retry=delay)
        self._backoffs.pop(key, None)
        return requeue
