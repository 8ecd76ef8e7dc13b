"""`proxmox-offerings simulate`: run a simulated cluster, and act on one that runs.

Server and certificates are imported only when they are needed, so that `--help` is quick.
"""

import asyncio
import functools
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxmox_offerings.simulator.command_ctl import ctl, directory_option, unusable
from proxmox_offerings.simulator.statefiles import (
    AUTHORITY,
    MANIFEST,
    STATE,
    NotRunningError,
    State,
    manifest,
    write_private,
)

PRESETS = ("demo", "standalone", "ceph3", "gpu", "vgpu", "mixed32")
"""presets.PRESETS: importing those takes longer than `--help` may."""

if TYPE_CHECKING:
    from proxmox_offerings.simulator.config import SimulatorConfig


@click.group(invoke_without_command=True)
@click.option("--config", "file", type=click.Path(path_type=Path), help="A YAML file that describes the cluster.")
@click.option(
    "--preset",
    "preset_name",
    type=click.Choice(PRESETS),
    metavar="NAME",
    help="A cluster that is built in, see above; demo unless --config names another.",
)
@click.option("--listen", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--advertise",
    metavar="HOST",
    help="The name or address by which others reach it, for host.yaml and the certificates; else the one listened on.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Of the first node, the others follow; 0: any.",
)
@directory_option
@click.option("--name", help="Of the ProxmoxHost in host.yaml; else the cluster's.")
@click.option("--namespace", help="Of the ProxmoxHost in host.yaml; else none.")
@click.pass_context
def simulate(
    context: click.Context,
    *,
    file: Path | None,
    preset_name: str | None,
    listen: str,
    advertise: str | None,
    port: int,
    directory: Path,
    name: str | None,
    namespace: str | None,
) -> None:
    """Run a simulated Proxmox VE cluster over HTTPS until it is interrupted.

    Each node listens on a port of its own. A ProxmoxHost for it, with its Secret, is written to host.yaml in --dir.

    \b
    Presets:
      demo        three nodes, one with two A100 cards; local disks and NFS; some 25 guests
      standalone  one server without a cluster
      ceph3       three nodes on a common Ceph pool
      gpu         four nodes, three of them with graphics cards of two models
      vgpu        two nodes that sell parts of graphics cards
      mixed32     32 nodes with 5,000 guests of all sizes

    \b
    In another terminal:
      proxmox-offerings check -f .simulator/host.yaml
      proxmox-offerings preview -f .simulator/host.yaml --watch
      proxmox-offerings simulate ctl kill-node pve2        and see what that does to the stock
    """
    if context.invoked_subcommand is not None:
        return
    config = _configuration(file, preset_name)
    _refuse_second(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        written = functools.partial(_serve, config, directory=directory, name=name, namespace=namespace)
        asyncio.run(written(listen=listen, advertise=advertise, port=port))
    except (OSError, OverflowError) as problem:  # an address or a range of ports that cannot be had
        unusable(str(problem))


async def _serve(
    config: "SimulatorConfig",
    *,
    directory: Path,
    listen: str,
    advertise: str | None,
    port: int,
    name: str | None,
    namespace: str | None,
) -> None:
    from proxmox_offerings.simulator.control_api import ControlServer  # noqa: PLC0415
    from proxmox_offerings.simulator.simulator import Simulator  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        Simulator(config, host=listen, advertised=advertise, port=port) as simulator,
        ControlServer(simulator) as control,
    ):
        host = name or (simulator.name or next(iter(simulator.nodes))).lower()
        (directory / AUTHORITY).write_text(simulator.ca_pem, encoding="utf-8")
        reach = {"token_id": simulator.token_id, "token_secret": simulator.token_secret}
        written = manifest(
            name=host, namespace=namespace, endpoints=simulator.endpoints, ca_pem=simulator.ca_pem, **reach
        )
        write_private(directory / MANIFEST, written)
        State(
            pid=os.getpid(),
            endpoints=simulator.endpoints,
            ca_file=str((directory / AUTHORITY).resolve()),
            control_url=control.url,
            control_token=control.token,
            **reach,
        ).write(directory)
        try:
            for node in simulator.nodes:
                click.echo(f"{node} listens on {simulator.endpoint(node)}")
            click.echo(f"ProxmoxHost and Secret to apply: {directory / MANIFEST}")
            click.echo(f"To look at it: proxmox-offerings preview -f {directory / MANIFEST} --watch")
            click.echo(f"To act on it: proxmox-offerings simulate ctl --dir {directory} --help")
            await stop.wait()
        finally:
            (directory / STATE).unlink(missing_ok=True)


def _refuse_second(directory: Path) -> None:
    """Two in one directory would overwrite each other's files. What a killed one left behind is no hindrance."""
    from proxmox_offerings.simulator.control import Control  # noqa: PLC0415

    try:
        Control.of(directory).state()
    except NotRunningError:
        return
    unusable(f"a simulator runs in {directory} already; give this one another --dir")


def _configuration(file: Path | None, preset_name: str | None) -> "SimulatorConfig":
    from proxmox_offerings.simulator.config import load  # noqa: PLC0415
    from proxmox_offerings.simulator.model import ConfigError  # noqa: PLC0415
    from proxmox_offerings.simulator.presets import preset  # noqa: PLC0415

    if file is not None and preset_name is not None:
        unusable("give either --config or --preset")
    try:
        return load(file) if file is not None else preset(preset_name or "demo")
    except ConfigError as problem:
        unusable(str(problem))


simulate.add_command(ctl)
