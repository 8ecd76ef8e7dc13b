"""What an export is: bytes, and what whoever serves them must know."""

import hashlib
import math
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An Offering that this format cannot take, and why in a clause."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One export. Equal Offerings give equal bytes until `changes_at`, when some statement among them ends by itself; None: for ever."""

    body: bytes
    content_type: str
    changes_at: datetime | None
    offerings: int
    for_sale: int
    left_out: tuple[LeftOut, ...] = field(default=())

    @property
    def etag(self) -> str:
        """A strong entity tag with its quotes: another one exactly if the bytes are others. Of these bytes as they are, not compressed."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    def max_age(self, *, now: datetime, most: int) -> int:
        """For how many seconds after `now` it may be shown without asking again: at most `most`, and no longer than its statements hold."""
        if self.changes_at is None:
            return most
        return max(0, min(most, math.floor((self.changes_at - now).total_seconds())))
