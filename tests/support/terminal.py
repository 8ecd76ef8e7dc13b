"""A command at a terminal: what a person would see and type."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

SCRIPT = Path(sys.executable).parent / "proxmox-offerings"
SECONDS = 40.0
"""That something may take to appear on a busy machine."""
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`async with Terminal("preview", "-f", file) as terminal`. `seen` is all that was written to it."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 200,
        lines: int = 50,
        env: Mapping[str, str] | None = None,
        program: Sequence[str | Path] = (SCRIPT,),
    ) -> None:
        self._arguments = (*program, *arguments)
        self._size = struct.pack("HHHH", lines, columns, 0, 0)
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self._env = {**kept, "TERM": "xterm", "NO_COLOR": "", "FORCE_COLOR": "", **(env or {})}
        self.seen = ""
        self.code: int | None = None

    async def __aenter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, self._size)
        self._process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self._env,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)),
        )
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self._at = 0
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        """What was seen, without colours and other codes."""
        return CODES.sub("", self.seen)

    async def expect(self, text: str) -> str:
        """Wait until `text` appears after what was expected before. What came up to there."""
        deadline = time.monotonic() + SECONDS
        while (found := self.text.find(text, self._at)) < 0:
            alive = self._process.returncode is None
            self._read()
            if not alive and self.text.find(text, self._at) < 0:
                raise AssertionError(f"ended without {text!r}; seen:\n{self.text}")
            if time.monotonic() > deadline:
                raise AssertionError(f"no {text!r} within {SECONDS} s; seen:\n{self.text}")
            await asyncio.sleep(0.02)
        before, self._at = self.text[self._at : found], found + len(text)
        return before

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.type("\x03")

    def resize(self, *, columns: int, lines: int) -> None:
        """The kernel tells the process by SIGWINCH."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    async def end(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(SECONDS):
            while self._process.returncode is None:
                self._read()
                await asyncio.sleep(0.02)
        self._read()
        return self._process.returncode

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            while part := os.read(self._ours, 65536):
                self.seen += part.decode(errors="replace")
