"""Shops over simulated clusters that go wrong, on the real API server."""

import hashlib
import itertools
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from proxmox_offerings.kube.objects import Ref
from proxmox_offerings.simulator.config import SimulatorConfig
from support.controlplane import Cluster
from support.shop import Shop, SkippingLoop, open_shop

OpenShop = Callable[..., AbstractAsyncContextManager[Shop]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:
    """Tests of this folder have time of their own."""
    return {"skipping": SkippingLoop}


@pytest.fixture(scope="session")
def shops_namespace(control_plane: Cluster) -> str:
    """One for all tests: hosts have names of their own."""
    path = "/api/v1/namespaces/shops?fieldManager=test"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shops"}}
    control_plane.api("PATCH", path, body, content_type="application/apply-patch+yaml")
    return "shops"


@pytest.fixture
def shop(control_plane: Cluster, shops_namespace: str, request: pytest.FixtureRequest) -> OpenShop:
    """Opens one: `async with shop(config, tiers=[...]) as site`.

    A host's rhythm follows from its name: each test has one of its own, the same in each run.
    """
    test = hashlib.blake2b(request.node.nodeid.encode(), digest_size=6).hexdigest()
    numbers = itertools.count(1)

    def opened(config: SimulatorConfig | None = None, **how: Any) -> AbstractAsyncContextManager[Shop]:
        ref = Ref(shops_namespace, f"site-{test}-{next(numbers)}")
        return open_shop(control_plane.kubeconfig, ref, config, **how)

    return opened
