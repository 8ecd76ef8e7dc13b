"""Checks that no committed file speaks of the machine it was written on: `python -m tools.strays`.

Paths of the checkout and the home directory, and the hosts of the package registries that pip, uv and go use here, are
what slips in by copying terminal output. They are asked of the machine, so that none has to be named here.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from pip._internal.models.index import PyPI

ROOT = Path(__file__).resolve().parents[1]
INDEX_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "GOPROXY")


def paths_of_this_machine() -> set[str]:
    """With a slash at the end, so that a mere mention of `/root` as a word is none."""
    common = {Path("/"), Path(tempfile.gettempdir()), Path("/home"), Path("/usr")}
    return {f"{path}/" for path in {ROOT, ROOT.parent, Path.home()} - common}


def registry_hosts() -> set[str]:
    """The hosts from which packages come here."""
    settings = [os.environ.get(name, "") for name in INDEX_VARIABLES]
    settings += [_said([sys.executable, "-m", "pip", "config", "list"]), _said(["go", "env", "GOPROXY"])]
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s,'|\"]+", " ".join(settings))}
    return {PyPI.netloc, PyPI.file_storage_domain} | {host for host in hosts if host}


def _said(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout
    except FileNotFoundError:
        return ""


def strays(line: str, words: set[str]) -> list[str]:
    """Those of `words` that stand in `line` by themselves, also within a URL, but not as the end of a longer path or host."""
    return [word for word in sorted(words) if re.search(rf"(?<![\w.-]){re.escape(word)}", line)]


def main() -> int:
    """Print each place; 1 if there is one."""
    words = paths_of_this_machine() | registry_hosts()
    listing = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    found = 0
    for name in filter(None, listing.split("\0")):
        try:
            lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # binary, or deleted and not committed yet
        for number, line in enumerate(lines, start=1):
            for word in strays(line, words):
                print(f"{name}:{number}: {word} belongs to this machine, not into the repository")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
