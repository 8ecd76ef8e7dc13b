"""What is being waited for: one line at the foot of the terminal once somebody has waited two seconds; gone when the answer is there."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from proxmox_offerings.cli.terminal import is_terminal

PATIENCE_SECONDS = 2.0
FRAME_SECONDS = 0.1
FRAMES, PLAIN_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
ERASE = "\r\x1b[K"

Tell = Callable[[str, str], None]
"""Told of each host what was done last."""


@asynccontextmanager
async def progress(hosts: int) -> AsyncIterator[Tell]:
    """A line on standard error while the block takes long; nothing where nobody looks."""
    last = {"": "connecting" if hosts == 1 else f"reading {hosts} hosts"}

    def tell(host: str, text: str) -> None:
        last[""] = f"{host}: {text}"

    if not is_terminal(sys.stderr):
        yield tell
        return
    drawing = asyncio.create_task(_draw(lambda: last[""]))
    try:
        yield tell
    finally:
        drawing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drawing


async def _draw(text: Callable[[], str]) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    await asyncio.sleep(PATIENCE_SECONDS)
    frames = FRAMES if writes(sys.stderr.encoding, FRAMES) else PLAIN_FRAMES
    step = 0
    try:
        while True:
            sys.stderr.write(f"{ERASE}{frames[step % len(frames)]} {text()} ({clock() - began:.0f} s)")
            sys.stderr.flush()
            step += 1
            await asyncio.sleep(FRAME_SECONDS)
    finally:
        sys.stderr.write(ERASE)
        sys.stderr.flush()


def writes(encoding: str | None, text: str) -> bool:
    """Whether a stream of that encoding can show `text`."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
