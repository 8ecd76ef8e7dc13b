"""Checks, without a network, that what is pinned is what pyproject.toml allows: `python -m tools.locks`."""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements/run.txt", "requirements/build.txt", "requirements/dev.txt", "tools/go-toolchain.txt")
RUN, BUILD, DEV, GO = (ROOT / path for path in LOCKS)
REMEDY = "run `make lock` and commit the result"


def problems() -> list[str]:
    """One sentence for each thing that is out of step."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed_to_run = project["project"]["dependencies"]
    needed_to_build = project["build-system"]["requires"]
    needed_to_work = [line for line in project["dependency-groups"]["dev"] if isinstance(line, str)]
    go = (ROOT / "tools/go-toolchain.in").read_text(encoding="utf-8").splitlines()
    run, build, dev = pins(RUN), pins(BUILD), pins(DEV)
    found = [
        *unmet(needed_to_run, run, RUN),
        *unmet(needed_to_build, build, BUILD),
        *unmet([*needed_to_run, *needed_to_build, *needed_to_work], dev, DEV),
        *unmet([line for line in go if line and not line.startswith("#")], pins(GO), GO),
    ]
    found += [
        f"{name} is {version} in {path.name} but {dev.get(name, 'missing')} in {DEV.name}"
        for path, pinned in ((RUN, run), (BUILD, build))
        for name, version in pinned.items()
        if dev.get(name) != version
    ]
    return found + [problem for path in (RUN, BUILD, DEV, GO) for problem in loose_ends(path)]


def pins(path: Path) -> dict[str, str]:
    """Name to version of each pinned package."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def unmet(requirements: list[str], pinned: dict[str, str], path: Path) -> list[str]:
    """The requirements that the pins of `path` do not meet."""
    found = []
    for requirement in map(Requirement, requirements):
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{path.name} has {requirement.name} {version or 'not at all'}, wanted is {requirement}")
    return found


def loose_ends(path: Path) -> list[str]:
    """Packages without a hash, and addresses, which would tie everybody to one machine's index."""
    content = path.read_text(encoding="utf-8")
    entries = re.split(r"^(?=\S)", content, flags=re.MULTILINE)
    found = [
        f"{path.name}: no hash for {entry.split()[0]}"
        for entry in entries
        if entry[:1].isalnum() and "--hash=" not in entry
    ]
    if re.search(r"://|--(extra-)?index-url|--find-links", content):
        found.append(f"{path.name} names an address")
    return found


if __name__ == "__main__":
    if out_of_step := problems():
        sys.exit("\n".join([*out_of_step, REMEDY]))
