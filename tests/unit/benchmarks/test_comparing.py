"""That a run which is worse is told from one that is not, and that the page shows what was kept."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import compare, report
from benchmarks.figures import Figure, Goal, Result
from benchmarks.run import Run

LESS = Figure(what="times the floor", value=1.5, goal=Goal(relation="<=", value=1.7), tolerance=0.2)
MORE = Figure(what="share of the floor", value=0.9, goal=Goal(relation=">=", value=0.9), tolerance=0.1)
TIME = Figure(what="CPU", value=50, unit="ms", remark="says more about the machine")


def run(*figures: Figure) -> Run:
    result = Result(name="refresh", setting="a cluster", figures=figures)
    return Run(machine="2 processors", load=1.0, results=(result,))


@pytest.mark.parametrize(
    ("figure", "value", "well"),
    [
        pytest.param(LESS, 1.79, True, id="a little more"),
        pytest.param(LESS, 1.81, False, id="too much more"),
        pytest.param(LESS, 0.5, True, id="better"),
        pytest.param(MORE, 0.82, True, id="a little less, where more is better"),
        pytest.param(MORE, 0.80, False, id="too much less, where more is better"),
        pytest.param(MORE, 2.0, True, id="better, where more is better"),
    ],
)
def test_what_is_worse_beyond_its_tolerance_is_told(figure: Figure, value: float, well: bool) -> None:
    text, fine = compare.report(run(figure), run(dataclasses.replace(figure, value=value)))
    assert fine is well
    assert ("WORSE" in text) is not well


def test_times_of_another_machine_are_not_compared() -> None:
    """And a comparison of nothing is not a good one."""
    text, well = compare.report(run(TIME), run(dataclasses.replace(TIME, value=5000)))
    assert not well
    assert "nothing that both runs measured" in text


def test_a_count_that_was_zero_may_not_grow() -> None:
    none = Figure(what="creations that were never said", value=0, goal=Goal(relation="=", value=0), tolerance=0)
    assert compare.report(run(none), run(none))[1]
    assert not compare.report(run(none), run(dataclasses.replace(none, value=1)))[1]


def test_kept_run_is_read_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    run(LESS, MORE, TIME).write(file)
    assert Run.read(file) == run(LESS, MORE, TIME)


def test_exit_code_tells(tmp_path: Path) -> None:
    old, new, broken = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "broken.json"
    run(LESS).write(old)
    run(dataclasses.replace(LESS, value=9)).write(new)
    broken.write_text("{}", encoding="utf-8")
    for before, after, code in ((old, old, 0), (old, new, 1), (old, broken, 2)):
        ran = subprocess.run(
            [sys.executable, "-m", "benchmarks.compare", before, after], check=False, capture_output=True
        )
        assert ran.returncode == code, ran


def test_page_shows_the_figures_that_are_kept() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.with_figures(page, Run.read(report.BASELINE)) == page, "run python -m benchmarks.report"


def test_page_without_a_place_for_figures_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no place"):
        report.with_figures("# Performance\n", run(LESS))
