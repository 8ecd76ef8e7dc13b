"""That the benchmarks cannot flatter: a missed goal is said, and no write passes for a freshness mark that is none."""

from typing import Any

import pytest
from benchmarks.figures import Figure, Goal, Result, table
from benchmarks.steady import most_marks
from benchmarks.watching import TIMES, Watched

from proxmox_offerings.resources import Offering


def shown(value: float, goal: Goal) -> str:
    figure = Figure(what="times the floor", value=value, goal=goal)
    return table([Result(name="refresh", setting="a cluster", figures=(figure,))])


def test_missed_goal_is_said() -> None:
    assert "MISSED" in shown(0.75, Goal(relation=">=", value=0.8))
    assert "MISSED" not in shown(0.85, Goal(relation=">=", value=0.8))


def test_value_is_not_rounded_into_its_goal() -> None:
    """3.004 shown as 3 beside the goal 3 would look met."""
    assert "3.004 " in shown(3.004, Goal(relation="<=", value=3))


@pytest.mark.parametrize("value", [0.0, 3.0, 0.998, 98.5, 1234.5])
def test_any_value_can_be_shown(value: float) -> None:
    assert "refresh: a cluster" in shown(value, Goal(relation="<", value=3))


def offering(version: int, *, available: int, observed_at: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": "host-small", "resourceVersion": str(version)},
        "status": {"available": available, "observedAt": observed_at, "validUntil": observed_at},
    }


def watched(*versions: tuple[float, dict[str, Any]]) -> Watched:
    seen = Watched()
    for at, body in versions:
        seen.see(body, times=TIMES[Offering.PLURAL], at=at)
    return seen


def test_write_that_moves_only_times_is_a_freshness_mark_and_any_other_is_not() -> None:
    seen = watched(
        (0, offering(1, available=3, observed_at="2026-01-01T00:00:00Z")),
        (30, offering(2, available=3, observed_at="2026-01-01T00:00:30Z")),
        (60, offering(3, available=2, observed_at="2026-01-01T00:01:00Z")),
    )
    assert [version.changed for version in seen.versions["default/host-small"]] == [True, False, True]


def test_write_of_the_same_content_again_counts_as_a_mark() -> None:
    """The API server makes no new version of an object that did not change; if it ever did, that must not go unseen."""
    same = offering(1, available=3, observed_at="2026-01-01T00:00:00Z")
    seen = watched((0, same), (1, same), (2, same))
    assert most_marks(seen, since=-1, window=29) == 2


def test_marks_far_enough_apart_are_not_taken_together() -> None:
    moments = (0, 30, 60)
    seen = watched(*((at, offering(at, available=3, observed_at=f"2026-01-01T00:{at:02d}:00Z")) for at in moments))
    assert most_marks(seen, since=-1, window=29) == 1
