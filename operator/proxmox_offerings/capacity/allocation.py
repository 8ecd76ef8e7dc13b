"""How much of one resource of one node may be committed to guests: reserve first, then the ratio (OpenStack Placement's order)."""

from dataclasses import dataclass

POINTS = 100
"""Points of one shared vCPU; a dedicated one costs max(100, percent), since one thread yields `percent` points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Capacity and what guests are configured with, in the resource's own unit (points, bytes).

    `headroom` may be negative: the node is committed beyond policy, and that is reported so.
    """

    capacity: int
    committed: int

    @property
    def headroom(self) -> int:
        return self.capacity - self.committed


def cpu_capacity(*, total: int, reserved_milli: int, percent: int) -> int:
    """Points for sale of `total` threads (or cores), of which `reserved_milli` thousandths are kept back."""
    return max(0, total * 1000 - reserved_milli) * percent // 1000


def memory_capacity(*, total: int, reserved: int, reserved_percent: int, percent: int) -> int:
    """Bytes for sale."""
    reserve = memory_reserve(total=total, reserved=reserved, reserved_percent=reserved_percent)
    return max(0, total - reserve) * percent // 100


def memory_reserve(*, total: int, reserved: int, reserved_percent: int) -> int:
    """Bytes kept for the node itself: the larger of the two, rounded up."""
    return max(reserved, -(-total * reserved_percent // 100))
