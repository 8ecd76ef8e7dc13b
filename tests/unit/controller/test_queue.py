"""The contract of the work queue, in exact moments of a virtual clock."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.queue import Requeue, WorkQueue
from unit.controller.virtual_time import elapsed, run

Moments = list[tuple[str, float]]


class NoJitter(random.Random):
    def random(self) -> float:
        return 0.0


class Worked:
    """Records when work on each key began and ended; `then` decides how it goes on."""

    def __init__(self, *, lasts: float = 0.0, then: Callable[[str], Requeue] = lambda _: Requeue(after=None)) -> None:
        self.began: Moments = []
        self.failures: list[tuple[str, float]] = []
        self.most_at_once = 0
        self._lasts = lasts
        self._then = then
        self._now = 0

    async def work(self, key: str) -> Requeue:
        self.began.append((key, round(elapsed(), 6)))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(self._lasts)
        finally:
            self._now -= 1
        return self._then(key)

    def failed(self, key: str, error: Exception, delay: float) -> None:
        self.failures.append((str(error), delay))


def scenario(worked: Worked, actions: Callable[[WorkQueue[str]], Awaitable[None]], *, concurrency: int = 8) -> Moments:
    """Run a queue while `actions` happen to it; returns when work began on what."""

    async def main() -> Moments:
        queue = WorkQueue(worked.work, concurrency=concurrency, failed=worked.failed, rng=NoJitter())
        queue.start()
        await actions(queue)
        await queue.stop()
        return worked.began

    return run(main())


class Noted:
    """A watcher that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def added(self) -> None:
        self.told.append("added")

    def began(self, waited: float) -> None:
        self.told.append(f"began after {waited:g}")

    def ended(self, worked: float) -> None:
        self.told.append(f"ended after {worked:g}")

    def repeated(self) -> None:
        self.told.append("repeated")


def test_what_happens_to_keys_is_told_for_metrics() -> None:
    """A key that waits is added once; one that fails is repeated; one that is abandoned ends too."""

    async def main() -> tuple[list[str], list[tuple[float, ...]]]:
        failing, noted = iter([True]), Noted()

        async def work(_: str) -> Requeue:
            await asyncio.sleep(3)
            if next(failing, False):
                raise ValueError("boom")
            return Requeue(after=None)

        queue = WorkQueue(work, concurrency=1, failed=lambda *_: None, rng=NoJitter(), watcher=noted)
        in_hand = [queue.seconds_in_hand]
        for key in ("a", "a", "b"):
            queue.add(key)
        queue.start()
        await asyncio.sleep(5)
        in_hand.append(queue.seconds_in_hand)
        await asyncio.sleep(2)
        await queue.stop()
        in_hand.append(queue.seconds_in_hand)
        return noted.told, in_hand

    told, in_hand = run(main())
    assert told == [
        *("added", "added", "began after 0", "repeated", "ended after 3", "began after 3", "added", "ended after 3"),
        *("began after 2", "ended after 1"),
    ]
    assert in_hand == [(), (2.0,), ()]


def test_a_key_that_waits_is_worked_on_once() -> None:
    async def actions(queue: WorkQueue[str]) -> None:
        for _ in range(5):
            queue.add("a")
        await asyncio.sleep(10)

    assert scenario(Worked(), actions) == [("a", 0.0)]


