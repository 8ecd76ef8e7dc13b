"""Runs a page of the documentation as its reader would: `python -m tools.tutorial docs/tutorial/first-offerings.md`.

Every line that begins with `$ ` in a block of `console` is typed, in order, and what follows it must be what is printed: line by line, where
a line `…` stands for any number of lines, and times, ports and numbers of processes may differ. A comment above a block says more:

- `<!-- terminal NAME, until "TEXT" -->`: in a terminal of its own, which goes on; the next block is typed when TEXT was printed;
- `<!-- end NAME -->`: Ctrl-C in that terminal, which must end.
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
ENDING = 60.0
"""Seconds for a terminal to end after Ctrl-C; an API server takes some on a busy machine."""
STEP = re.compile(
    r"(?:<!-- (?P<what>terminal|end) (?P<name>\w+)(?:, until \"(?P<until>[^\"]*)\")? -->\n+)?(?:```console\n(?P<block>.*?)```)?",
    re.DOTALL,
)
VARYING = (
    (r"\b\d+(\.\d+)? ?(s|ms|m\d+s|m)\b", "TIME"),
    (r"\b\d\d:\d\d:\d\dZ", "TIME"),
    (r"\d{4}-\d\d-\d\dT\S+Z", "TIME"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
)


class TutorialError(Exception):
    """The page is not what happens. The message shows both."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One line to type, and what should be printed."""

    text: str
    expected: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A block, and where it is typed: "" is the main terminal. `ends`: the terminal that is interrupted before."""

    terminal: str = ""
    until: str = ""
    ends: str = ""
    commands: tuple[Command, ...] = ()


def steps(page: str) -> Iterator[Step]:
    """All of a page, in its order."""
    for found in STEP.finditer(page):
        if found["what"] == "end":
            yield Step(ends=found["name"])
        if found["block"] is not None:
            terminal = found["name"] if found["what"] == "terminal" else ""
            yield Step(terminal=terminal or "", until=found["until"] or "", commands=tuple(commands(found["block"])))


def commands(block: str) -> Iterator[Command]:
    """The commands of a block; a line that ends with a backslash, or an open quote, goes on."""
    text = ""
    expected: list[str] = []
    for line in block.splitlines():
        if text and (text.endswith("\\") or text.count("'") % 2):
            text += f"\n{line}"
        elif line.startswith("$ "):
            if text:
                yield Command(text=text, expected=tuple(expected))
            text, expected = line[2:], []
        else:
            expected.append(line)
    if text:
        yield Command(text=text, expected=tuple(expected))


def differs(expected: tuple[str, ...], printed: str) -> bool:
    """Whether what was printed is not what the page shows."""
    wanted = [normal(line) for line in expected if line.strip()]
    got = "\n".join(normal(line) for line in printed.splitlines() if line.strip())
    pattern = r"\n".join(r"(?:.*\n?)*?.*" if line == "…" else re.escape(line).replace("…", ".*") for line in wanted)
    return re.fullmatch(pattern, got) is None if wanted else False


def normal(line: str) -> str:
    """Without what differs from run to run."""
    for pattern, word in VARYING:
        line = re.sub(pattern, word, line)
    return " ".join(line.split())


class Reader:
    """Somebody with several terminals."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._terminals: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = dict(os.environ)

    def does(self, step: Step) -> None:
        """One step. Raises TutorialError."""
        if step.ends:
            self.end(step.ends)
        elif step.terminal:
            self._open(step)
        else:
            for command in step.commands:
                self._type(command)

    def _open(self, step: Step) -> None:
        log = self._logs / step.terminal
        script = "\n".join(
            ["set -e", *(command.text for command in step.commands[:-1]), f"exec {step.commands[-1].text}"]
        )
        with log.open("wb") as output:
            began = subprocess.Popen(
                ["bash", "-c", script],
                cwd=ROOT,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._terminals[step.terminal] = began
        until = time.monotonic() + PATIENCE
        while step.until not in log.read_text(encoding="utf-8"):
            if began.poll() is not None or time.monotonic() > until:
                raise TutorialError(
                    f"{script}\ndid not come to say {step.until!r}, but:\n{log.read_text(encoding='utf-8')}"
                )
            time.sleep(0.1)
        print(f"[{step.terminal}] $ {step.commands[-1].text}", flush=True)

    def _type(self, command: Command) -> None:
        print(f"$ {command.text}", flush=True)
        # What the shell knows afterwards is what it knows at the next command.
        script = f"{command.text}\ncode=$?\nenv -0 >{self._logs / 'env'}\nexit $code"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
        printed = done.stdout + done.stderr
        print(printed, end="", flush=True)
        if done.returncode or differs(command.expected, printed):
            shown = "\n".join(command.expected)
            raise TutorialError(
                f"$ {command.text}\nended with {done.returncode}. The page shows:\n{shown}\nand this was printed:\n{printed}"
            )
        known = (self._logs / "env").read_text(encoding="utf-8").rstrip("\0").split("\0")
        self._environment = dict(one.split("=", 1) for one in known)

    def end(self, name: str) -> None:
        """Ctrl-C in that terminal."""
        terminal = self._terminals.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(terminal.pid, signal.SIGINT)
        try:
            terminal.wait(timeout=ENDING)
        except subprocess.TimeoutExpired:
            os.killpg(terminal.pid, signal.SIGKILL)
            raise TutorialError(f"Ctrl-C did not end {name}") from None
        print(f"[{name}] ^C", flush=True)

    def leave(self) -> bool:
        """End whatever is still open, the last first; whether all of it ended by itself."""
        well = True
        for name in reversed(list(self._terminals)):
            try:
                self.end(name)
            except TutorialError as problem:
                print(f"error: {problem}", file=sys.stderr)
                well = False
        return well


def compare(page: str, printed: str) -> int:
    """Whether the page's first block is what one command printed, all of it; the exit code."""
    block = re.search(r"```console\n\$ .*?\n(.*?)```", page, re.DOTALL)
    if block is None or differs(tuple(block[1].splitlines()), printed):
        print("error: the page does not show what was printed: take it over", file=sys.stderr)
        return 1
    print("The page shows what is printed.")
    return 0


def main() -> int:
    """The exit code."""
    arguments = argparse.ArgumentParser(prog="python -m tools.tutorial", description=__doc__)
    arguments.add_argument("page", type=Path)
    arguments.add_argument(
        "--printed", type=Path, metavar="FILE", help="type nothing: FILE is what the page's first command printed"
    )
    chosen = arguments.parse_args()
    page = chosen.page.read_text(encoding="utf-8")
    if chosen.printed:
        return compare(page, chosen.printed.read_text(encoding="utf-8"))
    # As in terminals: who runs this in the background of a script has told it, and so all that it starts, not to hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as logs:
        reader = Reader(Path(logs))
        try:
            for step in steps(page):
                reader.does(step)
        except TutorialError as problem:
            print(f"error: {problem}", file=sys.stderr)
            reader.leave()
            return 1
        except BaseException:
            reader.leave()
            raise
        if not reader.leave():
            return 1
    print(f"The page is what happens ({time.monotonic() - began:.0f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
