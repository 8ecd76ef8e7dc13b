"""A keyed work queue with the contract of controller-runtime: what is to be done is named by a key, and nothing else is remembered about why.

- A key that waits is there once, however often it is added.
- Work on one key never overlaps. A key that is added while it is worked on is worked on once more afterwards.
- A key may be due later; the earliest time wins. Adding it at once takes the place of that.
- Of what was edited the first edit is worked on at once, those that follow closely together (pace.py).
- Work that raises is repeated after a delay that grows with each failure, apart for each key. Other keys go on.

And with what that leaves open decided, for many keys whose work is mostly waiting for others (docs/design/slow-work-gives-its-place-back.md):

- What is new goes before what is merely due, but one in four that begin is due, if any is: nobody waits for ever.
- Groups of keys take turns.
- Work that takes longer than `PATIENCE` gives its place back: whoever waits for a slow cluster does not keep others from theirs. Work that waits for
  what all wait for, as writing does, says so (`keep_place`), and keeps it.
"""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.pace import Pace
from proxmox_offerings.controller.turns import Turns

Key = TypeVar("Key", bound=Hashable)

PATIENCE: Final = 5.0
"""Seconds after which work is slow."""
SLOW_FOR_EACH_PLACE: Final = 8
"""Slow work that may be in hand at the same time, for each place."""
NEW_IN_A_ROW: Final = 3
"""Keys that are new begin before one that is due, if any is."""


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


@dataclass(slots=True, kw_only=True)
class _Run:
    """Work in hand. `slow`: it gave its place back; `patience`: when it would."""

    task: asyncio.Task[None]
    since: float
    slow: bool = False
    patience: asyncio.TimerHandle


