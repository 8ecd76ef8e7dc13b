"""A running operator for each test, over fake clusters and the real API server."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import pytest
import yaml

from integration.operator.harness import Clock, Clusters, Kube, OperatorThread
from proxmox_offerings.controller.streams import Patience
from support.controlplane import ROOT, Cluster
from support.helm import VERSIONS, Helm

ACCOUNT = "system:serviceaccount:proxmox-offerings:proxmox-offerings"


class Start(Protocol):
    """Starts an operator for the namespace."""

    def __call__(
        self,
        kubeconfig: Path = ...,
        *,
        guard: Callable[[], None] = ...,
        patience: Patience = ...,
        settings: Mapping[str, Any] = ...,
    ) -> OperatorThread: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clusters(clock: Clock) -> Clusters:
    return Clusters(clock)


@pytest.fixture
def kube(control_plane: Cluster, namespace: str) -> Kube:
    return Kube(control_plane, namespace)


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(VERSIONS[0], tmp_path / "helm")


@pytest.fixture
def start(control_plane: Cluster, namespace: str, clusters: Clusters) -> Iterator[Start]:
    """Starts an operator for the namespace; whatever runs at the end is ended, and must end well."""
    running: list[OperatorThread] = []

    def start_one(
        kubeconfig: Path = control_plane.kubeconfig,
        *,
        guard: Callable[[], None] = lambda: None,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> OperatorThread:
        operator = OperatorThread(
            kubeconfig=kubeconfig,
            namespaces=(namespace,),
            clusters=clusters,
            guard=guard,
            patience=patience,
            settings=settings,
        ).start()
        running.append(operator)
        return operator

    yield start_one
    assert [operator.stop() for operator in running] == [0] * len(running)


@pytest.fixture
def account(control_plane: Cluster, namespace: str) -> Path:
    """A kubeconfig of the operator's account, with no rights but those that the manifests grant: its own namespace is that of the test."""
    for document in yaml.safe_load_all((ROOT / "manifests" / "rbac.yaml").read_text(encoding="utf-8")):
        if document["kind"] != "ServiceAccount":
            # By the server, because other workers do the same at the same time.
            control_plane.kubectl_run("apply", "--server-side", "-n", namespace, "-f", "-", input=json.dumps(document))
    return control_plane.user_kubeconfig(ACCOUNT)
