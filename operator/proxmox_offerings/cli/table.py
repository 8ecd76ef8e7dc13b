"""Tables for eyes: Offerings with the columns of `kubectl get offerings`, and why each is limited.

Where a terminal is too narrow for the sentence, it goes below its line. Colours never decide anything: the words are there without them.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from proxmox_offerings.cli.terminal import Paint

FIRST = ("NAME", "VCPU", "MEMORY", "DISK", "GPU", "PRICE", "STOCK", "AVAILABLE")
HEADER = (*FIRST, "LIMIT")
WIDE = ("VIRT", "CLASS", "WHERE")
MESSAGE = "MESSAGE"
STOCK_COLORS = {"InStock": "green", "LowStock": "yellow", "OutOfStock": "red", "Unknown": "magenta"}
GAP = "   "
INDENT = "    "


class Row(NamedTuple):
    """One line: its cells, and a sentence."""

    cells: tuple[str, ...]
    message: str


def offerings(
    groups: Iterable[Sequence[Mapping[str, Any]]], *, paint: Paint, width: int | None, wide: bool = False
) -> str:
    """One line for each Offering, a blank one between groups. `width`: of the terminal, None where there is none."""
    header = (*HEADER, *WIDE) if wide else HEADER
    rows = [[row_of(offering, wide=wide) for offering in group] for group in groups if group]
    return grouped(header, rows, paint=paint, width=width, colors={header.index("STOCK"): STOCK_COLORS})


def grouped(
    header: Sequence[str],
    groups: Sequence[Sequence[Row]],
    *,
    paint: Paint,
    width: int | None = None,
    colors: Mapping[int, Mapping[str, str]],
) -> str:
    """A header, a line for each row, a blank one between groups. `colors`: by column, of what a cell may say."""
    rows = [row for group in groups for row in group]
    widths = widths_of(header, rows)
    used = sum(widths) + len(GAP) * len(widths)
    below = width is not None and any(used + len(row.message) > width for row in rows)
    lines = [line(header, widths, "" if below else MESSAGE, paint=paint)]
    for index, group in enumerate(groups):
        lines += [""] if index else []
        for row in group:
            lines.append(line(row.cells, widths, "" if below else row.message, paint=paint, colors=colors))
            if below and width is not None:
                lines += [paint(part, dim=True) for part in _wrapped(row.message, width)]
    return "\n".join(lines)


def widths_of(header: Sequence[str], rows: Iterable[Row]) -> list[int]:
    """Of each column, as wide as its widest cell."""
    return [max(map(len, column)) for column in zip(header, *(row.cells for row in rows), strict=True)]


def line(
    cells: Sequence[str],
    widths: Sequence[int],
    message: str,
    *,
    paint: Paint,
    colors: Mapping[int, Mapping[str, str]] | None = None,
) -> str:
    """One line; without `colors` it is the header's."""
    styled = [
        paint(cell, bold=True) if colors is None else paint(cell, colors.get(column, {}).get(cell))
        for column, cell in enumerate(cells)
    ]
    padded = [text + " " * (size - len(cell)) for cell, text, size in zip(cells, styled, widths, strict=True)]
    last = paint(message, bold=True) if colors is None else message
    return GAP.join([*padded, last] if message else padded).rstrip()


def _wrapped(message: str, width: int) -> list[str]:
    return textwrap.wrap(message, max(20, width - 1), initial_indent=INDENT, subsequent_indent=INDENT)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one as it is."""
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]
    return "\n".join(
        GAP.join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)), row[-1]]).rstrip()
        for row in rows
    )


def cells_of(offering: Mapping[str, Any]) -> tuple[str, ...]:
    """What every table says of an Offering, under FIRST."""
    spec, status = offering["spec"], offering.get("status") or {}
    gpu, price, available = spec.get("gpu"), spec.get("price"), status.get("available")
    return (
        offering["metadata"]["name"],
        str(spec["cpu"]),
        str(spec["memory"]),
        str(spec["disk"]),
        str(gpu["count"]) if gpu else "",
        f"{price['monthly']} {price['currency']}" if price else "",
        status.get("stock") or "Unknown",
        "" if available is None else str(available),
    )


def row_of(offering: Mapping[str, Any], *, wide: bool) -> Row:
    spec, status = offering["spec"], offering.get("status") or {}
    cells = (*cells_of(offering), status.get("limitingResource") or "")
    if wide:
        places = [f"{node['name']}:{node['available']}" for node in status.get("nodes") or () if node["available"]]
        cells += (spec["virtualization"], spec.get("storageClass") or "any", " ".join(places))
    return Row(cells, status.get("message") or "")
