"""What is asked for, and how it ends, in few words whatever visitors think of: for counting."""

from collections.abc import Callable
from enum import StrEnum

from proxmox_offerings.web.menu import EXPORTS, HOST


class Page(StrEnum):
    """Kinds of pages. `OTHER` is what there is not, and what is no request."""

    OFFERINGS = "offerings"
    HOSTS = "hosts"
    EXPORT = "export"
    ASSET = "asset"
    OTHER = "other"

    @classmethod
    def at(cls, path: str) -> "Page":
        """The kind of what would be at `path`."""
        if path == "/":
            return cls.OFFERINGS
        if path == "/hosts/" or HOST.fullmatch(path):
            return cls.HOSTS
        if path in EXPORTS:
            return cls.EXPORT
        return cls.ASSET if path.startswith("/assets/") else cls.OTHER


class Result(StrEnum):
    """How a request ended: the hundred of its HTTP status, or `CUT` where the answer was not taken to its end."""

    OK = "2xx"
    UNCHANGED = "3xx"
    REFUSED = "4xx"
    FAILED = "5xx"
    CUT = "cut"

    @classmethod
    def of(cls, status: int) -> "Result":
        """That of an answer with this status, from 200 on."""
        return cls(f"{status // 100}xx")


OnVisit = Callable[[Page, Result], None]
"""Told of each request when it has ended."""


def nobody(page: Page, result: Result) -> None:
    """Counts nothing."""
