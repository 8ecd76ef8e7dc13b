"""What the page shows, as whoever serves it has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One version of a ProxmoxHost or an Offering: `spec` and `status` in wire form. Not to be modified; another version is another Item."""

    namespace: str
    name: str
    version: int
    generation: int
    spec: Mapping[str, Any]
    status: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that may be shown: ProxmoxHosts, and the Offerings that they own."""

    hosts: Sequence[Item]
    offerings: Sequence[Item]


class Source(Protocol):
    """Where contents come from. Both are asked by the event loop and must be cheap."""

    def revision(self) -> int | None:
        """Another number after each change; None while nobody knows what there is."""

    def contents(self) -> Contents:
        """What there is now. Only asked while there is a revision."""
