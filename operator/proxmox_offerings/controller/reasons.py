"""The words that may stand as `reason` of a condition or of an Event. Written once; the documentation and the tests take them from here."""

from enum import StrEnum


class HostReason(StrEnum):
    """Why a condition of a ProxmoxHost is as it is."""

    OBSERVED = "Observed"
    """The cluster was read, and what was read is believed."""
    CONNECTION_FAILED = "ConnectionFailed"
    """No endpoint answered."""
    CALL_FAILED = "CallFailed"
    """An endpoint answered, but not as Proxmox VE answers."""
    NOT_QUORATE = "NotQuorate"
    """The part of the cluster that answers has no majority: what it shows may be old."""
    UNCOUNTABLE_GUEST = "UncountableGuest"
    """Guests exist whose size nobody tells."""
    UNAUTHORIZED = "Unauthorized"
    """The token was refused."""
    PRIVILEGES_MISSING = "PrivilegesMissing"
    """The token works, but does not see all that must be counted; `status.missingPrivileges` lists what it lacks."""
    CERTIFICATE_REJECTED = "CertificateRejected"
    """The server's certificate is not one that `spec.tls` accepts."""
    ENDPOINT_FORBIDDEN = "EndpointForbidden"
    """An endpoint leads to an address that the operator does not connect to."""
    CREDENTIALS_MISSING = "CredentialsMissing"
    """The Secret or one of its keys is not there."""
    INVALID_HOST = "InvalidHost"
    """The ProxmoxHost breaks a rule of its schema."""
    SUSPENDED = "Suspended"
    """`spec.suspend` is set."""
    INSECURE_SKIP_VERIFY = "InsecureSkipVerify"
    """`spec.tls.insecureSkipVerify` is set: nobody knows who answers."""
    PUBLISH_FAILED = "PublishFailed"
    """The API server did not take some of the Offerings."""
    INTERNAL_ERROR = "InternalError"
    """A fault in the operator; its log has the details."""


class OfferingReason(StrEnum):
    """Why the condition Ready of an Offering is as it is."""

    OBSERVED = "Observed"
    """The cluster was read: the statement holds until `validUntil`."""
    STOCK_UNKNOWN = "StockUnknown"
    """The cluster was read, but does not let this tier be judged; `message` says why."""
    NOT_OBSERVED = "NotObserved"
    """The cluster was never read on the terms that hold now."""
    EXPIRED = "Expired"
    """The cluster could not be read again before `validUntil`."""
    TERMS_CHANGED = "TermsChanged"
    """What one unit is changes at this moment; a new statement follows at once."""


class EventReason(StrEnum):
    """What an Event tells. Those that tell of a problem have the problem's word, one of those above."""

    RECOVERED = "Recovered"
    """The cluster was read again after a failure."""
    RESUMED = "Resumed"
    """The cluster was read again after `spec.suspend` was unset."""
    NODE_LEFT_OUT = "NodeLeftOut"
    """Nothing is sold on a node any more, or for another reason than before."""
    NODE_BACK = "NodeBack"
    """A node can be sold again."""
    SOLD_OUT = "SoldOut"
    """No unit fits any more."""
    BACK_IN_STOCK = "BackInStock"
    """Units fit again after none did."""
    STOCK_KNOWN = "StockKnown"
    """The stock is known again after it was not."""
