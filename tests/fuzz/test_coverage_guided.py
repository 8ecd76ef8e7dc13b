"""The coverage-guided fuzzer, as a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from support.controlplane import ROOT
from support.effort import SECONDS, SEED

pytest.importorskip("atheris", reason="it has no build for this platform")


ENOUGH = 200_000
"""Mutated answers that a long run judges at least, however slow the machine."""


def fuzz(seconds: float, *, seed: int = 1) -> int:
    """How many inputs were tried; fails with what was found."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "tests"), str(ROOT)))}
    command = [sys.executable, "-m", "fuzz.coverage_guided", str(max(1, round(seconds))), str(seed)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"seed {seed}: {ended.stderr[-5000:]}"
    done = re.search(r"Done ([0-9]+) runs", ended.stderr)
    assert done is not None, ended.stderr[-2000:]
    return int(done[1])


def test_parsers_stand_what_a_fuzzer_thinks_of_in_a_second() -> None:
    assert fuzz(1) > 100


@pytest.mark.long
def test_long_parsers_stand_what_a_fuzzer_thinks_of(record_property: Callable[[str, object], None]) -> None:
    done = runs = 0
    while done < ENOUGH:
        # libFuzzer takes 0 for "any".
        done += fuzz(SECONDS, seed=SEED + runs + 1)
        runs += 1
    record_property("done", f"{done} mutated answers judged by the parsers in {runs} runs (SEED={SEED})")
