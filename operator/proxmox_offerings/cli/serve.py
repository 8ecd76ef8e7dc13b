"""`preview --serve`: the catalogue page of what would be published, for the browser of this machine and nobody else."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from proxmox_offerings.catalogue.observed import counts_of
from proxmox_offerings.cli.following import Followed, follow, watchable
from proxmox_offerings.cli.manifests import DEFAULT_NAMESPACE, HostManifest, Unusable
from proxmox_offerings.cli.progress import progress
from proxmox_offerings.controller import conditions
from proxmox_offerings.resources import ProxmoxHostStatus, Stock
from proxmox_offerings.web.contents import Contents, Item
from proxmox_offerings.web.frame import Look
from proxmox_offerings.web.server import CatalogueServer

ADDRESS = "127.0.0.1"
NAMES = frozenset({"127.0.0.1", "localhost"})
"""Pages of elsewhere could lead a name of theirs here, and read with this person's browser what is shown."""
POLL_SECONDS = 5.0


def serve(manifests: Sequence[HostManifest | Unusable], *, port: int) -> int:
    """Until interrupted; 1 at once where no host can be read at all."""
    usable = watchable(manifests)
    if not usable:
        return 1
    asyncio.run(_serve(usable, port))
    return 0


class Previewed:
    """What was read of each host last (web.contents.Source)."""

    def __init__(self, hosts: Sequence[Followed]) -> None:
        self._hosts = hosts
        self._revision = 0
        self._versions: dict[int, tuple[object, int]] = {}

    def revision(self) -> int | None:
        """See web.contents.Source; None until a host was read."""
        return self._revision or None

    def changed(self) -> None:
        """Some host was read."""
        self._revision += 1

    def contents(self) -> Contents:
        """See web.contents.Source."""
        items = [self._items(number, host) for number, host in enumerate(self._hosts) if host.was_read]
        return Contents(
            hosts=tuple(host for host, _ in items),
            offerings=tuple(offering for _, offerings in items for offering in offerings),
        )

    def _items(self, number: int, host: Followed) -> tuple[Item, list[Item]]:
        preview = host.preview
        seen, version = self._versions.get(number, (None, 0))
        if seen is not preview:
            version += 1
            self._versions[number] = (preview, version)
        resource = host.manifest.host
        namespace = resource.metadata.namespace or DEFAULT_NAMESPACE

        def item(name: str, spec: Any, status: Any) -> Item:
            return Item(namespace=namespace, name=name, version=version, generation=1, spec=spec, status=status)

        status = status_of(host, now=datetime.now(UTC))
        offerings = [item(one["metadata"]["name"], one["spec"], one["status"]) for one in preview.offerings]
        return item(resource.metadata.name, resource.spec.to_wire(), status.to_wire()), offerings


def status_of(host: Followed, *, now: datetime) -> ProxmoxHostStatus:
    """What the operator would say of the host."""
    preview, counted = host.preview, host.preview.reading.counted
    findings = list(conditions.of_host(None, insecure=host.manifest.host.spec.tls.insecure_skip_verify))
    if preview.problem:
        reason, _, message = preview.problem.partition(": ")
        findings = [conditions.Finding(type="Ready", status=conditions.FALSE, reason=reason, message=message)]
    return (preview.observed or ProxmoxHostStatus()).model_copy(
        update={
            "observed_generation": 1,
            "conditions": conditions.settle(findings, before=(), generation=1, now=now),
            "offerings": counts_of(Stock(one["status"]["stock"]) for one in preview.offerings),
            "last_refresh_time": counted.snapshot.observed_at.replace(microsecond=0) if counted else None,
        }
    )


async def _serve(manifests: Sequence[HostManifest], port: int) -> None:
    hosts = [Followed.of(one) for one in manifests]
    source = Previewed(hosts)
    look = Look(title="Preview", details=True, poll_seconds=POLL_SECONDS)
    server = CatalogueServer(source, address=ADDRESS, port=port, look=look, only_for=NAMES)
    try:
        await server.start()
    except OSError:
        raise click.ClickException(f"port {port} is taken: choose another with --port, or leave it out") from None
    changed = asyncio.Event()
    told: dict[str, str | None] = {}
    try:
        async with asyncio.TaskGroup() as tasks:
            for host in hosts:
                tasks.create_task(follow(host, changed))
            async with progress(len(hosts)):
                await changed.wait()
            source.changed()
            click.echo(f"http://{ADDRESS}:{server.port}/")
            click.echo("Ctrl-C ends.", err=True)
            while True:
                for host in hosts:
                    _tell(host, told)
                await changed.wait()
                changed.clear()
                source.changed()
    finally:
        await server.stop()


def _tell(host: Followed, told: dict[str, str | None]) -> None:
    """What is wrong, once."""
    name, problem = host.preview.host, host.preview.problem
    if problem != told.get(name):
        click.echo(f"{name}: {problem or 'read again'}", err=True)
    told[name] = problem
