"""Ways to spoil an answer: leave out, break or contradict what it says, at any place of it.

Nothing here makes an answer say that there is *more*: a larger number, or a guest that moved, is a fact of its own and nobody could tell. What
remains, in `SAYS_SOMETHING`, are marks whose absence (or another word in their place) is a statement that honest servers make every day.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from proxmox_offerings.proxmox.errors import CallFailed, ConnectionFailed
from support.answers import Answers, Asked

Place = tuple[str | int, ...]
"""Keys and indexes, from the `data` of an answer to a value in it."""


class _Gone:
    def __repr__(self) -> str:
        return "left out"


class _Twice:
    def __repr__(self) -> str:
        return "told twice"


GONE: Final = _Gone()
TWICE: Final = _Twice()
"""Of rows in a list."""
JUNK: Final = (
    None,
    "",
    [],
    {},
    [[]],
    {"a": 1},
    ["x"],
    "rubbish",
    "-1",
    -1,
    -0.5,
    1e300,
    10**400,
    "1e999",
    "NaN",
    "0x10",
    "１",
)
"""Of no type that the server writes there, or no value that could be."""
BROKEN: Final = (
    CallFailed("spoilt", status=500),
    CallFailed("spoilt", status=596),
    CallFailed("spoilt"),
    ConnectionFailed("spoilt"),
)


@dataclass(frozen=True, slots=True)
class Spoiler:
    """Puts `value` in the place of what is there."""

    call: Asked
    place: Place
    value: Any

    def __str__(self) -> str:
        shown = repr(self.value)
        return f"{self.call} {list(self.place)}: {shown[:60]}"

    def spoil(self, answers: Answers) -> Answers:
        """The answers with this one spoilt; those that do not have the place any more are left as they are."""
        told = answers.get(self.call)
        if isinstance(told, Exception) and self.place:
            return answers
        try:
            return {**answers, self.call: _put(told, self.place, self.value)}
        except (LookupError, TypeError):
            return answers


def _put(told: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    key, *rest = place
    if isinstance(told, list) and isinstance(key, int):
        if not rest and value is GONE:
            return [*told[:key], *told[key + 1 :]]
        if not rest and value is TWICE:
            return [*told, told[key]]
        return [*told[:key], _put(told[key], tuple(rest), value), *told[key + 1 :]]
    if isinstance(told, dict) and isinstance(key, str):
        if not rest and value is GONE:
            return {other: one for other, one in told.items() if other != key}
        return {**told, key: _put(told[key], tuple(rest), value)}
    raise TypeError


def places(told: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value of an answer, with where it is."""
    yield at, told
    if isinstance(told, dict):
        for key, value in told.items():
            yield from places(value, (*at, key))
    elif isinstance(told, list):
        for index, value in enumerate(told):
            yield from places(value, (*at, index))


def every_spoiler(answers: Answers) -> Iterator[Spoiler]:
    """Each of the values of all answers, spoilt in each way."""
    for call, told in answers.items():
        for place, value in places(told):
            if not place:
                yield from (Spoiler(call, place, broken) for broken in BROKEN)
            else:
                yield Spoiler(call, place, GONE)
                if isinstance(place[-1], int):
                    yield Spoiler(call, place, TWICE)
            yield from (Spoiler(call, place, junk) for junk in JUNK if junk != value or type(junk) is not type(value))


SAYS_SOMETHING: Final = (
    # A guest that is not listed is deleted: the observer reads twice, but two answers that agree are believed.
    (r"/cluster/resources", r"[0-9]+", (GONE,)),
    # Neither on its way, nor managed by HA, nor dedicated; a node that HA has not put into maintenance, of the usual architecture.
    (r"/cluster/resources", r"[0-9]+ (lock|hastate|tags|host-arch)", None),
    (r"/cluster/ha/status/manager_status", r".*", None),
    # Another place than the one that was told; but a definition without any is found out.
    (
        r"/storage",
        r"[0-9]+ (pool|vgname|thinpool|path|server|export|share|monhost)",
        ("-1", -1, "rubbish", "1e999", "NaN", "0x10", "１", 10**400),
    ),
    # Ceph's own, on these very nodes.
    (r"/storage", r"[0-9]+ (monhost|krbd|content|nodes|shared)", None),
    # An entry less, or one for another node.
    (r"/cluster/mapping/pci", r"[0-9]+ (id|map [0-9]+)", None),
    # What is not listed is not there, and shares its IOMMU group with nobody.
    (
        r"/nodes/[^/]+/hardware/pci",
        r"[0-9]+( (id|class|vendor|device|iommugroup|mdev|nvidia|virtfns|physfn|device_name).*)?",
        None,
    ),
    (r"/nodes/[^/]+/hardware/pci/[^/]+/mdev", r"[0-9]+ (description|type)", None),
    # A guest without these.
    (r"/nodes/[^/]+/(qemu|lxc)/[0-9]+/config.*", r"(?!hostpci|digest).+", None),
    (r"/nodes/[^/]+/qemu/[0-9]+/config.*", r"hostpci[0-9]+", (GONE, None, "")),
)
"""Patterns of calls and places, and the values there that honest servers tell each day when it is so; None: whatever it is."""


def says_something(spoiler: Spoiler) -> bool:
    """Whether a server may have meant just that."""
    where = " ".join(map(str, spoiler.place))
    return any(
        re.fullmatch(call, spoiler.call)
        and re.fullmatch(place, where)
        and (
            values is None
            or any(
                spoiler.value is one or (type(one) is type(spoiler.value) and one == spoiler.value) for one in values
            )
        )
        for call, place, values in SAYS_SOMETHING
    )
