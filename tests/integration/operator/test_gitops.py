"""Git decides what there is, and tools compare: the health that they show, what they take for theirs, and what they take for drift."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from integration.operator.conftest import Start
from integration.operator.harness import Clock, Clusters, Kube, eventually
from integration.operator.test_publishing import ONE_NODE, SMALL, selling
from proxmox_offerings.proxmox.errors import (
    CallFailed,
    CertificateRejected,
    ConnectionFailed,
    EndpointForbidden,
    NotQuorate,
    ObservationError,
    PrivilegesMissing,
    Unauthorized,
    UncountableGuests,
)
from support.cluster import node, tier
from support.controlplane import ROOT
from support.gitops import GITOPS, argo_health, flux_status
from support.helm import Helm

MAY_HEAL = [ConnectionFailed("x"), CallFailed("x"), NotQuorate("x"), UncountableGuests("x"), RuntimeError("boom")]
A_PERSON_MUST_ACT = [
    Unauthorized("x"),
    PrivilegesMissing("x", missing=()),
    CertificateRejected("x"),
    EndpointForbidden("x"),
]
TOO_LARGE = tier("giant", memory="1Ti")
OF_GIT = {
    "labels": {
        "app.kubernetes.io/instance": "hosts",
        "argocd.argoproj.io/instance": "hosts",
        "kustomize.toolkit.fluxcd.io/name": "hosts",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    },
    "annotations": {
        "argocd.argoproj.io/tracking-id": "hosts:proxmox-offerings.io/ProxmoxHost:default/fra1",
        "argocd.argoproj.io/sync-wave": "5",
        "kustomize.toolkit.fluxcd.io/prune": "enabled",
    },
}


def health(body: Mapping[str, Any]) -> tuple[str, str]:
    """What Argo CD and Flux make of it."""
    return argo_health(body)[0], flux_status(body)


def test_health_of_hosts_in_each_condition(kube: Kube, clusters: Clusters, start: Start) -> None:
    """What waits comes to an end: in time for what a person must mend, and not before time for what may heal."""
    expected: dict[str, tuple[str, str, str]] = {}
    for number, failure in enumerate([*MAY_HEAL, *A_PERSON_MUST_ACT]):
        clusters.seen[selling(kube, clusters, name=f"bad-{number}")] = failure
        reason = failure.reason if isinstance(failure, ObservationError) else "InternalError"
        tells = ("Progressing", "InProgress") if failure in MAY_HEAL else ("Degraded", "Failed")
        expected[f"bad-{number}"] = (reason, *tells)
    selling(kube, clusters, name="good")
    expected["good"] = ("Observed", "Healthy", "Current")
    selling(kube, clusters, name="asleep", suspend=True)
    expected["asleep"] = ("Suspended", "Suspended", "Current")
    clusters.seen[kube.host("poor", tiers=[SMALL])] = ONE_NODE
    expected["poor"] = ("CredentialsMissing", "Degraded", "Failed")

    assert health(kube.get_host("good")) == ("Progressing", "InProgress"), "nobody has looked at it yet"
    operator = start()
    for name, told in expected.items():
        eventually(lambda name=name, told=told: kube.reason(name) == told[0])
        assert health(kube.get_host(name)) == told[1:], name
        assert argo_health(kube.get_host(name))[1].startswith(("spec.suspend is set", f"{told[0]}: ")), name
    assert operator.stop() == 0
    kube.host("good", tiers=[SMALL | {"cpu": 1}])
    assert health(kube.get_host("good")) == ("Progressing", "InProgress"), "this version was not looked at yet"


def test_health_of_offerings_in_each_condition(kube: Kube, clusters: Clusters, start: Start, clock: Clock) -> None:
    """Sold out is a statement like any other; what nobody can vouch for is not healthy."""
    endpoint = selling(kube, clusters, SMALL, TOO_LARGE)
    blind = selling(kube, clusters, SMALL, name="blind")
    clusters.seen[blind] = ONE_NODE.but(nodes=(node("pve1", status_unread=True, memory=None),))
    clusters.seen[selling(kube, clusters, SMALL, name="never")] = ConnectionFailed("x")
    operator = start()
    tells = {
        "fra1-small": (("InStock", "Observed"), ("Healthy", "Current")),
        "fra1-giant": (("OutOfStock", "Observed"), ("Healthy", "Current")),
        "blind-small": (("Unknown", "StockUnknown"), ("Progressing", "InProgress")),
        "never-small": (("Unknown", "NotObserved"), ("Progressing", "InProgress")),
    }

    def said(name: str) -> tuple[str, str]:
        status = kube.offering(name)["status"]
        return status["stock"], status["conditions"][0]["reason"]

    for name, (statement, healths) in tells.items():
        eventually(lambda name=name, statement=statement: said(name) == statement)
        assert health(kube.offering(name)) == healths, name
        assert argo_health(kube.offering(name))[1].startswith(f"{statement[0]}: "), name
    assert operator.stop() == 0

    clusters.seen[endpoint] = ConnectionFailed("x")
    clock.ahead += timedelta(seconds=14401)
    start()
    eventually(lambda: said("fra1-small") == ("Unknown", "Expired"))
    assert health(kube.offering("fra1-small")) == ("Progressing", "InProgress")
    unsaid = kube.offering("fra1-small")
    del unsaid["status"]
    assert health(unsaid) == ("Progressing", "Unknown")


def test_what_a_tool_marks_as_its_own_is_not_passed_on(kube: Kube, clusters: Clusters, start: Start) -> None:
    """Argo CD and Flux delete what carries their mark and is not in Git: that would be every Offering."""
    endpoint = selling(kube, clusters, SMALL)
    kube.kubectl("patch", "proxmoxhost", "fra1", "--type=merge", "-p", json.dumps({"metadata": OF_GIT}))
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    kube.kubectl("annotate", "proxmoxhost", "fra1", "argocd.argoproj.io/refresh=hard")
    kube.host("fra1", tiers=[SMALL, tier("tiny")])
    eventually(lambda: "fra1-tiny" in kube.offerings())
    operator.refresh(endpoint)
    for offering in kube.offerings().values():
        assert {label.partition("/")[0] for label in offering["metadata"]["labels"]} == {
            "proxmox-offerings.io",
            "app.kubernetes.io",
        }
        assert offering["metadata"]["labels"].keys().isdisjoint(OF_GIT["labels"])
        assert "annotations" not in offering["metadata"]


def test_what_was_applied_from_git_shows_no_drift(
    kube: Kube, clusters: Clusters, start: Start, helm: Helm, tmp_path: Path
) -> None:
    """Neither what the API server adds looks like somebody's change, nor what the operator does to samples that it serves."""
    samples = ROOT / "manifests" / "samples"
    hosts = [one for one in all_of(samples) if one["kind"] == "ProxmoxHost"]
    clusters.seen |= {one["spec"]["endpoints"][0]: ONE_NODE for one in hosts}
    chart = tmp_path / "chart.yaml"
    release = helm.template({"crds": {"enabled": False}}, namespace=kube.namespace)
    chart.write_text(yaml.safe_dump_all(release), encoding="utf-8")
    own = ["-n", kube.namespace, "-f", samples]

    def drift(source: Sequence[str | Path]) -> tuple[int, str]:
        compared = kube.cluster.kubectl_run("diff", "--server-side", "--force-conflicts", *source, check=False)
        return compared.returncode, compared.stdout + compared.stderr

    start()
    for source in (["-k", ROOT / "manifests"], ["-f", ROOT / "crds"], ["-f", chart], own):
        kube.cluster.kubectl_run("apply", "--server-side", "--validate=strict", *source)
        if source is own:
            for host in hosts:
                eventually(lambda host=host: kube.reason(host["metadata"]["name"]) == "Observed")
        assert drift(source) == (0, "")
    changed = '{"spec":{"credentialsSecretRef":{"name":"another"}}}'
    kube.kubectl("patch", "proxmoxhost", "garage", "--type=merge", "-p", changed)
    assert drift(own)[0] == 1


def test_the_health_checks_are_added_to_what_argo_cd_has(kube: Kube) -> None:
    """As the file says: two keys more, and the others stay."""
    kube.kubectl("create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example.net")
    manager = ("--server-side", "--field-manager", "proxmox-offerings-health")
    kube.kubectl("apply", *manager, "-f", str(GITOPS / "argocd-cm-health.yaml"))
    data = json.loads(kube.kubectl("get", "configmap", "argocd-cm", "-o", "json"))["data"]
    prefix = "resource.customizations.health.proxmox-offerings.io_"
    assert data.keys() == {"url", f"{prefix}ProxmoxHost", f"{prefix}Offering"}


def all_of(folder: Path) -> list[dict[str, Any]]:
    return [one for path in folder.glob("*.yaml") for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
