"""`preview --mix`: what is asked, and the answer for eyes."""

import re
from collections.abc import Mapping
from typing import Any

import click

from proxmox_offerings.cli.table import columns

MOST_UNITS = 1_000_000
PART = re.compile(r"(?P<tier>[a-z0-9]([-a-z0-9]*[a-z0-9])?)=(?P<units>[0-9]{1,7})")


class MixParameter(click.ParamType[Mapping[str, int]]):
    """ "small=10,large=4" -> units by tier, in that order."""

    name = "TIER=UNITS,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mapping[str, int]:
        """Units by tier, in the order written; a mistake is explained."""
        wanted: dict[str, int] = {}
        for part in str(value).split(","):
            form = PART.fullmatch(part.strip())
            if form is None:
                self.fail(f"{part.strip()!r} is not TIER=UNITS; write for instance small=10,large=4", param, ctx)
            tier, units = form["tier"], int(form["units"])
            if not 1 <= units <= MOST_UNITS:
                self.fail(f"units of {tier} must be from 1 to {MOST_UNITS}", param, ctx)
            if tier in wanted:
                self.fail(f"{tier} is named twice", param, ctx)
            wanted[tier] = units
        return wanted


def render(answer: Mapping[str, Any]) -> str:
    """The answer, why, and where each unit goes."""
    lines = [f"{answer['host']}: {answer['message']}", *(f"  {reason}" for reason in answer["reasons"])]
    if answer["part"]:
        lines.append(f"  {answer['part']}")
    if answer["placement"]:
        rows = [
            (one["node"], one["tier"], str(one["units"]), " or ".join(one["storages"])) for one in answer["placement"]
        ]
        lines += ["", columns([("NODE", "TIER", "UNITS", "STORAGE"), *rows])]
    return "\n".join(lines)
