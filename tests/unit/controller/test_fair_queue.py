"""Who is next, and who keeps others waiting: nobody. In exact moments of a virtual clock."""

import asyncio
from collections import Counter

from proxmox_offerings.controller.queue import NEW_IN_A_ROW, PATIENCE, SLOW_FOR_EACH_PLACE, Requeue, WorkQueue
from proxmox_offerings.controller.turns import Turns
from unit.controller.virtual_time import elapsed, run


class World:
    """A queue whose work on a key lasts as long as `lasts` says, else a second."""

    def __init__(self, *, concurrency: int, lasts: dict[str, float] | None = None) -> None:
        self.began: list[tuple[str, float]] = []
        self.at_once: Counter[bool] = Counter()
        self.most: dict[bool, int] = {False: 0, True: 0}
        self.abandoned: list[str] = []
        self._lasts = lasts or {}
        self.queue: WorkQueue[str] = WorkQueue(
            self._work, concurrency=concurrency, failed=lambda *_: None, group=lambda key: key.partition("/")[0]
        )

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.began]

    async def _work(self, key: str) -> Requeue:
        self.began.append((key, elapsed()))
        slow = "slow" in key
        self.at_once[slow] += 1
        self.most[slow] = max(self.most[slow], self.at_once[slow])
        try:
            await asyncio.sleep(self._lasts.get(key, 600.0 if slow else 1.0))
        except asyncio.CancelledError:
            self.abandoned.append(key)
            raise
        finally:
            self.at_once[slow] -= 1
        return Requeue(after=None)


def test_groups_take_turns_whatever_the_size_of_each() -> None:
    turns: Turns[str] = Turns(lambda key: key[0])
    for key in [*(f"a{number}" for number in range(1000)), "b1", "b2", "c1"]:
        turns.push(key)
    assert [turns.pop() for _ in range(7)] == ["a0", "b1", "c1", "a1", "b2", "a2", "a3"]
    turns.discard("a4")
    turns.discard("z9")
    assert ("a4" in turns, "a5" in turns, bool(turns)) == (False, True, True)
    assert turns.pop() == "a5"


def test_a_namespace_with_ten_thousand_hosts_keeps_nobody_else_waiting() -> None:
    async def main() -> None:
        world = World(concurrency=4)
        for number in range(10_000):
            world.queue.add(f"crowd/{number}")
        world.queue.start()
        await asyncio.sleep(10.5)
        world.queue.add("shop/one")
        await asyncio.sleep(2)
        assert ("shop/one", 11.0) in world.began
        await world.queue.stop()

    run(main())


def test_what_is_new_goes_first_and_what_is_due_is_not_starved() -> None:
    async def main() -> None:
        world = World(concurrency=1)
        for number in range(20):
            world.queue.add_due(f"a/due-{number}")
            world.queue.add(f"a/new-{number}")
        world.queue.start()
        await asyncio.sleep(12.5)
        kinds = ["new" if "new" in key else "due" for key in world.keys[:12]]
        assert kinds == [*["new"] * NEW_IN_A_ROW, "due"] * 3
        await world.queue.stop()

    run(main())


def test_what_waits_and_is_edited_goes_before_the_others() -> None:
    async def main() -> None:
        world = World(concurrency=1)
        for number in range(10):
            world.queue.add_due(f"a/{number}")
        world.queue.add("a/7")
        world.queue.start()
        await asyncio.sleep(11)
        assert world.keys[0] == "a/7"
        assert sorted(world.keys) == [f"a/{number}" for number in range(10)]
        await world.queue.stop()

    run(main())


def test_slow_work_gives_its_place_back_and_there_is_a_bound_to_that() -> None:
    async def main() -> None:
        world = World(concurrency=2)
        for number in range(100):
            world.queue.add(f"a/slow-{number}")
        world.queue.start()
        await asyncio.sleep(PATIENCE + 0.5)
        world.queue.add("b/quick")
        await asyncio.sleep(PATIENCE)
        assert ("b/quick", 2 * PATIENCE) in world.began, "waited for what is slow"
        await asyncio.sleep(100)
        assert world.most[True] == 2 + SLOW_FOR_EACH_PLACE * 2
        await world.queue.stop()
        assert world.queue.active == 0

    run(main())


def test_what_is_dropped_ends_at_once_and_never_comes_back() -> None:
    async def main() -> None:
        world = World(concurrency=2, lasts={"a/1": 100.0, "b/1": 3.0})
        for key in ("a/1", "b/1", "a/2", "b/2"):
            world.queue.add(key)
        world.queue.add_after("a/3", 5)
        world.queue.start()
        await asyncio.sleep(1)
        world.queue.add("a/1")
        await world.queue.drop(lambda key: key.startswith("a/"))
        assert world.abandoned == ["a/1"]
        await asyncio.sleep(60)
        assert sorted(set(world.keys)) == ["a/1", "b/1", "b/2"]
        assert (len(world.queue), world.queue.active) == (0, 0)
        await world.queue.stop()

    run(main())


def test_work_that_says_so_keeps_its_place_however_long_it_takes() -> None:
    """What was read of a cluster is written at the API server's speed, which is the same for all: more at the same time would only take memory."""

    async def main() -> None:
        world = World(concurrency=2)
        for key in ("a/slow", "b/slow", "c", "d"):
            world.queue.add(key)
        world.queue.start()
        await asyncio.sleep(1)
        world.queue.keep_place("a/slow")
        world.queue.keep_place("of somebody who ended meanwhile")
        await asyncio.sleep(PATIENCE + 0.5)
        assert world.keys == ["a/slow", "b/slow", "c", "d"]
        assert world.began[3][1] - world.began[2][1] == 1, "b gave its place back, so that there was one for both"

    run(main())
