"""The life of a release on a real API server: there is no kubelet, so objects come and go, and no Pod does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools.kube.controlplane import ControlPlane

from integration.operator.harness import eventually
from support.controlplane import ROOT, Cluster
from support.helm import CHART, VERSIONS, Helm

RELEASE = ("po", "--namespace", "operators")
CRDS = {"offerings.proxmox-offerings.io", "proxmoxhosts.proxmox-offerings.io"}
HOST = {"spec": {"endpoints": ["https://pve1.example.net:8006"], "credentialsSecretRef": {"name": "token"}}}


@pytest.fixture(scope="module")
def empty_cluster() -> Iterator[ControlPlane]:
    """One of its own, for the CustomResourceDefinitions come and go here. Each test leaves it as it found it."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(params=VERSIONS)
def installer(request: pytest.FixtureRequest, tmp_path: Path, empty_cluster: ControlPlane) -> Iterator[Helm]:
    yield Helm(request.param, tmp_path, empty_cluster)
    empty_cluster.kubectl_run("delete", "crd", *CRDS, "--ignore-not-found")
    empty_cluster.kubectl_run("delete", "namespace", "operators", "--ignore-not-found")


def crds(cluster: Cluster) -> set[str]:
    return set(cluster.kubectl_run("get", "crd", "-o", "jsonpath={.items[*].metadata.name}").stdout.split())


def get(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl_run("get", kind, name, "-n", "operators", "-o", "json").stdout)
    return found


@pytest.mark.helm
def test_hosts_come_with_the_first_installation_where_their_kind_is_known(
    installer: Helm, empty_cluster: ControlPlane
) -> None:
    """As a GitOps tool would: definitions from elsewhere, everything else from one release."""
    values = {"crds": {"enabled": False}, "proxmoxHosts": {"fra1": HOST}}
    refused = installer.run("install", *RELEASE, CHART, "--create-namespace", values=values, check=False)
    assert "does not know the kind ProxmoxHost" in refused
    assert "kubectl apply --server-side -f crds.yaml" in refused
    assert installer.run("list", "--all-namespaces", "--output", "json").strip() == "[]"

    empty_cluster.establish(ROOT / "crds")
    installer.run("install", *RELEASE, CHART, "--create-namespace", values=values)
    assert get(empty_cluster, "proxmoxhost", "fra1")["spec"]["endpoints"] == HOST["spec"]["endpoints"]
    installer.run("uninstall", *RELEASE)
    assert crds(empty_cluster) == CRDS


@pytest.mark.helm
def test_install_upgrade_uninstall_and_adopt(installer: Helm, empty_cluster: ControlPlane) -> None:
    """One life in one test: starting it anew for each step would cost minutes."""
    refused = installer.run(
        "install", *RELEASE, CHART, "--create-namespace", values={"proxmoxHosts": {"fra1": HOST}}, check=False
    )
    assert "Install without proxmoxHosts, then upgrade with them" in refused

    notes = installer.run("install", *RELEASE, CHART, "--create-namespace", values={})
    assert "pveum user token add" in notes
    assert crds(empty_cluster) == CRDS
    hosts = {"proxmoxHosts": {"fra1": HOST}, "log": {"level": "debug"}}
    installer.run("upgrade", *RELEASE, CHART, values=hosts)
    assert "--log-level=debug" in json.dumps(get(empty_cluster, "deployment", "po-proxmox-offerings"))
    uid = get(empty_cluster, "proxmoxhost", "fra1")["metadata"]["uid"]

    installer.run("upgrade", *RELEASE, CHART, values=hosts)
    assert get(empty_cluster, "proxmoxhost", "fra1")["metadata"]["uid"] == uid
    installer.run("rollback", "po", "2", "--namespace", "operators")
    assert get(empty_cluster, "proxmoxhost", "fra1")["metadata"]["uid"] == uid

    installer.run("upgrade", *RELEASE, CHART, values={})
    empty_cluster.kubectl_run("create", "-f", "-", input=json.dumps(own_host()))
    installer.run("uninstall", *RELEASE)
    assert crds(empty_cluster) == CRDS
    assert get(empty_cluster, "proxmoxhost", "own")
    own = ("deployment,role,serviceaccount", "-l", "app.kubernetes.io/name=proxmox-offerings")
    assert not empty_cluster.kubectl_run("get", *own, "-n", "operators", "-o", "name").stdout

    installer.run("install", *RELEASE, CHART, values={})
    assert get(empty_cluster, "proxmoxhost", "own")
    installer.run("upgrade", *RELEASE, CHART, values={"crds": {"keep": False}})
    # As an operator that ran has done: where the API server is the first to list a kind, while deleting it, it finds its own storage not ready
    # ("storage is (re)initializing"), and may take minutes until it tries again.
    empty_cluster.kubectl_run("get", "proxmoxhosts,offerings", "--all-namespaces")
    installer.run("uninstall", *RELEASE)
    eventually(lambda: crds(empty_cluster) == set())


def own_host() -> dict[str, Any]:
    """A ProxmoxHost that no release knows of."""
    metadata = {"name": "own", "namespace": "operators"}
    return {"apiVersion": "proxmox-offerings.io/v1alpha1", "kind": "ProxmoxHost", "metadata": metadata, **HOST}


def test_what_was_applied_shows_no_difference(helm: Helm, control_plane: Cluster, namespace: str) -> None:
    """GitOps tools compare for ever; each field that the server writes otherwise would be drift to them."""
    values = {
        "crds": {"enabled": False},
        "rbac": {"aggregateClusterRoles": False},
        "watchNamespaces": [namespace],
        "networkPolicy": {"enabled": True},
        "metrics": {"dashboard": {"enabled": True}},
        "proxmoxHosts": {"fra1": HOST},
    }
    text = helm.run("template", "po", CHART, "--namespace", namespace, values=values)
    control_plane.kubectl_run("apply", "--server-side", "-f", "-", input=text)
    difference = control_plane.kubectl_run("diff", "--server-side", "-f", "-", input=text, check=False)
    assert (difference.returncode, difference.stdout) == (0, "")


def test_people_may_change_hosts_and_only_read_offerings(control_plane: Cluster, namespace: str, helm: Helm) -> None:
    """Whoever writes an Offering claims stock. The roles are what the cluster's own view and edit are made of."""
    roles = [one for one in helm.template(name=namespace, namespace=namespace) if one["kind"] == "ClusterRole"]
    control_plane.kubectl_run(
        "apply", "--server-side", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": roles})
    )
    try:
        for role in ("view", "edit"):
            control_plane.kubectl_run(
                "create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}-{namespace}", "-n", namespace
            )

        def may(role: str, verb: str, what: str) -> bool:
            asked = control_plane.kubectl_run(
                "auth", "can-i", verb, what, f"--as={role}-{namespace}", "-n", namespace, check=False
            )
            return asked.stdout.strip() == "yes"

        eventually(lambda: may("view", "list", "offerings.proxmox-offerings.io"))
        eventually(lambda: may("edit", "create", "proxmoxhosts.proxmox-offerings.io"))
        assert not may("view", "create", "proxmoxhosts.proxmox-offerings.io")
        for verb in ("create", "patch", "delete"):
            assert not may("edit", verb, "offerings.proxmox-offerings.io")
        assert not may("edit", "patch", "offerings.proxmox-offerings.io/status")
    finally:
        control_plane.kubectl_run("delete", "clusterrole", *(role["metadata"]["name"] for role in roles))
