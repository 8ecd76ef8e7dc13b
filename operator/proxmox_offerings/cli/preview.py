"""`preview`: the operator's own path from Proxmox to Offerings, without Kubernetes."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import click

from proxmox_offerings.cli import mix
from proxmox_offerings.cli.manifests import DEFAULT_NAMESPACE, HostManifest, UnreadableInput, read_hosts
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Whether a mix of tiers fits on one host; or why nothing can be said (`problem`); or that it has no such tier (`lacking`)."""

    host: str
    answer: dict[str, Any] | None = None
    problem: str | None = None
    lacking: str | None = None
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
@click.option(
    "--mix",
    "wanted",
    type=mix.MixParameter(),
    help="Instead of Offerings, answer whether so many units of these tiers fit at the same time, and where each would go.",
)
def preview(file: TextIO, output: str, explain: bool, wanted: Mapping[str, int] | None) -> None:
    """Show what a ProxmoxHost would publish, without Kubernetes.

    Reads the Proxmox cluster as the manifest says and prints the Offerings that the operator would write. Nothing is written anywhere.
    Messages go to standard error.

    \b
    proxmox-offerings preview -f host.yaml
    proxmox-offerings preview -f host.yaml --explain
    proxmox-offerings preview -f host.yaml -o json | jq '.[].status.available'
    proxmox-offerings preview -f host.yaml --mix small=10,large=4

    Each `available` holds if only that tier is sold. --mix answers for several tiers at once, for each host that has them all: yes with a
    place for every unit, no with the reason and as much as does fit (the tier written first is served first), or that it cannot be told.

    \b
    Exit code: 0 fine; 1 some host could not be read, or some stock is Unknown, or a mix does not fit or cannot be told;
    2 unreadable input.
    """
    manifests = read_hosts(file)
    if wanted is not None:
        sys.exit(_answer(manifests, wanted, output, explain=explain))
    previews = asyncio.run(_previews(manifests, explain=explain))
    for one in previews:
        if one.problem:
            click.echo(f"{one.host}: {one.problem}", err=True)
    offerings = [offering for one in previews for offering in one.offerings]
    if output != "table":
        _dump(offerings, output)
    elif offerings:
        click.echo(render(offerings))
    _print_explanations(previews, output)
    unknown = any(offering["status"]["stock"] == "Unknown" for offering in offerings)
    sys.exit(1 if unknown or any(one.problem for one in previews) else 0)


def _print_explanations(explained: "Sequence[Preview | Mixed]", output: str) -> None:
    for one in explained:
        if one.explanation is not None:
            click.echo(f"\n{one.explanation}", err=output != "table")


def _dump(values: Any, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(values, indent=2))
    else:
        import yaml  # noqa: PLC0415 - only where it is wanted

        click.echo(yaml.safe_dump(values, sort_keys=False), nl=False)


async def _previews(manifests: Sequence[HostManifest], *, explain: bool) -> list[Preview]:
    return list(await asyncio.gather(*(_preview(manifest, explain=explain) for manifest in manifests)))


async def _preview(manifest: HostManifest, *, explain: bool) -> Preview:
    from proxmox_offerings.catalogue.count import count  # noqa: PLC0415 - `--help` must not wait for this
    from proxmox_offerings.catalogue.plan import plan_of  # noqa: PLC0415
    from proxmox_offerings.proxmox.errors import ObservationError  # noqa: PLC0415

    host, name = manifest.host, manifest.host.metadata.name
    try:
        snapshot = await _observe(manifest)
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


async def _observe(manifest: HostManifest) -> "Snapshot":
    """Raises ObservationError."""
    from proxmox_offerings.observation.connect import observe_once  # noqa: PLC0415
    from proxmox_offerings.proxmox.token import Token  # noqa: PLC0415

    host, name = manifest.host, manifest.host.metadata.name
    if host.spec.suspend:
        click.echo(f"{name}: suspended; the operator would not refresh these", err=True)
    token = Token(id=manifest.credentials.token_id, secret=manifest.credentials.token_secret)
    return await observe_once(spec=host.spec, token=token, on_progress=lambda text: _progress(name, text))


def _answer(manifests: Sequence[HostManifest], wanted: Mapping[str, int], output: str, *, explain: bool) -> int:
    """Print the answer of each host that has these tiers; the exit code. Raises UnreadableInput where no host has them."""
    mixed = asyncio.run(_mixes(manifests, wanted, explain=explain))
    lacking = "\n".join(f"{one.host}: {one.lacking}" for one in mixed if one.lacking)
    if all(one.lacking for one in mixed):
        raise UnreadableInput(f"--mix: {lacking}")
    for one in mixed:
        if one.lacking or one.problem:
            click.echo(f"{one.host}: {one.lacking or one.problem}", err=True)
    answers = [one.answer for one in mixed if one.answer is not None]
    if output != "table":
        _dump({"mix": dict(wanted), "hosts": answers}, output)
    elif answers:
        click.echo("\n\n".join(map(mix.render, answers)))
    _print_explanations(mixed, output)
    fits = all(answer["verdict"] == "Fits" for answer in answers)
    return 0 if fits and not any(one.problem for one in mixed) else 1


async def _mixes(manifests: Sequence[HostManifest], wanted: Mapping[str, int], *, explain: bool) -> list[Mixed]:
    return list(await asyncio.gather(*(_mixed(manifest, wanted, explain=explain) for manifest in manifests)))


async def _mixed(manifest: HostManifest, wanted: Mapping[str, int], *, explain: bool) -> Mixed:
    from proxmox_offerings.catalogue.count import count  # noqa: PLC0415
    from proxmox_offerings.catalogue.mixes import UnknownTier, answer, check_tiers  # noqa: PLC0415
    from proxmox_offerings.proxmox.errors import ObservationError  # noqa: PLC0415

    host, name = manifest.host, manifest.host.metadata.name
    try:
        # A misspelt tier is told before anything is read; derived tiers are known only afterwards.
        if host.spec.tiers:
            check_tiers(host.spec.tiers, wanted)
        counted = count(host=host, snapshot=await _observe(manifest))
        return Mixed(host=name, answer=answer(counted, wanted), explanation=_explained(counted) if explain else None)
    except UnknownTier as unknown:
        return Mixed(host=name, lacking=str(unknown))
    except ObservationError as problem:
        return Mixed(host=name, problem=f"{problem.reason}: {problem}")


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
