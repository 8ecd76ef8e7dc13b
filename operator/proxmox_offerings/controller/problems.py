"""Why a ProxmoxHost is not ready, as a value: what the conditions say, and whether waiting can help."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Self

from proxmox_offerings.controller.reasons import HostReason
from proxmox_offerings.proxmox.errors import MissingPrivilege, NeedsAttention, ObservationError, PrivilegesMissing
from proxmox_offerings.resources.text import clean

LONGEST_MESSAGE: Final = 1000


class Outlook(Enum):
    """What has to happen for a problem to end (kstatus: Reconciling, Stalled, or neither)."""

    MAY_HEAL = auto()
    A_PERSON_MUST_ACT = auto()
    WANTED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`reason` is a word of HostReason or of an ObservationError; `message` the sentence for people."""

    reason: str
    message: str
    outlook: Outlook
    missing: tuple[MissingPrivilege, ...] = ()

    @classmethod
    def of(cls, error: ObservationError) -> Self:
        """What an ObservationError means."""
        return cls(
            reason=error.reason,
            message=clean(str(error), most=LONGEST_MESSAGE),
            outlook=Outlook.A_PERSON_MUST_ACT if isinstance(error, NeedsAttention) else Outlook.MAY_HEAL,
            missing=error.missing if isinstance(error, PrivilegesMissing) else (),
        )

    @classmethod
    def publishing(cls, failures: int, first: str) -> Self:
        """The API server did not take some Offerings."""
        return cls(
            reason=HostReason.PUBLISH_FAILED,
            message=clean(
                f"the API server did not take {failures} of the Offerings: {first}" if failures else first,
                most=LONGEST_MESSAGE,
            ),
            outlook=Outlook.MAY_HEAL,
        )


SUSPENDED = Problem(
    reason=HostReason.SUSPENDED,
    message="spec.suspend is set: the cluster is not read, and what was said ends with its validUntil",
    outlook=Outlook.WANTED,
)
INTERNAL_ERROR = Problem(
    reason=HostReason.INTERNAL_ERROR,
    message="the operator failed on this host; its log has the details",
    outlook=Outlook.MAY_HEAL,
)
