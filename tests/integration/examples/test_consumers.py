"""The consumers of examples/: whatever language a shop is written in, it sells what may be sold and nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.controlplane import ROOT, Cluster
from support.goexample import tools as go_example

EXAMPLES = ROOT / "examples"
GROUP = "proxmox-offerings.io"
SPEC = {
    "hostRef": {"name": "fra1"},
    "tier": "small",
    "displayName": "Small",
    "productType": "compute",
    "virtualization": "KVM",
    "cpu": 2,
    "memory": "4Gi",
    "disk": "50Gi",
    "dedicatedCPU": False,
    "cpuAllocationPercent": 400,
}
Sell = Callable[[str, dict[str, Any] | None], None]


def at(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def commands(control_plane: Cluster, go_consumer: Path) -> dict[str, list[str]]:
    return {
        "shell": [str(EXAMPLES / "consumer.sh")],
        "Python": [sys.executable, str(EXAMPLES / "consumer.py")],
        "Go": [str(go_consumer)],
    }


@pytest.fixture
def offer(control_plane: Cluster, namespace: str) -> Sell:
    def put(name: str, status: dict[str, Any] | None) -> None:
        path = f"/apis/{GROUP}/v1alpha1/namespaces/{namespace}/offerings"
        made = control_plane.api(
            "POST",
            path,
            {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Offering", "metadata": {"name": name}, "spec": SPEC},
        )
        if status is not None:
            control_plane.api("PUT", f"{path}/{name}/status", {**made, "status": status})

    return put


@pytest.mark.parametrize("language", ["shell", "Python", "Go"])
def test_it_sells_what_may_be_sold_and_nothing_else(
    control_plane: Cluster, namespace: str, offer: Sell, commands: dict[str, list[str]], language: str
) -> None:
    def status(stock: str, available: int | None, *, until: str) -> dict[str, Any]:
        said = {"observedGeneration": 1, "stock": stock, "observedAt": at(minutes=-1), "validUntil": until}
        return said if available is None else {**said, "available": available}

    ahead, gone = at(minutes=10), at(seconds=-1)
    offer("much", status("InStock", 17, until=ahead))
    offer("little", status("LowStock", 1, until=ahead))
    offer("expired", status("InStock", 17, until=gone))
    offer("expired-low", status("LowStock", 1, until=gone))
    offer("none", status("OutOfStock", 0, until=ahead))
    offer("unknown", status("Unknown", None, until=ahead))
    offer("silent", None)

    done = subprocess.run(
        [*commands[language], "-n", namespace],
        env={
            **os.environ,
            "KUBECONFIG": str(control_plane.kubeconfig),
            "PATH": f"{control_plane.kubectl.parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["little 1", "much 17"]


@pytest.mark.parametrize("language", ["shell", "Python", "Go"])
def test_without_an_answer_it_fails_rather_than_sells_nothing_quietly(
    commands: dict[str, list[str]], control_plane: Cluster, tmp_path: Path, language: str
) -> None:
    nowhere = tmp_path / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {}}]
    nowhere.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [cluster],
                "contexts": [context],
                "users": users,
                "current-context": "c",
            }
        )
    )
    environment = {
        **os.environ,
        "KUBECONFIG": str(nowhere),
        "PATH": f"{control_plane.kubectl.parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        [*commands[language], "-n", "shop"], env=environment, capture_output=True, text=True, check=False, timeout=90
    )
    assert done.stdout == ""
    assert done.returncode != 0
    assert done.stderr


@pytest.fixture(scope="session")
def go_consumer() -> Path:
    return go_example() / "consumer"
