"""How v1alpha1 evolves, on a real API server: what a released version stored, and what a newer one would store."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from tools.kube.controlplane import ControlPlane

from integration.operator.harness import Clock, Clusters, Kube, OperatorThread, eventually
from integration.operator.test_publishing import selling
from proxmox_offerings.resources import Offering, ProxmoxHost
from proxmox_offerings.resources.crd import crds
from support.controlplane import Cluster
from support.released import RELEASES, Object, Release
from unit.resources.schemas import paths

MODELS: dict[str, type[ProxmoxHost] | type[Offering]] = {"ProxmoxHost": ProxmoxHost, "Offering": Offering}
FUTURE: Object = {"type": "object", "properties": {"word": {"type": "string"}}}
MARK = "provesThatTheNewSchemaIsInForce"


def definitions() -> dict[str, Object]:
    """Those of this checkout, by kind, to be changed."""
    return {one["spec"]["names"]["kind"]: one for one in map(yaml.safe_load, crds().values())}


def within(definition: Object, path: str) -> Object:
    """The properties at `path` of the schema."""
    part = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for name in path.split("."):
        part = part[name.removesuffix("[]")]
        part = (part["items"] if name.endswith("[]") else part)["properties"]
    return part


def apply(cluster: Cluster, what: Any, *options: str) -> None:
    cluster.kubectl_run("apply", "--server-side", *options, "-f", "-", input=json.dumps(what))


def store(cluster: Cluster, written: Object) -> None:
    """As its author and then the operator would."""
    apply(cluster, {key: value for key, value in written.items() if key != "status"})
    if "status" in written:
        patched = {"apiVersion": written["apiVersion"], "kind": written["kind"], "metadata": written["metadata"]}
        status = patched | {"status": written["status"]}
        apply(cluster, status, "--subresource=status", "--field-manager=proxmox-offerings", "--force-conflicts")


def stored(cluster: Cluster) -> dict[str, Object]:
    """All objects, by kind and name."""
    listed = cluster.kubectl_run("get", "proxmoxhosts,offerings", "-n", "default", "-o", "json").stdout
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in json.loads(listed)["items"]}


def lost(before: Any, after: Any, path: str = "") -> list[str]:
    """Where `after` lacks what `before` says, or says something else."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [found for key, part in before.items() for found in lost(part, after.get(key), f"{path}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        parts = zip(before, after, strict=True)
        return [found for number, part in enumerate(parts) for found in lost(*part, f"{path}[{number}]")]
    return [] if before == after else [f"{path}: {before!r} became {after!r}"]


