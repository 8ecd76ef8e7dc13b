"""How long to wait before trying again: longer each time, bounded, and never in step with others."""

import random
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Delays in seconds: `first`, doubled each time up to `most`, each shortened by up to a quarter at random."""

    first: float = 1.0
    most: float = 300.0
    rng: random.Random = field(default_factory=random.Random)
    _failures: int = 0

    def next(self, *, most: float | None = None) -> float:
        """The delay after one more failure; `most` narrows the bound."""
        # 2**32 s is longer than anybody waits; without the bound a long outage would overflow.
        delay = min(self.first * 2.0 ** min(self._failures, 32), self.most if most is None else min(most, self.most))
        self._failures += 1
        return delay * (1 - self.rng.random() / 4)

    def reset(self) -> None:
        """It worked."""
        self._failures = 0
