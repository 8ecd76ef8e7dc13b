"""The conditions of both resources: which there are, and how they carry over from one statement to the next.

They follow kstatus (operator-practice 3.2): Reconciling and Stalled are there only while something is wrong; each has the generation that it was
said about, and `lastTransitionTime` moves only when `status` does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from proxmox_offerings.controller.problems import Outlook, Problem
from proxmox_offerings.controller.reasons import HostReason, OfferingReason
from proxmox_offerings.resources import Condition, ConditionStatus, OfferingStatus, Stock

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A condition without its history."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def settle(
    findings: Iterable[Finding], *, before: Sequence[Condition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions to write: `lastTransitionTime` is kept from `before` where the status is the same.

    One that is still to come is no moment of a change: the clock was set back since.
    """
    known = {condition.type: condition for condition in before}
    settled = []
    for finding in findings:
        old = known.get(finding.type)
        settled.append(
            Condition(
                type=finding.type,
                status=finding.status,
                reason=finding.reason,
                message=finding.message,
                last_transition_time=min(old.last_transition_time, now)
                if old and old.status == finding.status
                else now,
                observed_generation=generation,
            )
        )
    return tuple(settled)


def of_host(problem: Problem | None, *, insecure: bool) -> tuple[Finding, ...]:
    """What is to be said about a ProxmoxHost. `insecure`: certificates are not verified because its author wants it so."""
    if problem is None:
        ready = Finding(
            type="Ready",
            status=TRUE,
            reason=HostReason.OBSERVED,
            message="the cluster was read, and the Offerings say what it can still sell",
        )
    else:
        ready = Finding(type="Ready", status=FALSE, reason=problem.reason, message=problem.message)
    return (ready, *_facts(problem, insecure=insecure), *_abnormal(problem))


def of_offering(status: OfferingStatus, *, reason: OfferingReason) -> tuple[Finding, ...]:
    """What is to be said about an Offering with this statement."""
    known = status.stock is not Stock.UNKNOWN
    return (
        Finding(
            type="Ready",
            status=TRUE if known else FALSE,
            reason=reason,
            message="the statement holds until validUntil" if known else status.message or "",
        ),
    )


def _abnormal(problem: Problem | None) -> tuple[Finding, ...]:
    if problem is None or problem.outlook is Outlook.WANTED:
        return ()
    kind = "Stalled" if problem.outlook is Outlook.A_PERSON_MUST_ACT else "Reconciling"
    return (Finding(type=kind, status=TRUE, reason=problem.reason, message=problem.message),)


# What a failure tells about Reachable, Authorized, Quorate and TLSVerified. They build on each other: TLS before the token, the token before quorum.
_FACTS: dict[str | None, tuple[ConditionStatus, ConditionStatus, ConditionStatus, ConditionStatus]] = {
    None: (TRUE, TRUE, TRUE, TRUE),
    HostReason.PUBLISH_FAILED: (TRUE, TRUE, TRUE, TRUE),
    HostReason.UNCOUNTABLE_GUEST: (TRUE, TRUE, TRUE, TRUE),
    HostReason.NOT_QUORATE: (TRUE, TRUE, FALSE, TRUE),
    HostReason.PRIVILEGES_MISSING: (TRUE, FALSE, UNKNOWN, TRUE),
    HostReason.UNAUTHORIZED: (TRUE, FALSE, UNKNOWN, TRUE),
    HostReason.CALL_FAILED: (TRUE, UNKNOWN, UNKNOWN, TRUE),
    HostReason.CERTIFICATE_REJECTED: (UNKNOWN, UNKNOWN, UNKNOWN, FALSE),
    HostReason.CONNECTION_FAILED: (FALSE, UNKNOWN, UNKNOWN, UNKNOWN),
}
_NOT_TOLD = (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)


def _facts(problem: Problem | None, *, insecure: bool) -> Iterable[Finding]:
    told = _FACTS.get(problem.reason if problem else None, _NOT_TOLD)
    for kind, status in zip(("Reachable", "Authorized", "Quorate", "TLSVerified"), told, strict=True):
        if kind == "TLSVerified" and insecure:
            yield Finding(
                type=kind,
                status=FALSE,
                reason=HostReason.INSECURE_SKIP_VERIFY,
                message="any certificate is accepted, so whoever sits between can take the token: set tls.caBundle or tls.fingerprints",
            )
        elif status is TRUE:
            yield Finding(type=kind, status=status, reason=HostReason.OBSERVED, message=_TRUTHS[kind])
        elif problem is not None:
            message = problem.message if status is FALSE else "not known while " + problem.reason
            yield Finding(type=kind, status=status, reason=problem.reason, message=message)


_TRUTHS: Final = {
    "Reachable": "an endpoint answers",
    "Authorized": "the token is accepted and sees all that must be counted",
    "Quorate": "the cluster has a majority",
    "TLSVerified": "the server's certificate is verified",
}

OF_HOSTS: Final = frozenset({"Ready", "Reconciling", "Stalled", *_TRUTHS})
"""The types that are ours on a ProxmoxHost. Conditions of other types belong to others."""
