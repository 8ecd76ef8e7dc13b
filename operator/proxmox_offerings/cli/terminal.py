"""What the terminal at hand can show: colours or none, and what was asked for on the command line."""

import os
from dataclasses import dataclass
from typing import TextIO

import click

COLORS = ("auto", "always", "never")


@dataclass(slots=True)
class Invocation:
    """What holds for one call of the program, wherever on the line it was said. `plugin`: called as `kubectl proxmox-offerings`."""

    debug: bool = False
    color: str = "auto"
    plugin: bool = False


def invocation(context: click.Context | None = None) -> Invocation:
    """That of the running command; that of a plain call where none runs."""
    found = context or click.get_current_context(silent=True)
    known = found.find_root().obj if found is not None else None
    return known if isinstance(known, Invocation) else Invocation()


def colored(stream: TextIO, current: Invocation | None = None) -> bool:
    """Whether to write colours to `stream`: --color decides, else NO_COLOR and FORCE_COLOR (any value but an empty one), else the stream."""
    asked = (current or invocation()).color
    if asked != "auto":
        return asked == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it; a closed stream is nobody's."""
    try:
        return stream.isatty()
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Paint:
    """Styles text, or leaves it as it is where colours are off."""

    on: bool

    def __call__(self, text: str, color: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        plain = not (self.on and text and (color or bold or dim))
        return text if plain else click.style(text, fg=color, bold=bold or None, dim=dim or None)
