"""The catalogue page of a running operator: what kubectl shows is what visitors see, from every replica."""

import json
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from integration.operator.conftest import Start
from integration.operator.harness import PATIENCE, Clusters, Kube, Process, eventually
from integration.operator.test_publishing import BIG, SMALL, selling
from support.cluster import cluster as seen
from support.cluster import guest, node
from support.controlplane import Cluster

SERVED = {"catalogue_address": "127.0.0.1", "catalogue_port": 0}


def get(port: int | None, path: str = "/") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, ""


def available(port: int | None, name: str) -> int | None:
    """What the JSON catalogue says of an Offering, if it is for sale."""
    status, body = get(port, "/catalogue.json")
    entries = json.loads(body)["offerings"] if status == 200 else []
    return next((entry["available"] for entry in entries if entry["name"] == name and entry["forSale"]), None)


def calls(metrics: str) -> int:
    return sum(map(int, re.findall(r"rest_client_requests_total\{[^}]*\} (\d+)", metrics)))


def visits(metrics: str) -> set[str]:
    found = re.findall(r'catalogue_requests_total\{page="(\w+)",result="(\w+)"\} (\d+)', metrics)
    return {" ".join(one) for one in found}


def test_visitors_see_what_kubectl_shows_and_cost_no_request(kube: Kube, clusters: Clusters, start: Start) -> None:
    endpoint = selling(kube, clusters, SMALL, BIG)
    operator = start(settings=SERVED)
    eventually(lambda: kube.reason("fra1") == "Observed")
    port = operator.operator.catalogue_port
    _, first = kube.stock("fra1-small")
    eventually(lambda: available(port, "fra1-small") == first)
    operator.settle()
    before = calls(operator.metrics())
    for path in ("/", "/?q=small", "/catalogue.json") * 10:
        assert get(port, path)[0] == 200
    assert calls(operator.metrics()) == before
    assert get(port, "/hosts/")[0] == 404, "nodes are for the seller's own people"
    assert visits(operator.metrics()) >= {"offerings 2xx 20", "hosts 4xx 1", "offerings 5xx 0"}

    clusters.seen[endpoint] = seen(
        nodes=[node("pve1", threads=8, memory="16Gi")], guests=[guest(100, "pve1", cpu=2, memory="4Gi")]
    )
    operator.refresh(endpoint)
    _, then = kube.stock("fra1-small")
    assert then != first
    eventually(lambda: available(port, "fra1-small") == then)

    kube.kubectl("delete", "proxmoxhost", "fra1")
    eventually(lambda: "Nothing is offered yet" in get(port)[1])


def test_a_replica_that_stands_by_serves_too(
    kube: Kube, clusters: Clusters, start: Start, control_plane: Cluster, tmp_path: Path
) -> None:
    """Visitors come to either; it shows the hosts as well where that is wanted, and only the namespaces that are."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "proxmox-offerings"},
        "spec": {
            "holderIdentity": "somebody-else",
            "leaseDurationSeconds": 3600,
            "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }
    kube.kubectl("apply", "-f", "-", body=lease)
    selling(kube, clusters, SMALL)
    start()
    flags = ("--leader-elect-namespace", kube.namespace, "--catalogue-address", "127.0.0.1", "--catalogue-port", "0")
    replica = Process(
        control_plane.kubeconfig,
        kube.namespace,
        tmp_path / "replica.log",
        flags=flags,
        environment={"PROXMOX_OFFERINGS_CATALOGUE_DETAILS": "true"},
    )
    elsewhere = Process(
        control_plane.kubeconfig,
        kube.namespace,
        tmp_path / "elsewhere.log",
        flags=(*flags, "--catalogue-namespace", "another"),
    )
    try:
        ports = [_port(replica), _port(elsewhere)]
        eventually(lambda: kube.reason("fra1") == "Observed")
        _, there = kube.stock("fra1-small")
        eventually(lambda: available(ports[0], "fra1-small") == there)
        eventually(lambda: "committed" in get(ports[0], f"/hosts/{kube.namespace}/fra1")[1])
        eventually(lambda: "Nothing is offered yet" in get(ports[1])[1])
    finally:
        assert [replica.end(), elsewhere.end()] == [0, 0]


def _port(process: Process) -> int:
    found = eventually(
        lambda: re.search(
            r'catalogue is served[^\n]*"port": (\d+)|"port": (\d+)[^\n]*catalogue is served',
            process.log.read_text(encoding="utf-8"),
        )
    )
    return int(found[1] or found[2])
