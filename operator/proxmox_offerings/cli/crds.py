"""`crds`: the CustomResourceDefinitions, for `kubectl apply -f -`."""

import click


@click.command()
def crds() -> None:
    """Print the CustomResourceDefinitions.

    \b
    proxmox-offerings crds | kubectl apply --server-side -f -
    """
    from proxmox_offerings.resources.crd import crds as generated  # noqa: PLC0415 - see the package's docstring

    click.echo("---\n".join(generated().values()), nl=False)
