"""One control plane for all workers of a test run, started by the first test that wants it.

It runs in a process of its own (`python -m tools.kube.controlplane`), for no worker knows whether another still needs it
when its own tests are done. What ties it to the run is a file that each worker holds locked: the kernel frees the lock of
a worker that ends in any way, and when none is left the process ends the control plane and itself.
"""

import contextlib
import fcntl
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tools.kube import build
from tools.kube.controlplane import START_SECONDS, Cluster

ROOT = Path(__file__).resolve().parents[2]
CRDS = ROOT / "crds"

__all__ = ["ROOT", "Cluster", "build", "own_namespace", "shared_control_plane"]

USERS = "users.lock"
SERVER = "server"
SERVER_LOG = "server.log"


@contextlib.contextmanager
def shared_control_plane(run: Path, *, crds: Path = CRDS) -> Iterator[Cluster]:
    """The control plane of the test run whose workers share the directory `run`, with `crds` established."""
    with contextlib.ExitStack() as held:
        with (run / "controlplane.lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = _join(run)
            users, directory = found or _start(run, crds)
            held.enter_context(users)
        yield Cluster.at(directory)


@contextlib.contextmanager
def own_namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a fresh namespace, which goes away after the block without anybody waiting for it."""
    name = f"test-{secrets.token_hex(5)}"
    cluster.api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    cluster.api("DELETE", f"/api/v1/namespaces/{name}")


def _join(run: Path) -> tuple[TextIO, Path] | None:
    """Become a user of the control plane that another worker started, unless there is none or it is already ending."""
    for generation in run.glob("controlplane-*"):
        try:
            users = (generation / USERS).open("r", encoding="utf-8")
            fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            users.close()
        else:
            if (generation / SERVER).is_dir():
                return users, generation / SERVER
            users.close()
    return None


def _start(run: Path, crds: Path) -> tuple[TextIO, Path]:
    generation = Path(tempfile.mkdtemp(prefix="controlplane-", dir=run))
    users = (generation / USERS).open("w", encoding="utf-8")
    fcntl.flock(users, fcntl.LOCK_SH)
    directory = generation / SERVER
    module = ["-m", "tools.kube.controlplane"]
    options = ["--crds", str(crds), "--directory", str(directory), "--while-locked", str(generation / USERS)]
    log = str(generation / SERVER_LOG)
    # Not subprocess.Popen, which wants to be waited for: the process may outlive this worker.
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, *module, *options],
        os.environ | {"PYTHONPATH": str(ROOT)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    try:
        _wait_until_ready(pid, directory, Path(log))
    except BaseException:
        users.close()
        raise
    return users, directory


def _wait_until_ready(pid: int, directory: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(FileNotFoundError):
            Cluster.at(directory)
            return
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if ended or time.monotonic() > deadline:
            raise RuntimeError(f"the control plane did not start:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.05)
