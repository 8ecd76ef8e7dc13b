"""Offerings as a table for eyes, with the columns of `kubectl get offerings` and the message below each tier that is not simply in stock."""

from collections.abc import Mapping, Sequence
from typing import Any

HEADER = ("NAME", "VCPU", "MEMORY", "DISK", "GPU", "PRICE", "STOCK", "AVAILABLE", "LIMIT", "MESSAGE")


def render(offerings: Sequence[Mapping[str, Any]]) -> str:
    """One line each, columns as wide as their widest cell."""
    rows = [HEADER, *(_row(offering) for offering in offerings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER) - 1)]
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
