"""The Offerings of one ProxmoxHost as they should be at this moment, beside those that are there. Pure.

Two cases. Something believable was read: the plan says it all, and only *when* it is said again is decided here. Nothing was: then what is there
stays, each statement until it ends, unless it was made on other terms than hold now.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from proxmox_offerings.catalogue.plan import PlannedOffering
from proxmox_offerings.controller import statements
from proxmox_offerings.controller.reasons import OfferingReason
from proxmox_offerings.kube.objects import LiveObject
from proxmox_offerings.resources import OfferingSpec, OfferingStatus

MANAGED_BY = {"app.kubernetes.io/managed-by": "proxmox-offerings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One Offering as it should be. `spec` and `labels` None: as they are.

    `status` has its times, but neither observedGeneration nor conditions: those depend on the moment of writing. `reason` is that of Ready.
    `is_spread`: it was written at a moment of its own, apart from other Offerings, or is now.
    """

    name: str
    labels: Mapping[str, str] | None
    spec: OfferingSpec | None
    status: OfferingStatus
    reason: OfferingReason
    is_spread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a plan was made from: when Proxmox was read, and whether that is the newest that could be had (`confirmed`)."""

    at: datetime
    confirmed: bool
    rhythm: statements.Rhythm


def seen(
    planned: Iterable[PlannedOffering],
    *,
    reading: Reading,
    live: Mapping[str, LiveObject],
    terms_changed: bool,
    now: datetime,
    spread: Collection[str] = (),
) -> tuple[Wanted, ...]:
    """The Offerings of a plan.

    Content that has not changed keeps the times of when it was said, until it must be renewed. While the cluster cannot be read, it is not renewed
    at all: the reading is used for what is missing or was changed, but nothing is made to look newer than it is. `spread`: the names of
    those that were written at a moment of their own, as far as that is remembered.
    """
    return tuple(
        _seen(
            offering,
            reading=reading,
            live=live.get(offering.name),
            terms_changed=terms_changed,
            now=now,
            is_spread=offering.name in spread,
        )
        for offering in planned
    )


def unseen(
    explicit: Iterable[PlannedOffering],
    *,
    keep_others: bool,
    live: Mapping[str, LiveObject],
    terms_changed: bool,
    generation: int,
    now: datetime,
    lapsed: bool = False,
) -> tuple[Wanted, ...]:
    """The Offerings while nothing believable is at hand. `explicit` follow from the host alone, whose `generation` it is.

    `lapsed`: all that was said is too old, whatever `now` is.
    `keep_others`: Offerings beyond those stay too, because nobody knows whether they should exist (derived tiers, a host that cannot be read).
    """

    def kept_of(said: OfferingStatus) -> OfferingStatus:
        return statements.held(said, now=datetime.max.replace(tzinfo=UTC) if lapsed else now)

    def stands(said: OfferingStatus) -> bool:
        return not terms_changed or statements.is_on_terms_of(said, generation)

    wanted = []
    for offering in explicit:
        said = _said(live.get(offering.name))
        kept = kept_of(said) if said is not None and stands(said) else offering.statement
        wanted.append(_wanted(offering, kept))
    names = {offering.name for offering in wanted}
    for name, there in live.items():
        if keep_others and name not in names:
            said = _said(there)
            lost = said is None or (statements.is_known(said) and not stands(said))
            kept = statements.unknown(statements.NOT_OBSERVED) if said is None or lost else kept_of(said)
            wanted.append(Wanted(name=name, labels=None, spec=None, status=_bare(kept), reason=_reason(kept)))
    return tuple(wanted)


def withdrawn(live: Mapping[str, LiveObject], *, generation: int) -> tuple[Wanted, ...]:
    """What claims stock on other terms than those of the host's `generation`, claiming nothing any more."""
    nothing = statements.unknown(statements.NOT_OBSERVED)
    return tuple(
        Wanted(name=name, labels=None, spec=None, status=nothing, reason=OfferingReason.NOT_OBSERVED)
        for name, there in live.items()
        if (said := _said(there)) is not None
        and statements.is_known(said)
        and not statements.is_on_terms_of(said, generation)
    )


def ended(live: Mapping[str, LiveObject], *, now: datetime) -> tuple[Wanted, ...]:
    """What claims something although its time is over, claiming nothing any more."""
    wanted = []
    for name, there in live.items():
        said = _said(there)
        if said is not None and (kept := statements.held(said, now=now)) != said:
            over = _bare(kept)
            wanted.append(Wanted(name=name, labels=None, spec=None, status=over, reason=_reason(over)))
    return tuple(wanted)


def _seen(
    offering: PlannedOffering,
    *,
    reading: Reading,
    live: LiveObject | None,
    terms_changed: bool,
    now: datetime,
    is_spread: bool,
) -> Wanted:

    def fresh() -> OfferingStatus:
        return statements.observed(offering.statement, at=reading.at, validity=reading.rhythm.validity)

    said = _said(live)
    if said is None:
        return _wanted(offering, fresh())
    same = statements.says_the_same(said, offering.statement)
    if not reading.confirmed:
        keep = not terms_changed and (same or statements.was_expired(said))
        return _wanted(offering, statements.held(said, now=now) if keep else fresh(), is_spread=is_spread and keep)
    if not same:
        # Clusters change each at its own time. What is known of many at once is said at once: after a start, an edit, an outage.
        return _wanted(offering, fresh(), is_spread=statements.is_known(said) and not terms_changed)
    renew = statements.must_renew(
        offering.name,
        said_at=said.observed_at,
        valid_until=said.valid_until,
        seen_at=reading.at,
        rhythm=reading.rhythm,
        is_spread=is_spread,
    )
    return _wanted(offering, fresh(), is_spread=True) if renew else _wanted(offering, said, is_spread=is_spread)


def _wanted(offering: PlannedOffering, status: OfferingStatus, *, is_spread: bool = False) -> Wanted:
    return Wanted(
        name=offering.name,
        labels={**offering.labels, **MANAGED_BY},
        spec=offering.spec,
        status=_bare(status),
        reason=_reason(status),
        is_spread=is_spread,
    )


def _said(live: LiveObject | None) -> OfferingStatus | None:
    return statements.read_status(live.status) if live is not None else None


def _bare(status: OfferingStatus) -> OfferingStatus:
    if status.observed_generation is None and status.host_generation is None and not status.conditions:
        return status
    return status.model_copy(update={"observed_generation": None, "host_generation": None, "conditions": ()})


def _reason(status: OfferingStatus) -> OfferingReason:
    if statements.is_known(status):
        return OfferingReason.OBSERVED
    if status.message == statements.EXPIRED:
        return OfferingReason.EXPIRED
    return OfferingReason.NOT_OBSERVED if status.observed_at is None else OfferingReason.STOCK_UNKNOWN
