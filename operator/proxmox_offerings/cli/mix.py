"""`preview --mix`: what is asked, and the answers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from proxmox_offerings.cli.manifests import HostManifest, UnreadableInput, Unusable
from proxmox_offerings.cli.output import PROGRAMS, dump, print_explanations
from proxmox_offerings.cli.reading import Reading, read_all
from proxmox_offerings.cli.source import hosts_while_completing
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

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The tiers of the manifest that was named before, each after what is there of the list already."""
        del param
        before, comma, begun = incomplete.rpartition(",")
        tiers = {tier.name for one in hosts_while_completing(ctx) for tier in one.host.spec.tiers or ()}
        return [CompletionItem(f"{before}{comma}{name}=") for name in sorted(tiers) if name.startswith(begun)]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Whether a mix of tiers fits on one host; or why nothing can be said (`problem`); or that it has no such tier (`lacking`)."""

    host: str
    answer: dict[str, Any] | None = None
    problem: str | None = None
    lacking: str | None = None
    reading: Reading | None = None


def answer_all(
    manifests: Sequence[HostManifest | Unusable], wanted: Mapping[str, int], output: str, *, explain: bool
) -> int:
    """Print the answer of each host that has these tiers; the exit code. Raises UnreadableInput where no host has them."""
    mixed = [_lacking_before(one, wanted) for one in manifests]
    to_read = [manifest for manifest, known in zip(manifests, mixed, strict=True) if known is None]
    readings = iter(read_all(to_read) if to_read else ())
    answered = [known or _mixed(next(readings), wanted) for known in mixed]
    if all(one.lacking for one in answered):
        raise UnreadableInput("--mix: " + "\n".join(f"{one.host}: {one.lacking}" for one in answered))
    for one in answered:
        if one.lacking or one.problem:
            click.echo(f"{one.host}: {one.lacking or one.problem}", err=True)
    answers = [one.answer for one in answered if one.answer is not None]
    if output in PROGRAMS:
        dump({"mix": dict(wanted), "hosts": answers}, output)
    elif answers:
        click.echo("\n\n".join(map(render, answers)))
    if explain:
        print_explanations([one.reading for one in answered if one.reading is not None], output)
    fits = all(answer["verdict"] == "Fits" for answer in answers)
    return 0 if fits and not any(one.problem for one in answered) else 1


def _lacking_before(manifest: HostManifest | Unusable, wanted: Mapping[str, int]) -> Mixed | None:
    """A misspelt tier is told before anything is read; derived tiers are known only afterwards."""
    from proxmox_offerings.catalogue.mixes import UnknownTier, check_tiers  # noqa: PLC0415

    if isinstance(manifest, Unusable) or not manifest.host.spec.tiers:
        return None
    try:
        check_tiers(manifest.host.spec.tiers, wanted)
    except UnknownTier as unknown:
        return Mixed(host=manifest.host.metadata.name, lacking=str(unknown))
    return None


def _mixed(reading: Reading, wanted: Mapping[str, int]) -> Mixed:
    from proxmox_offerings.catalogue.mixes import UnknownTier, answer  # noqa: PLC0415

    if reading.counted is None:
        return Mixed(host=reading.host, problem=reading.problem)
    try:
        return Mixed(host=reading.host, answer=answer(reading.counted, wanted), reading=reading)
    except UnknownTier as unknown:
        return Mixed(host=reading.host, lacking=str(unknown))
