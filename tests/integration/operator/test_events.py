"""What kubectl tells of the past: each change that a person cares about, once."""

import json
from pathlib import Path
from typing import Any

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, eventually
from integration.operator.test_publishing import ONE_NODE, SMALL, selling
from proxmox_offerings.proxmox.errors import ConnectionFailed, MissingPrivilege, PrivilegesMissing
from support.cluster import cluster, guest, node

FULL = cluster(nodes=[node("pve1", threads=16, memory="64Gi")], guests=[guest(100, "pve1", cpu=16, memory="60Gi")])


def events(kube: Kube) -> list[dict[str, Any]]:
    listed = kube.cluster.api("GET", f"/apis/events.k8s.io/v1/namespaces/{kube.namespace}/events")["items"]
    return sorted(listed, key=lambda event: event["eventTime"])


def told(kube: Kube) -> list[str]:
    return [f"{event['type']} {event['reason']} {event['regarding']['name']}" for event in events(kube)]


def test_changes_are_told_once_whoever_leads_and_kubectl_shows_them(
    kube: Kube, clusters: Clusters, start: Start, account: Path
) -> None:
    endpoint = selling(kube, clusters, SMALL)
    first = start(account)
    eventually(lambda: kube.reason("fra1") == "Observed")
    clusters.seen[endpoint] = FULL
    first.refresh(endpoint)
    eventually(lambda: told(kube) == ["Normal SoldOut fra1-small"])
    clusters.seen[endpoint] = ConnectionFailed("no endpoint answered\x1b[31m" + "é" * 2000)
    first.refresh(endpoint)
    expected = ["Normal SoldOut fra1-small", "Warning ConnectionFailed fra1"]
    eventually(lambda: told(kube) == expected)
    first.settle()
    first.stop()

    second = start(account)
    polled = clusters.polls[endpoint]
    eventually(lambda: clusters.polls[endpoint] > polled)
    second.settle()
    clusters.seen[endpoint] = FULL
    eventually(lambda: kube.reason("fra1") == "Observed")
    clusters.seen[endpoint] = ONE_NODE
    second.refresh(endpoint)
    expected += ["Normal Recovered fra1", "Normal BackInStock fra1-small"]
    eventually(lambda: told(kube) == expected)
    lacks = MissingPrivilege(path="/vms", privilege="VM.Audit", effect="guests cannot be counted")
    clusters.seen[endpoint] = PrivilegesMissing("the token lacks rights", missing=(lacks,))
    second.refresh(endpoint)
    eventually(lambda: told(kube) == [*expected, "Warning PrivilegesMissing fra1"])

    longest = events(kube)[1]["note"]
    assert longest.isprintable()
    assert len(longest.encode()) <= 1024
    assert "BackInStock" in kube.kubectl("describe", "offering", "fra1-small")
    described = kube.kubectl("describe", "proxmoxhost", "fra1")
    assert "the cluster was read, after ConnectionFailed" in described
    assert "proxmox-offerings.io/operator" in described


def test_events_that_may_not_be_written_change_nothing_else(
    kube: Kube, clusters: Clusters, start: Start, account: Path
) -> None:
    """Whoever gave the operator its rights before there were Events keeps a working operator."""
    role = json.loads(kube.kubectl("get", "clusterrole", "proxmox-offerings", "-o", "json"))
    rules = [rule for rule in role["rules"] if rule["resources"] != ["events"]]
    assert len(rules) == len(role["rules"]) - 1
    without = f"no-events-{kube.namespace}"
    for kind, content in (
        ("ClusterRole", {"rules": rules}),
        (
            "RoleBinding",
            {
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": without},
                "subjects": [{"kind": "User", "name": without}],
            },
        ),
    ):
        body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": without}, **content}
        kube.kubectl("apply", "-f", "-", body=body)
    endpoint = selling(kube, clusters, SMALL)
    operator = start(kube.cluster.user_kubeconfig(without))
    eventually(lambda: kube.reason("fra1") == "Observed")
    for seen, said in ((FULL, "OutOfStock"), (ONE_NODE, "InStock")):
        clusters.seen[endpoint] = seen
        operator.refresh(endpoint)
        eventually(lambda said=said: kube.stock("fra1-small")[0] == said)
    assert kube.reason("fra1") == "Observed"
    assert operator.operator.queue.active == 0
    assert told(kube) == []
    kube.kubectl("delete", "clusterrole", without)
