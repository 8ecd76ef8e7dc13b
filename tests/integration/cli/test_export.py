"""`export --kube` against a real API server, with no more rights than it says that it takes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from proxmox_offerings.cli.main import cli
from support.controlplane import Cluster
from support.importer import Marketplace
from unit.exports.offerings import offering


@pytest.fixture
def seller(control_plane: Cluster, namespace: str) -> str:
    """A kubeconfig of somebody who may list Offerings and ProxmoxHosts there, and nothing else."""
    name = f"seller-{namespace}"
    may = {"apiGroups": ["proxmox-offerings.io"], "resources": ["offerings", "proxmoxhosts"], "verbs": ["list"]}
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    control_plane.api("POST", f"{rbac}/roles", {"metadata": {"name": "seller"}, "rules": [may]})
    bound = {
        "metadata": {"name": "seller"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "seller"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
    }
    control_plane.api("POST", f"{rbac}/rolebindings", bound)
    return str(control_plane.user_kubeconfig(name))


def publish(cluster: Cluster, namespace: str, name: str, *, seconds: int = 600, **spec: Any) -> None:
    """An Offering in stock for so many seconds from now."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    status = {"observedGeneration": 1, "validUntil": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    country = spec.get("location", {}).get("country", "DE")
    labels = {"proxmox-offerings.io/country": country}
    body = offering(name, spec=spec, status=status, namespace=namespace, labels=labels, generation=None).to_wire()
    path = f"/apis/proxmox-offerings.io/v1alpha1/namespaces/{namespace}/offerings"
    cluster.api("POST", path, body)
    cluster.kubectl_run(
        "apply", "--server-side", "--subresource=status", "-f", "-", "-n", namespace, input=json.dumps(body)
    )


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["export", "--kube", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_only_what_still_holds_is_in_stock_on_the_market(control_plane: Cluster, namespace: str, seller: str) -> None:
    publish(control_plane, namespace, "fra1-good")
    publish(control_plane, namespace, "fra1-over", seconds=-1)
    publish(control_plane, namespace, "fra1-edited")
    # Somebody halves the price of what was counted for another spec, while no operator is there to put it right.
    cheaper = json.dumps({"spec": {"price": {"monthly": "2.50"}}})
    control_plane.kubectl_run("patch", "offering", "fra1-edited", "-n", namespace, "--type=merge", "-p", cheaper)
    code, out, err = run("--kubeconfig", seller, "-n", namespace, "-o", "csv")
    assert (code, err) == (0, "")
    market = Marketplace()
    assert market.upsert(out.encode()) == 3
    assert {id_: one["stock_status"] for id_, one in market.offerings.items()} == {
        f"{namespace}.fra1-good": "in_stock",
        f"{namespace}.fra1-over": "out_of_stock",
        f"{namespace}.fra1-edited": "out_of_stock",
    }


def test_hosts_labels_and_countries_select(control_plane: Cluster, namespace: str, seller: str) -> None:
    publish(control_plane, namespace, "fra1-small")
    publish(control_plane, namespace, "ams1-small", location={"country": "NL"})

    def names(*arguments: str) -> list[str]:
        code, out, _ = run("--kubeconfig", seller, "-n", namespace, *arguments)
        assert code == 0
        return [one["name"] for one in json.loads(out)["offerings"]]

    assert names() == ["ams1-small", "fra1-small"]
    assert names("--country", "NL") == ["ams1-small"]
    assert names("-l", "proxmox-offerings.io/country=DE") == ["fra1-small"]
    assert names("-l", "proxmox-offerings.io/country=FR") == []


def test_what_is_missing_is_told_in_a_sentence(control_plane: Cluster, namespace: str, seller: str) -> None:
    code, out, err = run("--kubeconfig", seller, "-n", "kube-system")
    assert (code, out) == (1, "")
    assert "you may not list offerings in namespace kube-system" in err
    code, out, err = run("--kubeconfig", seller, "-n", namespace, "nosuch")
    assert (code, out) == (2, "")
    assert "there is no ProxmoxHost nosuch" in err
    code, out, err = run("--kubeconfig", seller, "-n", namespace)
    assert (code, json.loads(out)["offerings"]) == (0, [])
    assert "no Offerings there" in err
