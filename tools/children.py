"""Child processes that never outlive the process which started them, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DIE_WITH_PARENT = Path(__file__).resolve().with_name("die_with_parent.py")


class Children:
    """Named child processes, each writing to `<logs>/<name>.log`.

    They sit in sessions of their own, so that Ctrl-C in a terminal reaches their parent alone and it decides the order in
    which they end. On Linux the kernel kills them when the parent is killed.
    """

    def __init__(self, logs: Path) -> None:
        """`logs` is an existing directory."""
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        # The kernel takes the death of the starting *thread* for that of the parent: one thread that lives as long as we.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="children")

    def start(self, name: str, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> None:
        """Start `command`, whose first word is a full path. A name that ended may be used again; its log goes on."""
        with self.log(name).open("ab") as log:
            self._processes[name] = self._starter.submit(
                subprocess.Popen,
                [sys.executable, "-I", "-S", DIE_WITH_PARENT, str(os.getpid()), *command],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ).result()

    def pid(self, name: str) -> int:
        """The process id of a child that was started."""
        return self._processes[name].pid

    def ended(self) -> list[str]:
        """The names of those that ended by themselves."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def end(self, name: str, *, grace: float = 0) -> int | None:
        """End one child and give its exit code; None if there is none of that name.

        With `grace` seconds it is asked to end first (SIGTERM), and killed only after them; without, it is killed at once.
        """
        process = self._processes.pop(name, None)
        if process is None:
            return None
        if grace and process.poll() is None:
            process.terminate()
            try:
                return process.wait(timeout=grace)
            except subprocess.TimeoutExpired:
                pass
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def end_all(self) -> None:
        """Kill all, the last started first. Nothing can be started afterwards."""
        for name in reversed(list(self._processes)):
            self.end(name)
        self._starter.shutdown()

    def log(self, name: str) -> Path:
        """The file that holds what a child printed."""
        return self._logs / f"{name}.log"

    def last_words(self, name: str, *, lines: int = 15) -> str:
        """The end of what a child printed."""
        return "\n".join(self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
