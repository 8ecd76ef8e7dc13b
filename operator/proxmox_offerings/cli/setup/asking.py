"""Answers, from flags where they were given, else from the person at the terminal; where there is none, a sentence says which flag to give."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import click

from proxmox_offerings.cli.manifests import UnreadableInput
from proxmox_offerings.cli.terminal import Paint, colored, is_terminal

SECRET_VARIABLE = "PROXMOX_OFFERINGS_TOKEN_SECRET"  # noqa: S105 - the variable's name


@dataclass(frozen=True, slots=True)
class Asker:
    """`person`: somebody is there to answer; `yes`: nobody wants to be asked.

    Everything is asked and told on standard error, so that the manifest can go to standard output.
    """

    person: bool
    yes: bool = False

    @classmethod
    def here(cls, *, yes: bool) -> "Asker":
        return cls(not yes and is_terminal(sys.stdin) and is_terminal(sys.stderr), yes)

    @property
    def paint(self) -> Paint:
        return Paint(colored(sys.stderr))

    def tell(self, text: str = "") -> None:
        click.echo(text, err=True, color=colored(sys.stderr))

    def text(self, question: str, *, given: str | None, flag: str, default: str | None = None) -> str:
        """A line. Raises UnreadableInput where nobody can be asked."""
        if given:
            return given
        if not self.person:
            if default is not None:
                return default
            raise UnreadableInput(f"{question} is not known: give {flag}")
        with _interruptible():
            return str(click.prompt(question, default=default, err=True)).strip()

    def given_secret(self, file: str | None) -> str | None:
        """What must not be seen, from a file or the environment; None where neither has it. Raises UnreadableInput."""
        if file is not None:
            return _first_line(file)
        return os.environ.get(SECRET_VARIABLE, "").strip() or None

    def secret(self, question: str, *, given: str | None) -> str:
        """What was given, or what a person types without an echo. Raises UnreadableInput."""
        if given is not None:
            return given
        if not self.person:
            raise UnreadableInput(
                f"{question} is not known: give --token-secret-file (- is standard input), or set {SECRET_VARIABLE}"
            )
        with _interruptible():
            return str(click.prompt(question, hide_input=True, err=True)).strip()

    def confirm(self, question: str, *, default: bool) -> bool:
        """Yes or no, from a person only."""
        with _interruptible():
            return bool(click.confirm(question, default=default, err=True))


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """asyncio hears Ctrl-C only when its loop turns, which it does not while somebody is asked."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _first_line(file: str) -> str:
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            text = opened.read(4096)
    except (OSError, UnicodeDecodeError) as problem:
        raise UnreadableInput(f"{file} cannot be read ({type(problem).__name__})") from None
    lines = str(text).split()
    if len(lines) != 1:
        raise UnreadableInput(f"{file} must hold the token's secret and nothing else")
    return lines[0]
