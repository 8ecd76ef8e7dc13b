"""Logging of the whole process: constant messages with keys and values, one line for each change of state, none for what goes well and stays so.

Lines of the libraries (kopf, aiohttp) come out in the same form. Nothing secret is ever handed to a logger; there is no filter to rely on.
"""

import logging
import sys
import traceback
from typing import Final

import structlog

from proxmox_offerings.controller.config import LogFormat, LogLevel
from proxmox_offerings.resources.text import clean

MOST_LINES: Final = 200
LONGEST_LINE: Final = 1000


def configure(*, log_format: LogFormat, log_level: LogLevel) -> None:
    """Set up logging to standard error."""
    people = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    # Not structlog's own way of showing tracebacks to people: with rich at hand that shows all local variables, tokens included.
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if people
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                printable,
                structlog.processors.ExceptionRenderer(traceback_of),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("proxmox_offerings").setLevel(log_level.upper())
    # kopf tells of each failed attempt to reach the API server; with level debug it tells what it does besides.
    logging.getLogger("kopf").setLevel("DEBUG" if log_level == "debug" else "WARNING")


def printable(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Texts as they may be shown: what others wrote neither begins a line of its own nor steers a terminal, and has an end."""
    return {key: clean(value, most=LONGEST_LINE) if isinstance(value, str) else value for key, value in event.items()}


def traceback_of(exc_info: structlog.typing.ExcInfo) -> str:
    """Where it happened and what was raised, without the values of variables. Indented, so that no text in it looks like a line of the log."""
    lines = "".join(traceback.format_exception(*exc_info)).splitlines()
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES // 2], "…", *lines[-MOST_LINES // 2 :]]
    return "\n".join(f"  {_cut(line)}" for line in lines)


def _cut(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))] + clean(line, most=LONGEST_LINE)
