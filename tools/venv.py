"""Makes `.venv` what the lock file says, and does nothing where it is that already.

Run by make with whatever Python the machine has, so it needs nothing installed and says in a sentence what is missing.
Interrupted or failed, it starts over the next time; side by side, the second waits for the first.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (this is the one file that an older Python gets to see)
    sys.exit(
        "error: Python 3.11 or later is needed, and {} is {}.{}: choose another with make PYTHON=python3.12".format(
            sys.executable, *sys.version_info[:2]
        )
    )

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "made-from.json"
LOCK_FILE = ROOT / "requirements" / "dev.txt"
PROJECT = ROOT / "pyproject.toml"

PIP: list[str | Path] = [
    PYTHON,
    "-m",
    "pip",
    "--disable-pip-version-check",
    "--no-input",
    "install",
    "--root-user-action=ignore",
]
REPORT_EVERY = 15


def wanted() -> str:
    """What decides what `.venv` holds. The settings of linters in pyproject.toml do not."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    parts = [project["project"], project["build-system"], project["tool"]["hatch"]]
    digest = hashlib.sha256(LOCK_FILE.read_bytes() + json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return json.dumps({"checkout": str(ROOT), "inputs": digest})


def is_made() -> bool:
    """Whether nothing is to be done. The stamp is written last, so it vouches for all that comes before it."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted()


def make() -> None:
    """Raises SystemExit with a sentence for people."""
    if not _works():
        print(f"Making .venv with Python {sys.version.split()[0]}; this takes about a minute.", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", VENV], "make .venv (on Debian and Ubuntu: install python3-venv)")
    else:
        print("Bringing .venv in step with the lock file.", flush=True)
    STAMP.unlink(missing_ok=True)
    _run([*PIP, "--progress-bar=off", "--require-hashes", "--requirement", LOCK_FILE], "install the pinned packages")
    _run([*PIP, "--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT], "install this checkout")
    STAMP.write_text(wanted(), encoding="utf-8")
    print("  .venv is ready.", flush=True)


def _works() -> bool:
    """Whether `.venv` was made here and runs: a moved checkout or a removed Python leaves a broken one behind."""
    settings = VENV / "pyvenv.cfg"
    if not settings.exists() or not re.search(
        rf"^command = .* {re.escape(str(VENV))}$", settings.read_text(), re.MULTILINE
    ):
        return False
    return (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    )


def _run(command: list[str | Path], purpose: str) -> None:
    """Run `command`, showing how many packages it has seen; on failure, show its last lines."""
    packages = len(re.findall(r"^[\w.-]+==", LOCK_FILE.read_text(encoding="utf-8"), re.MULTILINE))
    seen = 0
    said: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            if line.startswith("Collecting "):
                seen += 1
                if seen % REPORT_EVERY == 0:
                    print(f"  {seen} of about {packages} packages", flush=True)
            elif line.startswith("Installing collected packages"):
                print(f"  installing {seen} packages", flush=True)
    if process.returncode:
        print("\n".join(said[-15:]), file=sys.stderr)
        free = shutil.disk_usage(ROOT).free >> 20
        sys.exit(f"error: cannot {purpose}; pip's words are above ({free} MiB of disk are free). Then run make again.")


@contextmanager
def _exclusive() -> Iterator[None]:
    with (ROOT / ".venv.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another make is working on .venv: waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        if not is_made():
            with _exclusive():
                if not is_made():
                    make()
    except KeyboardInterrupt:
        sys.exit("interrupted: run make again to finish .venv")
