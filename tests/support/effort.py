"""How long the long tests may search: `make test-long MINUTES=30`."""

import os
import time
from collections.abc import Iterator
from itertools import count

SECONDS = float(os.environ.get("LONG_MINUTES") or 3) * 60
"""For each test that searches as long as it may."""


def rounds() -> Iterator[int]:
    """0, 1, 2, ... until time is up; at least one."""
    end = time.monotonic() + SECONDS
    for number in count():
        if number and time.monotonic() > end:
            return
        yield number
