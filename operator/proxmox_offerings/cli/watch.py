"""`preview --watch`: each cluster read again and again by the operator's own observer, and what changed shown.

A statement that could not be confirmed stays until its validUntil and then becomes Unknown, as the operator would have it.
"""

import asyncio
import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from proxmox_offerings.cli import table
from proxmox_offerings.cli.following import Followed, follow, watchable
from proxmox_offerings.cli.manifests import HostManifest, Unusable
from proxmox_offerings.cli.output import print_explanations
from proxmox_offerings.cli.progress import progress
from proxmox_offerings.cli.reading import Preview
from proxmox_offerings.cli.terminal import Paint, colored, is_terminal

HOME, ERASE_LINE, ERASE_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
TIMES = ("observedAt", "validUntil", "conditions")
CLOCK = "%H:%M:%S"


def watch(manifests: Sequence[HostManifest | Unusable], *, output: str, explain: bool) -> int:
    """Until interrupted; 1 at once where no host can be watched at all."""
    usable = watchable(manifests)
    if not usable:
        return 1
    eyes = is_terminal(sys.stdout) and output != "json"
    screen = Screen(wide=output == "wide", explain=explain) if eyes else Lines(as_json=output == "json")
    try:
        asyncio.run(_watch(usable, screen))
    except BaseExceptionGroup as group:  # of the task group: what went wrong first is what is to be told
        raise group.exceptions[0] from group
    return 0


class Screen:
    """Redraws the terminal with all hosts."""

    def __init__(self, *, wide: bool, explain: bool) -> None:
        self._wide = wide
        self._explain = explain
        self._drawn: Sequence[Preview] = ()
        self._cleared = False

    def show(self, previews: Sequence[Preview]) -> None:
        """Draw all of them, in one write, so that nothing flickers."""
        from proxmox_offerings.cli.preview import for_eyes  # noqa: PLC0415 - it imports this module

        self._drawn = previews
        paint = Paint(colored(sys.stdout))
        parts = [for_eyes(previews, wide=self._wide)] if any(one.offerings for one in previews) else []
        parts += [paint(f"{one.host}: {one.problem}", "red") for one in previews if one.problem]
        parts.append(paint(f"{datetime.now(UTC):%H:%M:%SZ}; Ctrl-C ends", dim=True))
        lines = "\n\n".join(parts).splitlines()
        height = shutil.get_terminal_size().lines - 1
        if len(lines) > height:
            lines = [
                *lines[: height - 1],
                paint(f"… {len(lines) - height + 1} more lines: a larger window shows them", dim=True),
            ]
        start = HOME if self._cleared else "\x1b[2J" + HOME
        self._cleared = True
        sys.stdout.write(start + "".join(f"{one}{ERASE_LINE}\n" for one in lines) + ERASE_BELOW)
        sys.stdout.flush()

    def again(self) -> None:
        """The window has another size."""
        self._cleared = False
        if self._drawn:
            self.show(self._drawn)

    def close(self) -> None:
        """What was asked to be explained, below the last picture."""
        if self._explain:
            print_explanations([one.reading for one in self._drawn], "table")


class Lines:
    """Prints a line for each Offering that changed, with the time; as JSON the whole Offering, one on each line."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._said: dict[tuple[str, str], Any] = {}
        self._problems: dict[str, str | None] = {}
        self._widths: list[int] | None = None

    def show(self, previews: Sequence[Preview]) -> None:
        """What is new in them."""
        changed = []
        for one in previews:
            if one.problem != self._problems.get(one.host):
                click.echo(f"{one.host}: {one.problem or 'read again'}", err=True)
            self._problems[one.host] = one.problem
            for offering in one.offerings:
                key = (offering["metadata"]["namespace"], offering["metadata"]["name"])
                content = without_times(offering)
                if self._said.get(key) != content:
                    self._said[key] = content
                    changed.append(offering)
        if changed and self._as_json:
            click.echo("\n".join(json.dumps(offering) for offering in changed))
        elif changed:
            click.echo("\n".join(self._rows(changed)))
        sys.stdout.flush()

    def again(self) -> None:
        """Nothing depends on the size of a window."""

    def close(self) -> None:
        """Nothing is left to be said."""

    def _rows(self, changed: Sequence[Mapping[str, Any]]) -> list[str]:
        at = f"{datetime.now(UTC):{CLOCK}}"
        rows = [table.row_of(offering, wide=False) for offering in changed]
        rows = [row._replace(cells=(at, *row.cells)) for row in rows]
        header = ("TIME", *table.HEADER)
        paint, colors = Paint(colored(sys.stdout)), {header.index("STOCK"): table.STOCK_COLORS}
        first = [] if self._widths else [table.line(header, table.widths_of(header, rows), table.MESSAGE, paint=paint)]
        self._widths = self._widths or table.widths_of(header, rows)
        return first + [table.line(row.cells, self._widths, row.message, paint=paint, colors=colors) for row in rows]


async def _watch(manifests: Sequence[HostManifest], screen: Screen | Lines) -> None:
    hosts = [Followed.of(one) for one in manifests]
    changed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, screen.again)
    try:
        async with asyncio.TaskGroup() as tasks:
            for host in hosts:
                tasks.create_task(follow(host, changed))
            async with progress(len(hosts)):
                await changed.wait()
            while True:
                changed.clear()
                screen.show([held_now(host.preview) for host in hosts if host.was_read])
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_seconds_valid([host.preview for host in hosts])):
                        await changed.wait()
    finally:
        screen.close()


def held_now(preview: Preview) -> Preview:
    """What is left of it now: statements whose time is over become Unknown."""
    from proxmox_offerings.controller.statements import held, read_status  # noqa: PLC0415

    now, offerings = datetime.now(UTC), []
    for offering in preview.offerings:
        status = read_status(offering["status"])
        assert status is not None  # noqa: S101 - it was written by preview_of
        left = held(status, now=now)
        offerings.append(offering if left is status else {**offering, "status": left.to_wire()})
    return replace(preview, offerings=tuple(offerings))


def _seconds_valid(previews: Sequence[Preview]) -> float | None:
    """Until the first statement ends; None if none is left to end."""
    now = datetime.now(UTC)
    ends = (datetime.fromisoformat(offering["status"]["validUntil"]) for one in previews for offering in one.offerings)
    return min((left for end in ends if (left := (end - now).total_seconds()) > 0), default=None)


def without_times(offering: Mapping[str, Any]) -> Mapping[str, Any]:
    """What it says, whenever it was said."""
    status = {key: value for key, value in offering["status"].items() if key not in TIMES}
    return {**offering, "status": status}
