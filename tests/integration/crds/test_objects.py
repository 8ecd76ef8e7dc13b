"""What a real API server makes of good objects: nothing lost, defaults shown, columns and fields to select by."""

import json
from typing import Any

import pytest
import yaml

from proxmox_offerings.resources import Offering, ProxmoxHost
from support.controlplane import Cluster
from unit.resources.refused import MINIMAL, selling
from unit.resources.schemas import example, nodes, paths, schemas


def applied(cluster: Cluster, namespace: str, written: dict[str, Any]) -> dict[str, Any]:
    """Apply `written`, status included, and read it back."""
    kind, name = written["kind"], written["metadata"]["name"]
    apply = ("apply", "-n", namespace, "--server-side", "-f", "-")
    cluster.kubectl_run(*apply, input=json.dumps(written))
    if "status" in written:
        cluster.kubectl_run(*apply, "--subresource=status", "--force-conflicts", input=json.dumps(written))
    return json.loads(cluster.kubectl_run("get", kind, name, "-n", namespace, "-o", "json").stdout)


@pytest.fixture
def both(control_plane: Cluster, namespace: str) -> dict[str, dict[str, Any]]:
    """The full examples, as the API server has them."""
    return {kind: applied(control_plane, namespace, example(kind)) for kind in ("ProxmoxHost", "Offering")}


def test_nothing_that_the_contract_names_is_pruned_or_changed(both: dict[str, dict[str, Any]]) -> None:
    """A field that is in the models but not in the schema would vanish without a word."""
    for kind, stored in both.items():
        written = example(kind)
        assert stored["spec"] == written["spec"]
        assert stored["status"] == written["status"]


def test_fields_that_cannot_stand_together_are_kept_one_by_one(control_plane: Cluster, namespace: str) -> None:
    bundle = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    host = MINIMAL | {"spec": MINIMAL["spec"] | {"tls": {"caBundle": bundle}}}
    assert applied(control_plane, namespace, host)["spec"]["tls"] == {"caBundle": bundle, "insecureSkipVerify": False}


def test_what_the_models_write_is_what_the_server_keeps(control_plane: Cluster, namespace: str) -> None:
    """The operator compares what it would write with what it reads: a difference that never goes away would be written forever."""
    for model in (ProxmoxHost, Offering):
        written = model.parse(example(model.KIND)).to_wire()
        stored = applied(control_plane, namespace, written)
        assert model.parse(stored).to_wire() | {"metadata": {}} == written | {"metadata": {}}
        assert (stored["spec"], stored["status"]) == (written["spec"], written["status"])


def test_defaults_appear_in_what_is_stored(control_plane: Cluster, namespace: str) -> None:
    """`kubectl get -o yaml` shows the terms on which is sold, though nobody wrote them down."""
    pricing = {"currency": "EUR", "perGPU": [{"price": "1"}]}  # required fields again
    stored = applied(control_plane, namespace, selling({"gpu": {}}, pricing=pricing))
    stored["spec"]["tiers"][0]["price"] = {"setup": "0.00"}  # it has required fields, so it has no default of its own
    defaulted = {
        path
        for path, schema in nodes(schemas()["ProxmoxHost"])
        if schema.get("default", {}) != {} and not path.startswith(".status")
    }
    assert len(defaulted) > 25
    assert defaulted <= set(paths({"spec": stored["spec"]}))
    assert stored["spec"]["allocation"] == {
        "cpu": {"unit": "Thread", "percent": 400, "reserved": "0", "dedicatedTags": ["dedicated"]},
        "memory": {"percent": 100, "reserved": "2Gi", "reservedPercent": 0, "guestOverhead": "0"},
        "storage": {"reservedPercent": 10, "accounting": "Free", "percent": 100},
        "stoppedGuests": "Count",
        "unlimitedContainers": "Ignore",
        "failoverNodes": 0,
    }


def test_server_and_models_fill_in_the_same(control_plane: Cluster, namespace: str) -> None:
    """`preview` of a file and the operator of the applied object must sell on the same terms."""
    pricing = {"currency": "EUR", "perGPU": [{"price": "1"}], "perGiBDisk": [{"price": "1"}]}
    host = selling({"gpu": {}, "price": {"currency": "EUR", "monthly": "5.00"}}, pricing=pricing)
    assert ProxmoxHost.parse(applied(control_plane, namespace, host)).spec == ProxmoxHost.parse(host, strict=True).spec


