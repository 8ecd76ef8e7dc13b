"""
What the API server may refuse or fail to do. Raised by this package for every failed call; nothing of aiohttp or the client library passes.

KubeError
├── Unavailable     may heal by itself: not reached, too slow, too busy, broken
├── Conflict        the object is not (or no longer) what the call was about
├── NotFound        the object, or its kind, is not there
├── NotLeading      not sent: another process may be the leader by now
└── Refused         will not heal by itself
    └── Forbidden   the operator's account may not do this

Messages are the API server's own, cut in length. They name objects and fields; the operator sends no secret that could come back in them.
"""

from typing import Final

LONGEST_MESSAGE: Final = 500
NOT_INSTALLED: Final = "the API server does not know ProxmoxHosts and Offerings: install the CustomResourceDefinitions"
UNTRUSTED: Final = "the API server's certificate is not one of the authority that is expected"
NOT_AN_ANSWER: Final = "the API server's answer is not what was asked for"


class KubeError(Exception):
    """A call to the API server did not succeed. `status` is the HTTP status, None where there was no answer."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message[:LONGEST_MESSAGE])
        self.status = status


class Unavailable(KubeError):
    """May heal by itself: the API server was not reached, took too long, is too busy or broken."""


class Conflict(KubeError):
    """The object is not what the call was about: it changed, or another one took its name."""


class NotFound(KubeError):
    """The object, or its kind, is not there."""


class NotLeading(KubeError):
    """Not sent: this process does not hold the Lease, or cannot know whether it still does."""


class Refused(KubeError):
    """The API server understood and will not do it, today or tomorrow."""


class Forbidden(Refused):
    """The operator's account may not do this (HTTP 401, 403)."""


def error_of(status: int, message: str) -> KubeError:
    """The error that an HTTP status of 400 and above means."""
    if status in (401, 403):
        return Forbidden(message, status=status)
    if status == 404:
        return NotFound(message, status=status)
    if status == 409:
        return Conflict(message, status=status)
    if status in (408, 410, 429) or status >= 500:
        return Unavailable(message, status=status)
    return Refused(message, status=status)
