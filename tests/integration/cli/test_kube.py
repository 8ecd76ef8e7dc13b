"""Commands that read hosts, Secrets and Offerings from Kubernetes: as kubectl's plugin, with the rights of whoever calls."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.simulator import Simulator
from support.commands import Said, host_file
from support.controlplane import Cluster
from support.proxmox import simulated

BIN = Path(sys.executable).parent
GROUP = "/apis/proxmox-offerings.io/v1alpha1"
SMALL = {"name": "small", "cpu": 2, "memory": "4Gi", "disk": "50Gi", "price": {"currency": "EUR", "monthly": "5.00"}}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with simulated(presets.standalone()) as running:
        yield running


async def kubectl(
    cluster: Cluster, namespace: str, *arguments: str, kubeconfig: Path | None = None, stdin: str = ""
) -> Said:
    """With our plugin on its PATH, as pip leaves it there, and the namespace in its kubeconfig."""
    config = json.loads((kubeconfig or cluster.kubeconfig).read_text())
    config["contexts"][0]["context"]["namespace"] = namespace
    path = cluster.directory / f"{namespace}-{'user' if kubeconfig else 'admin'}.kubeconfig"
    path.write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        cluster.kubectl,
        *arguments,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "KUBECONFIG": str(path), "HOME": str(cluster.directory)},
        stdin=-1,
        stdout=-1,
        stderr=-1,
    )
    out, err = await process.communicate(stdin.encode())
    return Said(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def garage(control_plane: Cluster, namespace: str, simulator: Simulator) -> str:
    """A ProxmoxHost in the namespace; what it would sell stands there as Offerings, one of which nobody confirmed for an hour."""
    manifest = host_file(simulator, name="garage", tiers=[SMALL, {**SMALL, "name": "old"}])
    assert (await kubectl(control_plane, namespace, "apply", "-f", "-", stdin=manifest)).code == 0
    said = await kubectl(control_plane, namespace, "proxmox-offerings", "preview", "-o", "json")
    assert (said.code, said.err) == (0, "")
    for offering in said.json:
        if offering["metadata"]["name"] == "garage-old":
            before = datetime.now(UTC) - timedelta(hours=1)
            offering["status"] |= {
                "observedAt": f"{before:%Y-%m-%dT%H:%M:%SZ}",
                "validUntil": f"{before + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}",
            }
        put(control_plane, namespace, offering)
    return namespace


def put(cluster: Cluster, namespace: str, offering: dict[str, Any]) -> None:
    created = cluster.api("POST", f"{GROUP}/namespaces/{namespace}/offerings", offering)
    name = created["metadata"]["name"]
    cluster.api(
        "PUT", f"{GROUP}/namespaces/{namespace}/offerings/{name}/status", {**created, "status": offering["status"]}
    )


async def test_plugin_lists_what_still_holds_and_marks_what_does_not(control_plane: Cluster, garage: str) -> None:
    """`kubectl get` shows InStock for a statement that ended an hour ago; ours does not let it be sold."""
    said = await kubectl(control_plane, garage, "proxmox-offerings", "offers")
    assert (said.code, said.err) == (0, "")
    lines = {line.split()[0]: line.split() for line in said.out.splitlines()}
    assert lines["NAME"] == [
        "NAME",
        "VCPU",
        "MEMORY",
        "DISK",
        "GPU",
        "PRICE",
        "STOCK",
        "AVAILABLE",
        "SELL",
        "SEEN",
        "HOLDS",
        "MESSAGE",
    ]
    assert lines["garage-old"][6:11] == ["InStock", lines["garage-old"][7], "no", "60m", "expired"]
    assert lines["garage-small"][8] == "yes"
    assert lines["garage-small"][10] in ("9m", "10m")
    sold = await kubectl(control_plane, garage, "proxmox_offerings", "offers", "garage", "--for-sale", "-o", "json")
    assert [one["metadata"]["name"] for one in sold.json] == ["garage-small"]
    assert "managedFields" not in sold.out


async def test_plugin_checks_and_previews_hosts_of_the_cluster(control_plane: Cluster, garage: str) -> None:
    seen = await kubectl(control_plane, garage, "proxmox-offerings", "preview", "garage")
    assert (seen.code, seen.err) == (0, "")
    assert "garage-small" in seen.out
    checked = await kubectl(control_plane, garage, "proxmox-offerings", "check", "-o", "json")
    assert (checked.code, {one["host"] for one in checked.json}) == (0, {"garage"})


async def test_whoever_may_not_read_the_secret_is_told_the_role_that_allows_it_and_then_may(
    control_plane: Cluster, garage: str
) -> None:
    user = control_plane.user_kubeconfig("seller")
    refused = await kubectl(control_plane, garage, "proxmox-offerings", "offers", kubeconfig=user)
    assert refused.code == 1
    assert f"you may not list offerings in namespace {garage}" in refused.err
    await kubectl(control_plane, garage, "create", "role", "look", "--verb=list", "--resource=proxmoxhosts,offerings")
    await kubectl(control_plane, garage, "create", "rolebinding", "look", "--role=look", "--user=seller")
    assert (await kubectl(control_plane, garage, "proxmox-offerings", "offers", kubeconfig=user)).code == 0
    blind = await kubectl(control_plane, garage, "proxmox-offerings", "preview", kubeconfig=user)
    assert (blind.code, blind.out) == (1, "")
    role = blind.err.partition("a role that allows it: kubectl ")[2].split()
    assert (await kubectl(control_plane, garage, *role)).code == 0
    await kubectl(control_plane, garage, "create", "rolebinding", "secret", f"--role={role[2]}", "--user=seller")
    assert (await kubectl(control_plane, garage, "proxmox-offerings", "preview", kubeconfig=user)).code == 0


async def test_hosts_that_are_not_there_and_secrets_that_are_not_there_are_named(
    control_plane: Cluster, garage: str, simulator: Simulator
) -> None:
    nobody = await kubectl(control_plane, garage, "proxmox-offerings", "preview", "fra1")
    assert (nobody.code, nobody.out) == (2, "")
    assert f"there is no ProxmoxHost fra1 in namespace {garage}; there: garage" in nobody.err
    _, host = yaml.safe_load_all(host_file(simulator, name="second"))
    await kubectl(control_plane, garage, "apply", "-f", "-", stdin=yaml.safe_dump(host))
    both = await kubectl(control_plane, garage, "proxmox-offerings", "preview", "-o", "json")
    assert both.code == 1
    assert both.err == f"second: there is no Secret second-token in namespace {garage}\n"
    assert {one["spec"]["hostRef"]["name"] for one in both.json} == {"garage"}


async def test_kubectl_completes_the_lines_of_the_plugin(control_plane: Cluster, namespace: str) -> None:
    said = await kubectl(control_plane, namespace, "__complete", "proxmox-offerings", "pre")
    assert "preview\t" in said.out


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({"KUBECONFIG": "/no/such/file"}, "no usable credentials", id="no such file"),
        pytest.param({"KUBECONFIG": "", "HOME": "/nowhere"}, "name another with --kubeconfig", id="nothing at all"),
    ],
)
async def test_no_kubeconfig_is_a_sentence(environment: dict[str, str], expected: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    process = await asyncio.create_subprocess_exec(
        BIN / "proxmox-offerings", "preview", "--kube", env=clean | environment, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert expected in err.decode()
    assert err.count(b"\n") == 1
