"""Bursts of edits, in exact moments of a virtual clock: how much each costs, and how long people wait."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxmox_offerings.controller.pace import LONGEST_DELAY, LONGEST_PAUSE, Pace
from proxmox_offerings.controller.queue import Requeue, WorkQueue
from unit.controller.virtual_time import elapsed, run

DONE = Requeue(after=None)


def work_on(gaps: list[float], *, lasts: float = 0.2, requeue: Requeue = DONE) -> tuple[list[float], float]:
    """Edits of one key with `gaps` between them: when work on it began, and when the last edit was."""

    async def main() -> tuple[list[float], float]:
        began: list[float] = []

        async def work(_: str) -> Requeue:
            began.append(round(elapsed(), 3))
            await asyncio.sleep(lasts)
            return requeue if len(began) < 20 else DONE

        queue = WorkQueue(work, concurrency=2, failed=lambda *_: None)
        queue.start()
        queue.edited("a")
        for gap in gaps:
            await asyncio.sleep(gap)
            queue.edited("a")
        last = elapsed()
        await asyncio.sleep(LONGEST_DELAY)
        await queue.stop()
        return began, last

    return run(main())


def test_a_single_edit_is_answered_at_once_and_so_is_the_next_one_after_a_while() -> None:
    assert work_on([3.0, 30.0])[0] == [0.0, 3.0, 33.0]


def test_a_second_edit_right_after_the_first_is_answered_within_about_a_second() -> None:
    assert work_on([0.5])[0] == [0.0, 1.5]


@pytest.mark.parametrize("gap", [0.0, 0.001, 0.05, 0.3, 0.9])
def test_a_thousand_edits_cost_two_looks_and_one_each_minute_however_long_each_edit_takes(gap: float) -> None:
    """Also where each edit takes longer than the work, so that the work would be done before the next one comes."""
    began, last = work_on([gap] * 999)
    assert len(began) <= 2 + last // LONGEST_DELAY
    assert began[0] == 0
    assert last < began[-1] <= last + LONGEST_PAUSE + 0.01


def test_who_waits_for_what_comes_of_each_edit_before_the_next_waits_a_second_at_most() -> None:
    """However many edits that are: a person who tries things out, a script that looks at each result."""
    began, _ = work_on([1.3] * 50)
    assert began == [0.0, *(round(1.3 * number + 1, 3) for number in range(1, 51))]


def test_what_fails_because_of_the_edits_is_not_tried_again_while_they_go_on() -> None:
    """A host that is edited meanwhile refuses its status: to try again each second would make the burst cost as much as its edits."""
    began, last = work_on([0.5] * 60, requeue=Requeue(after=None, retry=0.7))
    assert [moment for moment in began if moment <= last] == [0.0]


def test_what_fails_is_tried_again_when_nothing_is_edited() -> None:
    assert work_on([], requeue=Requeue(after=None, retry=7.0))[0][:3] == [0.0, 7.2, 14.4]


def test_a_burst_delays_nothing_that_is_due_for_another_reason() -> None:
    """A reading, or the end of a statement: and what was edited until then is seen."""
    began, _ = work_on([0.5] * 60, requeue=Requeue(after=10.0))
    assert began[:4] == [0.0, 10.2, 20.4, 30.6]


@given(st.lists(st.sampled_from([0.0, 0.1, 0.9, 1.1, 2.1, 4.0, 9.0, 11.0]), max_size=60))
def test_every_edit_is_seen_and_never_much_later_than_promised(gaps: list[float]) -> None:
    began, last = work_on(gaps, lasts=0.0)
    moment = 0.0
    for gap in [0.0, *gaps]:
        moment += gap
        assert any(moment - 0.01 <= one <= moment + LONGEST_DELAY + 0.01 for one in began)
    assert began[-1] <= last + LONGEST_PAUSE + 0.01


def test_objects_that_are_left_alone_are_forgotten() -> None:
    pace: Pace[int] = Pace()
    for number in range(1000):
        pace.edited(number, float(number))
    assert len(pace) <= 2 * LONGEST_PAUSE + 1
