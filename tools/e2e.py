"""`make e2e`: builds the image, brings up a real node, runs tests/e2e on it, and takes everything down again, however that ends.

The node is kind's where Docker and kind are. Where they are not, or no node image can be had, it is the single-node cluster whose scripts lie in
`../shared/realnode` beside the checkout, or in the directory that E2E_REALNODE names: it needs root, and `setup.sh` takes eight minutes the first
time. Where neither can be had, nothing is tested, and the reason is said.
"""

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tools import image
from tools.children import DIE_WITH_PARENT
from tools.kube import build

ROOT = Path(__file__).resolve().parents[1]
IMAGE = "localhost/proxmox-offerings:e2e"
KIND_CLUSTER = "proxmox-offerings-e2e"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class NodeError(Exception):
    """The node cannot be had. The message says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """A cluster of one node that runs and has the image."""

    kubeconfig: Path
    kubectl: Path


class Kind:
    """A node in a container of Docker's."""

    @staticmethod
    def hindrance() -> str | None:
        """Why there can be none here; None if there can."""
        if shutil.which("docker") is None or _run(["docker", "info"], quiet=True):
            return "Docker does not run here"
        return "kind is not installed" if shutil.which("kind") is None else None

    @contextmanager
    def up(self, directory: Path) -> Iterator[Node]:
        """Raises NodeError."""
        kubeconfig, archive = directory / "kubeconfig", directory / "image.tar"
        image.build(tag=IMAGE, tool="docker", archive=archive)
        name = ["--name", KIND_CLUSTER, "--kubeconfig", str(kubeconfig)]
        try:
            if _run(["kind", "create", "cluster", *name, "--wait", "120s"]):
                raise NodeError("kind could not create a cluster; its words are above")
            if _run(["kind", "load", "image-archive", str(archive), "--name", KIND_CLUSTER]):
                raise NodeError("kind could not load the image; its words are above")
            yield Node(kubeconfig, build.tools() / "kubectl")
        finally:
            _run(["kind", "delete", "cluster", *name], last=True)


@dataclass(frozen=True, slots=True)
class RealNode:
    """kubelet, containerd and a control plane on this machine, in a network namespace of their own. One at a time on a machine."""

    scripts: Path = field(
        default_factory=lambda: Path(os.environ.get("E2E_REALNODE") or ROOT.parent / "shared" / "realnode")
    )
    home: Path = field(default_factory=lambda: Path(os.environ.get("REALNODE") or Path.home() / ".cache" / "realnode"))

    def hindrance(self) -> str | None:
        """Why there can be none here; None if there can."""
        if not (self.scripts / "up.sh").is_file():
            return f"{self.scripts} has no up.sh (another place: E2E_REALNODE)"
        return None if os.geteuid() == 0 else "a node without Docker needs root"

    @contextmanager
    def up(self, _: Path) -> Iterator[Node]:
        """Raises NodeError."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "e2e.lock").open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Another run has the node of this machine: waiting for it.", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._set_up()
            self._clear()
            archive = self.home / "e2e.tar"
            self._build(archive)
            ours = self.home / "e2e.up"
            ours.touch()
            try:
                self._script("up.sh")
                containerd = self.home / "state" / "run" / "containerd.sock"
                if _run(
                    ["ctr", "--address", str(containerd), "--namespace", "k8s.io", "images", "import", str(archive)]
                ):
                    raise NodeError("containerd could not import the image")
                yield Node(self.home / "state" / "admin.conf", self.home / "bin" / "kubectl")
            finally:
                self._script("down.sh", last=True)
                ours.unlink()

    def _set_up(self) -> None:
        """What takes minutes is done once; the script itself asks the package servers each time."""
        made = ("bin/kubelet", "bin/kubectl", "pause.tar", "img/base.tar", "bstore")
        if not all((self.home / path).exists() for path in made) or shutil.which("buildah") is None:
            print("Setting up the node, once: this takes about eight minutes.", flush=True)
            self._script("setup.sh")

    def _clear(self) -> None:
        """End what a killed run left behind, but nothing that somebody else started."""
        if not (self.home / "state").exists():
            return
        if not (self.home / "e2e.up").exists():
            raise NodeError(f"a node is up already, and no run of this started it: {self.scripts / 'down.sh'} ends it")
        print("A run that was killed left its node behind: ending it.", flush=True)
        self._script("down.sh")

    def _build(self, archive: Path) -> None:
        store = f"buildah --root {self.home}/bstore --runroot {self.home}/brun --storage-driver overlay"
        # Without the machine's network buildah leaves a bridge behind; the certificates are for networks that open TLS.
        options = [
            "--network",
            "host",
            *(("--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro") if CERTIFICATES.exists() else ()),
        ]
        image.build(tag=IMAGE, tool=store, archive=archive, options=options)
        # Each build leaves 200 MB of layers that the next one of a changed program cannot use; with them go those that it could, for 15 s.
        _run([*shlex.split(store), "rmi", "--prune"], quiet=True)

    def _script(self, name: str, *, last: bool = False) -> None:
        if _run([str(self.scripts / name)], last=last, REALNODE=str(self.home)) and not last:
            raise NodeError(f"{name} failed; its words are above")


def _run(command: Sequence[str], *, quiet: bool = False, last: bool = False, **more: str) -> int:
    """Run it; its exit code. `last`: it takes something down, so interruptions wait until it has."""
    output = subprocess.DEVNULL if quiet else None
    with _uninterrupted() if last else nullcontext():
        return subprocess.run(
            command,
            check=False,
            env=os.environ | more,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=last,
        ).returncode


@contextmanager
def _uninterrupted() -> Iterator[None]:
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test(node: Node, arguments: Sequence[str]) -> int:
    """Run tests/e2e on the node; pytest's exit code."""
    variables = {"E2E_KUBECONFIG": str(node.kubeconfig), "E2E_KUBECTL": str(node.kubectl), "E2E_IMAGE": IMAGE}
    tests = [sys.executable, "-m", "pytest", str(ROOT / "tests" / "e2e"), *arguments]
    command = [sys.executable, "-I", "-S", str(DIE_WITH_PARENT), str(os.getpid()), *tests]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stdin=subprocess.DEVNULL) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise


def main() -> int:
    """Bring up, test, take down; the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    kinds: tuple[Kind | RealNode, ...] = (Kind(), RealNode())
    hindrances = [kind.hindrance() for kind in kinds]
    if all(hindrances):
        print(f"skipped: there is no node to run pods on: {'; '.join(filter(None, hindrances))}.")
        return 0
    problems = []
    try:
        for kind in (kind for kind, hindrance in zip(kinds, hindrances, strict=True) if not hindrance):
            began = time.monotonic()
            try:
                with (
                    tempfile.TemporaryDirectory(prefix="proxmox-offerings-e2e-") as directory,
                    kind.up(Path(directory)) as node,
                ):
                    print(f"The node is up and has the image after {time.monotonic() - began:.0f} s.", flush=True)
                    return test(node, sys.argv[1:])
            except (NodeError, image.ImageError, build.BuildError) as problem:
                problems.append(str(problem))
    except KeyboardInterrupt:
        print("Interrupted: the node is down.", file=sys.stderr)
        return 130
    print(f"error: {'; '.join(problems)}", file=sys.stderr)
    return 1


def _interrupt(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
