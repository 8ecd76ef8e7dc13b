"""How long the long tests may search, and where: `make test-long MINUTES=30 SEED=7`."""

import os
import secrets
import time
from collections.abc import Iterator
from itertools import count

SECONDS = float(os.environ.get("LONG_MINUTES") or 3) * 60
"""For each test that searches as long as it may."""

SEED = int(os.environ.get("LONG_SEED") or secrets.randbelow(2**31))
"""What random choices of the long tests begin with. Another one in each run, so that runs cover different parts; what did is printed."""


def rounds() -> Iterator[int]:
    """0, 1, 2, ... until time is up; at least one. Prints SEED, which pytest shows of a test that fails."""
    print(f"SEED={SEED}")
    end = time.monotonic() + SECONDS
    for number in count():
        if number and time.monotonic() > end:
            return
        yield number
