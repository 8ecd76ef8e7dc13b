"""What all commands have in common: imported only when called, --debug and --color anywhere on the line, mistakes answered in a sentence.

Exit codes: 0 fine; 1 it ran and the answer is bad; 2 wrong usage or unreadable input; 130 interrupted; 141 whoever read the output went away.
"""

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn, cast

import click
from click.shell_completion import CompletionItem

from proxmox_offerings.cli.terminal import COLORS, Invocation, colored, invocation

INTERRUPTED = 130
READER_GONE = 141
"""As of a process that SIGPIPE ended, which is what kubectl and the shell's own tools give."""


class Entry(NamedTuple):
    """A command: the module that holds it under its own name, its line in the overview, and the overview's section."""

    module: str
    line: str
    section: str


class LazyGroup(click.Group):
    """A group that imports a command only when it is called or asked for its own help."""

    def __init__(self, *, entries: Mapping[str, Entry], **attributes: Any) -> None:
        super().__init__(**attributes)
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(entry.module), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a slip in the entries, not a user's mistake
        return with_common_options(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name == "help" and len(args) > 1:
            return self.resolve_command(ctx, [*args[1:], "--help"])
        if name == "help":
            click.echo(ctx.get_help())
            ctx.exit()
        if name in self.entries or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        near = get_close_matches(name, self.entries)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.entries)}"
        raise click.UsageError(f"there is no command {name!r}; {hint}", ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in self.entries if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self.entries[name].line) for name in names]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:  # asks for nothing: no mistake, and an overview is what helps
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        width = max(map(len, self.entries))
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [(n.ljust(width), entry.line) for n, entry in self.entries.items() if entry.section == section]
                )

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would make a 1 of it, which means that the answer is bad
            _let_go_of_output()
            sys.exit(READER_GONE)

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run it, and answer everything that goes wrong as the module's docstring says."""
        current = extra.setdefault("obj", Invocation())
        call = cast("Callable[..., Any]", super().main)
        if not standalone_mode:
            return call(*args, standalone_mode=False, **extra)
        try:
            try:
                code = call(*args, standalone_mode=False, **extra)
            finally:
                sys.stdout.flush()
        except SystemExit:
            raise
        except BaseException as problem:  # noqa: BLE001 - the outermost place: nobody else is there to answer
            _end(problem, current)
        sys.exit(code if isinstance(code, int) else 0)


def _end(problem: BaseException, current: Invocation) -> NoReturn:
    """Say what went wrong, and exit."""
    if isinstance(problem, BrokenPipeError):
        _let_go_of_output()
        sys.exit(READER_GONE)
    if current.debug and not isinstance(problem, click.UsageError):
        traceback.print_exception(problem)
    if isinstance(problem, click.Abort | KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    with contextlib.suppress(BrokenPipeError):
        if isinstance(problem, click.UsageError) and problem.ctx is not None:
            _complain(problem.format_message(), current)
            click.echo(f"Try: {problem.ctx.command_path} --help", err=True)
        elif isinstance(problem, click.ClickException):
            _complain(problem.format_message(), current)
        else:
            where = traceback.extract_tb(problem.__traceback__)[-1]
            _complain(
                f"this is a defect of proxmox-offerings ({type(problem).__name__} at {os.path.basename(where.filename)}:"  # noqa: PTH119
                f"{where.lineno}); run it again with --debug, and report what that prints",
                current,
            )
    sys.exit(problem.exit_code if isinstance(problem, click.ClickException) else 1)


def _complain(sentence: str, current: Invocation) -> None:
    on = colored(sys.stderr, current)
    click.echo(f"{click.style('Error:', fg='red', bold=True) if on else 'Error:'} {sentence}", err=True, color=on)


def _let_go_of_output() -> None:
    """Whatever is still to be written goes nowhere, so that Python's own end does not complain a second time."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def with_common_options(command: click.Command) -> click.Command:
    """The same command, and all below it, with --debug and --color."""
    known = {parameter.name for parameter in command.params}
    command.params += [option for option in common_options() if option.name not in known]
    command.context_settings.setdefault("help_option_names", ["-h", "--help"])
    command.context_settings.setdefault("max_content_width", 100)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            with_common_options(inner)
    return command


def common_options() -> list[click.Option]:
    return [
        click.Option(
            ["--color"],
            type=click.Choice(COLORS),
            expose_value=False,
            callback=_remember_color,
            help="Colours: on terminals only unless told so. NO_COLOR and FORCE_COLOR are heard too.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_remember_debug,
            help="Print stack traces of errors.",
        ),
    ]


def _remember_color(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    del parameter
    if value is not None:
        invocation(context).color = value


def _remember_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    del parameter
    if value:
        invocation(context).debug = True
