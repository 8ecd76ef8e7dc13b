"""Builds `dist/`, what a release consists of, from the last commit: `python -m tools.release.dist [DIRECTORY]`.

Nothing of it depends on where, when or by whom it is built: it is made of what git has, in a folder of its own, and its
times are those of the commit.
"""

import argparse
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.gobuild import BuildError
from tools.helm import build as helm_build
from tools.kube import build as kube_build
from tools.release import sbom
from tools.version import ROOT, VersionError, version

NAME = "proxmox-offerings"
SUMS = "SHA256SUMS"
LOCK = "requirements/run.txt"
INSTALL = f"""\
# {NAME} {{version}}: kubectl apply --server-side -f install.yaml
# There is no published image: build it (docs/how-to/image.md), and put its name in the place of `image: {NAME}:{{version}}` below.
"""


class DistError(Exception):
    """It cannot be built. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The last commit of this checkout."""

    name: str
    seconds: int
    """When it was made, since 1970."""

    @classmethod
    def last(cls) -> "Commit":
        """Raises DistError."""
        try:
            name, seconds = _said(["git", "-C", str(ROOT), "log", "-1", "--format=%H %ct"]).split()
        except (FileNotFoundError, subprocess.CalledProcessError):
            raise DistError("a release is built from a commit: this is no git checkout, or git is missing") from None
        return cls(name, int(seconds))

    def export(self, directory: Path) -> None:
        """Write its files into `directory`."""
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", "--format=tar", self.name], check=True, stdout=subprocess.PIPE
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as content:
            content.extractall(directory, filter="data")


def uncommitted() -> list[str]:
    """Files that are not as in the last commit, new ones included."""
    return _said(["git", "-C", str(ROOT), "status", "--porcelain"]).splitlines()


def build(tree: Path, directory: Path, commit: Commit) -> None:
    """Write what can be built of the files in `tree` without installing anything into the empty `directory`. Raises DistError and BuildError."""
    package(tree, directory, commit)
    _chart(tree, directory, commit)
    shutil.copyfile(tree / LOCK, directory / "requirements.txt")
    (directory / "crds.yaml").write_text(_joined(sorted((tree / "crds").glob("*.yaml"))), encoding="utf-8")
    rendered = _said([kube_build.tools() / "kubectl", "kustomize", tree / "manifests"])
    (directory / "install.yaml").write_text(INSTALL.format(version=version(tree)) + rendered, encoding="utf-8")


def package(tree: Path, directory: Path, commit: Commit, *targets: str) -> None:
    """The wheel and the sources' archive of `tree`. Raises DistError."""
    chosen = [word for target in targets or ("sdist", "wheel") for word in ("--target", target)]
    _done([sys.executable, "-m", "hatchling", "build", *chosen, "--directory", directory], commit, cwd=tree)


def _chart(tree: Path, directory: Path, commit: Commit) -> None:
    chart = tree / "helm" / NAME
    _done([helm_build.tools() / "helm4", "package", chart, "--destination", directory], commit)


def _joined(files: Sequence[Path]) -> str:
    return "---\n".join(file.read_text(encoding="utf-8") for file in files)


def wheel(directory: Path) -> Path:
    """The one in `directory`."""
    return next(directory.glob("*.whl"))


def install(directory: Path, environment: Path) -> Path:
    """Install the wheel of `directory` with its pinned libraries into a new environment; its Python.

    As people do it: all of it checked by hashes, nothing compiled. Raises DistError.
    """
    _done([sys.executable, "-m", "venv", "--clear", "--without-pip", environment])
    python = environment / "bin" / "python"
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
    ]
    ours = wheel(directory)
    exact = environment / "exact.txt"
    pinned = (directory / "requirements.txt").read_text(encoding="utf-8")
    exact.write_text(f"{pinned}\n{NAME} @ {ours.as_uri()} --hash=sha256:{_sha256(ours)}\n", encoding="utf-8")
    hashed = ["install", "--require-hashes", "--only-binary=:all:", "--root-user-action=ignore"]
    _done([*pip, *hashed, "--requirement", exact])
    _done([*pip, "check"])
    return python


def checksums(directory: Path) -> str:
    """A line for each file, as sha256sum writes and checks them."""
    files = sorted(file for file in directory.iterdir() if file.name != SUMS)
    return "".join(f"{_sha256(file)}  {file.name}\n" for file in files)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _said(command: Sequence[str | Path]) -> str:
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


def _done(command: Sequence[str | Path], commit: Commit | None = None, *, cwd: Path | None = None) -> None:
    """Run it silently; what it says is shown only if it fails. Raises DistError."""
    times: Mapping[str, str] = {"SOURCE_DATE_EPOCH": str(commit.seconds)} if commit else {}
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=os.environ | times,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise DistError(f"{' '.join(map(str, command[:6]))} ... failed:\n{done.stdout.strip()}")


def complete(directory: Path, commit: Commit) -> None:
    """Build all of it into the empty `directory`. Raises DistError, SBOMError and BuildError."""
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-dist-") as temporary:
        tree = Path(temporary) / NAME
        commit.export(tree)
        build(tree, directory, commit)
        python = install(directory, Path(temporary) / "environment")
        released = version(tree)
        bill = sbom.of(python, project=tree / "pyproject.toml", version=released, seconds=commit.seconds)
        (directory / sbom.name(released)).write_text(bill, encoding="utf-8")
    (directory / SUMS).write_text(checksums(directory), encoding="utf-8")


def may_be_replaced(directory: Path) -> bool:
    """Whether nothing would be lost with it: it is not there, is empty, or holds an earlier build."""
    return not directory.exists() or not any(directory.iterdir()) or (directory / SUMS).is_file()


def main() -> None:
    """Build it."""
    arguments = argparse.ArgumentParser(prog="python -m tools.release.dist", description=__doc__)
    arguments.add_argument("directory", nargs="?", type=Path, default=ROOT / "dist", help="default: dist")
    directory = arguments.parse_args().directory.resolve()
    if not may_be_replaced(directory):
        sys.exit(f"error: {directory} holds something that is no earlier build: name another directory, or empty it")
    try:
        commit = Commit.last()
        if changed := uncommitted():
            print(f"{len(changed)} files differ from the last commit; what is built is the commit.", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix=f"{NAME}-dist-") as temporary:
            built = Path(temporary) / directory.name
            built.mkdir()
            complete(built, commit)
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(built, directory)
    except (DistError, BuildError, VersionError, sbom.SBOMError) as problem:
        sys.exit(f"error: {problem}")
    print((directory / SUMS).read_text(encoding="utf-8"), end="")
    print(f"Built {directory.name}/ from {commit.name[:12]}.")


if __name__ == "__main__":
    main()
