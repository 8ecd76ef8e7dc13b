"""What the nodes that are still to be filled allow at most: an upper bound, by which a search leaves ways that cannot succeed, and prefers others."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add, sub

from proxmox_offerings.capacity.packing.fillings import Filling, Place
from proxmox_offerings.capacity.packing.fronts import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What some places allow at most together: `room` by resource, the `least` cost of each kind, units on own disks and in all by kind,
    and the bytes of shared backings.
    """

    wanted: Vector
    disks: Vector
    room: Vector
    least: tuple[Vector, ...]
    local: Vector
    total: Vector
    shared: int

    def before(self, place: Place, fillings: Sequence[Filling]) -> "Bound":
        """With one place more."""
        zero = (0,) * len(self.wanted)
        return Bound(
            wanted=self.wanted,
            disks=self.disks,
            room=tuple(map(add, self.room, place.room)),
            least=tuple(
                least if cost is None else cost if not any(least) else tuple(map(min, least, cost))
                for least, cost in zip(self.least, place.costs, strict=True)
            ),
            local=tuple(map(add, self.local, map(max, zero, zero, *(one.local for one in fillings)))),
            total=tuple(map(add, self.total, map(max, zero, zero, *(one.total for one in fillings)))),
            shared=self.shared,
        )

    def _demands(self, local: Vector, total: Vector) -> list[tuple[int, int]]:
        """Pairs of what is still needed and what there is at most."""
        missing = tuple(map(sub, self.wanted, total))
        pairs = list(zip(missing, self.total, strict=True))
        for resource, room in enumerate(self.room):
            pairs.append((sum(n * cost[resource] for n, cost in zip(missing, self.least, strict=True)), room))
        elsewhere = (
            max(0, wanted - own - most) * size
            for wanted, own, most, size in zip(self.wanted, local, self.local, self.disks, strict=True)
        )
        return [*pairs, (sum(elsewhere), self.shared)]

    def strain(self, local: Vector, total: Vector) -> tuple[int, int] | None:
        """How tight it will be with such units placed: less is better. None: what is missing is more than these places can hold."""
        most = together = 0
        for need, there in self._demands(local, total):
            if need > there:
                return None
            share = (need << 20) // (there + 1)
            together += share
            most = max(most, share)
        return most, together


def bounds_of(
    places: Sequence[Place], fillings: Sequence[Sequence[Filling]], *, wanted: Vector, disks: Vector, shared: int
) -> list[Bound]:
    """For each place what it and all after it allow at most, and last what nothing allows. `shared`: bytes of the shared backings."""
    none = (0,) * len(places[0].room) if places else ()
    nothing = Bound(
        wanted=wanted,
        disks=disks,
        room=none,
        least=(none,) * len(wanted),
        local=(0,) * len(wanted),
        total=(0,) * len(wanted),
        shared=shared,
    )
    ways = list(zip(places, fillings, strict=True))
    return [*accumulate(reversed(ways), lambda bound, way: bound.before(*way), initial=nothing)][::-1]
