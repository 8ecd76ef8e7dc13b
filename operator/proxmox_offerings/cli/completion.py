"""`completion`: what a shell needs to complete our lines; and the answer to kubectl, which asks its plugins itself."""

import sys

import click
from click.shell_completion import ShellComplete, get_completion_class

from proxmox_offerings.cli.terminal import Invocation

PROGRAM, VARIABLE = "proxmox-offerings", "_PROXMOX_OFFERINGS_COMPLETE"
FILES, NOTHING_ELSE = 0, 4
"""What cobra, on which kubectl is built, calls ShellCompDirectiveDefault and ShellCompDirectiveNoFileComp."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  proxmox-offerings completion bash > ~/.local/share/bash-completion/completions/proxmox-offerings
    zsh:   proxmox-offerings completion zsh > "${fpath[1]}/_proxmox-offerings"
    fish:  proxmox-offerings completion fish > ~/.config/fish/completions/proxmox-offerings.fish

    \b
    For this shell alone:  source <(proxmox-offerings completion bash)

    kubectl completes the lines of its plugin by itself.
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click brings these three
    root = context.find_root().command
    assert isinstance(root, click.Command)  # noqa: S101 - as above
    complete = found(root, {}, PROGRAM, VARIABLE)
    # Not source(): for bash it would start one to ask its version, and complain on the way.
    click.echo(complete.source_template % complete.source_vars())


def for_kubectl(group: click.Group) -> None:
    """Print the completions of the line in sys.argv, as cobra's programs do."""
    *before, incomplete = sys.argv[1:] or [""]
    found = ShellComplete(group, {"obj": Invocation(plugin=True)}, "kubectl proxmox-offerings", "").get_completions(
        before, incomplete
    )
    for one in found:
        if one.type == "plain":
            click.echo(f"{one.value}\t{one.help}" if one.help else one.value)
    click.echo(f":{FILES if any(one.type != 'plain' for one in found) else NOTHING_ELSE}")
