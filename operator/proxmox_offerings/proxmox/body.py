"""The bytes of an answer, within bounds, and nothing of them kept when it is refused."""

import traceback
import zlib
from collections.abc import Iterator
from typing import Final

import httpx

from proxmox_offerings.proxmox.errors import CallFailed, ObservationError
from proxmox_offerings.proxmox.room import Held, NoRoom

INFLATED_AT_ONCE: Final = 2**20
"""Bytes: more than what comes at once usually is."""


async def body_of(response: httpx.Response, *, most: int, what: str, held: Held) -> bytes:
    """The body, inflated, never more than `most` bytes of it in memory, nor more than `held` has room for.

    Raises CallFailed, which begins with `what`, and what the connection raises.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise CallFailed(f"{what} in an encoding that was not asked for")
    inflate = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    parts, size, sent = [], 0, 0
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # as all asynchronous transports give
    try:
        async for raw in response.stream:
            # What is sent counts too: data that inflates to nothing, or follows the end of what is compressed.
            sent += len(raw)
            for part in _inflated(inflate, raw) if inflate else (raw,):
                size += len(part)
                if max(size, sent) > most:
                    raise CallFailed(f"{what} with more than {most} bytes")
                held.more(len(part))
                parts.append(part)
    except NoRoom:
        raise CallFailed(
            f"{what} with more than there is room for beside other large answers; it is asked again"
        ) from None
    except zlib.error:
        raise CallFailed(f"{what}, but it could not be inflated") from None
    if inflate is not None and not inflate.eof and size:
        raise CallFailed(f"{what}, but the answer broke off")
    return b"".join(parts)


def _inflated(inflate: "zlib._Decompress", packed: bytes) -> Iterator[bytes]:
    """A part at a time, so that no more is made than there is room for. Raises zlib.error."""
    part = inflate.decompress(packed, INFLATED_AT_ONCE)
    yield part
    while len(part) == INFLATED_AT_ONCE:
        part = inflate.decompress(inflate.unconsumed_tail, INFLATED_AT_ONCE)
        yield part


def let_go(failure: ObservationError) -> None:
    """Of the answer that a failure is about: the functions that it came through still hold it, for as long as anybody keeps the failure."""
    failure.__context__ = None
    traceback.clear_frames(failure.__traceback__)
