"""`run`: the operator, with a flag and an environment variable for each setting."""

import asyncio
import gc
import sys
from dataclasses import fields
from ipaddress import IPv6Network, ip_network
from typing import Any, Final

import click

from proxmox_offerings.controller.config import Network, Settings

DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Settings)}
PREFIX = "PROXMOX_OFFERINGS"
GARBAGE_AFTER: Final = 20_000
"""More objects than before after which cycles are looked for: a reconcile makes some thousands that end with it. With Python's 700 they were looked
through again and again, and everything that is kept with them: 7 % of the CPU with 100 hosts (measured)."""


class Range(click.ParamType[Network]):
    """A range of addresses in CIDR notation, or a single address."""

    name = "CIDR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        try:
            network = ip_network(value)
        except ValueError as problem:
            self.fail(f"{problem}: it must be a range such as 10.20.0.0/16 or 2001:db8::/32, or an address", param, ctx)
        if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
            self.fail(f"{value!r} is a range of IPv4 addresses: write it as one", param, ctx)
        return network


@click.command(context_settings={"auto_envvar_prefix": PREFIX})
@click.option(
    "--kubeconfig", type=click.Path(dir_okay=False), help="Default: KUBECONFIG, the pod's account, ~/.kube/config."
)
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="Serve only this namespace; may be repeated. Default: all.",
)
@click.option(
    "--allow-endpoint-range",
    "allow_endpoint_ranges",
    type=Range(),
    multiple=True,
    help="Connect to endpoints in this range too, such as 127.0.0.0/8 for a simulator; may be repeated.",
)
@click.option(
    "--deny-endpoint-range",
    "deny_endpoint_ranges",
    type=Range(),
    multiple=True,
    help="Do not connect to endpoints in this range; may be repeated. The narrowest range that holds an address decides.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=DEFAULTS["concurrency"],
    show_default=True,
    help="ProxmoxHosts looked at at the same time; one that takes longer than 5 s gives its place to another.",
)
@click.option(
    "--health-address", default=DEFAULTS["health_address"], show_default=True, help="Where health and metrics listen."
)
@click.option(
    "--health-port",
    type=click.IntRange(-1, 65535),
    default=DEFAULTS["health_port"],
    show_default=True,
    help="Of /healthz, /readyz and /metrics; 0: any free one, -1: none.",
)
@click.option(
    "--catalogue-port",
    type=click.IntRange(-1, 65535),
    default=-1,
    show_default=True,
    help="Of the catalogue page, which anybody who reaches it may read; 0: any free one, -1: none.",
)
@click.option(
    "--catalogue-address",
    default=DEFAULTS["catalogue_address"],
    show_default=True,
    help="Where the catalogue page listens.",
)
@click.option(
    "--catalogue-title",
    metavar="TEXT",
    default=DEFAULTS["catalogue_title"],
    show_default=True,
    help="What it is called on its pages, and the seller in exports.",
)
@click.option("--catalogue-website", metavar="URL", help="The seller's website, for its pages and exports.")
@click.option("--catalogue-support-email", metavar="ADDRESS", help="Where customers write to.")
@click.option(
    "--catalogue-namespace",
    "catalogue_namespaces",
    multiple=True,
    metavar="NAME",
    help="Show only this namespace; may be repeated. Default: all that are served.",
)
@click.option(
    "--catalogue-details/--no-catalogue-details",
    default=DEFAULTS["catalogue_details"],
    show_default=True,
    help="Also show nodes and storages by name, how full they are, and what is wrong: for a page that only your own people reach.",
)
@click.option(
    "--leader-elect/--no-leader-elect",
    default=None,
    help="Of several processes only one works, elected by a Lease; the others stand by. Default: in a pod, or with --leader-elect-namespace.",
)
@click.option("--leader-elect-namespace", metavar="NAME", help="Namespace of the Lease. Default: that of the pod.")
@click.option(
    "--leader-elect-name",
    metavar="NAME",
    default=DEFAULTS["leader_elect_name"],
    show_default=True,
    help="Name of the Lease; operators that serve different namespaces need different ones.",
)
@click.option(
    "--leader-elect-lease-duration",
    type=click.IntRange(1, 3600),
    metavar="SECONDS",
    default=DEFAULTS["leader_elect_lease_duration"],
    show_default=True,
    help="After the last sign of the leader, until another one takes over.",
)
@click.option(
    "--leader-elect-renew-deadline",
    type=float,
    metavar="SECONDS",
    default=DEFAULTS["leader_elect_renew_deadline"],
    show_default=True,
    help="After the last successful renewal, until the leader stops.",
)
@click.option(
    "--leader-elect-retry-period",
    type=float,
    metavar="SECONDS",
    default=DEFAULTS["leader_elect_retry_period"],
    show_default=True,
    help="Between two renewals.",
)
@click.option(
    "--share-work",
    is_flag=True,
    help="Several processes, at most 16, divide the ProxmoxHosts among themselves, instead of one working and the others standing by. "
    "Each holds a Lease named after --leader-elect-name.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default=DEFAULTS["log_format"],
    show_default=True,
    help="auto: for people if standard error is a terminal, else JSON.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default=DEFAULTS["log_level"],
    show_default=True,
)
def run(*, health_port: int, catalogue_port: int, **options: Any) -> None:
    """Run the operator until it is interrupted.

    Uses the current KUBECONFIG, or the account of the pod that it runs in. The CustomResourceDefinitions must be there
    (proxmox-offerings crds | kubectl apply --server-side -f -).

    Each option is also an environment variable: PROXMOX_OFFERINGS_LOG_LEVEL=debug, PROXMOX_OFFERINGS_NAMESPACES="a b", and so on.
    """
    # What imports make lives as long as the process: not looked through for garbage, start takes an eighth less, and collections later find less.
    gc.disable()
    from proxmox_offerings.kube.aio_alone import leave_out_the_rest  # noqa: PLC0415 - see the package's docstring

    leave_out_the_rest()
    from proxmox_offerings.controller.operator import run as run_operator  # noqa: PLC0415 - see the package's docstring

    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, 10, 10)
    gc.enable()
    settings = Settings(
        health_port=None if health_port < 0 else health_port,
        catalogue_port=None if catalogue_port < 0 else catalogue_port,
        **options,
    )
    try:
        settings.check()
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    sys.exit(asyncio.run(run_operator(settings)))
