"""Whether what is here could be released: `python -m tools.release.check`. A line for each thing that holds, until one does not.

It may be in the making (what is new stands under Unreleased) or cut, as docs/how-to/release.md says; then nothing may differ from the commit.
"""

import filecmp
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import crd_compat, locks
from tools.gobuild import BuildError
from tools.helm import build as helm_build
from tools.release import changelog, dist, sbom
from tools.version import ROOT, VersionError, out_of_step, version

REBUILD = """\
import os, sys
from pathlib import Path
from tools.release import dist
directory, tree = map(Path, sys.argv[1:])
commit = dist.Commit.last()
commit.export(tree)
for path in tree.rglob("*"):
    os.utime(path)
dist.build(tree, directory, commit)
"""


class NotReadyError(Exception):
    """Something does not hold. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What would be released.

    Attributes:
        version: its version.
        commit: what it is built from.
        scratch: a folder for whatever is tried.
    """

    version: str
    commit: dist.Commit
    scratch: Path

    def built(self, name: str) -> Path:
        """A new folder."""
        directory = self.scratch / name
        directory.mkdir()
        return directory

    def needs(self) -> set[str]:
        """The libraries that pyproject.toml names."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}


def checks(candidate: Candidate) -> Iterator[str]:
    """What holds, in the order in which it is found out. Raises NotReadyError and the errors of the tools."""
    yield _versions(candidate)
    yield from _changes(candidate)
    yield _pins()
    first, tree = candidate.built("dist"), candidate.built("tree")
    candidate.commit.export(tree)
    dist.build(tree, first, candidate.commit)
    yield _again(candidate, first)
    yield _from_sources(candidate, first)
    environment = candidate.scratch / "environment"
    python = dist.install(first, environment)
    yield _installed(candidate, python, first)
    yield _bill(candidate, python, first)
    yield _chart(candidate, first)


def _versions(candidate: Candidate) -> str:
    if stale := out_of_step():
        raise NotReadyError(
            f"{', '.join(path.name for path in stale)}: not of version {candidate.version}, run `make chart`"
        )
    return f"version: {candidate.version}, in one place; package, chart, manifests and documentation follow"


def _changes(candidate: Candidate) -> Iterator[str]:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    is_cut = changelog.is_cut(text, candidate.version)
    if is_cut:
        yield f"changelog: {candidate.version} of {changelog.sections(text)[candidate.version].day}, nothing unreleased"
        if changed := dist.uncommitted():
            raise NotReadyError(f"{len(changed)} files differ from the last commit: commit them first")
    else:
        yield f"changelog: in the making; what is unreleased will be {candidate.version}"
    broken = [f"{one.name}: {problem}" for one in crd_compat.releases() for problem in crd_compat.problems(one)]
    if broken:
        raise NotReadyError("; ".join(broken))
    frozen = crd_compat.RELEASED / f"v{candidate.version}" / "crds"
    if is_cut and not _equal(frozen, crd_compat.CRDS):
        raise NotReadyError(f"{frozen.relative_to(ROOT)} is not what crds/ holds: run `make release` once more")
    names = ", ".join(one.name for one in crd_compat.releases())
    yield f"definitions: fit {names}" + (", and are kept for later releases to fit" if is_cut else "")


def _pins() -> str:
    if found := locks.problems():
        raise NotReadyError("; ".join(found))
    return "libraries: each pinned, with hashes, within the ranges of pyproject.toml"


def _again(candidate: Candidate, first: Path) -> str:
    """Built again in another folder, with another umask and time zone, from files of another time."""
    second = candidate.built("dist-again")
    elsewhere = candidate.scratch / "another" / "folder"
    done = subprocess.run(
        [sys.executable, "-c", REBUILD, second, elsewhere],
        check=False,
        cwd=ROOT,
        umask=0o077,
        env=os.environ | {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1", "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NotReadyError(f"a second build failed: {done.stderr.strip()[-500:]}")
    return _same(first, second)


def _same(first: Path, second: Path) -> str:
    names = sorted({file.name for directory in (first, second) for file in directory.iterdir()})
    _, different, missing = filecmp.cmpfiles(first, second, names, shallow=False)
    if different or missing:
        raise NotReadyError(f"built twice, these differ: {', '.join([*different, *missing])}")
    return f"reproducible: {len(names)} files are byte for byte the same, built in another folder at another time, with another umask and time zone"


def _from_sources(candidate: Candidate, first: Path) -> str:
    tree, again = candidate.built("sources"), candidate.built("from-sources")
    archive = next(first.glob(f"*{candidate.version}.tar.gz"))
    subprocess.run(["tar", "--extract", "--gzip", f"--file={archive}", f"--directory={tree}"], check=True)
    dist.package(next(tree.iterdir()), again, candidate.commit, "wheel")
    if not filecmp.cmp(dist.wheel(first), dist.wheel(again), shallow=False):
        raise NotReadyError("the wheel that is built from the sources' archive is another one")
    return "sources: their archive gives the same wheel"


def _installed(candidate: Candidate, python: Path, first: Path) -> str:
    program = python.with_name(dist.NAME)
    said = _said([program, "--version"])
    if said.split()[-1:] != [candidate.version]:
        raise NotReadyError(f"the installed program says that it is {said!r}")
    if _definitions(_said([program, "crds"])) != _definitions((first / "crds.yaml").read_text(encoding="utf-8")):
        raise NotReadyError("the installed program has other CustomResourceDefinitions than the release")
    _said([program, "run", "--help"])
    return f"install: the wheel and its pinned libraries, each checked by its hash; {dist.NAME} runs"


def _definitions(text: str) -> dict[str, object]:
    return {one["metadata"]["name"]: one for one in yaml.safe_load_all(text)}


def _bill(candidate: Candidate, python: Path, first: Path) -> str:
    project, seconds = ROOT / "pyproject.toml", candidate.commit.seconds
    bills = {sbom.of(python, project=project, version=candidate.version, seconds=seconds) for _ in range(2)}
    if len(bills) != 1:
        raise NotReadyError("the bill of materials is another one each time")
    (bill,) = bills
    pinned = locks.pins(first / "requirements.txt")
    listed = {canonicalize_name(name): number for name, number in sbom.libraries(bill).items()}
    if strangers := [name for name, number in listed.items() if pinned.get(name) != number]:
        raise NotReadyError(f"the bill of materials lists what is not pinned: {', '.join(strangers)}")
    if missing := candidate.needs() - listed.keys():
        raise NotReadyError(f"the bill of materials lacks {', '.join(sorted(missing))}")
    if unlicensed := sbom.unlicensed(bill):
        raise NotReadyError(f"the bill of materials tells no licence of {', '.join(unlicensed)}")
    return f"bill of materials: {len(listed)} libraries as pinned, each with its licence; valid CycloneDX"


def _chart(candidate: Candidate, first: Path) -> str:
    archive = first / f"{dist.NAME}-{candidate.version}.tgz"
    for helm in ("helm4", "helm3"):
        program = helm_build.tools() / helm
        _said([program, "lint", "--strict", archive])
        if f'image: "{dist.NAME}:{candidate.version}"' not in _said([program, "template", "po", archive]).replace(
            "'", '"'
        ):
            raise NotReadyError(f"the chart as a file does not install the image of {candidate.version}")
    return "chart: as a file, taken by Helm 3 and 4, for the image of this version"


def _equal(one: Path, other: Path) -> bool:
    def content(folder: Path) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in folder.glob("*.yaml")}

    return content(one) == content(other)


def _said(command: list[str | Path]) -> str:
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise NotReadyError(
            f"{' '.join(map(str, command))}: {done.stderr.strip()[-500:] or done.stdout.strip()[-500:]}"
        )
    return done.stdout


def main() -> int:
    """Check; the exit code."""
    try:
        commit = dist.Commit.last()
        with tempfile.TemporaryDirectory(prefix=f"{dist.NAME}-release-") as scratch:
            for held in checks(Candidate(version(), commit, Path(scratch))):
                print(f"ok  {held}", flush=True)
    except (
        NotReadyError,
        VersionError,
        changelog.ChangelogError,
        dist.DistError,
        sbom.SBOMError,
        BuildError,
    ) as problem:
        print(f"no  {problem}", file=sys.stderr)
        return 1
    print(f"{version()} could be released from {commit.name[:12]}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
