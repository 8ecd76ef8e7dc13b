"""Where there is no browser, the tests of the page say so instead of failing in the middle, and CI does not pass without them."""

import os
import subprocess
import sys

import pytest

from support.controlplane import ROOT


@pytest.mark.parametrize(
    ("flags", "code", "said"), [((), 1, "error: CHROMIUM is "), (("--if-possible",), 0, "note: CHROMIUM is ")]
)
def test_what_is_missing_is_told_in_a_sentence(flags: tuple[str, ...], code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.browser", *flags],
        cwd=ROOT,
        env={**os.environ, "CHROMIUM": "/nowhere/chromium"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr
