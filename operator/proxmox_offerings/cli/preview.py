"""`preview`: the operator's own path from Proxmox to Offerings, without Kubernetes."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import click

from proxmox_offerings.cli.manifests import DEFAULT_NAMESPACE, HostManifest, read_hosts
from proxmox_offerings.cli.table import render

if TYPE_CHECKING:
    from proxmox_offerings.catalogue.count import Count
    from proxmox_offerings.catalogue.plan import PlannedOffering
    from proxmox_offerings.inventory.snapshot import Snapshot
    from proxmox_offerings.resources import ProxmoxHost


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one host would publish: Offering objects as they would be applied, or why none can be said."""

    host: str
    offerings: tuple[dict[str, Any], ...]
    problem: str | None
    explanation: str | None = None


@click.command()
@click.option(
    "-f",
    "--filename",
    "file",
    type=click.File(encoding="utf-8"),
    required=True,
    metavar="FILE",
    help="ProxmoxHost and its Secret as one would apply them; several hosts are fine. - reads standard input.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="json and yaml print the list of Offerings exactly as they would be applied, status included.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Tell how each figure came about: what each node and storage has, what is left out and why, what one more unit would take, "
    "and what is left that no unit can use. Below the table; with json or yaml on standard error.",
)
def preview(file: TextIO, output: str, explain: bool) -> None:
    """Show what a ProxmoxHost would publish, without Kubernetes.

    Reads the Proxmox cluster as the manifest says and prints the Offerings that the operator would write. Nothing is written anywhere.
    Messages go to standard error.

    \b
    proxmox-offerings preview -f host.yaml
    proxmox-offerings preview -f host.yaml --explain
    proxmox-offerings preview -f host.yaml -o json | jq '.[].status.available'

    \b
    Exit code: 0 fine; 1 some host could not be read, or some stock is Unknown; 2 unreadable input.
    """
    manifests = read_hosts(file)
    previews = asyncio.run(_previews(manifests, explain=explain))
    for one in previews:
        if one.problem:
            click.echo(f"{one.host}: {one.problem}", err=True)
    offerings = [offering for one in previews for offering in one.offerings]
    if output == "json":
        click.echo(json.dumps(offerings, indent=2))
    elif output == "yaml":
        import yaml  # noqa: PLC0415 - only where it is wanted

        click.echo(yaml.safe_dump(offerings, sort_keys=False), nl=False)
    elif offerings:
        click.echo(render(offerings))
    for one in previews:
        if one.explanation is not None:
            click.echo(f"\n{one.explanation}", err=output != "table")
    unknown = any(offering["status"]["stock"] == "Unknown" for offering in offerings)
    sys.exit(1 if unknown or any(one.problem for one in previews) else 0)


async def _previews(manifests: Sequence[HostManifest], *, explain: bool) -> list[Preview]:
    return list(await asyncio.gather(*(_preview(manifest, explain=explain) for manifest in manifests)))


async def _preview(manifest: HostManifest, *, explain: bool) -> Preview:
    from proxmox_offerings.catalogue.count import count  # noqa: PLC0415 - `--help` must not wait for this
    from proxmox_offerings.catalogue.plan import plan_of  # noqa: PLC0415
    from proxmox_offerings.observation.connect import observe_once  # noqa: PLC0415
    from proxmox_offerings.proxmox.errors import ObservationError  # noqa: PLC0415
    from proxmox_offerings.proxmox.token import Token  # noqa: PLC0415

    host, name = manifest.host, manifest.host.metadata.name
    if host.spec.suspend:
        click.echo(f"{name}: suspended; the operator would not refresh these", err=True)
    try:
        token = Token(id=manifest.credentials.token_id, secret=manifest.credentials.token_secret)
        snapshot = await observe_once(spec=host.spec, token=token, on_progress=lambda text: _progress(name, text))
        counted = count(host=host, snapshot=snapshot)
    except ObservationError as problem:
        return Preview(host=name, offerings=(), problem=f"{problem.reason}: {problem}")
    planned = plan_of(counted, past={})
    offerings = tuple(_published(offering, host=host, snapshot=snapshot) for offering in planned.offerings)
    return Preview(host=name, offerings=offerings, problem=None, explanation=_explained(counted) if explain else None)


def _explained(counted: "Count") -> str:
    from proxmox_offerings.catalogue.explain import explain  # noqa: PLC0415 - only where it is wanted
    from proxmox_offerings.cli.explanation import render as in_words  # noqa: PLC0415

    return in_words(explain(counted))


def _published(planned: "PlannedOffering", *, host: "ProxmoxHost", snapshot: "Snapshot") -> dict[str, Any]:
    """The Offering as the operator would apply it; only the owner reference is missing, since nothing here has a uid."""
    from proxmox_offerings.controller.conditions import of_offering, settle  # noqa: PLC0415
    from proxmox_offerings.controller.statements import Rhythm  # noqa: PLC0415
    from proxmox_offerings.controller.wanted import Reading, seen  # noqa: PLC0415
    from proxmox_offerings.resources import ObjectMeta, Offering  # noqa: PLC0415

    at = snapshot.observed_at
    reading = Reading(at=at, confirmed=True, rhythm=Rhythm.of(host.spec))
    (wanted,) = seen((planned,), reading=reading, live={}, terms_changed=False, now=at)
    conditions = settle(of_offering(wanted.status, reason=wanted.reason), before=(), generation=1, now=at)
    offering = Offering(
        metadata=ObjectMeta(
            name=wanted.name,
            namespace=host.metadata.namespace or DEFAULT_NAMESPACE,
            labels=dict(wanted.labels or {}),
        ),
        spec=planned.spec,
        status=wanted.status.model_copy(update={"observed_generation": 1, "conditions": conditions}),
    )
    return offering.to_wire()


def _progress(host: str, text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"{host}: {text}", err=True)
