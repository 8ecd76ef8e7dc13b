"""`check`: a doctor for a ProxmoxHost. Tries each step that the operator takes, on every endpoint, and says what mends what fails."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from proxmox_offerings.cli.manifests import HostManifest, Unusable
from proxmox_offerings.cli.output import PROGRAMS, dump, show
from proxmox_offerings.cli.progress import progress, writes
from proxmox_offerings.cli.source import Source, source_options
from proxmox_offerings.cli.terminal import Paint, colored

if TYPE_CHECKING:
    from proxmox_offerings.cli.doctor.findings import Finding


@click.command()
@source_options
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="Only what is not fine.")
def check(source: Source, *, output: str, quiet: bool) -> None:
    """Try each step of the way to a cluster, and say what mends what fails.

    Of every endpoint: name, port, certificate, clock, version, token. Of the cluster: each privilege, quorum, each node with its GPUs, each storage,
    templates, and what each tier would say. Only reads; the token is sent to no server whose certificate is not accepted.

    \b
    proxmox-offerings check -f host.yaml
    proxmox-offerings check -f host.yaml -q             # only what is not fine
    proxmox-offerings check -f host.yaml -o json | jq -r '.[] | select(.verdict == "Failed") | .fix[]'
    proxmox-offerings check --kube -A                   # all hosts in Kubernetes whose Secrets you may read

    \b
    Exit code: 0 nothing failed (there may be warnings); 1 something did; 2 unreadable input.
    """
    from proxmox_offerings.cli.doctor.findings import Verdict, worst  # noqa: PLC0415 - `--help` must not wait for this

    manifests = source.manifests()
    results = asyncio.run(_examine_all(manifests))
    if output in PROGRAMS:
        kept = [(host, one) for host, found in results for one in found if not quiet or one.verdict is not Verdict.OK]
        dump([finding.to_wire(host) for host, finding in kept], output)
    else:
        _print(results, quiet=quiet)
    failed = [host for host, findings in results if worst(findings) is Verdict.FAILED]
    if not failed and output == "table":
        click.echo(f"next: {_next(source)}", err=True)
    sys.exit(1 if failed else 0)


def _print(results: "Sequence[tuple[str, list[Finding]]]", *, quiet: bool) -> None:
    from proxmox_offerings.cli.doctor.report import PICTURES, WORDS, render  # noqa: PLC0415

    paint = Paint(colored(sys.stdout))
    signs = PICTURES if writes(sys.stdout.encoding, "".join(PICTURES)) else WORDS
    show("\n\n".join(render(host, found, paint=paint, signs=signs, quiet=quiet) for host, found in results))


def _next(source: Source) -> str:
    where = f"-f {source.file.name}" if source.file is not None else "--kube"
    return f"proxmox-offerings preview {where}   shows what would be published"


async def _examine_all(manifests: Sequence[HostManifest | Unusable]) -> "list[tuple[str, list[Finding]]]":
    from proxmox_offerings.cli.doctor.examination import examine, unusable  # noqa: PLC0415

    async with progress(len(manifests)) as tell:
        now = datetime.now(UTC)
        found = await asyncio.gather(
            *(unusable(one) if isinstance(one, Unusable) else examine(one, now=now, tell=tell) for one in manifests)
        )
    names = [one.host if isinstance(one, Unusable) else one.host.metadata.name for one in manifests]
    return list(zip(names, found, strict=True))
