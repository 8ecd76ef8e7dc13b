"""Whether the API server can be heard: which watches and lists fail at present, and since when.

One line in the log when the first of them fails, one for each further problem, one when all work again; none for each attempt.
"""

import time
from collections.abc import Callable, Iterable

import structlog

log = structlog.get_logger(__name__)


class Contact:
    """Told of each failure and each success. `clock` is monotonic, in seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing: dict[str, float] = {}
        self._told: set[str] = set()

    def awaits(self, names: Iterable[str]) -> None:
        """These should work before long; until then nobody says that all do."""
        self._failing |= dict.fromkeys(names, self._clock())

    def failed(self, what: str, problem: str) -> None:
        """`what` does not work, for this reason."""
        self._failing.setdefault(what, self._clock())
        if problem not in self._told:
            self._told.add(problem)
            log.warning("API server not heard", what=what, problem=problem)

    def works(self, what: str) -> None:
        """`what` works."""
        self._failing.pop(what, None)
        if self._told and not self._failing:
            self._told.clear()
            log.info("API server heard again")

    @property
    def lost_seconds(self) -> float:
        """For how long something has not worked; 0 while all does."""
        return self._clock() - min(self._failing.values()) if self._failing else 0.0
