"""A real Chromium, for the tests of the catalogue page and its pictures: `python -m tools.browser` installs it where it is missing.

Debian's package, or any Chromium or Chrome that is there or that `CHROMIUM` names. Playwright drives it, and fetches none of its own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PACKAGE = "chromium"
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", PACKAGE)


class NoBrowser(Exception):
    """There is none; the message says why, and what to do."""


def chromium() -> str:
    """The program. Raises NoBrowser."""
    if chosen := os.environ.get("CHROMIUM"):
        if not os.access(chosen, os.X_OK):
            raise NoBrowser(f"CHROMIUM is {chosen}, which is no program: correct it, or unset it")
        return chosen
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise NoBrowser("there is no Chromium: install the package chromium, or name the program in CHROMIUM")


def arguments() -> list[str]:
    """How it is started. Its sandbox refuses root, which containers and CI are."""
    return ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def install() -> str:
    """The program, installed now if there is none. Raises NoBrowser."""
    try:
        return chromium()
    except NoBrowser as problem:
        if os.environ.get("CHROMIUM") or shutil.which("apt-get") is None or os.geteuid() != 0:
            raise
        why = str(problem)
    print(
        "Installing Chromium for the tests of the catalogue page: apt-get install chromium", file=sys.stderr, flush=True
    )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    last = ""
    # Lists of packages may be missing, or older than the packages.
    for update in (False, True):
        if update:
            subprocess.run(["apt-get", "update"], env=env, capture_output=True, check=False)
        done = subprocess.run(INSTALL, env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return chromium()
        last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
    raise NoBrowser(f"{why} (apt-get: {last})")


def main(words: Sequence[str]) -> int:
    """The exit code. With `--if-possible` it is 0 also without a browser, whose tests are then skipped."""
    try:
        install()
    except NoBrowser as problem:
        print(f"{'note' if words else 'error'}: {problem}", file=sys.stderr)
        return 0 if words == ["--if-possible"] else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
