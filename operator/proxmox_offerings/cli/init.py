"""`init`: from an address and a token to a manifest that `check` and `preview` take as it is."""

import asyncio
import sys
from pathlib import Path
from typing import TextIO

import click

from proxmox_offerings.cli.setup.asking import SECRET_VARIABLE, Asker

DEFAULT_FILE = "host.yaml"


@click.command()
@click.option(
    "-e",
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="ADDRESS",
    help="A node: pve1.example.net, or https://pve1.example.net:8006. May be repeated, for nodes of one cluster.",
)
@click.option(
    "--token-id",
    metavar="USER@REALM!NAME",
    envvar="PROXMOX_OFFERINGS_TOKEN_ID",
    show_envvar=True,
    help="The token's full name.",
)
@click.option(
    "--token-secret-file",
    metavar="FILE",
    help="Holds the token's secret; - is standard input. Else the environment's "
    f"{SECRET_VARIABLE}, else it is asked for and not shown.",
)
@click.option(
    "--fingerprint",
    "fingerprints",
    multiple=True,
    metavar="SHA-256",
    help="Of a node's certificate, as the node prints it: pinned without asking, and any other is refused. May be repeated.",
)
@click.option(
    "--ca-bundle",
    type=click.File(encoding="ascii"),
    metavar="FILE",
    help="Authorities to trust instead, such as a copy of /etc/pve/pve-root-ca.pem.",
)
@click.option(
    "--discover/--no-discover",
    default=True,
    show_default=True,
    help="Ask the cluster for its other nodes, so that one that is down does not matter.",
)
@click.option(
    "--tiers/--no-tiers",
    default=True,
    show_default=True,
    help="Write the tiers that the hardware suggests; without, the operator derives them.",
)
@click.option("--name", metavar="NAME", help="Of the ProxmoxHost; else the cluster's.")
@click.option(
    "-n", "--namespace", metavar="NAME", help="Of the ProxmoxHost and its Secret; else none, so that kubectl decides."
)
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=DEFAULT_FILE,
    show_default=True,
    help="- is standard output.",
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option(
    "-y",
    "--yes",
    is_flag=True,
    help="Ask nothing: take certificates as they are shown. For scripts; give --fingerprint too wherever you can.",
)
def init(
    *,
    endpoints: tuple[str, ...],
    token_id: str | None,
    token_secret_file: str | None,
    fingerprints: tuple[str, ...],
    ca_bundle: TextIO | None,
    discover: bool,
    tiers: bool,
    name: str | None,
    namespace: str | None,
    file: Path,
    force: bool,
    yes: bool,
) -> None:
    """Write a ready ProxmoxHost and its Secret for a cluster of yours.

    Asks for what is not given: a node's address and a token. Shows the certificate, and pins it once you have confirmed it; tries the token and its
    rights; finds the cluster's other nodes; suggests tiers that fit the hardware. Nothing is changed on Proxmox, and the secret is never part of
    the command line.

    \b
    A token that can only look, made on any node:
      pveum user add offerings@pve --comment "proxmox-offerings, reads only"
      pveum acl modify / --users offerings@pve --roles PVEAuditor --propagate 1
      pveum user token add offerings@pve reader --privsep 1
      pveum acl modify / --tokens 'offerings@pve!reader' --roles PVEAuditor --propagate 1

    \b
    proxmox-offerings init                                          asks
    proxmox-offerings init -y -e pve1.example.net --token-id 'offerings@pve!reader' \\
        --token-secret-file secret.txt --fingerprint AB:CD:…        asks nothing

    \b
    Exit code: 0 written; 1 the cluster, its certificate or the token's rights will not do, and nothing was written; 2 wrong usage.
    """
    from proxmox_offerings.cli.setup.flow import Wishes, run  # noqa: PLC0415 - `--help` must not wait for this

    wishes = Wishes(
        endpoints=endpoints,
        token_id=token_id,
        token_secret_file=token_secret_file,
        fingerprints=fingerprints,
        ca_bundle=ca_bundle.read() if ca_bundle is not None else None,
        discover=discover,
        tiers=tiers,
        name=name,
        namespace=namespace,
        file=None if str(file) == "-" else file,
        force=force,
    )
    sys.exit(asyncio.run(run(wishes, Asker.here(yes=yes))))
