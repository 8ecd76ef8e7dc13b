"""Real pods: the chart installed on a real node, beside a simulated Proxmox VE cluster that runs in a pod of the same image.

`make e2e` brings up the node and runs these. Against a node of your own (it will be changed and cleaned up): E2E_KUBECONFIG, E2E_KUBECTL, and
E2E_IMAGE, which the node must have.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.controlplane import Cluster
from support.helm import Helm

from .shop import Pods, Shop

NEEDED = ("E2E_KUBECONFIG", "E2E_KUBECTL", "E2E_IMAGE")


@pytest.fixture(scope="session")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Pods:
    """The node, and the image that it has."""
    if not all(os.environ.get(name) for name in NEEDED):
        pytest.skip(f"no node to run pods on: use `make e2e`, or set {', '.join(NEEDED)}")
    directory = tmp_path_factory.mktemp("node")
    kubeconfig = directory / "kubeconfig"
    shutil.copy(os.environ["E2E_KUBECONFIG"], kubeconfig)
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    kubectl = Path(os.environ["E2E_KUBECTL"])
    cluster = Cluster(directory=directory, server=server, kubectl=kubectl, admin_token="", controllers=True)
    return Pods(cluster, image=os.environ["E2E_IMAGE"])


@pytest.fixture(scope="session")
def helm(pods: Pods, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm("helm4", tmp_path_factory.mktemp("helm"), pods.cluster)


@pytest.fixture(scope="session")
def simulated(pods: Pods) -> Iterator[str]:
    """The namespace in which the simulated cluster runs."""
    with pods.namespace(f"pve-{secrets.token_hex(3)}") as namespace:
        pods.apply(pods.rendered("manifests/simulator", namespace=namespace))
        pods.kubectl("rollout", "status", "deployment/fra1", "--timeout=60s", namespace=namespace)
        yield namespace


@pytest.fixture
def shop(pods: Pods, helm: Helm, simulated: str) -> Iterator[Shop]:
    """Two namespaces, one for the operator and one for a seller's objects. Afterwards nothing of this project is left in the cluster."""
    unique = secrets.token_hex(3)
    with pods.namespace(f"system-{unique}") as system, pods.namespace(f"shop-{unique}") as namespace:
        shop = Shop(pods=pods, helm=helm, simulated=simulated, system=system, namespace=namespace)
        try:
            yield shop
            shop.check_logs()
        finally:
            helm.run("uninstall", shop.release, "--namespace", system, "--ignore-not-found", "--wait")
            pods.kubectl("delete", "--ignore-not-found", "--wait", "--timeout=60s", "crds", *shop.CRDS)
