"""Every command line that a page shows is one that the command takes: no option that is gone, none that is misspelt."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress

import click
import pytest

from proxmox_offerings.cli.main import cli, plugin
from proxmox_offerings.cli.terminal import Invocation
from support.controlplane import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")])
PROGRAMS = {"proxmox-offerings": cli, "kubectl proxmox-offerings": plugin}
LINE = re.compile(
    r"(?:^|[`|(] ?|\$ |&& )(?:\.venv/bin/)?((?:kubectl )?proxmox-offerings [a-z](?:'[^'\n]*'|[^`\n|;)&>'])*)",
    re.MULTILINE,
)


def lines() -> Iterator[tuple[str, str]]:
    """(page, command line) of all that looks like one: in code, within a sentence or in a block."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
        for found in (line for block in code for line in LINE.findall(block)):
            if "[OPTIONS]" in found or "[--" in found:
                continue  # a synopsis
            yield str(page.relative_to(ROOT)), re.sub(r"\s+#.*|\s+─.*", "", found).strip()


def complaint(words: list[str]) -> str:
    """What click says of the words without running anything; "" if nothing."""
    name = "kubectl proxmox-offerings" if words[0] == "kubectl" else "proxmox-offerings"
    rest = words[len(name.split()) :]
    command: click.Command = PROGRAMS[name]
    context = click.Context(command, info_name=name, obj=Invocation(plugin=name.startswith("kubectl")))
    try:
        while True:
            with suppress(click.MissingParameter):
                _, rest, _ = command.make_parser(context).parse_args(
                    [word for word in rest if word not in ("…", "...")]
                )
            if not isinstance(command, click.Group) or not rest:
                return ""
            inside = command.get_command(context, rest[0])
            if inside is None:
                return f"there is no {rest[0]}"
            command, rest = inside, rest[1:]
            context = click.Context(command, info_name=command.name, parent=context)
    except click.UsageError as problem:
        return problem.format_message()


@pytest.mark.parametrize(("page", "line"), sorted(set(lines())))
def test_it_is_one_that_the_command_takes(page: str, line: str) -> None:
    assert complaint(shlex.split(line)) == "", f"{page}: {line}"


def test_mistakes_are_found() -> None:
    assert len(set(lines())) > 40
    assert complaint(["proxmox-offerings", "preview", "--explian"])
    assert complaint(["proxmox-offerings", "previw"])
    assert complaint(["kubectl", "proxmox-offerings", "simulate"])
    assert complaint(["proxmox-offerings", "simulate", "ctl", "kill-nodes", "pve1"])
