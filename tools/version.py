"""The version, which is written in one place: `operator/proxmox_offerings/__init__.py`. What names it elsewhere follows.

`python -m tools.version` writes it there, `--check` only compares, `--set 0.2.0` changes it first. Package, image and command
line read it themselves.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "operator/proxmox_offerings/__init__.py"
WRITTEN = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)
FORM = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
"""What Python, Helm and registries all take for a version."""
NUMBER = r"\d+\.\d+\.\d+"
FOLLOWERS = {
    "helm/proxmox-offerings/Chart.yaml": (rf"(?m)(?<=^version: ){NUMBER}$", rf'(?m)(?<=^appVersion: "){NUMBER}(?="$)'),
    "manifests/kustomization.yaml": (rf"(?m)(?<=newTag: ){NUMBER}$",),
    "manifests/namespaced/kustomization.yaml": (rf"(?m)(?<=newTag: ){NUMBER}$",),
    "manifests/simulator/kustomization.yaml": (rf"(?m)(?<=newTag: ){NUMBER}$",),
    "docs/how-to/image.md": (rf"(?<=proxmox-offerings:){NUMBER}",),
}
"""The places in each file; in each there must be one."""


class VersionError(Exception):
    """There is no version, or none that can be. The message says what to do."""


def version(root: Path = ROOT) -> str:
    """The package's. Raises VersionError."""
    found = WRITTEN.search((root / SOURCE).read_text(encoding="utf-8"))
    if found is None or not FORM.fullmatch(found[1]):
        raise VersionError(f'{SOURCE} needs a line __version__ = "1.2.3"')
    return found[1]


def set_version(new: str, root: Path = ROOT) -> None:
    """Change it in its one place. Raises VersionError."""
    if not FORM.fullmatch(new):
        raise VersionError(f"{new!r} is no version such as 0.2.0")
    if numbers(new) < numbers(version(root)):
        raise VersionError(f"{new} is older than {version(root)}")
    source = root / SOURCE
    source.write_text(WRITTEN.sub(f'__version__ = "{new}"', source.read_text(encoding="utf-8")), encoding="utf-8")


def numbers(text: str) -> tuple[int, ...]:
    """By which versions are compared."""
    return tuple(int(number) for number in text.split("."))


def out_of_step(root: Path = ROOT) -> dict[Path, str]:
    """The files that name another version, with what they have to hold. Raises VersionError."""
    present = version(root)
    stale = {}
    for name, places in FOLLOWERS.items():
        path = root / name
        before = content = path.read_text(encoding="utf-8")
        for place in places:
            content, count = re.subn(place, present, content)
            if not count:
                raise VersionError(f"{name} does not name the version where it was expected: {place}")
        if content != before:
            stale[path] = content
    return stale


def main() -> None:
    """Write, or compare."""
    arguments = argparse.ArgumentParser(prog="python -m tools.version", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing, only compare")
    arguments.add_argument("--set", metavar="VERSION", help="change it")
    chosen = arguments.parse_args()
    try:
        if chosen.set:
            set_version(chosen.set)
        stale = out_of_step()
    except VersionError as problem:
        sys.exit(f"error: {problem}")
    if chosen.check and stale:
        sys.exit(
            f"not of version {version()}, run `make chart`: {', '.join(str(path.relative_to(ROOT)) for path in stale)}"
        )
    for path, content in stale.items():
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
