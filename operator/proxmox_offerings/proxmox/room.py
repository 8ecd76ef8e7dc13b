"""How much of answers may be in memory at the same time, over all clusters: one that is large is handled, many that are large at once are not fatal.

What does not fit is refused, not waited for: who waits holds what it has, and two would wait for each other. A refused call is tried again like any
that failed, and by then others have ended.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

BYTES_AT_ONCE: Final = 96 * 2**20
"""Of all answers that are being read, until they are parsed: three of the largest that there may be, or fifty of clusters with 5,000 guests."""
BYTES_OF_ONE: Final = 32 * 2**20
"""Of those of one ProxmoxHost, so that no single one takes all."""


class NoRoom(Exception):
    """It does not fit at present."""


class Held:
    """What one answer takes by now."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self.bytes = 0

    def more(self, size: int) -> None:
        """Take `size` bytes more. Raises NoRoom."""
        self._room.take(size)
        self.bytes += size


class Room:
    """For `most` bytes; `within` another one, if that is given."""

    def __init__(self, most: int, *, within: "Room | None" = None) -> None:
        self._most = most
        self._within = within
        self.taken = 0

    @contextmanager
    def held(self) -> Iterator[Held]:
        """Room for one answer, given back at the end."""
        held = Held(self)
        try:
            yield held
        finally:
            self.give(held.bytes)

    def take(self, size: int) -> None:
        """Raises NoRoom."""
        if self.taken + size > self._most:
            raise NoRoom
        if self._within is not None:
            self._within.take(size)
        self.taken += size

    def give(self, size: int) -> None:
        """The opposite."""
        self.taken -= size
        if self._within is not None:
            self._within.give(size)


OF_THE_PROCESS: Final = Room(BYTES_AT_ONCE)
