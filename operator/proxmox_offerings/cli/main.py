"""The commands, by name. Exit codes: 0 fine; 1 it ran and the answer is bad; 2 wrong usage or unreadable input."""

import importlib
from collections.abc import Mapping

import click

from proxmox_offerings import __version__

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("proxmox_offerings.cli.run", "Run the operator."),
    "preview": ("proxmox_offerings.cli.preview", "Show what a ProxmoxHost would publish, without Kubernetes."),
    "simulate": ("proxmox_offerings.simulator.command", "Simulate a Proxmox VE cluster over HTTPS."),
    "crds": ("proxmox_offerings.cli.crds", "Print the CustomResourceDefinitions."),
}
"""Command -> the module that holds it under its own name, and its line in the overview (so that the overview imports none of them)."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is called or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a slip in COMMANDS, not a user's mistake
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="proxmox-offerings %(version)s")
def cli() -> None:
    """Turn Proxmox VE capacity into Offering resources, and never claim stock that is not known to exist.

    \b
    Try it:   proxmox-offerings simulate            a simulated cluster, and a manifest for it
              proxmox-offerings preview -f FILE     what that manifest would publish
    Run it:   proxmox-offerings run                 in a cluster, or with your KUBECONFIG
    """


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="proxmox-offerings")