class WorkQueue(Generic[Key]):
    """Calls `work` for each key, for at most `concurrency` keys at a time that are not slow. Time is the running loop's."""

    def __init__(
        self,
        work: Work[Key],
        *,
        concurrency: int,
        failed: Failed[Key],
        rng: random.Random | None = None,
        watcher: Watcher | None = None,
        pace: Pace[Key] | None = None,
        group: Callable[[Key], Hashable] = lambda _: None,
    ) -> None:
        self._work = work
        self._concurrency = concurrency
        self._failed = failed
        self._random = rng or random.Random()  # noqa: S311 - delays, not secrets
        self._watcher = watcher or Unwatched()
        self._started = False
        self._filling: asyncio.Handle | None = None
        self._new: Turns[Key] = Turns(group)
        self._due: Turns[Key] = Turns(group)
        self._new_in_a_row = 0
        self._waiting: dict[Key, float] = {}
        self._running: dict[Key, _Run] = {}
        self._slow = 0
        self._again: set[Key] = set()
        self._later: dict[Key, asyncio.TimerHandle] = {}
        self._pace: Pace[Key] = Pace() if pace is None else pace
        self._edited: dict[Key, asyncio.TimerHandle] = {}
        self._backoffs: dict[Key, Backoff] = {}

    def __len__(self) -> int:
        """Keys that wait for a place."""
        return len(self._waiting)

    @property
    def active(self) -> int:
        """Keys that are being worked on."""
        return len(self._running)

    @property
    def seconds_in_hand(self) -> tuple[float, ...]:
        """For how long each of the keys that are being worked on has been."""
        now = asyncio.get_running_loop().time() if self._running else 0.0
        return tuple(now - run.since for run in self._running.values())

    def add(self, key: Key) -> None:
        """Work on `key` as soon as there is a place."""
        self._add(key, self._new)

    def edited(self, key: Key) -> None:
        """Work on `key` as soon as there is a place or, where edits follow closely, when they pause."""
        now = asyncio.get_running_loop().time()
        due = self._pace.edited(key, now)
        if due <= now:
            self.add(key)
        elif key not in self._waiting:
            self._await_edits(key, due)

    def add_due(self, key: Key) -> None:
        """The same for what can wait for others: there is nothing new about it."""
        self._add(key, self._due)

    def add_after(self, key: Key, delay: float) -> None:
        """Work on `key` in `delay` seconds, unless it is worked on before."""
        if delay <= 0:
            self.add_due(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        timer = self._later.get(key)
        if key in self._waiting or (timer is not None and timer.when() <= due):
            return
        if timer is not None:
            timer.cancel()
        self._later[key] = loop.call_at(due, self.add_due, key)

    def keep_place(self, key: Key) -> None:
        """What is still to do for `key`, if it is worked on, waits for nobody of its own, so it does not give its place back any more."""
        if run := self._running.get(key):
            run.patience.cancel()

    def start(self) -> None:
        """Begin to work; keys may have been added before."""
        self._started = True
        self._fill_soon()

    async def stop(self) -> None:
        """Abandon all work where it stands, and wait until it is. Nothing is worked on afterwards, unless it is started again."""
        self._started = False
        for timers in (self._later, self._edited):
            for timer in timers.values():
                timer.cancel()
            timers.clear()
        self._again.clear()
        await self._abandon(list(self._running))

    async def drop(self, which: Callable[[Key], bool]) -> None:
        """Forget these keys, and abandon the work on them; it has ended when this ends."""
        self._forget(which)
        await self._abandon([key for key in self._running if which(key)])
        self._forget(which)

    def _forget(self, which: Callable[[Key], bool]) -> None:
        for timers in (self._later, self._edited):
            for key in [key for key in timers if which(key)]:
                timers.pop(key).cancel()
        for key in [key for key in self._waiting if which(key)]:
            del self._waiting[key]
            self._new.discard(key)
            self._due.discard(key)
        self._again = {key for key in self._again if not which(key)}
        self._backoffs = {key: backoff for key, backoff in self._backoffs.items() if not which(key)}

    async def _abandon(self, keys: Sequence[Key]) -> None:
        tasks = [self._running[key].task for key in keys]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _add(self, key: Key, turns: Turns[Key]) -> None:
        for timers in (self._later, self._edited):
            if timer := timers.pop(key, None):
                timer.cancel()
        if key in self._running:
            self._again.add(key)
            return
        if key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().time()
            self._watcher.added()
            turns.push(key)
        elif turns is self._new and key in self._due:
            self._due.discard(key)
            turns.push(key)
        self._fill_soon()

    def _fill_soon(self) -> None:
        """In the loop's next round: what is added at the same moment is worked on once."""
        if self._started and self._filling is None:
            self._filling = asyncio.get_running_loop().call_soon(self._fill)

    def _fill(self) -> None:
        self._filling = None
        while self._started and self._waiting and len(self._running) - self._slow < self._concurrency:
            key = self._next()
            now = asyncio.get_running_loop().time()
            self._watcher.began(now - self._waiting.pop(key))
            task = asyncio.create_task(self._run(key), name=f"work on {key}")
            patience = asyncio.get_running_loop().call_later(PATIENCE, self._is_slow, key)
            self._running[key] = _Run(task=task, since=now, patience=patience)
            self._pace.seen(key)
            # A task that is cancelled before it begins does not see that.
            task.add_done_callback(functools.partial(self._ended, key))

    def _next(self) -> Key:
        if self._new and not (self._due and self._new_in_a_row >= NEW_IN_A_ROW):
            self._new_in_a_row += 1
            return self._new.pop()
        self._new_in_a_row = 0
        return self._due.pop()

    def _is_slow(self, key: Key) -> None:
        """Give its place back, unless there are too many of its kind."""
        if self._slow < SLOW_FOR_EACH_PLACE * self._concurrency:
            self._running[key].slow = True
            self._slow += 1
            self._fill_soon()

    def _ended(self, key: Key, _: asyncio.Task[None]) -> None:
        run = self._running.pop(key)
        run.patience.cancel()
        self._slow -= run.slow
        self._watcher.ended(asyncio.get_running_loop().time() - run.since)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        self._fill_soon()

    async def _run(self, key: Key) -> None:
        next_time = await self._attempt(key)
        if key in self._again:
            return  # as soon as this has ended
        if next_time.after is not None:
            self.add_after(key, next_time.after)
        if next_time.retry is not None and key not in self._edited:
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
