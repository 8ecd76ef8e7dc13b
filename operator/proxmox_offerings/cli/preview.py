"""`preview`: the operator's own path from Proxmox to Offerings, without the operator."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from proxmox_offerings.cli import mix
from proxmox_offerings.cli.output import PROGRAMS, dump, print_explanations, show
from proxmox_offerings.cli.reading import Preview, preview_of, read_all
from proxmox_offerings.cli.source import Source, source_options
from proxmox_offerings.cli.terminal import Paint, colored, is_terminal

if TYPE_CHECKING:
    from proxmox_offerings.catalogue.count import Count


@click.command()
@source_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "json", "yaml"]),
    default="table",
    show_default=True,
    help="wide adds where units fit, and how full each node and storage is. json and yaml print the list of Offerings exactly as they would be "
    "applied, status included.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Tell how each figure came about: what each node and storage has, what is left out and why, what one more unit would take, "
    "and what is left that no unit can use. Below the table; with json or yaml on standard error.",
)
@click.option(
    "--mix",
    "wanted",
    type=mix.MixParameter(),
    help="Instead of Offerings, answer whether so many units of these tiers fit at the same time, and where each would go.",
)
@click.option(
    "-w",
    "--watch",
    is_flag=True,
    help="Go on reading at each host's refreshIntervalSeconds, three calls a turn. A terminal is redrawn; a pipe gets the Offerings that changed. "
    "Ctrl-C ends.",
)
@click.option(
    "--serve",
    is_flag=True,
    help="Show all of it on a page for the browser of this machine instead, with how full each node is, and keep that up to date. Ctrl-C ends.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="With --serve: of the page; 0: any free one.",
)
def preview(
    source: Source,
    *,
    output: str,
    explain: bool,
    wanted: Mapping[str, int] | None,
    watch: bool,
    serve: bool,
    port: int,
) -> None:
    """Show what a ProxmoxHost would publish.

    Reads the Proxmox cluster as the manifest says and prints the Offerings that the operator would write. Nothing is written anywhere.
    Messages go to standard error.

    \b
    proxmox-offerings preview -f host.yaml
    proxmox-offerings preview -f host.yaml -o wide      # how full each node and storage is
    proxmox-offerings preview -f host.yaml --explain    # how each figure came about
    proxmox-offerings preview -f host.yaml -o json | jq '.[].status.available'
    proxmox-offerings preview -f host.yaml --mix small=10,large=4
    proxmox-offerings preview -f host.yaml --serve      # a page in the browser
    proxmox-offerings preview --kube fra1 -n shop       # host and Secret from Kubernetes

    Each `available` holds if only that tier is sold. --mix answers for several tiers at once, for each host that has them all: yes with a
    place for every unit, no with the reason and as much as does fit (the tier written first is served first), or that it cannot be told.

    \b
    Exit code: 0 fine; 1 some host could not be read, or some stock is Unknown, or a mix does not fit or cannot be told;
    2 unreadable input.
    """
    if watch and (wanted is not None or output == "yaml"):
        raise click.UsageError("--watch goes with -o table, wide or json, and not with --mix")
    if serve and (watch or explain or wanted is not None or output != "table"):
        raise click.UsageError("--serve goes with neither -o, --explain, --mix nor --watch: the page shows all of it")
    manifests = source.manifests()
    if serve:
        from proxmox_offerings.cli.serve import serve as keep_serving  # noqa: PLC0415 - only where it is wanted

        sys.exit(keep_serving(manifests, port=port))
    if wanted is not None:
        sys.exit(mix.answer_all(manifests, wanted, output, explain=explain))
    if watch:
        from proxmox_offerings.cli.watch import watch as go_on  # noqa: PLC0415 - only where it is wanted

        sys.exit(go_on(manifests, output=output, explain=explain))
    previews = [preview_of(reading) for reading in read_all(manifests)]
    for one in previews:
        if one.problem:
            click.echo(f"{one.host}: {one.problem}", err=True)
    offerings = [offering for one in previews for offering in one.offerings]
    if output in PROGRAMS:
        dump(offerings, output)
    elif offerings:
        show(for_eyes(previews, wide=output == "wide"))
    if explain:
        print_explanations([one.reading for one in previews], output)
    unknown = any(offering["status"]["stock"] == "Unknown" for offering in offerings)
    sys.exit(1 if unknown or any(one.problem for one in previews) else 0)


def for_eyes(previews: Sequence[Preview], *, wide: bool) -> str:
    """The table, one line about each host, and with `wide` how full everything is."""
    from proxmox_offerings.cli import summary, table  # noqa: PLC0415

    paint = Paint(colored(sys.stdout))
    width = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
    parts = [table.offerings([one.offerings for one in previews], paint=paint, width=width, wide=wide)]
    parts.append("\n".join(summary.line(one, paint) for one in previews if not one.problem))
    if wide:
        parts += [
            _fill(one.reading.counted, paint) for one in previews if one.reading.counted is not None and not one.problem
        ]
    return "\n\n".join(parts)


def _fill(counted: "Count", paint: Paint) -> str:
    from proxmox_offerings.catalogue.explain import explain  # noqa: PLC0415
    from proxmox_offerings.cli import progress, wide  # noqa: PLC0415

    bars = wide.BLOCKS if progress.writes(sys.stdout.encoding, "".join(wide.BLOCKS)) else wide.PLAIN
    return wide.render(explain(counted), paint=paint, bars=bars)
