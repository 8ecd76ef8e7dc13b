"""The commands, by name; as a program of their own, and as `kubectl proxmox-offerings`. Exit codes: see `frame`."""

from collections.abc import Mapping

import click

from proxmox_offerings import __version__
from proxmox_offerings.cli.frame import Entry, LazyGroup, common_options
from proxmox_offerings.cli.terminal import Invocation

LOOK, SERVE, TOOLS = "Look at clusters", "Run the operator", "Around it"

COMMANDS: Mapping[str, Entry] = {
    "init": Entry("proxmox_offerings.cli.init", "Write a manifest for a cluster of yours.", LOOK),
    "preview": Entry("proxmox_offerings.cli.preview", "Show what a ProxmoxHost would publish.", LOOK),
    "check": Entry(
        "proxmox_offerings.cli.check", "Try each step of the way to a cluster, and say what mends it.", LOOK
    ),
    "offers": Entry("proxmox_offerings.cli.offers", "List the Offerings in Kubernetes, and which still hold.", LOOK),
    "export": Entry("proxmox_offerings.cli.export", "Write Offerings as CSV or JSON for shops and marketplaces.", LOOK),
    "crds": Entry("proxmox_offerings.cli.crds", "Print the CustomResourceDefinitions.", SERVE),
    "run": Entry("proxmox_offerings.cli.run", "Run the operator.", SERVE),
    "simulate": Entry("proxmox_offerings.simulator.command", "Simulate a Proxmox VE cluster over HTTPS.", TOOLS),
    "completion": Entry("proxmox_offerings.cli.completion", "Print a shell's completion script.", TOOLS),
}
PLUGIN = ("offers", "preview", "check", "export")
"""What `kubectl proxmox-offerings` offers: the commands that read hosts or Offerings of the Kubernetes cluster."""

OVERVIEW = """Turn Proxmox VE capacity into Offering resources, and never claim stock that is not known to exist.

\b
Try it without a cluster of your own:
  proxmox-offerings simulate                           in one terminal: a cluster, and a manifest
  proxmox-offerings preview -f .simulator/host.yaml    in another: what it can still sell

\b
With your own:
  proxmox-offerings init                               asks for an address and a token, and writes host.yaml
  proxmox-offerings check -f host.yaml                 what is wrong, and what mends it
  proxmox-offerings preview -f host.yaml --explain     how each figure came about
  proxmox-offerings run                                keep Offerings true, with your KUBECONFIG or in a pod

Every command explains itself with -h.
"""
PLUGIN_OVERVIEW = """What the ProxmoxHosts and Offerings of this Kubernetes cluster say, and what Proxmox itself says now.

\b
kubectl proxmox-offerings offers -A                 all Offerings, their age, and whether they still hold
kubectl proxmox-offerings preview fra1 --explain    read fra1's cluster now, and tell how each figure comes about
kubectl proxmox-offerings export -o csv             Offerings for a marketplace; in stock only what still holds

Reads with your own rights: get on ProxmoxHosts and Offerings, and for preview get on the host's Secret. Writes nothing.
"""

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
VERSION = "proxmox-offerings %(version)s"


@click.group(cls=LazyGroup, entries=COMMANDS, context_settings=SETTINGS, help=OVERVIEW)
@click.version_option(__version__, message=VERSION)
def cli() -> None:
    """See OVERVIEW."""


@click.group(
    cls=LazyGroup,
    entries={name: COMMANDS[name] for name in PLUGIN},
    context_settings=SETTINGS,
    help=PLUGIN_OVERVIEW,
)
@click.version_option(__version__, message=VERSION)
def plugin() -> None:
    """See PLUGIN_OVERVIEW."""


cli.params += common_options()
plugin.params += common_options()


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="proxmox-offerings")


def kubectl_plugin() -> None:
    """Entry point of kubectl-proxmox_offerings, which kubectl runs for `kubectl proxmox-offerings`."""
    plugin(prog_name="kubectl proxmox-offerings", obj=Invocation(plugin=True))


def kubectl_complete() -> None:
    """Entry point of kubectl_complete-proxmox_offerings, which kubectl asks for completions of the line so far."""
    from proxmox_offerings.cli.completion import for_kubectl  # noqa: PLC0415 - only where it is wanted

    for_kubectl(plugin)
