"""The operator as it is deployed: a process with its own account, stopped by signals, asked for its health."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, Process, eventually, json_lines
from integration.operator.test_publishing import selling
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import Cluster


@pytest.fixture
def process(account: Path, namespace: str, tmp_path: Path) -> Iterator[Process]:
    running = Process(account, namespace, tmp_path / "log", flags=("--log-level", "debug"))
    yield running
    running.end()


def test_the_manifests_grant_what_is_needed(kube: Kube, clusters: Clusters, account: Path, start: Start) -> None:
    """Publishing, repairing, deleting: all with the rights of the deployed account."""
    selling(kube, clusters)
    start(account)
    eventually(lambda: kube.reason("fra1") == "Observed")
    kube.kubectl("patch", "offering", "fra1-small", "--type=merge", "-p", '{"spec":{"storageClass":"nvme"}}')
    eventually(lambda: "storageClass" not in kube.offering("fra1-small")["spec"])
    kube.host("fra1", tiers=[])
    eventually(lambda: "fra1-small" not in kube.offerings())


def test_from_a_simulated_cluster_to_offerings_and_a_clean_end(kube: Kube, process: Process) -> None:
    """The real command with its real parts; SIGTERM ends it within seconds, with exit code 0 and no secret in its log."""
    config = presets.standalone()

    async def watched() -> None:
        async with Simulator(config, behaviour=Behaviour(refusal_delay=0, seed=1)) as simulated:
            kube.secret("fra1-token", token_id=simulated.token_id, token_secret=simulated.token_secret)
            spec = {"endpoints": list(simulated.endpoints), "tls": {"caBundle": simulated.ca_pem}}
            await asyncio.to_thread(kube.host, "fra1", **spec)
            await asyncio.to_thread(eventually, lambda: kube.reason("fra1") == "Observed", within=30)
            assert simulated.token_secret not in process.log.read_text(encoding="utf-8")

    asyncio.run(watched())
    said = {name: offering["status"] for name, offering in kube.offerings().items()}
    assert any(status["stock"] in ("InStock", "LowStock") and status["available"] > 0 for status in said.values())
    assert {status["observedAt"] for status in said.values()} == {kube.get_host("fra1")["status"]["lastRefreshTime"]}
    assert process.get("/healthz") == (200, "ok\n")
    assert process.get("/readyz") == (200, "ok\n")
    code, metrics = process.get("/metrics")
    assert code == 200
    assert re.search(r'proxmox_offerings_refresh_seconds_count\{result="ok"\} [1-9]', metrics)
    assert re.search(
        r'rest_client_requests_total\{code="200",method="PATCH",resource="proxmoxhosts/status"\} [1-9]', metrics
    )
    assert re.search(r'proxmox_offerings_api_calls_total\{call="/cluster/resources",result="200"\} [1-9]', metrics)
    assert re.search(r'workqueue_adds_total\{controller="proxmoxhost",name="proxmoxhost"\} [1-9]', metrics)
    assert re.search(r'proxmox_offerings_capacity\{host="fra1",.*resource="memory",unit="byte"\} [1-9]', metrics)
    assert process.end() == 0
    lines = json_lines(process.log)
    assert lines[-1]["event"] == "operator ended"
    ends = [line["event"] for line in lines if line["event"].startswith("Hung tasks ")]
    assert ends == ["Hung tasks stopping is skipped: no tasks given."], (
        "kopf waits five seconds for tasks that nobody ends"
    )
    assert not [line for line in lines if line["level"] in ("error", "critical")]


def test_without_leave_it_does_not_connect_to_this_machine(
    kube: Kube, account: Path, namespace: str, tmp_path: Path
) -> None:
    """The same cluster, without the flag: whoever may write ProxmoxHosts does not reach the operator's own loopback by it."""

    async def watched() -> None:
        async with Simulator(presets.standalone(), behaviour=Behaviour(refusal_delay=0, seed=1)) as simulated:
            kube.secret("fra1-token", token_id=simulated.token_id, token_secret=simulated.token_secret)
            spec = {"endpoints": list(simulated.endpoints), "tls": {"caBundle": simulated.ca_pem}}
            await asyncio.to_thread(kube.host, "fra1", **spec)
            process = Process(account, namespace, tmp_path / "log", reach=())
            try:
                await asyncio.to_thread(eventually, lambda: kube.reason("fra1") == "EndpointForbidden", within=30)
            finally:
                assert process.end() == 0
            assert not simulated.requests

    asyncio.run(watched())
    assert "--allow-endpoint-range" in kube.condition("fra1", "Stalled")["message"]


def test_it_waits_for_an_api_server_that_is_not_there(control_plane: Cluster, namespace: str, tmp_path: Path) -> None:
    """Not ready, alive, and ended at once when asked to: nothing was written, nothing is lost."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        content = json.loads(control_plane.kubeconfig.read_text(encoding="utf-8"))
        content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{taken.getsockname()[1]}"
        nowhere = tmp_path / "kubeconfig"
        nowhere.write_text(json.dumps(content), encoding="utf-8")
        process = Process(nowhere, namespace, tmp_path / "log")
        try:
            eventually(lambda: "waiting for the API server" in process.log.read_text(encoding="utf-8"))
            assert process.get("/healthz")[0] == 200
            assert process.get("/readyz")[0] == 503
        finally:
            assert process.end() == 0


def test_without_credentials_it_says_so(namespace: str, tmp_path: Path) -> None:
    process = Process(tmp_path / "absent", namespace, tmp_path / "log")
    try:
        assert process.wait() == 1
        assert "no access to the API server" in process.log.read_text(encoding="utf-8")
    finally:
        process.end()
