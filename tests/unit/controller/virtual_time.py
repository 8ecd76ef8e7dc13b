"""An event loop whose clock jumps to the next timer instead of waiting for it: minutes pass at once, and every moment is exact."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

Result = TypeVar("Result")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 1000 and moves only when nothing is left to do before the next timer, in no thread either."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 1000.0
        self._in_threads = 0
        select = self._selector.select  # type: ignore[attr-defined]

        def jump(timeout: float | None) -> Any:
            if timeout and self._in_threads:
                return select(None)  # whatever ends in a thread wakes the loop
            if timeout:
                self._virtual += timeout
            return select(0 if timeout is not None else None)

        self._selector.select = jump  # type: ignore[attr-defined]

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        self._in_threads += 1
        running = super().run_in_executor(executor, func, *args)
        running.add_done_callback(self._thread_ended)
        return running

    def _thread_ended(self, _: asyncio.Future[Any]) -> None:
        self._in_threads -= 1

    def time(self) -> float:
        return self._virtual


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main` on a loop of its own with virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def elapsed() -> float:
    """Virtual seconds since the loop began."""
    return asyncio.get_running_loop().time() - 1000.0
