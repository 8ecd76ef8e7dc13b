"""Clusters read again and again by the operator's own observer, for whoever shows what changes (`preview --watch`, `preview --serve`)."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import click

from proxmox_offerings.cli.manifests import HostManifest, Unusable
from proxmox_offerings.cli.reading import Preview, Reading, counted_of, preview_of, token_of

if TYPE_CHECKING:
    from proxmox_offerings.resources import Stock

LEAST_SECONDS = 1.0
"""Between two readings of one cluster, whatever news there are."""


@dataclass(slots=True)
class Followed:
    """One host, what was said of it last, and the last known stock of each Offering (restockThreshold needs it)."""

    manifest: HostManifest
    preview: Preview
    past: dict[str, "Stock"] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: HostManifest) -> Self:
        """A host that was not read yet."""
        name = manifest.host.metadata.name
        return cls(manifest, Preview(host=name, reading=Reading(host=name)))

    @property
    def was_read(self) -> bool:
        """Whether there is anything to say of it, be it that it cannot be read."""
        return bool(self.preview.offerings or self.preview.problem)


def watchable(manifests: Sequence[HostManifest | Unusable]) -> list[HostManifest]:
    """The hosts that can be read at all; why the others cannot is told on standard error."""
    for one in manifests:
        if isinstance(one, Unusable):
            click.echo(f"{one.host}: {one.problem}", err=True)
    return [one for one in manifests if isinstance(one, HostManifest)]


async def follow(host: Followed, changed: asyncio.Event) -> None:
    """Read one cluster at its interval, and at once when the slow loop has news."""
    from proxmox_offerings.observation.connect import open_observer  # noqa: PLC0415 - `--help` must not wait for this
    from proxmox_offerings.proxmox.errors import ObservationError  # noqa: PLC0415

    spec, news = host.manifest.host.spec, asyncio.Event()
    try:
        observer = open_observer(spec=spec, token=token_of(host.manifest), on_news=news.set)
    except ObservationError as problem:
        host.preview = replace(host.preview, problem=f"{problem.reason}: {problem}")
        changed.set()
        return
    try:
        while True:
            news.clear()
            try:
                reading = counted_of(host.manifest, await observer.observe())
                host.preview = preview_of(reading, past=host.past)
                host.past |= {one["metadata"]["name"]: _stock(one) for one in host.preview.offerings if _is_known(one)}
            except ObservationError as problem:
                host.preview = replace(host.preview, problem=f"{problem.reason}: {problem}")
            changed.set()
            await asyncio.sleep(LEAST_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(spec.refresh_interval_seconds - LEAST_SECONDS):
                    await news.wait()
    finally:
        await observer.aclose()


def _is_known(offering: Mapping[str, Any]) -> bool:
    return bool(offering["status"]["stock"] != "Unknown")


def _stock(offering: Mapping[str, Any]) -> "Stock":
    from proxmox_offerings.resources import Stock  # noqa: PLC0415

    return Stock(offering["status"]["stock"])
