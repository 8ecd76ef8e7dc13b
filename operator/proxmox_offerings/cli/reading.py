"""From a ProxmoxHost and its token to what would be published: the operator's own path, without Kubernetes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from proxmox_offerings.cli.manifests import DEFAULT_NAMESPACE, HostManifest, Unusable
from proxmox_offerings.cli.progress import Tell, progress

if TYPE_CHECKING:
    from proxmox_offerings.catalogue.count import Count
    from proxmox_offerings.proxmox.token import Token
    from proxmox_offerings.resources import ProxmoxHost, ProxmoxHostStatus, Stock


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one host's cluster was seen to have: `counted`, or the `problem` why nothing can be said, in a sentence."""

    host: str
    manifest: HostManifest | None = None
    counted: "Count | None" = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one host would publish: Offering objects as they would be applied, and what was `observed`; `problem` as in Reading."""

    host: str
    offerings: tuple[dict[str, Any], ...] = ()
    problem: str | None = None
    observed: "ProxmoxHostStatus | None" = None
    reading: Reading


def read_all(manifests: Sequence[HostManifest | Unusable]) -> list[Reading]:
    """Read all clusters side by side, in the order given."""
    return asyncio.run(_read_all(manifests))


async def _read_all(manifests: Sequence[HostManifest | Unusable]) -> list[Reading]:
    async with progress(len(manifests)) as tell:
        return list(await asyncio.gather(*(_read(manifest, tell) for manifest in manifests)))


async def _read(manifest: HostManifest | Unusable, tell: Tell) -> Reading:
    from proxmox_offerings.observation.connect import observe_once  # noqa: PLC0415 - `--help` must not wait for this
    from proxmox_offerings.proxmox.errors import ObservationError  # noqa: PLC0415

    if isinstance(manifest, Unusable):
        return Reading(host=manifest.host, problem=manifest.problem)
    host, name = manifest.host, manifest.host.metadata.name
    if host.spec.suspend:
        click.echo(f"{name}: suspended; the operator would not refresh these", err=True)
    try:
        snapshot = await observe_once(
            spec=host.spec, token=token_of(manifest), on_progress=lambda text: tell(name, text)
        )
        return counted_of(manifest, snapshot)
    except ObservationError as problem:
        return Reading(host=name, manifest=manifest, problem=f"{problem.reason}: {problem}")


def counted_of(manifest: HostManifest, snapshot: Any) -> Reading:
    """What `snapshot` lets the host sell. Raises UncountableGuests."""
    from proxmox_offerings.catalogue.count import count  # noqa: PLC0415

    counted = count(host=manifest.host, snapshot=snapshot)
    return Reading(host=manifest.host.metadata.name, manifest=manifest, counted=counted)


def token_of(manifest: HostManifest) -> "Token":
    """Raises CredentialsMissing where it cannot be a token."""
    from proxmox_offerings.proxmox.token import Token  # noqa: PLC0415

    return Token(id=manifest.credentials.token_id, secret=manifest.credentials.token_secret)


def preview_of(reading: Reading, *, past: "Mapping[str, Stock] | None" = None) -> Preview:
    """The Offerings as the operator would apply them. `past`: what each said before, by name (restockThreshold needs it)."""
    from proxmox_offerings.catalogue.plan import plan_of  # noqa: PLC0415

    counted = reading.counted
    if counted is None:
        return Preview(host=reading.host, problem=reading.problem, reading=reading)
    plan = plan_of(counted, past=past or {})
    offerings = tuple(_published(planned, host=counted.host, counted=counted) for planned in plan.offerings)
    return Preview(host=reading.host, offerings=offerings, observed=plan.observed, reading=reading)


def _published(planned: Any, *, host: "ProxmoxHost", counted: "Count") -> dict[str, Any]:
    """The Offering as the operator would apply it; only the owner reference is missing, since nothing here has a uid."""
    from proxmox_offerings.controller import conditions as words  # noqa: PLC0415
    from proxmox_offerings.controller.statements import Rhythm  # noqa: PLC0415
    from proxmox_offerings.controller.wanted import Reading as Read  # noqa: PLC0415
    from proxmox_offerings.controller.wanted import seen  # noqa: PLC0415
    from proxmox_offerings.resources import ObjectMeta, Offering  # noqa: PLC0415

    at = counted.snapshot.observed_at
    read = Read(at=at, confirmed=True, rhythm=Rhythm.of(host.spec))
    (wanted,) = seen((planned,), reading=read, live={}, terms_changed=False, now=at)
    conditions = words.settle(words.of_offering(wanted.status, reason=wanted.reason), before=(), generation=1, now=at)
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
