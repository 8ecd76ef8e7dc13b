"""Tables for eyes: Offerings, with the columns of `kubectl get offerings` and the message below each tier that is not simply in stock."""

from collections.abc import Mapping, Sequence
from typing import Any

HEADER = ("NAME", "VCPU", "MEMORY", "DISK", "GPU", "PRICE", "STOCK", "AVAILABLE", "LIMIT", "MESSAGE")


def render(offerings: Sequence[Mapping[str, Any]]) -> str:
    """One line for each Offering."""
    return columns([HEADER, *(_row(offering) for offering in offerings)])


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one as it is."""
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]
    return "\n".join(
        "   ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)), row[-1]]).rstrip()
        for row in rows
    )


def _row(offering: Mapping[str, Any]) -> tuple[str, ...]:
    spec, status = offering["spec"], offering["status"]
    gpu, price = spec.get("gpu"), spec.get("price")
    available = status.get("available")
    return (
        offering["metadata"]["name"],
        str(spec["cpu"]),
        str(spec["memory"]),
        str(spec["disk"]),
        str(gpu["count"]) if gpu else "",
        f"{price['monthly']} {price['currency']}" if price else "",
        status["stock"],
        "" if available is None else str(available),
        status.get("limitingResource") or "",
        status.get("message") or "",
    )
