"""Every command line that a page shows is one that is taken: no option, value, variable or target that is gone or misspelt."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress

import click
import pytest
from tools.chart.values import read
from tools.site.reference import commands, top, variables

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
    told = Invocation(plugin=name.startswith("kubectl"))
    context = click.Context(command, info_name=name, obj=told, **command.context_settings)
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


def mentioned(pattern: str) -> dict[str, str]:
    """What the pages say that matches -> the page that says it; the one of our own commands apart, which have a `--set` too."""
    pages = [page for page in PAGES if page.name not in ("cli.md", "export.md")]
    return {found: page.name for page in pages for found in re.findall(pattern, page.read_text(encoding="utf-8"))}


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = mentioned(r"(?:`|^\$ |^)make ((?:[A-Z_]+=\S+ )*[a-z][a-z0-9-]*)")
    assert len(named) > 5
    assert {name.split()[-1] for name in named} <= targets


def test_every_value_that_is_set_on_the_chart_exists() -> None:
    known = {
        leaf.name for value in read(ROOT / "helm" / "proxmox-offerings" / "values.yaml") for leaf in value.leaves()
    }
    named = mentioned(r"--set(?:-string|-json)? '?([a-z][\w.]*)[\[=]")
    assert named
    assert {
        name: page
        for name, page in named.items()
        if not any(name == one or name.startswith(f"{one}.") for one in known)
    } == {}


def test_every_environment_variable_exists() -> None:
    known = {
        variable
        for context in commands(top())
        for option in context.command.params
        if isinstance(option, click.Option)
        for variable in variables(option, context)
    }
    assert len(known) > 15
    named = mentioned(r"\bPROXMOX_OFFERINGS_[A-Z_]+\b")
    assert named
    assert set(named) <= known | {"PROXMOX_OFFERINGS_TOKEN_SECRET"}, "the secret of init, which is on no line"


def test_mistakes_are_found() -> None:
    assert len(set(lines())) > 40
    assert complaint(["proxmox-offerings", "preview", "--explian"])
    assert complaint(["proxmox-offerings", "previw"])
    assert complaint(["kubectl", "proxmox-offerings", "simulate"])
    assert complaint(["proxmox-offerings", "simulate", "ctl", "kill-nodes", "pve1"])
