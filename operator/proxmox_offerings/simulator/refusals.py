"""Answers that are not data, as the server gives them (proxmox-api.md 2.9)."""

from collections.abc import Mapping


class Refusal(Exception):
    """A handler's error: JSON with `data` null, the reason in the status line, and since 8.3 a message."""

    def __init__(self, status: int, reason: str, *, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.errors = errors


class ProxyFailure(Exception):
    """The entry node could not get an answer of another node: a status of AnyEvent::HTTP's own, and an empty body."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def wrong_parameter(name: str, why: str) -> Refusal:
    return Refusal(400, "Parameter verification failed.", errors={name: why})


def unknown_parameter(name: str) -> Refusal:
    return wrong_parameter(
        name, "property is not defined in schema and the schema does not allow additional properties"
    )


def forbidden(path: str, *privileges: str) -> Refusal:
    return Refusal(403, f"Permission check failed ({path}, {'|'.join(privileges)})")


def not_implemented(method: str, path: str) -> Refusal:
    return Refusal(501, f"Method '{method} {path}' not implemented")


def missing(message: str) -> Refusal:
    """A missing object is a 500, not a 404."""
    return Refusal(500, message)
