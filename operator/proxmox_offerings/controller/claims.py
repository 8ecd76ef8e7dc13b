"""What a process writes into a Lease to have it, or to let others have it. Pure: the clock is a parameter."""

from dataclasses import replace
from datetime import datetime, timedelta

from proxmox_offerings.kube.lease import Claim, LiveLease


def claimed(holder: str, *, before: LiveLease | None, duration: int, now: datetime) -> Claim:
    """That the Lease is `holder`'s for so many seconds, in a version that differs from `before` whatever the clock says."""
    was = before.claim if before is not None else None
    if was is not None and was.renewed_at is not None:
        now = max(now, was.renewed_at + timedelta(microseconds=1))
    same = was is not None and was.holder == holder
    return Claim(
        holder=holder,
        duration=duration,
        transitions=0 if was is None else was.transitions + (not same),
        acquired_at=was.acquired_at if was is not None and same else now,
        renewed_at=now,
    )


def given_back(claim: Claim) -> Claim:
    """That nobody has it any more."""
    return replace(claim, holder="", duration=1)