@pytest.mark.parametrize("release", RELEASES, ids=str)
@pytest.mark.controlplane
def test_objects_stored_by_a_release_outlive_the_upgrade_of_the_definitions(release: Release) -> None:
    """Nothing is lost, all of it is read by the present operator, and it can be changed and written anew."""
    with ControlPlane(crds=release.crds) as cluster:
        for written in release.objects().values():
            store(cluster, written)
        before = stored(cluster)
        assert len(before) == len(release.objects())

        present = definitions()
        for definition in present.values():
            within(definition, "spec")[MARK] = {"type": "string", "default": "yes"}
        apply(cluster, {"apiVersion": "v1", "kind": "List", "items": list(present.values())}, "--force-conflicts")
        eventually(lambda: all(one["spec"].get(MARK) for one in stored(cluster).values()))
        after = stored(cluster)

        for key, one in before.items():
            assert lost({"spec": one["spec"], "status": one.get("status")}, after[key]) == []
            kept = MODELS[one["kind"]].parse(after[key]).to_wire()
            assert {path for path in paths(one) if ".metadata" not in path} <= set(paths(kept))
            where = ("-n", "default", one["kind"], one["metadata"]["name"])
            cluster.kubectl_run("label", *where, "touched=yes")
            cluster.kubectl_run("patch", *where, "--type=merge", "-p", json.dumps({"spec": {MARK: "no"}}))
        for written in release.objects().values():
            store(cluster, written)
            store(cluster, written | {"metadata": {"name": f"new-{written['metadata']['name']}"}})


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The definitions as a later version might have them: a field more everywhere, and a value more."""
    changed = definitions()
    for kind, path in (
        ("ProxmoxHost", "spec"),
        ("ProxmoxHost", "spec.tiers[]"),
        ("ProxmoxHost", "status"),
        ("Offering", "spec"),
        ("Offering", "status"),
    ):
        within(changed[kind], path)["future"] = FUTURE
    within(changed["Offering"], "status")["stock"]["enum"].append("Reserved")
    within(changed["ProxmoxHost"], "status")["offerings"].pop("required")
    within(changed["ProxmoxHost"], "spec.allocation")["stoppedGuests"]["enum"].append("Ask")
    folder = tmp_path_factory.mktemp("crds")
    for kind, definition in changed.items():
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(definition), encoding="utf-8")
    with ControlPlane(crds=folder) as cluster:
        yield cluster


@pytest.fixture
def older(newer: ControlPlane) -> Iterator[tuple[Kube, Clusters, OperatorThread]]:
    """The operator of this checkout, which knows nothing of that; not started yet."""
    clusters = Clusters(Clock())
    operator = OperatorThread(kubeconfig=newer.kubeconfig, namespaces=("default",), clusters=clusters)
    yield Kube(newer, "default"), clusters, operator
    assert operator.stop() == 0
    for kind in ("proxmoxhosts", "offerings"):
        newer.kubectl_run("delete", kind, "--all", "-n", "default")


def test_an_older_operator_leaves_what_it_does_not_know_and_vouches_for_nothing_of_it(
    older: tuple[Kube, Clusters, OperatorThread],
) -> None:
    """After a rollback: people's fields stay, and the newer operator's statements do not outlive it, for nobody renews them."""
    kube, clusters, operator = older
    tier = {"name": "small", "cpu": 2, "memory": "8Gi", "disk": "1Gi", "future": {"word": "ours"}}
    selling(kube, clusters, tier, future={"word": "ours"})
    spec = kube.get_host("fra1")["spec"]
    uid = kube.get_host("fra1")["metadata"]["uid"]
    head = {"apiVersion": "proxmox-offerings.io/v1alpha1"}
    owner = {**head, "kind": "ProxmoxHost", "name": "fra1", "uid": uid, "controller": True}
    ours = ("--field-manager=proxmox-offerings", "--force-conflicts")
    offering: Object = {**head, "kind": "Offering", "metadata": {"name": "fra1-small"}}
    facts = {
        "hostRef": {"name": "fra1"},
        "tier": "small",
        "displayName": "small",
        "productType": "compute",
        "virtualization": "KVM",
        "cpu": 2,
        "memory": "8Gi",
        "disk": "1Gi",
        "cpuAllocationPercent": 100,
        "future": {"word": "theirs"},
    }
    owned = {**offering, "metadata": {"name": "fra1-small", "ownerReferences": [owner]}, "spec": facts}
    apply(kube.cluster, owned, *ours)
    statement = {"stock": "Reserved", "available": 7, "validUntil": "2099-01-01T00:00:00Z", "future": {"word": "x"}}
    apply(kube.cluster, {**offering, "status": statement}, "--subresource=status", *ours)
    host = {**head, "kind": "ProxmoxHost", "metadata": {"name": "fra1"}}
    unreadable = {"offerings": {"inStock": 1}, "future": {"word": "x"}}
    apply(kube.cluster, {**host, "status": unreadable}, "--subresource=status", *ours)
    theirs = {"type": "Billed", "status": "True", "reason": "Paid", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    for one in (host, offering):
        said = {**one, "status": {"conditions": [theirs]}}
        apply(kube.cluster, said, "--subresource=status", "--field-manager=shop")
    before = kube.offering("fra1-small")["metadata"]["uid"]

    operator.start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    assert kube.stock("fra1-small") == ("InStock", 8)
    operator.settle()

    now = kube.get_host("fra1")
    assert now["spec"] == spec
    assert now["metadata"]["generation"] == 1
    assert "Billed" in {one["type"] for one in now["status"]["conditions"]}
    assert "future" not in now["status"]
    offered = kube.offering("fra1-small")
    assert offered["metadata"]["uid"] == before
    assert "future" not in {*offered["spec"], *offered["status"]}
    assert "Billed" in {one["type"] for one in offered["status"]["conditions"]}

    settled = kube.versions()
    operator.refresh(now["spec"]["endpoints"][0])
    assert kube.versions() == settled, "it writes for ever what it cannot change"


def test_a_value_that_an_older_operator_cannot_read_is_told_and_claims_no_stock(
    older: tuple[Kube, Clusters, OperatorThread],
) -> None:
    """It does not guess what the seller meant, and does not take his Offerings away."""
    kube, clusters, operator = older
    selling(kube, clusters)
    operator.start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    uids = {one["metadata"]["uid"] for one in kube.offerings().values()}
    asks = {"spec": {"allocation": {"stoppedGuests": "Ask"}}}
    kube.kubectl("patch", "proxmoxhost", "fra1", "--type=merge", "-p", json.dumps(asks))
    eventually(lambda: kube.reason("fra1") not in {"Observed", None})
    ready = kube.condition("fra1", "Ready")
    assert ready is not None
    assert "stoppedGuests" in ready["message"]
    assert kube.get_host("fra1")["spec"]["allocation"]["stoppedGuests"] == "Ask"
    assert {one["metadata"]["uid"] for one in kube.offerings().values()} == uids
    eventually(lambda: {kube.stock(name)[0] for name in kube.offerings()} == {"Unknown"})
