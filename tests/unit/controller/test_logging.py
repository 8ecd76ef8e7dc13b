"""What the log shows of a failure: where it was and what was raised; nothing that was in a variable, nothing that looks like another line."""

import json
import subprocess
import sys

import pytest

from proxmox_offerings.controller.logging import MOST_LINES, traceback_of

FAIL = """
import logging
import structlog
from proxmox_offerings.controller.logging import configure

class Holder:
    def __repr__(self):
        return "secret-in-a-variable"

def reconcile(token):
    secret = "secret-in-a-variable"
    raise ValueError("odd name \\x1b[2J\\n2026-11-24T10:00:00Z [info     ] forged line\\u202e" + "x" * 100_000)

configure(log_format={log_format!r}, log_level="debug")
for log in (structlog.get_logger("proxmox_offerings.test"), logging.getLogger("kopf.test")):
    try:
        reconcile(Holder())
    except ValueError:
        log.exception("reconcile failed")
structlog.get_logger("proxmox_offerings.test").warning("host not ready", message="a\\x1b[31m\\nb" + "y" * 100_000)
"""


def logged(log_format: str) -> str:
    """By a process of its own: logging is set up once for the whole process, and rich is installed beside the tests."""
    command = [sys.executable, "-c", FAIL.format(log_format=log_format)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_variable_and_steers_no_terminal(log_format: str) -> None:
    told = logged(log_format)
    assert told.count("in reconcile") == 2
    assert "ValueError" in told
    assert "secret-in-a-variable" not in told
    assert all(line.isprintable() for line in told.splitlines())
    assert "\\u001b" not in told
    assert len(told) < 20_000


def test_a_text_from_outside_begins_no_line_of_the_log() -> None:
    lines = logged("console").splitlines()
    assert [line for line in lines if not line.startswith(" ") and "forged" in line] == []
    assert len([line for line in lines if not line.startswith(" ")]) == 3
    assert len([json.loads(line) for line in logged("json").splitlines()]) == 3


def test_a_traceback_has_two_hundred_lines_at_most() -> None:
    """A chain of failures may be as long as somebody's retries."""
    failure: Exception = ValueError("the first")
    for number in range(500):
        failure = _raised_from(failure, f"failure {number}")
    told = traceback_of((type(failure), failure, failure.__traceback__)).splitlines()
    assert len(told) == MOST_LINES + 1
    assert "the first" in told[0]
    assert "failure 499" in told[-1]


def _raised_from(cause: Exception, message: str) -> Exception:
    failure = RuntimeError(message)
    failure.__cause__ = cause
    return failure