def test_selection_applied_later_replaces_the_default(control_plane: Cluster, namespace: str) -> None:
    """Merged as a set, the default `*` would stay, and nodes would be sold that were taken out."""
    applied(control_plane, namespace, MINIMAL)
    narrowed = MINIMAL | {"spec": MINIMAL["spec"] | {"nodes": {"include": ["pve1"]}}}
    assert applied(control_plane, namespace, narrowed)["spec"]["nodes"] == {"include": ["pve1"]}


def test_columns_show_what_people_look_for(
    control_plane: Cluster, namespace: str, both: dict[str, dict[str, Any]]
) -> None:
    listed = control_plane.kubectl_run("get", "proxmox-offerings", "-n", namespace).stdout
    header, *rows = [line.split() for line in listed.splitlines() if line]
    assert header == ["NAME", "TIER", "VCPU", "MEMORY", "DISK", "GPU", "PRICE", "STOCK", "AVAILABLE", "LIMIT", "AGE"]
    assert rows[0][1:10] == ["gpu-a100", "8", "64Gi", "100Gi", "1", "499.00", "LowStock", "1", "gpu"]
    assert rows[1] == ["NAME", "READY", "REASON", "NODES", "OFFERINGS", "IN", "STOCK", "VERSION", "REFRESHED", "AGE"]
    assert rows[2][1:7] == ["True", "Observed", "1/2", "10", "4", "9.1.2"]
    assert len(both) == 2


@pytest.mark.parametrize("name", ["pmh", "proxmoxhost", "proxmoxhosts", "offer", "offering", "offerings"])
def test_short_names(control_plane: Cluster, namespace: str, name: str) -> None:
    assert "No resources found" in control_plane.kubectl_run("get", name, "-n", namespace).stderr


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("spec.hostRef.name", "fra1", "fra2"),
        ("spec.tier", "gpu-a100", "small"),
        ("spec.productType", "gpu", "compute"),
        ("spec.location.country", "DE", "FR"),
        ("status.stock", "LowStock", "InStock"),
    ],
)
def test_offerings_are_selected_by_field(
    control_plane: Cluster, namespace: str, field: str, right: str, wrong: str
) -> None:
    applied(control_plane, namespace, example("Offering"))

    def selected(value: str) -> str:
        return control_plane.kubectl_run(
            "get", "offer", "-n", namespace, "-o", "name", f"--field-selector={field}={value}"
        ).stdout

    assert selected(right).split() == ["offering.proxmox-offerings.io/fra1-gpu-a100"]
    assert selected(wrong) == ""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("offering", "sell only if `status.stock` is InStock or LowStock and now is before `status.validUntil`"),
        ("offering.status", "sell only if `stock` is InStock or LowStock"),
        ("offering.spec.dedicatedCPU", "Units must be created with one of the tags"),
        ("proxmoxhost.spec.tls", "At most one of the three"),
        ("proxmoxhost.spec.credentialsSecretRef", "keys `tokenID`"),
        ("proxmoxhost.spec.allocation.cpu", "(its processors - `reserved`) x `percent` / 100"),
        ("proxmoxhost.spec.tiers.gpu", "Only with KVM"),
    ],
)
def test_explain_teaches(control_plane: Cluster, path: str, words: str) -> None:
    explained = " ".join(control_plane.kubectl_run("explain", path).stdout.split())
    assert words in explained


def test_example_of_the_contract_is_accepted(control_plane: Cluster, namespace: str) -> None:
    """The terms that design.md's example names, as a person would write them."""
    written = yaml.safe_load("""
        endpoints: ["https://pve1.example.net:8006"]
        credentialsSecretRef: {name: fra1-token}
        tls: {insecureSkipVerify: false}
        location: {datacenter: "", region: "", country: DE, city: Frankfurt, latitude: "50.11", longitude: "8.68"}
        nodes: {include: ["*"], exclude: []}
        bridge: vmbr0
        allocation: {cpu: {unit: Thread, percent: 400, reserved: "0"}, memory: {reserved: 2Gi}}
        storageRules: [{match: "ceph-*", class: network, backing: ""}]
        operatingSystems: [{match: {name: "deb12*"}, name: "Debian 12"}]
        tiers:
        - {name: small, displayName: Small, virtualization: KVM, cpu: 2, memory: 4Gi, disk: 50Gi, storageClass: ssd}
        - {name: gpu, cpu: 8, memory: 32Gi, disk: 100Gi, gpu: {count: 1, models: ["*A100*"]}, maxUnits: 100}
    """)
    assert applied(control_plane, namespace, MINIMAL | {"spec": written})["spec"]["tiers"][0]["memory"] == "4Gi"
