"""Whether an Offering is for sale at a moment, by the rule for readers: stock InStock or LowStock, and now before validUntil.

What is not for sale is exported as such, never left out: whoever takes an export over would otherwise go on selling what they have of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from proxmox_offerings.resources import Offering, Stock


class NotForSale(StrEnum):
    """Why it is not for sale."""

    SOLD_OUT = "SoldOut"
    UNKNOWN = "Unknown"
    EXPIRED = "Expired"
    NOT_OBSERVED = "NotObserved"
    TERMS_CHANGED = "TermsChanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`why_not` None: for sale. `until`: when this changes by itself if nothing new is said; None: never."""

    why_not: NotForSale | None
    until: datetime | None

    @property
    def for_sale(self) -> bool:
        """Whether it may be sold."""
        return self.why_not is None

    @property
    def is_known(self) -> bool:
        """Whether the stock is known, sold out or not."""
        return self.why_not in (None, NotForSale.SOLD_OUT)


def standing_of(offering: Offering, *, now: datetime) -> Standing:
    """Where it stands at `now`. A statement about another generation of its spec than the one shown is none about this one."""
    status, generation = offering.status, offering.metadata.generation
    if status is None:
        return Standing(why_not=NotForSale.NOT_OBSERVED, until=None)
    if None not in (generation, status.observed_generation) and generation != status.observed_generation:
        return Standing(why_not=NotForSale.TERMS_CHANGED, until=None)
    if status.stock is Stock.UNKNOWN:
        return Standing(why_not=NotForSale.UNKNOWN, until=None)
    if status.valid_until is None or now >= status.valid_until:
        return Standing(why_not=NotForSale.EXPIRED, until=None)
    sold_out = status.stock is Stock.OUT_OF_STOCK or not status.available
    return Standing(why_not=NotForSale.SOLD_OUT if sold_out else None, until=status.valid_until)


def first_of(moments: Iterable[datetime | None]) -> datetime | None:
    """The earliest, if there is any."""
    return min((moment for moment in moments if moment is not None), default=None)
