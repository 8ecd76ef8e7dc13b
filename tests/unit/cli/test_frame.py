"""What all commands have in common, as an impatient person meets it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from proxmox_offerings.cli.frame import INTERRUPTED, READER_GONE, Entry, LazyGroup, common_options
from proxmox_offerings.cli.main import COMMANDS, PLUGIN, cli, plugin
from proxmox_offerings.cli.terminal import Invocation

SCRIPTS = Path(sys.executable).parent
SECONDS_FOR_HELP = 0.3
"""What the overview may take of the processor; the clock on the wall would measure what else the machine does."""


@click.group(cls=LazyGroup, entries={name: Entry(__name__, "", "") for name in ("broken", "refusing", "typed", "gone")})
def failing() -> None:
    """Commands that fail, each in its own way."""


failing.params += common_options()


@click.command()
def broken() -> None:
    raise ZeroDivisionError("secret-in-a-message")


@click.command()
def refusing() -> None:
    raise click.ClickException("it does not answer; ask again later")


@click.command()
def typed() -> None:
    raise KeyboardInterrupt


@click.command()
def gone() -> None:
    raise BrokenPipeError(32, "Broken pipe")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(failing, list(arguments))


def script(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPTS / name, *arguments], capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_overview_is_there_at_once() -> None:
    before = os.times()
    took = [time.perf_counter()]
    assert script("proxmox-offerings", "--help").returncode == 0
    took.append(time.perf_counter())
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert min(spent, took[1] - took[0]) < SECONDS_FOR_HELP


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_defect_is_one_sentence_and_its_trace_is_there_on_request(place: str) -> None:
    quiet = call("broken")
    assert quiet.exit_code == 1
    assert quiet.stderr.startswith("Error: this is a defect of proxmox-offerings (ZeroDivisionError at test_frame.py:")
    assert quiet.stderr.count("\n") == 1
    assert "secret-in-a-message" not in quiet.stderr
    loud = call("--debug", "broken") if place == "before" else call("broken", "--debug")
    assert loud.exit_code == 1
    assert "Traceback (most recent call last)" in loud.stderr


def test_a_refusal_is_its_sentence_and_its_trace_is_there_on_request() -> None:
    assert (call("refusing").exit_code, call("refusing").stderr) == (1, "Error: it does not answer; ask again later\n")
    assert "Traceback" in call("refusing", "--debug").stderr


def test_interrupt_and_a_reader_that_went_away_are_quiet() -> None:
    assert (call("typed").exit_code, call("typed").output.strip()) == (INTERRUPTED, "")
    assert (call("gone").exit_code, call("gone").output) == (READER_GONE, "")


def test_a_reader_that_takes_one_line_leaves_no_complaint() -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {SCRIPTS / 'proxmox-offerings'} crds | head -1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert done.returncode in (0, READER_GONE)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("previw", "there is no command 'previw'; did you mean preview?", id="a command"),
        pytest.param("frobnicate", "there is no command 'frobnicate'; there are ", id="nothing like it"),
        pytest.param("preview --outptu json", "No such option '--outptu'. Did you mean '--output'?", id="an option"),
        pytest.param("preview", "give -f FILE with a ProxmoxHost and its Secret", id="nothing to read"),
        pytest.param("preview -f - --kube", "give either -f or --kube", id="two sources"),
        pytest.param("preview -f - -n shop", "go with --kube, not with -f", id="a namespace of a file"),
        pytest.param("offers -n a -A", "give either -n or -A", id="two places"),
    ],
)
def test_mistakes_on_the_line_are_answered_with_what_was_meant(line: str, expected: str) -> None:
    result = CliRunner().invoke(cli, line.split(), input="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    assert expected in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Try: ")


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        pytest.param([], {}, False, id="a pipe"),
        pytest.param(["--color", "always"], {}, True, id="asked for"),
        pytest.param([], {"FORCE_COLOR": "1"}, True, id="FORCE_COLOR"),
        pytest.param([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, id="NO_COLOR wins"),
        pytest.param(["--color", "never"], {"FORCE_COLOR": "1"}, False, id="the line wins"),
        pytest.param([], {"NO_COLOR": "", "FORCE_COLOR": ""}, False, id="empty is not set"),
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_colors_are_where_they_were_asked_for(
    arguments: list[str], environment: dict[str, str], expected: bool, place: str
) -> None:
    line = [*arguments, "preview"] if place == "before" else ["preview", *arguments]
    clean = {"NO_COLOR": "", "FORCE_COLOR": ""} | environment
    done = CliRunner().invoke(cli, line, env=clean)
    assert ("\x1b[" in CliRunner().invoke(cli, line, env=clean, color=True).stderr) is expected
    assert done.exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script_that_asks_us(shell: str) -> None:
    done = script("proxmox-offerings", "completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_PROXMOX_OFFERINGS_COMPLETE={shell}_complete" in done.stdout


def completions(line: str, *, cursor: int) -> str:
    """What bash would be told, as `type,value` lines."""
    environment = {"_PROXMOX_OFFERINGS_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(cursor)}
    return script("proxmox-offerings", **environment).stdout


def test_commands_options_presets_and_tiers_are_completed(tmp_path: Path) -> None:
    assert "plain,preview" in completions("proxmox-offerings pre", cursor=1)
    assert "plain,--explain" in completions("proxmox-offerings preview --ex", cursor=2)
    file = tmp_path / "host.yaml"
    file.write_text(
        "apiVersion: proxmox-offerings.io/v1alpha1\nkind: ProxmoxHost\nmetadata: {name: fra1}\n"
        "spec: {endpoints: ['https://pve1:8006'], credentialsSecretRef: {name: t},"
        " tiers: [{name: small, cpu: 1, memory: 1Gi, disk: 1Gi}, {name: large, cpu: 2, memory: 1Gi, disk: 1Gi}]}\n"
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\nstringData: {tokenID: 'a@pve!b', tokenSecret: c}\n"
    )
    assert completions(f"proxmox-offerings preview -f {file} --mix small=1,l", cursor=5) == "plain,small=1,large=\n"
    assert completions(f"proxmox-offerings preview -f {file} f", cursor=4) == "plain,fra1\n"


def test_kubectl_is_told_completions_in_its_own_way() -> None:
    done = script("kubectl_complete-proxmox_offerings", "pre")
    assert done.stdout == f"preview\t{COMMANDS['preview'].line}\n:4\n"


def test_plugin_has_what_reads_from_kubernetes_and_nothing_that_does_not() -> None:
    done = CliRunner().invoke(plugin, ["--help"], obj=Invocation(plugin=True))
    assert done.exit_code == 0
    assert all(f"\n  {name} " in done.stdout for name in PLUGIN)
    assert "simulate" not in done.stdout


@pytest.mark.parametrize("line", ["", "help", "-h", "--help"])
def test_whoever_asks_for_nothing_or_for_help_gets_the_overview(line: str) -> None:
    done = CliRunner().invoke(cli, line.split())
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Try it without a cluster of your own" in done.stdout
    assert CliRunner().invoke(cli, ["help", "preview"]).stdout == CliRunner().invoke(cli, ["preview", "-h"]).stdout
