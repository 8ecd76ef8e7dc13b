"""`proxmox-offerings simulate ctl`: act on a simulator that runs in another process."""

from pathlib import Path
from typing import Any, NoReturn

import click

from proxmox_offerings.simulator.statefiles import MANIFEST, NotRunningError, State

DIRECTORY = Path(".simulator")
directory_option = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=DIRECTORY,
    show_default=True,
    help="Where its files are.",
)


class _Unusable(click.ClickException):
    """Wrong usage, or input that cannot be read."""

    exit_code = 2


def unusable(sentence: str) -> NoReturn:
    """End with that sentence and exit code 2."""
    raise _Unusable(sentence)


@click.group()
@directory_option
@click.pass_context
def ctl(context: click.Context, directory: Path) -> None:
    """Act on a running simulator. Sizes are bytes or as in "10Gi"."""
    context.obj = directory


def _act(operation: str, **arguments: Any) -> None:
    """Do it; refusals are one sentence and exit code 1, no simulator is 2."""
    from proxmox_offerings.simulator.control import Control, ControlError  # noqa: PLC0415

    directory: Path = click.get_current_context().obj
    try:
        result = Control.of(directory).do(
            operation, **{key: value for key, value in arguments.items() if value is not None}
        )
    except NotRunningError as problem:
        unusable(str(problem))
    except ControlError as problem:
        raise click.ClickException(str(problem)) from None
    if result is not None:
        click.echo(result)


def _size(value: Any) -> int:
    from proxmox_offerings.simulator.amounts import size  # noqa: PLC0415

    try:
        return size(int(value) if str(value).isdigit() else value)
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from None


@ctl.command("start-guest")
@click.argument("vmid", type=int)
def start_guest(vmid: int) -> None:
    """Start a guest."""
    _act("start_guest", vmid=vmid)


@ctl.command("stop-guest")
@click.argument("vmid", type=int)
def stop_guest(vmid: int) -> None:
    """Stop a guest."""
    _act("stop_guest", vmid=vmid)


@ctl.command("remove-guest")
@click.argument("vmid", type=int)
def remove_guest(vmid: int) -> None:
    """Remove a guest."""
    _act("remove_guest", vmid=vmid)


@ctl.command("add-guest")
@click.argument("vmid", type=int)
@click.option("--node", required=True)
@click.option("--type", "kind", type=click.Choice(["qemu", "lxc"]), default="qemu", show_default=True)
@click.option("--name")
@click.option("--status", default="running", show_default=True)
@click.option("--cpu", type=int, default=1, show_default=True)
@click.option("--memory", type=_size, default="1Gi", show_default=True)
@click.option("--disk", type=_size, default="0", show_default=True)
@click.option("--storage")
@click.option("--tag", "tags", multiple=True)
@click.option("--hostpci", multiple=True, help='Such as "0000:17:00,pcie=1"; several times for several cards.')
@click.option("--count", type=int, default=1, show_default=True, help="So many of them, with rising vmids.")
def add_guest(kind: str, tags: tuple[str, ...], hostpci: tuple[str, ...], **values: Any) -> None:
    """Add a guest, or several alike."""
    given = {key: value for key, value in values.items() if value is not None}
    _act("add_guest", config=given | {"type": kind, "tags": list(tags), "hostpci": list(hostpci)})


@ctl.command("kill-node")
@click.argument("node")
def kill_node(node: str) -> None:
    """Let a node die without a word."""
    _act("kill_node", name=node)


@ctl.command("restore-node")
@click.argument("node")
def restore_node(node: str) -> None:
    """Boot a dead node."""
    _act("restore_node", name=node)


@ctl.command("set-maintenance")
@click.argument("node")
@click.option("--on/--off", default=True)
def set_maintenance(node: str, *, on: bool) -> None:
    """Put a node into maintenance, or take it out."""
    _act("set_maintenance", name=node, on=on)


@ctl.command("set-quorum")
@click.argument("state", type=click.Choice(["lost", "kept", "counted"]))
def set_quorum(state: str) -> None:
    """Whether the cluster has its quorum; counted: by the nodes that live."""
    _act("set_quorum", quorate={"lost": False, "kept": True, "counted": None}[state])


@ctl.command("fill-storage")
@click.argument("storage")
@click.argument("used", type=_size)
@click.option("--node", help="Of which node, for a local storage; else of all.")
def fill_storage(storage: str, used: int, node: str | None) -> None:
    """Set how much of a storage is used."""
    _act("fill_storage", storage=storage, used=used, node=node)


@ctl.command("advance")
@click.argument("seconds", type=float)
def advance(seconds: float) -> None:
    """Let time pass at once; after 300 s nothing is known of a dead node."""
    _act("advance", seconds=seconds)


@ctl.command("do")
@click.argument("operation")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
def do(operation: str, arguments: tuple[str, ...]) -> None:
    """Any operation of the control API, with values in YAML: add-fault fault='{path: "/cluster/*", status: 502, reason: Bad Gateway}'."""
    import yaml  # noqa: PLC0415

    given: dict[str, Any] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            unusable(f"{argument!r} is not NAME=VALUE")
        try:
            given[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            unusable(f"the value of {key} is not YAML")
    _act(operation, **given)


@ctl.command("host")
def host() -> None:
    """Print the ProxmoxHost and Secret to apply (host.yaml)."""
    directory: Path = click.get_current_context().obj
    try:
        State.read(directory)
    except NotRunningError as problem:
        unusable(str(problem))
    click.echo((directory / MANIFEST).read_text(encoding="utf-8"), nl=False)


@ctl.command("state")
def state() -> None:
    """Print what the cluster is like now, as JSON."""
    _print("state")


@ctl.command("requests")
def requests() -> None:
    """Print the requests that came in, as JSON."""
    _print("requests")


def _print(what: str) -> None:
    import json  # noqa: PLC0415

    from proxmox_offerings.simulator.control import Control  # noqa: PLC0415

    directory: Path = click.get_current_context().obj
    try:
        control = Control.of(directory)
        click.echo(json.dumps(control.state() if what == "state" else control.requests(), indent=2))
    except NotRunningError as problem:
        unusable(str(problem))
