"""Answers whether units of several kinds fit: quick looks first, then the complete search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proxmox_offerings.capacity.packing.effort import Effort, Exhausted
from proxmox_offerings.capacity.packing.fillings import Fillings, Place
from proxmox_offerings.capacity.packing.fronts import Vector
from proxmox_offerings.capacity.packing.search import Placed, Search

WIDTHS = (1, 24)
"""How many ways of filling the nodes so far a quick look keeps, before the complete search: most answers are "yes", and found at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """`placed` None: nothing was found, and with `proven` there is nothing to be found."""

    placed: tuple[Placed, ...] | None
    proven: bool


@dataclass(slots=True, kw_only=True)
class Packer:
    """Answers one question after the other about the same kinds: `disks` bytes by kind. What it learnt of a node it keeps."""

    disks: Vector
    effort: Effort
    _known: Fillings = field(init=False)

    def __post_init__(self) -> None:
        self._known = Fillings(disks=self.disks, effort=self.effort)

    def pack(self, wanted: Vector, *, places: Sequence[Place], backings: Mapping[str, int]) -> Packing:
        """Whether `wanted` units by kind fit on the places, their disks on the backings (bytes)."""
        if not any(wanted):
            return Packing(placed=(), proven=True)
        try:
            quick = Search.prepare(self._known, wanted, places=places, backings=backings, few=True)
            for width in WIDTHS:
                found = quick.run(width)
                if found is not None:
                    return Packing(placed=found, proven=True)
            self.effort.thinned = False
            found = Search.prepare(self._known, wanted, places=places, backings=backings, few=False).run(None)
        except Exhausted:
            return Packing(placed=None, proven=False)
        return Packing(placed=found, proven=found is not None or not self.effort.thinned)
