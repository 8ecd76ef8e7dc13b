"""`make playground`: a Kubernetes API server to try things on, with the CustomResourceDefinitions. It has no nodes and runs no Pods.

What a shell needs to know of it is in .playground/env. It ends, and forgets everything, with this program.
"""

import contextlib
import fcntl
import shlex
import shutil
import signal
import sys
from pathlib import Path

from tools.kube.build import BuildError
from tools.kube.controlplane import ControlPlane, StartError

ROOT = Path(__file__).resolve().parents[1]
DIRECTORY = ROOT / ".playground"


def main() -> int:
    """Run until SIGINT or SIGTERM; the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with contextlib.ExitStack() as held:
            lock = held.enter_context((ROOT / ".playground.lock").open("w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("error: a playground of this checkout runs already: end that one first", file=sys.stderr)
                return 1
            shutil.rmtree(DIRECTORY, ignore_errors=True)
            DIRECTORY.mkdir(mode=0o700)
            held.callback(shutil.rmtree, DIRECTORY, ignore_errors=True)
            plane = held.enter_context(ControlPlane(crds=ROOT / "crds", directory=DIRECTORY / "server"))
            (DIRECTORY / "env").write_text(environment(plane.kubeconfig, plane.kubectl), encoding="utf-8")
            print("The API server is ready. In each other terminal, first: source .playground/env", flush=True)
            signal.pause()
    except (StartError, BuildError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def environment(kubeconfig: Path, kubectl: Path) -> str:
    """What a shell has to source."""
    commands = f"{Path(sys.prefix) / 'bin'}:{kubectl.parent}"
    return f"export KUBECONFIG={shlex.quote(str(kubeconfig))}\nexport PATH={shlex.quote(commands)}:$PATH\n"


if __name__ == "__main__":
    sys.exit(main())
