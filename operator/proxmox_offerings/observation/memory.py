"""What calls answered last, and for how long that is believed.

A call that fails leaves its last answer believed for a while; then the answer is gone, because stale data must never become numbers.
"""

from collections.abc import Hashable, Iterator


class Memory:
    """The last good answer of each call, under any name, with the monotonic time when it came."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[object, float]] = {}

    def put(self, call: Hashable, answer: object, *, at: float) -> None:
        self._answers[call] = (answer, at)

    def get(self, call: Hashable, *, since: float) -> object | None:
        """The answer if it came at or after `since`; else None."""
        answer, at = self._answers.get(call, (None, since))
        return answer if at >= since else None

    def believed(self, *, since: float) -> Iterator[Hashable]:
        """The calls that have an answer."""
        return (call for call, (_, at) in self._answers.items() if at >= since)

    def keep(self, calls: frozenset[Hashable]) -> None:
        """Forget all other calls."""
        self._answers = {call: answer for call, answer in self._answers.items() if call in calls}
