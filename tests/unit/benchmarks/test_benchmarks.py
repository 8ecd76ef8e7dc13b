"""That the benchmarks cannot flatter: a missed goal is said, and no write passes for a freshness mark that is none."""

from typing import Any

import pytest
from benchmarks.figures import Figure, Goal, Result, table
from benchmarks.fleet import Changes
from benchmarks.following import SMALLEST, busiest_second, name_of
from benchmarks.steady import Window, Writes, delays
from benchmarks.watching import TIMES, Seen, Watched

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


def window(begin: float, end: float) -> Window:
    return Window(begin=begin, end=end)


def test_marks_beyond_the_least_are_told() -> None:
    """Two marks where a fifth of one was due."""
    same = offering(1, available=3, observed_at="2026-01-01T00:00:00Z")
    writes = Writes.of(watched((0, same), (1, same), (2, same)).versions, window(0, 60))
    assert (writes.changed, writes.marks, writes.due) == (0, 2, 60 / 300)
    assert writes.times_the_least == 2


def test_news_are_no_more_than_the_least() -> None:
    seen = watched(*((at, offering(at, available=at, observed_at="2026-01-01T00:00:00Z")) for at in (0, 30, 60)))
    writes = Writes.of(seen.versions, window(0, 60))
    assert (writes.changed, writes.marks, writes.due, writes.times_the_least) == (2, 0, 0, 1)


def told(*versions: tuple[float, int]) -> tuple[list[float], int]:
    """What is found about two creations at 100 s and 200 s, when three units stood before."""
    changes = Changes(clusters=1, guests=60, percent=2)  # one each 50 s, every other a creation
    name = f"default/{name_of(0)}-{SMALLEST}"
    seen = {name: [Seen(at=at, changed=True, available=available) for at, available in versions]}
    return delays(seen, changes, began=100, before={name: 3}, window=window(0, 300))


@pytest.mark.parametrize("cluster", range(10))
def test_no_change_is_reported_before_its_time(cluster: int) -> None:
    """What is said of it would be counted as said in time, or never."""
    changes = Changes(clusters=10, guests=100, percent=2)
    for number in range(3):
        at = changes.at(cluster, number)
        assert (changes.count(cluster, at - 0.01), changes.count(cluster, at + 0.01)) == (number, number + 1)


def test_delay_is_counted_from_the_report_to_the_first_version_that_says_it() -> None:
    assert told((90, 3), (130, 2), (150, 2), (259, 1)) == ([30, 59], 0)


def test_creation_that_is_never_said_is_not_forgotten() -> None:
    assert told((90, 3), (130, 2)) == ([30], 1)


def test_later_statement_says_what_was_created_before() -> None:
    """Two creations between two refreshes are said together."""
    assert told((90, 3), (230, 1)) == ([130, 30], 0)


@pytest.mark.parametrize(
    ("moments", "most"), [((), 0), ((5.0,), 1), ((1.0, 2.0, 3.0), 2), ((0.9, 1.0, 1.1, 1.9, 2.05), 4)]
)
def test_burst_is_found_wherever_it_begins(moments: tuple[float, ...], most: int) -> None:
    assert busiest_second(moments) == most
