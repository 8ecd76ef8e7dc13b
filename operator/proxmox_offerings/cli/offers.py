"""`offers`: the Offerings that Kubernetes has, with what `kubectl get` cannot tell: which statements still hold, and how old each is."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import click

from proxmox_offerings.cli.cluster import Scope
from proxmox_offerings.cli.output import PROGRAMS, dump, show
from proxmox_offerings.cli.source import Source, kube_options
from proxmox_offerings.cli.table import FIRST, STOCK_COLORS, Row, cells_of, grouped
from proxmox_offerings.cli.terminal import Paint, colored, is_terminal

SELLABLE = ("InStock", "LowStock")
HEADER = (*FIRST, "SELL", "SEEN", "HOLDS")


@click.command()
@click.argument("names", metavar="[HOST]...", nargs=-1)
@kube_options
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@click.option("--for-sale", is_flag=True, help="Only those that may be sold now.")
def offers(scope: Scope, *, names: tuple[str, ...], output: str, for_sale: bool) -> None:
    """List the Offerings in Kubernetes, and which still hold.

    SELL is yes only where the rule for readers says so: stock is InStock or LowStock, and now is before validUntil. SEEN is how long ago Proxmox
    was read, HOLDS for how much longer the statement may be believed.

    \b
    proxmox-offerings offers                            of your namespace
    proxmox-offerings offers fra1 ams1 -n shop          of two hosts
    proxmox-offerings offers -A --for-sale -o json      for programs: only what may be sold now

    \b
    Exit code: 0 fine; 1 Kubernetes did not answer; 2 wrong usage.
    """
    now = datetime.now(UTC)
    found = Source(scope=scope, names=names).offerings()
    if for_sale:
        found = [offering for offering in found if may_be_sold(offering, now=now)]
    if output in PROGRAMS:
        dump(found, output)
    elif not found:
        click.echo(f"no Offerings{' for sale' if for_sale else ''} there; -A looks in all namespaces", err=True)
    else:
        show(_table(found, now=now, everywhere=scope.all_namespaces))


def may_be_sold(offering: Mapping[str, Any], *, now: datetime) -> bool:
    """The rule for readers."""
    status = offering.get("status") or {}
    return status.get("stock") in SELLABLE and now < _time(status.get("validUntil"), default=now)


def _table(found: Sequence[Mapping[str, Any]], *, now: datetime, everywhere: bool) -> str:
    paint = Paint(colored(sys.stdout))
    width = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
    header = (("NAMESPACE",) if everywhere else ()) + HEADER
    groups = [
        [_row(one, now=now, everywhere=everywhere) for one in own]
        for _, own in groupby(found, key=lambda one: (one["metadata"]["namespace"], one["spec"]["hostRef"]["name"]))
    ]
    colors = {
        header.index("STOCK"): STOCK_COLORS,
        header.index("SELL"): {"yes": "green", "no": "red"},
        header.index("HOLDS"): {"expired": "red"},
    }
    return grouped(header, groups, paint=paint, width=width, colors=colors)


def _row(offering: Mapping[str, Any], *, now: datetime, everywhere: bool) -> Row:
    status, metadata = offering.get("status") or {}, offering["metadata"]
    seen, until = status.get("observedAt"), status.get("validUntil")
    left = (_time(until, default=now) - now).total_seconds()
    cells = (
        *cells_of(offering),
        "yes" if may_be_sold(offering, now=now) else "no",
        age((now - _time(seen, default=now)).total_seconds()) if seen else "never",
        ("" if not until else age(left) if left > 0 else "expired"),
    )
    return Row(((metadata["namespace"],) if everywhere else ()) + cells, status.get("message") or "")


def age(seconds: float) -> str:
    """As kubectl writes ages: "42s", "9m", "3h", "2d"."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def _time(text: Any, *, default: datetime) -> datetime:
    try:
        return datetime.fromisoformat(str(text)) if text else default
    except ValueError:
        return default
