"""Values: each does what it says, and nothing else is taken for one."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tools.chart.values import Value, read

from proxmox_offerings.controller.config import Settings
from support.helm import CHART, Helm, Values

LABELS = {"team": "capacity"}
HOST = {"spec": {"endpoints": ["https://pve1.example.net:8006"], "credentialsSecretRef": {"name": "token"}}}
TOLERATION = {"key": "spot", "operator": "Exists"}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}
NODES = {
    "nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}]
}

OTHER: dict[str, Any] = {
    "image.repository": "registry.example.net/offerings",
    "image.tag": "9.9.9",
    "image.digest": f"sha256:{'0' * 64}",
    "image.pullPolicy": "Always",
    "image.pullSecrets": [{"name": "registry"}],
    "crds.enabled": False,
    "crds.keep": False,
    "watchNamespaces": ["default"],
    "allowEndpointRanges": ["127.0.0.0/8", "::1"],
    "denyEndpointRanges": ["0.0.0.0/0", "::/0"],
    "concurrency": 7,
    "log.format": "console",
    "log.level": "debug",
    "extraArgs": ["--health-address=::"],
    "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/ca/ca.crt"}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    "replicaCount": 1,
    "shareWork": True,
    "leaderElection.enabled": False,
    "leaderElection.leaseDurationSeconds": 60,
    "leaderElection.renewDeadlineSeconds": 12.5,
    "leaderElection.retryPeriodSeconds": 0.5,
    "podDisruptionBudget.enabled": False,
    "podDisruptionBudget.maxUnavailable": "50%",
    "resources": {"limits": {"memory": "1Gi"}},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [TOLERATION],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": NODES}},
    "topologySpreadConstraints": [],
    "priorityClassName": "system-cluster-critical",
    "terminationGracePeriodSeconds": 60,
    "podSecurityContext": {"runAsUser": 1000},
    "containerSecurityContext": {"privileged": False},
    "podLabels": LABELS,
    "podAnnotations": LABELS,
    "nameOverride": "stock",
    "fullnameOverride": "stock",
    "commonLabels": LABELS,
    "commonAnnotations": LABELS,
    "serviceAccount.create": False,
    "serviceAccount.name": "robot",
    "serviceAccount.annotations": LABELS,
    "rbac.create": False,
    "rbac.aggregateClusterRoles": False,
    "networkPolicy.enabled": True,
    "networkPolicy.metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}],
    "networkPolicy.apiServerPorts": [16443],
    "networkPolicy.proxmoxPorts": [443, 8006],
    "networkPolicy.proxmoxRanges": ["10.20.0.0/16"],
    "networkPolicy.extraEgress": [{"ports": [{"port": 3128}]}],
    "metrics.monitor.enabled": True,
    "metrics.monitor.kind": "ServiceMonitor",
    "metrics.monitor.interval": "1m",
    "metrics.monitor.labels": LABELS,
    "metrics.monitor.relabelings": [{"action": "labeldrop", "regex": "endpoint"}],
    "metrics.monitor.metricRelabelings": [{"action": "labeldrop", "regex": "method"}],
    "metrics.prometheusRule.enabled": True,
    "metrics.prometheusRule.labels": LABELS,
    "metrics.prometheusRule.alertLabels": LABELS,
    "metrics.prometheusRule.docsUrl": "https://docs.example.net/offerings/",
    "metrics.dashboard.enabled": True,
    "metrics.dashboard.namespace": "default",
    "metrics.dashboard.labels": LABELS,
    "metrics.dashboard.annotations": LABELS,
    "networkPolicy.catalogueFrom": [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}],
    "catalogue.enabled": True,
    "catalogue.port": 9090,
    "catalogue.title": 'ACME "Cloud"',
    "catalogue.website": "https://cloud.example",
    "catalogue.supportEmail": "help@cloud.example",
    "catalogue.namespaces": ["shop"],
    "catalogue.details": True,
    "catalogue.service.type": "LoadBalancer",
    "catalogue.service.port": 8080,
    "catalogue.service.annotations": LABELS,
    "catalogue.ingress.enabled": True,
    "catalogue.ingress.className": "nginx",
    "catalogue.ingress.hosts": ["shop.example.net", "*.shop.example.net"],
    "catalogue.ingress.tls": [{"secretName": "shop-tls", "hosts": ["shop.example.net"]}],
    "catalogue.ingress.annotations": LABELS,
    "proxmoxHosts": {"fra1": HOST, "ams1": {**HOST, "namespace": "default", "labels": LABELS, "annotations": LABELS}},
    "extraObjects": [CONFIG_MAP, "{apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ .Release.Name }}-too'}}"],
}
"""Another value than the default for each."""

BESIDE: dict[str, dict[str, Any]] = {
    "leaderElection.enabled": {"replicaCount": 1},
    "networkPolicy": {"networkPolicy.enabled": True},
    "networkPolicy.catalogueFrom": {"catalogue.enabled": True},
    "catalogue": {"catalogue.enabled": True},
    "catalogue.ingress": {"catalogue.ingress.enabled": True},
    "metrics.monitor": {"metrics.monitor.enabled": True},
    "metrics.prometheusRule": {"metrics.prometheusRule.enabled": True},
    "metrics.dashboard": {"metrics.dashboard.enabled": True},
}
"""What must be set for values below these names to matter."""


def nested(settings: Values) -> dict[str, Any]:
    """{"a.b": 1} as {"a": {"b": 1}}."""
    tree: dict[str, Any] = {}
    for name, value in settings.items():
        *above, last = name.split(".")
        at = tree
        for key in above:
            at = at.setdefault(key, {})
        at[last] = value
    return tree


def beside(name: str) -> dict[str, Any]:
    return {
        key: value
        for prefix, more in BESIDE.items()
        if name.startswith(prefix)
        for key, value in more.items()
        if key != name
    }


def documented() -> list[Value]:
    return [leaf for value in read(CHART / "values.yaml") for leaf in value.leaves()]


@pytest.mark.helm
def test_no_value_is_without_effect(tmp_path: Path) -> None:
    """A documented value that no template reads is a promise that nobody keeps."""
    assert {value.name for value in documented()} == set(OTHER)
    helm = Helm("helm4", tmp_path)

    @cache
    def rendered(settings: str) -> str:
        return helm.run("template", "po", CHART, "--namespace", "shop", values=nested(json.loads(settings)))

    def effect(name: str) -> bool:
        without = beside(name)
        return rendered(json.dumps(without | {name: OTHER[name]})) != rendered(json.dumps(without))

    with ThreadPoolExecutor(2) as pool:
        idle = [name for name, changed in zip(OTHER, pool.map(effect, OTHER), strict=True) if not changed]
    assert not idle


def test_no_template_reads_an_undocumented_value() -> None:
    """It would be nil unless somebody guessed its name, which the schema then refuses."""
    known = {value.path[:length] for value in documented() for length in range(1, len(value.path) + 1)}
    read_somewhere = {
        tuple(name.split("."))
        for path in (CHART / "templates").iterdir()
        for name in re.findall(r"\.Values\.([A-Za-z0-9.]*[A-Za-z0-9])", path.read_text(encoding="utf-8"))
    }
    assert read_somewhere
    assert read_somewhere <= known


def test_defaults_are_the_operators_own() -> None:
    defaults = {value.name: value.default for value in documented()}
    assert defaults["concurrency"] == Settings().concurrency
    assert defaults["log.level"] == Settings().log_level
    assert defaults["catalogue.title"] == Settings().catalogue_title
    assert defaults["leaderElection.leaseDurationSeconds"] == Settings().leader_elect_lease_duration
    assert defaults["leaderElection.renewDeadlineSeconds"] == Settings().leader_elect_renew_deadline
    assert defaults["leaderElection.retryPeriodSeconds"] == Settings().leader_elect_retry_period


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"replicas": 3}, "replicas"),
        ({"image.tags": "1"}, "tags"),
        ({"networkPolicy.enable": True}, "enable"),
        ({"proxmoxHosts": {"fra1": {"specs": {}}}}, "specs"),
        ({"resources": {"limit": {}}}, "limit"),
        ({"replicaCount": "2"}, "replicaCount"),
        ({"crds.enabled": "yes"}, "crds"),
        ({"log.level": "verbose"}, "level"),
        ({"image.digest": "sha256:abc"}, "digest"),
        ({"image.pullPolicy": "always"}, "pullPolicy"),
        ({"watchNamespaces": "shop"}, "watchNamespaces"),
        ({"watchNamespaces": ["Shop"]}, "watchNamespaces"),
        ({"denyEndpointRanges": ["everything"]}, "denyEndpointRanges"),
        ({"podLabels": {"stable": True}}, "stable"),
        ({"metrics.monitor.kind": "Probe"}, "kind"),
        ({"catalogue.website": "javascript:alert(1)"}, "website"),
        ({"catalogue.ingress.hosts": ["https://shop.example.net"]}, "hosts"),
        ({"proxmoxHosts": {"fra1": {"spec": {"endpoints": []}}}}, "credentialsSecretRef"),
        ({"leaderElection.enabled": False, "replicaCount": 1, "shareWork": True}, "shareWork needs leaderElection"),
        ({"replicaCount": 17, "shareWork": True}, "at most 16 replicas"),
        ({"leaderElection.enabled": False}, "two operators would undo each other's work"),
        ({"leaderElection.renewDeadlineSeconds": 20}, "leaseDurationSeconds must be more than renewDeadlineSeconds"),
        ({"leaderElection.retryPeriodSeconds": 8}, "at least twice retryPeriodSeconds"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_by_name(helm: Helm, settings: Values, said: str) -> None:
    assert said in helm.refusal(nested(settings))


def test_a_chart_that_depends_on_this_one_can_pass_global_values(helm: Helm) -> None:
    assert helm.template({"global": {"registry": "registry.example.net"}}) == helm.template()
