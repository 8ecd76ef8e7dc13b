"""Printing, for programs and for eyes: what is for programs is alone on standard output."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from proxmox_offerings.cli.terminal import colored

if TYPE_CHECKING:
    from proxmox_offerings.cli.reading import Reading

PROGRAMS = ("json", "yaml")
"""The forms of output that are for programs."""


def dump(values: Any, form: str) -> None:
    """Print `values` as "json" or "yaml"."""
    if form == "json":
        click.echo(json.dumps(values, indent=2))
    else:
        import yaml  # noqa: PLC0415 - only where it is wanted

        click.echo(yaml.safe_dump(values, sort_keys=False), nl=False)


def show(text: str) -> None:
    """Print text that has colours in it exactly where `colored` says so."""
    click.echo(text, color=colored(sys.stdout))


def print_explanations(readings: "Sequence[Reading]", output: str) -> None:
    """How each figure came about, of each host that could be counted; on standard error where standard output is for programs."""
    from proxmox_offerings.catalogue.explain import explain  # noqa: PLC0415 - only where it is wanted
    from proxmox_offerings.cli.explanation import render  # noqa: PLC0415

    for one in readings:
        if one.counted is not None:
            click.echo(f"\n{render(explain(one.counted))}", err=output in PROGRAMS)
