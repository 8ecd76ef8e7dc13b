"""Where a benchmark works: a directory, child processes and control planes of its own, all gone when it ends."""

import contextlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tools.children import Children
from tools.kube.controlplane import ControlPlane

from benchmarks import fleet

ROOT: Final = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS: Final = 60.0


class BenchmarkFailed(Exception):
    """Nothing was measured, because something did not start or answer. The message says what."""


def progress(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


class Operator:
    """An operator that runs as a child process. Sizes are MiB, times seconds."""

    def __init__(self, children: Children, name: str) -> None:
        self._children = children
        self._name = name
        self.started_at = time.monotonic()
        self.health_port: int | None = None

    def resident(self, what: str = "VmRSS") -> float:
        """Memory in use; with "VmHWM" the most that ever was."""
        status = Path(f"/proc/{self._children.pid(self._name)}/status").read_text(encoding="ascii")
        found = re.search(rf"^{what}:\s+(\d+) kB$", status, re.MULTILINE)
        if found is None:
            raise BenchmarkFailed(f"the operator has no {what}")
        return int(found[1]) / 1024

    def cpu_seconds(self) -> float:
        """CPU time used so far."""
        stat = Path(f"/proc/{self._children.pid(self._name)}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def check(self) -> None:
        """Raises BenchmarkFailed if it ended."""
        if self._name in self._children.ended():
            raise BenchmarkFailed(f"the operator ended:\n{self._children.last_words(self._name)}")

    def log(self) -> list[dict[str, object]]:
        """The lines that it logged."""
        text = self._children.log(self._name).read_text(encoding="utf-8", errors="replace")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def wait_for_health(self) -> None:
        """Wait until it says where it serves health. Raises BenchmarkFailed."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            self.check()
            for line in self.log():
                if line.get("event") == "health is served":
                    self.health_port = int(str(line["port"]))
                    return
            time.sleep(0.02)
        raise BenchmarkFailed("the operator did not serve health in time")

    def end(self) -> None:
        """Ask it to end, and wait for that."""
        self._children.end(self._name, grace=20)


class Workplace:
    """`with Workplace() as place`: whatever was started in it ends with it."""

    def __enter__(self) -> Self:
        self._held = contextlib.ExitStack()
        self.directory = Path(self._held.enter_context(tempfile.TemporaryDirectory(prefix="proxmox-offerings-bench-")))
        self._children = Children(self.directory)
        self._held.callback(self._children.end_all)
        self._started = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held.close()

    def control_plane(self) -> ControlPlane:
        """A fresh one, with nothing in it but the CRDs."""
        progress("  starting a control plane")
        return self._held.enter_context(ControlPlane(crds=ROOT / "crds"))

    def fleet(
        self, *, clusters: int, nodes: int, guests: int, percent: float = 2, compress: bool = True
    ) -> tuple[fleet.Fleet, Path]:
        """Clusters that answer with recorded bytes, and the directory in which to say when guests begin to change. Raises BenchmarkFailed."""
        progress(f"  starting {clusters} recorded cluster(s) of {nodes} nodes and {guests:,} guests")
        sizes = [f"--clusters={clusters}", f"--nodes={nodes}", f"--guests={guests}", f"--percent={percent}"]
        name, directory = self._start(
            "fleet", ["-m", "benchmarks.fleet", "{directory}", *sizes, *([] if compress else ["--plain"])]
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                return fleet.Fleet.read(directory), directory
            if name in self._children.ended():
                raise BenchmarkFailed(f"the recorded clusters ended:\n{self._children.last_words(name)}")
            time.sleep(0.05)
        raise BenchmarkFailed("the recorded clusters did not start in time")

    def operator(self, plane: ControlPlane) -> Operator:
        """`proxmox-offerings run` against `plane`, for all namespaces, with the settings it has by itself, but that it may reach what runs here."""
        name, _ = self._start(
            "operator",
            [
                *("-m", "proxmox_offerings", "run", "--kubeconfig", str(plane.kubeconfig)),
                "--allow-endpoint-range=127.0.0.0/8",
                *("--health-address=127.0.0.1", "--health-port=0", "--log-format=json"),
            ],
        )
        return Operator(self._children, name)

    def _start(self, name: str, arguments: Sequence[str]) -> tuple[str, Path]:
        self._started += 1
        name = f"{name}-{self._started}"
        directory = self.directory / name
        command = [sys.executable, *(argument.replace("{directory}", str(directory)) for argument in arguments)]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.directory), "PYTHONPATH": str(ROOT)}
        self._children.start(name, command, cwd=ROOT, env=environment)
        return name, directory
