"""What an Offering may say, for how long, and when it is written again. Pure: the clock is a parameter.

The two promises that readers build on are kept here (design.md 2): a statement that could not be confirmed stays until its `validUntil` and then
becomes Unknown; and after the last good read at least half of the validity remains.
"""

import functools
import hashlib
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from proxmox_offerings.kube.packed import Packed
from proxmox_offerings.resources import InvalidResource, OfferingStatus, ProxmoxHostSpec, Stock

EXPIRED = "not known: the cluster could not be read again before validUntil"
NOT_OBSERVED = "not known: the cluster was not read on the present terms yet"
TERMS_CHANGED = "not known: what one unit is changes at this moment"

CUT: Final = 1.0
"""Seconds that the difference of two times can lose, because times are cut to whole ones."""


def read_status(written: Mapping[str, Any] | None) -> OfferingStatus | None:
    """A status as the API server keeps it; None if there is none, or none that we would write."""
    if written is None:
        return None
    return _read_packed(written) if isinstance(written, Packed) else _read(written)


def _read(written: Mapping[str, Any]) -> OfferingStatus | None:
    try:
        return OfferingStatus.parse(written)
    except InvalidResource:
        return None


_read_packed = functools.lru_cache(maxsize=512)(_read)
"""A reconcile asks several times what each Offering of its host says."""


def is_known(status: OfferingStatus | None) -> bool:
    """Whether it claims to know the stock. What claims nothing cannot claim anything false."""
    return status is not None and status.stock is not Stock.UNKNOWN


def is_on_terms_of(status: OfferingStatus, generation: int) -> bool:
    """Whether it was said on the terms of the host's `generation`: by a process that ended before the host's status could tell."""
    return status.host_generation == generation


def on_terms_of(status: OfferingStatus, other: OfferingStatus) -> OfferingStatus:
    """`status`, as if on the terms of `other`: what is said already need not be said again for having been said on earlier terms.

    Those of a generation that is still to come are nobody's, so what names one is said again.
    """
    earlier = (status.host_generation or 0) < (other.host_generation or 0)
    return status.model_copy(update={"host_generation": other.host_generation}) if earlier else status


def observed(statement: OfferingStatus, *, at: datetime, validity: timedelta) -> OfferingStatus:
    """The statement that follows from reading Proxmox at `at`."""
    return statement.model_copy(
        update={"observed_at": at.replace(microsecond=0), "valid_until": at.replace(microsecond=0) + validity}
    )


def expired(status: OfferingStatus) -> OfferingStatus:
    """What is left of a statement after its `validUntil`: that it once was, and what the hardware is."""
    return status.model_copy(
        update={"stock": Stock.UNKNOWN, "available": None, "limiting_resource": None, "nodes": (), "message": EXPIRED}
    )


def unknown(message: str) -> OfferingStatus:
    """The statement of somebody who knows nothing."""
    return OfferingStatus(stock=Stock.UNKNOWN, message=message)


def ends(status: OfferingStatus | None) -> datetime | None:
    """When a statement stops being one; None if nothing is left to end. One that claims stock without both its times ended long ago."""
    if status is None or was_expired(status):
        return None
    if status.valid_until is None or status.observed_at is None:
        return datetime.min.replace(tzinfo=UTC) if is_known(status) else None
    return status.valid_until


def held(status: OfferingStatus, *, now: datetime) -> OfferingStatus:
    """What a statement becomes that cannot be confirmed: itself until it ends.

    One from the future has ended: the clock was set back, and nobody knows how old it really is.
    """
    end = ends(status)
    if end is None:
        return status
    is_from_future = status.observed_at is not None and status.observed_at > now
    return expired(status) if now >= end or is_from_future else status


def says_the_same(one: OfferingStatus, other: OfferingStatus) -> bool:
    """Whether two statements have the same content, whenever they were made and about whichever generation."""
    return _content(one) == _content(other)


def was_sold_out(status: OfferingStatus | None) -> bool:
    """Whether it was sold out when its stock was known last."""
    return status is not None and (
        status.stock is Stock.OUT_OF_STOCK or (not is_known(status) and bool(status.sold_out))
    )


def was_in_stock(status: OfferingStatus | None) -> bool:
    """Whether units were offered when its stock was known last; False as well if it never was."""
    return (
        status is not None and status.stock is not Stock.OUT_OF_STOCK and (is_known(status) or status.sold_out is False)
    )


def remembering(status: OfferingStatus, *, before: OfferingStatus | None) -> OfferingStatus:
    """`status` as it is written in the place of `before`: an Unknown does not forget what was known last, whoever reads it next."""
    sold_out = None
    if not is_known(status) and (was_sold_out(before) or was_in_stock(before)):
        sold_out = was_sold_out(before)
    return status if status.sold_out is sold_out else status.model_copy(update={"sold_out": sold_out})


def was_expired(status: OfferingStatus | None) -> bool:
    """Whether it is what `expired` left."""
    return status is not None and not is_known(status) and status.message == EXPIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often Proxmox is read, and how long a statement from it may be trusted."""

    interval: timedelta
    validity: timedelta

    @classmethod
    def of(cls, spec: ProxmoxHostSpec) -> Self:
        """The rhythm of a ProxmoxHost."""
        return cls(
            interval=timedelta(seconds=spec.refresh_interval_seconds), validity=timedelta(seconds=spec.validity_seconds)
        )


def must_renew(
    name: str,
    *,
    said_at: datetime | None,
    valid_until: datetime | None,
    seen_at: datetime,
    rhythm: Rhythm,
    is_spread: bool = False,
) -> bool:
    """Whether content that has not changed is written again, given when it was last said and when Proxmox was last read.

    Yes at its freshness mark: when half of its validity is gone. And whenever its times are not what they would be if said now: a changed validity,
    a clock set back.

    So that many Offerings that were written together do not come due together for ever, each has its own moment within the half, found from its
    name: the first mark is set then, early, and the following ones each half of the validity. `is_spread`: it was written at a moment of its own
    already; where nobody knows (after a restart) one more mark may come early.
    """
    if said_at is None or valid_until != said_at + rhythm.validity:
        return True
    half = (rhythm.validity / 2).total_seconds()
    age = (seen_at.replace(microsecond=0) - said_at).total_seconds()
    if age < 0 or age >= half - CUT:
        return True
    until_own_moment = (_place(name) * half - said_at.timestamp()) % half
    return not is_spread and age >= max(until_own_moment, rhythm.interval.total_seconds() / 10)


_OF_THE_MOMENT: Final = frozenset(
    {"observed_at", "valid_until", "observed_generation", "host_generation", "sold_out", "conditions"}
)
_content: Final = operator.attrgetter(*(name for name in OfferingStatus.model_fields if name not in _OF_THE_MOMENT))


def _place(name: str) -> float:
    """A number in [0, 1) that depends on nothing but the name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) / 2**64