def test_work_on_one_key_never_overlaps_and_what_came_in_between_is_done_once_more() -> None:
    async def actions(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(1)
        queue.add("a")
        queue.add("a")
        await asyncio.sleep(20)

    worked = Worked(lasts=3)
    assert scenario(worked, actions) == [("a", 0.0), ("a", 3.0)]
    assert worked.most_at_once == 1


def test_no_more_keys_at_once_than_workers() -> None:
    async def actions(queue: WorkQueue[str]) -> None:
        for key in "abcde":
            queue.add(key)
        await asyncio.sleep(20)

    worked = Worked(lasts=1)
    scenario(worked, actions, concurrency=2)
    assert worked.most_at_once == 2
    assert worked.began == [("a", 0.0), ("b", 0.0), ("c", 1.0), ("d", 1.0), ("e", 2.0)]


@pytest.mark.parametrize(
    ("delays", "moments"),
    [
        pytest.param([5.0, 9.0], [5.0], id="a later time does not replace an earlier one"),
        pytest.param([9.0, 5.0], [5.0], id="an earlier time replaces a later one"),
        pytest.param([5.0, 0.0], [0.0], id="at once takes the place of later"),
        pytest.param([-1.0], [0.0], id="the past is now"),
    ],
)
def test_the_earliest_time_wins(delays: list[float], moments: list[float]) -> None:
    async def actions(queue: WorkQueue[str]) -> None:
        for delay in delays:
            queue.add_after("a", delay)
        await asyncio.sleep(30)

    assert [moment for _, moment in scenario(Worked(), actions)] == moments


def test_work_says_when_it_is_due_again() -> None:
    async def actions(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(9)

    worked = Worked(lasts=1, then=lambda _: Requeue(after=3))
    assert scenario(worked, actions) == [("a", 0.0), ("a", 4.0), ("a", 8.0)]


def test_what_is_added_early_is_not_done_again_at_its_old_time() -> None:
    """Otherwise each event would add one more rhythm to those that there are."""

    async def actions(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(2)
        queue.add("a")
        await asyncio.sleep(11)

    worked = Worked(then=lambda _: Requeue(after=5))
    assert scenario(worked, actions) == [("a", 0.0), ("a", 2.0), ("a", 7.0), ("a", 12.0)]


def test_failures_are_repeated_ever_later_while_others_go_on() -> None:
    def then(key: str) -> Requeue:
        if key == "broken":
            raise RuntimeError("boom")
        return Requeue(after=10)

    async def actions(queue: WorkQueue[str]) -> None:
        queue.add("broken")
        queue.add("whole")
        await asyncio.sleep(21)

    worked = Worked(then=then)
    began = scenario(worked, actions)
    assert [moment for key, moment in began if key == "broken"] == [0.0, 1.0, 3.0, 7.0, 15.0]
    assert [moment for key, moment in began if key == "whole"] == [0.0, 10.0, 20.0]
    assert worked.failures[:3] == [("boom", 1.0), ("boom", 2.0), ("boom", 4.0)]


def test_success_makes_the_next_failure_a_first_one() -> None:
    outcomes = iter([True, True, False, True])

    def then(_: str) -> Requeue:
        if next(outcomes, False):
            raise RuntimeError("boom")
        return Requeue(after=100)

    async def actions(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(150)

    worked = Worked(then=then)
    assert [moment for _, moment in scenario(worked, actions)] == [0.0, 1.0, 3.0, 103.0, 104.0]


def test_nothing_is_worked_on_after_stop() -> None:
    """What was in hand is abandoned, what was due later never comes."""

    async def main() -> Moments:
        worked = Worked(lasts=5)
        queue = WorkQueue(worked.work, concurrency=1, failed=worked.failed)
        queue.start()
        for key in "ab":
            queue.add(key)
        queue.add_after("c", 2)
        await asyncio.sleep(1)
        await queue.stop()
        await asyncio.sleep(60)
        assert (len(queue), queue.active) == (1, 0)
        assert worked.failures == []
        return worked.began

    assert run(main()) == [("a", 0.0)]


def test_a_queue_that_was_stopped_begins_anew() -> None:
    """Leadership comes back: what was abandoned is only done if it is added again, and what waited is done."""

    async def main() -> Moments:
        worked = Worked(lasts=5)
        queue = WorkQueue(worked.work, concurrency=1, failed=worked.failed)
        queue.start()
        for key in "aab":
            queue.add(key)
        await asyncio.sleep(1)
        queue.add("a")
        await queue.stop()
        queue.start()
        await asyncio.sleep(60)
        return worked.began

    assert run(main()) == [("a", 0.0), ("b", 1.0)]


def test_delays_are_bounded_and_differ() -> None:
    backoff = Backoff(rng=random.Random(1))
    delays = [backoff.next() for _ in range(100)]
    assert 0.75 <= delays[0] <= 1
    assert all(225 <= delay <= 300 for delay in delays[10:])
    assert len(set(delays[10:])) > 50
    backoff.reset()
    assert backoff.next() <= 1
    assert [backoff.next(most=2) <= 2 for _ in range(10)] == [True] * 10
