"""Style, script and icon, as they lie beside this file: read once, each known by what is in it."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

TYPES: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""All that there is: no request leads to any other file."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, and its version, which names its content."""

    body: bytes
    content_type: str
    version: str


@cache
def asset(name: str) -> Asset:
    """The asset of a name in TYPES."""
    body = files(__name__).joinpath(name).read_bytes()
    return Asset(body, TYPES[name], hashlib.blake2b(body, digest_size=6).hexdigest())


def reference(name: str) -> str:
    """Where it is, seen from the root; with its version, so that caches may keep it for ever."""
    return f"assets/{name}?v={asset(name).version}"
