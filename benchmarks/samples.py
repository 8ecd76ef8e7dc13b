"""Timing on a machine that others use too: what is compared is measured in turns, and the median is taken.

Wall time holds what others do to us (a busy processor, the server's own work); CPU time of this process does not.
"""

import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Samples:
    """Repeated measurements of one thing, in seconds."""

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Measure a block."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpus.append(time.process_time() - cpu)
        self.walls.append(time.perf_counter() - wall)

    @contextmanager
    def of_children(self) -> Iterator[None]:
        """Measure a block that waits for child processes: CPU time is theirs."""
        wall, before = time.perf_counter(), _children()
        yield
        self.cpus.append(_children() - before)
        self.walls.append(time.perf_counter() - wall)

    @property
    def wall(self) -> float:
        """The median."""
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        """The median."""
        return statistics.median(self.cpus)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
