"""What the chart makes of values: objects that the API server takes as they are, for an operator that understands its arguments."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.chart.test_values import OTHER, nested
from proxmox_offerings.cli.run import run
from support.controlplane import ROOT, Cluster
from support.helm import CHART, Helm, Values
from support.promql import selectors

MONITORING = {
    "metrics.monitor.enabled": True,
    "metrics.prometheusRule.enabled": True,
    "metrics.dashboard.enabled": True,
}
ALONE = {"replicaCount": 1, "leaderElection.enabled": False}
EVERYTHING = {
    name: value for name, value in OTHER.items() if name not in (*ALONE, "nameOverride", "rbac.create", "crds.enabled")
}
SETS: dict[str, Values] = {
    "defaults": {},
    "everything": nested(
        EVERYTHING | MONITORING | {"networkPolicy.enabled": True, "podSecurityContext": {"runAsUser": 1000}}
    ),
    "alone": nested({**ALONE, "watchNamespaces": ["default"], **MONITORING}),
    "bare": nested(
        dict.fromkeys(("crds.enabled", "serviceAccount.create", "rbac.create", "podDisruptionBudget.enabled"), False)
    ),
}


def kind(objects: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(one for one in objects if one["kind"] == name)


def workload(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return kind(objects, "Deployment")


def arguments(objects: list[dict[str, Any]]) -> list[str]:
    words: list[str] = workload(objects)["spec"]["template"]["spec"]["containers"][0]["args"]
    return words


def of_kubernetes(one: dict[str, Any]) -> bool:
    return not one["apiVersion"].startswith("monitoring.coreos.com/")


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_the_api_server_takes_each_object_as_it_is(
    helm: Helm, control_plane: Cluster, namespace: str, values: Values
) -> None:
    """Strictly: an unknown field is an error. The kinds of the Prometheus operator are not there."""
    objects = list(filter(of_kubernetes, helm.template(values, namespace=namespace)))
    text = yaml.safe_dump_all(objects)
    control_plane.kubectl_run("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", input=text)


def test_the_chart_passes_helms_own_checks(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", CHART, values=SETS["everything"])


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_the_operator_understands_its_arguments(helm: Helm, values: Values) -> None:
    command, *options = arguments(helm.template(values))
    assert command == "run"
    run.make_context("run", options)


def test_ranges_and_namespaces_reach_the_operator(helm: Helm) -> None:
    _, *options = arguments(helm.template(SETS["everything"]))
    understood = run.make_context("run", options).params
    assert list(understood["namespaces"]) == OTHER["watchNamespaces"]
    assert [str(one) for one in understood["allow_endpoint_ranges"]] == ["127.0.0.0/8", "::1/128"]
    assert [str(one) for one in understood["deny_endpoint_ranges"]] == OTHER["denyEndpointRanges"]


def test_two_releases_in_a_namespace_have_a_lease_each(helm: Helm) -> None:
    """With one Lease, the operator of one release would keep that of the other from working."""
    for name in ("shop-a", "shop-b"):
        objects = helm.template(name=name)
        lease = run.make_context("run", arguments(objects)[1:]).params["leader_elect_name"]
        assert lease == f"{name}-proxmox-offerings"
        granted = [rule for one in objects if one["kind"] == "Role" for rule in one["rules"] if "resourceNames" in rule]
        assert [rule["resourceNames"] for rule in granted] == [[lease]]


def test_a_single_operator_without_election_is_never_two(helm: Helm) -> None:
    """While it is rolled, the old one would work beside the new one."""
    objects = helm.template(SETS["alone"])
    assert workload(objects)["spec"]["strategy"] == {"type": "Recreate"}
    assert not [rule for one in objects for rule in one.get("rules", []) if "leases" in rule.get("resources", [])]


def test_for_named_namespaces_no_right_goes_beyond_them(helm: Helm) -> None:
    objects = helm.template({"watchNamespaces": ["shop-a", "shop-b"]}, namespace="operators")
    bound = {(one["kind"], one["metadata"].get("namespace")) for one in objects if one["kind"].endswith("RoleBinding")}
    assert bound == {("RoleBinding", "shop-a"), ("RoleBinding", "shop-b"), ("RoleBinding", "operators")}


@pytest.mark.helm
def test_the_pods_are_admitted_where_only_restricted_ones_are(
    control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    control_plane.kubectl_run("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    objects = Helm("helm4", tmp_path).template(namespace=namespace)
    account = kind(objects, "ServiceAccount")
    control_plane.kubectl_run("apply", "-f", "-", input=json.dumps(account))
    template = workload(objects)["spec"]["template"]

    def admitted(spec: dict[str, Any]) -> str:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "namespace": namespace}, "spec": spec}
        return control_plane.kubectl_run(
            "create", "--dry-run=server", "-f", "-", input=json.dumps(pod), check=False
        ).stderr

    assert admitted(template["spec"]) == ""
    template["spec"].pop("securityContext")
    assert "violates PodSecurity" in admitted(template["spec"])


@pytest.mark.helm
def test_alerts_are_about_this_release_alone(tmp_path: Path, promtool: Path) -> None:
    """And are otherwise those that are tested in integration/monitoring."""
    plain = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    settings = {**MONITORING, "metrics.prometheusRule.docsUrl": "https://docs.example.net/"}
    rules = kind(Helm("helm4", tmp_path).template(nested(settings)), "PrometheusRule")["spec"]["groups"][0]["rules"]
    written = tmp_path / "rules.yaml"
    written.write_text(json.dumps({"groups": [{"name": "rendered", "rules": rules}]}), encoding="utf-8")
    checked = subprocess.run([promtool, "check", "rules", written], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    for ours, tested in zip(rules, plain, strict=True):
        for selector in selectors(ours["expr"]):
            assert ("namespace", "=", "shop") in selector.conditions
        assert re.sub(r'namespace="shop",?', "", ours["expr"]) == tested["expr"]
        assert ours["labels"] == tested["labels"]
        anchor = ours["alert"].lower()
        assert ours["annotations"].pop("runbook_url") == f"https://docs.example.net/how-to/alerts/#{anchor}"
        assert ours["annotations"].items() < tested["annotations"].items()


@pytest.mark.parametrize("variant", ["manifests", "manifests/namespaced"])
def test_the_manifests_are_accepted_as_a_whole(
    control_plane: Cluster, namespace: str, tmp_path: Path, variant: str
) -> None:
    """In another namespace too: an overlay needs to change nothing else, and all bindings still mean the account."""
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    base = Path("../" * len(overlay.parts), *(ROOT / variant).parts[1:])
    (overlay / "kustomization.yaml").write_text(json.dumps({"namespace": namespace, "resources": [str(base)]}))
    rendered = control_plane.kubectl_run("kustomize", overlay).stdout
    objects = [one for one in yaml.safe_load_all(rendered) if one["kind"] != "Namespace"]
    control_plane.kubectl_run(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(objects)
    )
    subjects = [subject for one in objects for subject in one.get("subjects", [])]
    assert subjects
    assert {subject["namespace"] for subject in subjects} == {namespace}
    if variant.endswith("namespaced"):
        assert not {one["kind"] for one in objects} & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
        assert namespace not in "".join(arguments(objects)), "the Pod's namespace decides, wherever it is"
