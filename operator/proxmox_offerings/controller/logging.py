"""Logging of the whole process: constant messages with keys and values, one line for each change of state, none for what goes well and stays so.

Lines of the libraries (kopf, aiohttp) come out in the same form. Nothing secret is ever handed to a logger; there is no filter to rely on.
"""

import logging
import sys

import structlog

from proxmox_offerings.controller.config import LogFormat, LogLevel


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
    rendering: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("proxmox_offerings").setLevel(log_level.upper())
    # kopf tells of each failed attempt to reach the API server; with level debug it tells what it does besides.
    logging.getLogger("kopf").setLevel("DEBUG" if log_level == "debug" else "WARNING")
