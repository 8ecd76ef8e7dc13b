"""Builds the operator's image from the Dockerfile, with whichever of docker, podman and buildah works: `make image`.

The version that ends up in the labels is that of the package. `--archive` also writes the image to a file, as nodes without a registry load it.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.version import VersionError, version

ROOT = Path(__file__).resolve().parents[1]
NAME = "proxmox-offerings"

Run = Callable[[Sequence[str]], int]
"""Runs a command without showing what it prints; its exit code."""


class ImageError(Exception):
    """The image cannot be built. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Builder:
    """A program that builds images: the words that its commands begin with (more than one if it was given options)."""

    command: tuple[str, ...]

    @property
    def name(self) -> str:
        return Path(self.command[0]).name

    def build(self, tag: str, *, arguments: Mapping[str, str], options: Sequence[str] = ()) -> list[str]:
        """The command that builds the Dockerfile of this checkout."""
        pairs = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        # buildah throws the stages away unless told to keep them, and would install everything anew for each change of the program.
        layers = ["--layers"] if self.name == "buildah" else []
        return [*self.command, "build", *layers, *pairs, *options, "--tag", tag, str(ROOT)]

    def save(self, tag: str, archive: Path) -> list[str]:
        """The command that writes `tag` to `archive`, in the format of `docker save`."""
        if self.name == "buildah":
            return [*self.command, "push", "--quiet", tag, f"docker-archive:{archive}:{tag}"]
        form = ["--format", "docker-archive"] if self.name == "podman" else []
        return [*self.command, "save", *form, "--output", str(archive), tag]


def find_builder(*, chosen: str | None, which: Callable[[str], str | None], run: Run) -> Builder:
    """The one that was `chosen`, or the first that is there and works. Raises ImageError."""
    if chosen:
        builder = Builder(tuple(shlex.split(chosen)))
        if builder.name not in {"docker", "podman", "buildah"} or which(builder.command[0]) is None:
            raise ImageError(f"TOOL is {chosen!r}: it must be docker, podman or buildah, and be installed")
        return builder
    tried = []
    for name, asks in (("docker", "info"), ("podman", "info"), ("buildah", "info")):
        if which(name) is None:
            tried.append(f"{name} is not installed")
        elif run([name, asks]) != 0:
            tried.append(f"{name} is installed, but `{name} {asks}` fails")
        else:
            return Builder((name,))
    raise ImageError(
        f"nothing to build an image with: {'; '.join(tried)}. Install one of them, or start docker's daemon."
    )


def revision() -> str:
    """The commit that is built, with "-modified" if files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=-modified"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"  # a copy of the sources without its history


def build(
    *,
    tag: str,
    base: str | None = None,
    tool: str | None = None,
    archive: Path | None = None,
    options: Sequence[str] = (),
) -> None:
    """Build the image under the name `tag`, showing what the builder says. Raises ImageError."""
    builder = find_builder(chosen=tool, which=shutil.which, run=_quietly)
    arguments = {"VERSION": version(), "REVISION": revision()} | ({"BASE": base} if base else {})
    _shown(builder.build(tag, arguments=arguments, options=options), f"{builder.name} could not build the image")
    if archive is not None:
        archive.unlink(missing_ok=True)  # podman and buildah add to an archive that exists
        _shown(builder.save(tag, archive), f"{builder.name} could not write {archive}")


def _shown(command: Sequence[str], failed: str) -> None:
    print(f"$ {shlex.join(command)}", flush=True)
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        raise ImageError(f"{failed}; its own words are above")


def _quietly(command: Sequence[str]) -> int:
    null = subprocess.DEVNULL
    return subprocess.run(command, check=False, stdin=null, stdout=null, stderr=null).returncode


def main() -> int:
    """Build; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.image", description=__doc__)
    parser.add_argument("--tag", help=f"name and tag (default: {NAME}:VERSION)")
    parser.add_argument(
        "--base", help="the image with Python to start from, best with its digest (default: the Dockerfile's)"
    )
    parser.add_argument(
        "--tool", help="docker, podman or buildah, options for it included (default: the first that works)"
    )
    parser.add_argument("--archive", type=Path, metavar="FILE", help="also write the image to this file")
    parser.add_argument("options", nargs="*", help="further options for the build, after --")
    given = parser.parse_args()
    try:
        tag = given.tag or f"{NAME}:{version()}"
        build(tag=tag, base=given.base or None, tool=given.tool or None, archive=given.archive, options=given.options)
    except (ImageError, VersionError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"Built {tag}.{f' Archive: {given.archive}' if given.archive else ''}")
    return 0


if __name__ == "__main__":
    os.umask(0o022)  # what is copied into the image keeps its permissions
    sys.exit(main())
