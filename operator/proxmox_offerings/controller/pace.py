"""When to act on edits of one object: on the first at once, on those that follow closely when they pause.

Somebody who applies a change sees what comes of it at once. A script, or two controllers that undo each other's work, edit an object again and
again, and nobody is waiting for what is already changed once more. So a burst costs two looks at the object, one when it begins and one when it
ends, however many edits it has and however long each of them takes; and one each minute where it does not end
(docs/design/a-burst-of-edits-is-looked-at-twice.md).
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

SHORTEST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 5.0
"""Seconds without an edit after which those that nobody acted upon yet are: a quarter of the time that they have lasted, within these bounds.

So whoever waits for what comes of each edit before the next one waits for the shortest pause at most, however often.
"""
LONGEST_DELAY: Final = 60.0
"""Seconds after which an edit is acted upon though others follow without a pause."""


@dataclass(slots=True, kw_only=True)
class _Burst:
    """Moments of the last edit, and of the first one that nobody acted upon yet."""

    last: float
    unseen: float | None = None


class Pace(Generic[Key]):
    """Remembers the bursts of late. Moments are seconds of any clock that nobody sets. Pauses of 0: each edit at once."""

    def __init__(self, *, shortest: float = SHORTEST_PAUSE, longest: float = LONGEST_PAUSE) -> None:
        self._shortest = shortest
        self._longest = longest
        self._bursts: dict[Key, _Burst] = {}

    def edited(self, key: Key, now: float) -> float:
        """Take note of an edit. The moment to act on it, if no other one follows."""
        self._forget(now)
        burst = self._bursts.pop(key, None)
        if burst is None or now - burst.last > 2 * self._pause(burst):
            self._bursts[key] = _Burst(last=now)
            return now
        self._bursts[key] = burst
        burst.last = now
        burst.unseen = now if burst.unseen is None else burst.unseen
        return min(now + self._pause(burst), burst.unseen + LONGEST_DELAY)

    def seen(self, key: Key) -> None:
        """All edits of `key` so far are being acted upon."""
        if burst := self._bursts.get(key):
            burst.unseen = None

    def __len__(self) -> int:
        """Objects of which something is remembered."""
        return len(self._bursts)

    def _pause(self, burst: _Burst) -> float:
        lasted = burst.last - (burst.last if burst.unseen is None else burst.unseen)
        return min(max(lasted / 4, self._shortest), self._longest)

    def _forget(self, now: float) -> None:
        """Forget what is over. They are kept in the order of their last edit."""
        while self._bursts:
            key = next(iter(self._bursts))
            if now - self._bursts[key].last <= 2 * self._longest:
                return
            del self._bursts[key]
