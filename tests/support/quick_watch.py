"""`preview --watch` of a file, reading each second, which is more often than a ProxmoxHost may ask for: `python quick_watch.py FILE FORM`."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from proxmox_offerings.cli.frame import Entry, LazyGroup
from proxmox_offerings.cli.manifests import read_hosts
from proxmox_offerings.cli.watch import watch


@click.command()
@click.argument("file", type=Path)
@click.argument("form")
def go(file: Path, form: str) -> None:
    with file.open(encoding="utf-8") as opened:
        hosts = read_hosts(opened)
    quick = [
        replace(
            one,
            host=one.host.model_copy(update={"spec": one.host.spec.model_copy(update={"refresh_interval_seconds": 1})}),
        )
        for one in hosts
    ]
    sys.exit(watch(quick, output=form, explain=False))


if __name__ == "__main__":
    LazyGroup(entries={"go": Entry("__main__", "", "")})(["go", *sys.argv[1:]])
