"""
Why nothing new may be published. Each error has the sentence that a user reads and a `reason`, a documented word of the conditions.

ObservationError                    nothing new may be published; what was said stays until its validUntil
├── Unreachable                     may heal by itself: retry, condition Reconciling
│   ├── ConnectionFailed            no endpoint answered
│   ├── CallFailed                  an endpoint answered, but with an error, or not as Proxmox VE answers
│   ├── NotQuorate                  the cluster answers, but must not be believed
│   └── UncountableGuests           guests exist whose size nobody told
└── NeedsAttention                  a person must act: condition Stalled
    ├── Unauthorized                the token was refused
    ├── PrivilegesMissing           the token works, but sees too little to count
    ├── CertificateRejected         the server's certificate is not the one expected
    ├── EndpointForbidden           the operator does not connect to such addresses
    ├── CredentialsMissing          the Secret or one of its keys is not there
    └── InvalidHost                 the ProxmoxHost cannot be used as it is

Nothing of a remote answer is echoed: messages are ours, with a status code or a host name at most.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPrivilege:
    """A privilege that the token lacks on a path, and what cannot be seen for it."""

    path: str
    privilege: str
    effect: str


class ObservationError(Exception):
    """Nothing new may be published about this cluster; `str()` is the sentence for people."""

    reason: ClassVar[str] = "ObservationFailed"


class Unreachable(ObservationError):
    """May heal by itself: the operator tries again."""

    reason = "Unreachable"


class ConnectionFailed(Unreachable):
    """No endpoint answered: refused, timed out, or the name does not resolve."""

    reason = "ConnectionFailed"


class CallFailed(Unreachable):
    """An endpoint answered with an error status, or with something that is not an answer of Proxmox VE.

    `status` is the HTTP status, None where the answer itself could not be read (truncated, not JSON, too large).
    """

    reason = "CallFailed"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NotQuorate(Unreachable):
    """The cluster answers, but the part that answers has no quorum: what it shows is old."""

    reason = "NotQuorate"


class UncountableGuests(Unreachable):
    """Guests are known to exist, but not how large they are; counting the rest would claim their room."""

    reason = "UncountableGuest"


class NeedsAttention(ObservationError):
    """Will not heal by itself: a person must act."""

    reason = "NeedsAttention"


class Unauthorized(NeedsAttention):
    """The token was refused (HTTP 401)."""

    reason = "Unauthorized"


class PrivilegesMissing(NeedsAttention):
    """The token works, but cannot see everything that must be counted; `missing` lists what it lacks."""

    reason = "PrivilegesMissing"

    def __init__(self, message: str, *, missing: tuple[MissingPrivilege, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


class CertificateRejected(NeedsAttention):
    """The server's certificate is not the one that the ProxmoxHost expects."""

    reason = "CertificateRejected"


class EndpointForbidden(NeedsAttention):
    """An endpoint leads to an address that whoever runs the operator lets nobody reach through it."""

    reason = "EndpointForbidden"


class CredentialsMissing(NeedsAttention):
    """The Secret that the ProxmoxHost names, or one of its two keys, is not there."""

    reason = "CredentialsMissing"


class InvalidHost(NeedsAttention):
    """The ProxmoxHost cannot be used as it is; the schema refuses most such cases before."""

    reason = "InvalidHost"
