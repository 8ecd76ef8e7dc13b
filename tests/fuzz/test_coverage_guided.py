"""The coverage-guided fuzzer, as a process of its own."""

import os
import re
import subprocess
import sys

import pytest

from support.controlplane import ROOT
from support.effort import SECONDS

pytest.importorskip("atheris", reason="it has no build for this platform")


def fuzz(seconds: float) -> int:
    """How many inputs were tried; fails with what was found."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "tests"), str(ROOT)))}
    command = [sys.executable, "-m", "fuzz.coverage_guided", str(max(1, round(seconds)))]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-5000:]
    done = re.search(r"Done ([0-9]+) runs", ended.stderr)
    assert done is not None, ended.stderr[-2000:]
    return int(done[1])


def test_parsers_stand_what_a_fuzzer_thinks_of_in_a_second() -> None:
    assert fuzz(1) > 100


@pytest.mark.long
def test_long_parsers_stand_what_a_fuzzer_thinks_of() -> None:
    print(f"{fuzz(SECONDS)} answers")
