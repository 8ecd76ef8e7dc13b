"""`run`: the operator, with a flag and an environment variable for each setting."""

import asyncio
import sys
from dataclasses import fields
from typing import Any

import click

from proxmox_offerings.controller.config import Settings

DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Settings)}
PREFIX = "PROXMOX_OFFERINGS"


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
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=DEFAULTS["concurrency"],
    show_default=True,
    help="ProxmoxHosts looked at at the same time.",
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
def run(*, namespaces: tuple[str, ...], health_port: int, **options: Any) -> None:
    """Run the operator until it is interrupted.

    Uses the current KUBECONFIG, or the account of the pod that it runs in. The CustomResourceDefinitions must be there
    (proxmox-offerings crds | kubectl apply --server-side -f -).

    Each option is also an environment variable: PROXMOX_OFFERINGS_LOG_LEVEL=debug, PROXMOX_OFFERINGS_NAMESPACES="a b", and so on.
    """
    from proxmox_offerings.controller.operator import run as run_operator  # noqa: PLC0415 - see the package's docstring

    settings = Settings(namespaces=namespaces, health_port=None if health_port < 0 else health_port, **options)
    sys.exit(asyncio.run(run_operator(settings)))
