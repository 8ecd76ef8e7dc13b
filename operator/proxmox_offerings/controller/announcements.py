"""What of a change is worth an Event: something a person cares about, told once. Pure.

It follows from the two statuses alone, the one that was published before and the one that is now, and from nothing remembered: after a restart, or
when another process leads, nothing is told again. What is no change of state (other numbers, times, a message in other words) is not told.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from proxmox_offerings.catalogue.messages import REASONS
from proxmox_offerings.catalogue.text import listed
from proxmox_offerings.controller import statements
from proxmox_offerings.controller.reasons import EventReason, HostReason, OfferingReason
from proxmox_offerings.kube.objects import LiveObject
from proxmox_offerings.resources import Condition, ConditionStatus, OfferingStatus, ProxmoxHostStatus, Stock


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChange:
    """A status of a ProxmoxHost was written: `live` is the version that has it."""

    live: LiveObject
    before: ProxmoxHostStatus
    after: ProxmoxHostStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferingChange:
    """A status of an Offering was written: `live` is the version that has it. `before` is None if there was none."""

    live: LiveObject
    before: OfferingStatus | None
    after: OfferingStatus


Change = HostChange | OfferingChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What an Event says. `warning`: somebody should look at it."""

    reason: str
    message: str
    warning: bool


def announcements_of(change: Change) -> tuple[Announcement, ...]:
    """What is to be told of a change; mostly nothing."""
    if isinstance(change, HostChange):
        return tuple(_of_host(change.before, change.after))
    return tuple(_of_offering(change.before, change.after))


def _of_host(before: ProxmoxHostStatus, after: ProxmoxHostStatus) -> Iterator[Announcement]:
    was, now = _condition(before, "Ready"), _condition(after, "Ready")
    if now is None:
        return
    if was is None or was.reason != now.reason:
        yield from _of_ready(was, now)
    yield from _of_nodes(before, after)
    gaps = after.missing_privileges
    if gaps and not before.missing_privileges and now.reason != HostReason.PRIVILEGES_MISSING:
        more = f" (and {len(gaps) - 1} more: see status.missingPrivileges)" if len(gaps) > 1 else ""
        message = f"the token lacks {gaps[0].privilege} on {gaps[0].path}: {gaps[0].effect}{more}"
        yield Announcement(reason=HostReason.PRIVILEGES_MISSING, message=message, warning=True)
    trust = _condition(after, "TLSVerified")
    if _is_insecure(trust) and not _is_insecure(_condition(before, "TLSVerified")) and trust is not None:
        yield Announcement(reason=HostReason.INSECURE_SKIP_VERIFY, message=trust.message, warning=True)


def _of_nodes(before: ProxmoxHostStatus, after: ProxmoxHostStatus) -> Iterator[Announcement]:
    """Of nodes that were there before: those on which selling ended or began. One Event for all that have the same reason."""
    was = {node.name: node.excluded for node in before.nodes}
    turned = [(node.name, node.excluded) for node in after.nodes if was.get(node.name, node.excluded) != node.excluded]
    for word in sorted({word for _, word in turned if word is not None}):
        names = [name for name, excluded in turned if excluded == word]
        why = REASONS.get(word, "is not selected")
        message = f"{listed(names)} {why if len(names) == 1 else f'are left out ({word})'}: nothing is sold there"
        yield Announcement(reason=EventReason.NODE_LEFT_OUT, message=message, warning=word in REASONS)
    if back := [name for name, excluded in turned if excluded is None]:
        message = f"{listed(back)} can be sold again"
        yield Announcement(reason=EventReason.NODE_BACK, message=message, warning=False)


def _of_ready(was: Condition | None, now: Condition) -> Iterator[Announcement]:
    if now.status is not ConditionStatus.TRUE:
        wanted = now.reason == HostReason.SUSPENDED
        yield Announcement(reason=now.reason, message=now.message, warning=not wanted)
    elif was is not None and was.reason == HostReason.SUSPENDED:
        yield Announcement(reason=EventReason.RESUMED, message="the cluster is read again", warning=False)
    elif was is not None:
        message = f"the cluster was read, after {was.reason}"
        yield Announcement(reason=EventReason.RECOVERED, message=message, warning=False)


def _of_offering(before: OfferingStatus | None, after: OfferingStatus) -> Iterator[Announcement]:
    was, now = _state(before), _state(after)
    message = after.message or ""
    if was == now:
        return
    known_again = now in set(Stock) and was in (OfferingReason.STOCK_UNKNOWN, OfferingReason.EXPIRED)
    if now == Stock.OUT_OF_STOCK and statements.was_in_stock(before):
        yield Announcement(reason=EventReason.SOLD_OUT, message=message, warning=False)
    elif now == OfferingReason.STOCK_UNKNOWN or (now == OfferingReason.EXPIRED and was in set(Stock)):
        yield Announcement(reason=now, message=message, warning=True)
    elif now in set(Stock) and now != Stock.OUT_OF_STOCK and statements.was_sold_out(before):
        yield Announcement(reason=EventReason.BACK_IN_STOCK, message=message, warning=False)
    elif known_again:
        yield Announcement(reason=EventReason.STOCK_KNOWN, message=message, warning=False)


def _state(status: OfferingStatus | None) -> str | None:
    """The stock; where that is not known, why."""
    if status is None:
        return None
    if status.stock is not Stock.UNKNOWN:
        return status.stock
    ready = _condition(status, "Ready")
    return ready.reason if ready is not None else OfferingReason.NOT_OBSERVED


def _condition(status: ProxmoxHostStatus | OfferingStatus, kind: str) -> Condition | None:
    return next((condition for condition in status.conditions if condition.type == kind), None)


def _is_insecure(condition: Condition | None) -> bool:
    return condition is not None and condition.reason == HostReason.INSECURE_SKIP_VERIFY
