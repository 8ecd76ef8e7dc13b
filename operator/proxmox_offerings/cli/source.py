"""Where a command's hosts come from: -f FILE, or --kube for Kubernetes, which `kubectl proxmox-offerings` means unless told otherwise."""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click
from click.shell_completion import CompletionItem

from proxmox_offerings.cli.cluster import Scope, connect
from proxmox_offerings.cli.manifests import HostManifest, UnreadableInput, Unusable, read_hosts
from proxmox_offerings.cli.terminal import invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Either `file` or `scope` is there. `names`: only these hosts."""

    file: TextIO | None = None
    scope: Scope | None = None
    names: tuple[str, ...] = ()

    def manifests(self) -> tuple[HostManifest | Unusable, ...]:
        """The hosts with their tokens; Unusable only of those from Kubernetes. Raises UnreadableInput, ClusterUnreadable."""
        if self.file is None:
            return asyncio.run(self._from_cluster())
        found = read_hosts(self.file)
        there = [one.host.metadata.name for one in found]
        for name in self.names:
            if name not in there:
                raise UnreadableInput(
                    f"{self.file.name}: there is no ProxmoxHost {name} in it; there: {', '.join(there)}"
                )
        return tuple(one for one in found if not self.names or one.host.metadata.name in self.names)

    def offerings(self, *, selector: str | None = None, with_bookkeeping: bool = False) -> list[dict[str, Any]]:
        """The Offerings that Kubernetes has, those of `names` if there are any. Raises UnreadableInput, ClusterUnreadable."""
        return asyncio.run(self._offerings(selector=selector, with_bookkeeping=with_bookkeeping))

    async def _from_cluster(self) -> tuple[HostManifest | Unusable, ...]:
        async with connect(self.scope or Scope()) as cluster:
            return await cluster.manifests(self.names)

    async def _offerings(self, *, selector: str | None, with_bookkeeping: bool) -> list[dict[str, Any]]:
        async with connect(self.scope or Scope()) as cluster:
            if self.names:
                await cluster.hosts(self.names)
            return await cluster.offerings(self.names, selector=selector, with_bookkeeping=with_bookkeeping)


def kube_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """-n, -A, --kubeconfig and --context, given to the command as `scope`."""

    @functools.wraps(command)
    def with_scope(
        *, namespace: str | None, all_namespaces: bool, kubeconfig: str | None, kube_context: str | None, **others: Any
    ) -> Any:
        if namespace and all_namespaces:
            raise click.UsageError("give either -n or -A")
        scope = Scope(kubeconfig=kubeconfig, context=kube_context, namespace=namespace, all_namespaces=all_namespaces)
        return command(scope=scope, **others)

    for option in (
        click.option("--context", "kube_context", metavar="NAME", help="Of the kubeconfig; else its current one."),
        click.option(
            "--kubeconfig",
            type=click.Path(dir_okay=False),
            help="Default: KUBECONFIG, the pod's account, ~/.kube/config.",
        ),
        click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces of the Kubernetes cluster."),
        click.option("-n", "--namespace", metavar="NAME", help="In Kubernetes; else the kubeconfig's, else default."),
    ):
        with_scope = option(with_scope)
    return with_scope


KUBE_HELP = "Read ProxmoxHosts and their Secrets from Kubernetes, with your own rights; instead of -f."


def source_options(command: Callable[..., Any], *, kube_help: str = KUBE_HELP) -> Callable[..., Any]:
    """HOST..., -f and --kube with its options, given to the command as `source`."""

    @functools.wraps(command)
    def with_source(*, file: TextIO | None, kube: bool, scope: Scope, names: tuple[str, ...], **others: Any) -> Any:
        if file is not None and kube:
            raise click.UsageError("give either -f or --kube")
        if file is None and not kube and not invocation().plugin:
            raise click.UsageError(
                "give -f FILE with a ProxmoxHost and its Secret (- is standard input), or --kube to read them from Kubernetes"
            )
        if file is not None and scope != Scope():
            raise click.UsageError("-n, -A, --kubeconfig and --context go with --kube, not with -f")
        return command(source=Source(file=file, scope=None if file else scope, names=names), **others)

    decorated = kube_options(with_source)
    for option in (
        click.option(
            "--kube",
            is_flag=True,
            help=kube_help,
        ),
        click.option(
            "-f",
            "--filename",
            "file",
            type=click.File(encoding="utf-8"),
            metavar="FILE",
            help="ProxmoxHost and its Secret as one would apply them; several hosts are fine. - reads standard input.",
        ),
        click.argument("names", metavar="[HOST]...", nargs=-1, shell_complete=_hosts_of_file),
    ):
        decorated = option(decorated)
    return decorated


def _hosts_of_file(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the hosts of -f, where there is one; those in Kubernetes would take too long to ask for."""
    del parameter
    return [
        CompletionItem(one.host.metadata.name)
        for one in hosts_while_completing(context)
        if one.host.metadata.name.startswith(incomplete)
    ]


def hosts_while_completing(context: click.Context) -> tuple[HostManifest, ...]:
    """The hosts of the file that was named on the line so far; none where it cannot be read, or is standard input."""
    file = context.params.get("file")
    if file is None or file.name in ("-", "<stdin>"):
        return ()
    try:
        with Path(file.name).open(encoding="utf-8") as again:  # click has closed the first one by now
            return read_hosts(again)
    except (UnreadableInput, OSError, ValueError):
        return ()
