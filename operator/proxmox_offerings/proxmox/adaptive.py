"""How many calls to nodes may be in flight: as many as a cluster answers well, halved when it does not, one more after each round that went well.

That is how TCP finds what a path carries (additive increase, multiplicative decrease; RFC 5681 3.1). What tells of too much is decided here as well:

- The entry node says so, or cannot pass calls on: 429, 502, 503, 504. It carries the calls of all nodes.
- Most of the nodes that were asked last answered slowly or not at all (595 to 599). One node that is dead or hangs is that node's trouble alone.
  While they do answer, half of the calls are left, however slow they are: where each takes half a minute, with fewer not all would be read within
  the time that it is believed, and nothing could be sold.

Any other answer that came quickly is a good one: Proxmox VE answers 403 or 500 for what a token may not see or a node does not have, however
little there is to do (docs/design/a-cluster-in-trouble-is-asked-less.md).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

TOO_MUCH: Final = frozenset({429, 502, 503, 504})
NODE_DOES_NOT_ANSWER: Final = range(595, 600)
"""The entry node's answers for a node that is dead or hangs (proxmox-api.md 2.9)."""


class Place:
    """One call in flight. Tell it how the call ended, if that is known."""

    def __init__(self, limit: "AdaptiveLimit", lowered: int) -> None:
        self._limit = limit
        self._lowered = lowered

    def ended(self, *, node: str, status: int | None, seconds: float) -> None:
        """`status`: of HTTP; None where no answer came, or none that could be read."""
        # Calls that were in flight when the limit was lowered tell nothing about the lower one.
        if self._lowered == self._limit.lowered:
            self._limit.judge(node=node, status=status, seconds=seconds)


class AdaptiveLimit:
    """For at most `most` calls at the same time, and at least one; those that wait go in their order. An answer is slow from `slow` seconds on."""

    def __init__(self, most: int, *, slow: float) -> None:
        self._most = most
        self._slow = slow
        self._limit = float(most)
        self._places = asyncio.Semaphore(most)
        self._owed = 0
        """Places that are more than there may be, and are not given to anybody else when they become free."""
        self._failing: dict[str, int] = {}
        """The nodes that were asked last, the latest at the end: how often each did badly since it did well. As many as there may be calls."""
        self.lowered = 0
        """How often so far."""

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        return int(self._limit)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Wait for one, and have it."""
        await self._places.acquire()
        while self._owed:
            self._owed -= 1
            await self._places.acquire()
        try:
            yield Place(self, self.lowered)
        finally:
            self._free()

    def judge(self, *, node: str, status: int | None, seconds: float) -> None:
        """Lower or raise the limit by what one call met."""
        slow = seconds >= self._slow
        if status in TOO_MUCH:
            self._lower(least=1)
        elif status is not None or slow:  # a connection that is refused tells nothing
            lost = status is None or status in NODE_DOES_NOT_ANSWER
            self._remember(node, failed=lost or slow)
            most = max(1, self._most // 2) if slow else self._most
            if not lost and self._limit <= most:
                self._set(min(most, self._limit + 1 / self._limit))
            elif self._most_fail():
                self._lower(least=1 if lost else most)

    def _remember(self, node: str, *, failed: bool) -> None:
        times = self._failing.pop(node, 0)
        self._failing[node] = times + 1 if failed else 0
        if len(self._failing) > self._most:
            del self._failing[next(iter(self._failing))]

    def _most_fail(self) -> bool:
        """Once may be the one dead node, which answered before all others."""
        times = self._failing.values()
        return 2 * sum(map(bool, times)) > len(times) and sum(times) > 1

    def _lower(self, *, least: int) -> None:
        self.lowered += 1
        self._set(max(least, self.limit // 2))

    def _set(self, limit: float) -> None:
        more = int(limit) - self.limit
        self._limit = limit
        self._owed += max(0, -more)
        for _ in range(more):
            self._free()

    def _free(self) -> None:
        if self._owed:
            self._owed -= 1
        else:
            self._places.release()
