"""The coordinates of a search: what of the ways of filling some nodes matters to all others."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

from proxmox_offerings.capacity.packing.fillings import Filling
from proxmox_offerings.capacity.packing.fronts import Vector
from proxmox_offerings.capacity.packing.sharing import Share, Sharing


class Axis(NamedTuple):
    """Units of a kind: those on own disks (`local`), in all (`total`), or those whose disks are of one `share`."""

    role: Literal["local", "total", "share"]
    kind: int
    share: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """`plain`: units in all are all that matters. `sharing`: the kinds that use shared backings."""

    wanted: Vector
    axes: Sequence[Axis]
    shares: Sequence[Share]
    sharing: Collection[int]
    plain: bool

    @classmethod
    def of(cls, wanted: Vector, *, sharing: Sharing, fillings: Iterable[Sequence[Filling]]) -> Self:
        kinds = range(len(wanted))
        local = {kind for some in fillings for one in some for kind in kinds if one.local[kind]}
        axes = _axes(sharing.shares, kinds, roomy=sharing.roomy, local=local)
        return cls(
            wanted=wanted,
            axes=axes,
            shares=sharing.shares,
            sharing={kind for kind, _ in sharing.shares},
            plain=all(axis.role == "total" for axis in axes),
        )

    @property
    def caps(self) -> Vector:
        """More than what is wanted does not matter."""
        return tuple(self.wanted[axis.kind] for axis in self.axes)

    def vectors(self, fillings: Sequence[Filling], shares: Sequence[Share | None]) -> list[Vector]:
        """The fillings of a place in these coordinates; `shares` of the place by kind."""
        vectors = []
        for filling in fillings:
            vector = []
            for role, kind, share in self.axes:
                if role == "local":
                    vector.append(filling.local[kind])
                elif role == "total":
                    vector.append(filling.total[kind])
                else:
                    vector.append(filling.total[kind] - filling.local[kind] if shares[kind] == share else 0)
            vectors.append(tuple(vector))
        return vectors

    def units(self, state: Vector) -> tuple[Vector, Vector]:
        """Units by kind on own disks, and in all."""
        if self.plain:
            return tuple(0 if kind in self.sharing else units for kind, units in enumerate(state)), state
        local = [0] * len(self.wanted)
        total = [0] * len(self.wanted)
        for (role, kind, _), value in zip(self.axes, state, strict=True):
            if role == "local":
                local[kind] = value
                total[kind] = max(total[kind], value)
            elif role == "total":
                total[kind] = max(total[kind], value)
                if kind not in self.sharing:
                    local[kind] = value
        for (role, kind, _), value in zip(self.axes, state, strict=True):
            if role == "share":
                total[kind] += value
        return tuple(local), tuple(map(min, total, self.wanted))

    def shared_units(self, state: Vector, local: Vector, total: Vector) -> list[int]:
        """By coordinate of `shares`: how many units may have their disk there."""
        several = {share: value for (role, _, share), value in zip(self.axes, state, strict=True) if role == "share"}
        return [several.get(share, total[share[0]] - local[share[0]]) for share in self.shares]


def _axes(shares: Sequence[Share], kinds: Iterable[int], *, roomy: bool, local: Collection[int]) -> list[Axis]:
    """Where the shared backings are roomy, units in all; else also how many of them need nothing shared."""
    axes = []
    for kind in kinds:
        own = [share for share in shares if share[0] == kind]
        if own and kind in local and not roomy:
            axes.append(Axis("local", kind))
        if roomy or len(own) <= 1:
            axes.append(Axis("total", kind))
        else:
            axes.extend(Axis("share", kind, share) for share in own)
    return axes
