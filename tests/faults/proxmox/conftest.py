"""Shops over simulated clusters that go wrong, on the real API server."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest

from support.controlplane import Cluster
from support.shop import Shop, SkippingLoop, open_shop

OpenShop = Callable[..., AbstractAsyncContextManager[Shop]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:
    """Tests of this folder have time of their own."""
    return {"skipping": SkippingLoop}


@pytest.fixture(scope="session")
def shops_namespace(control_plane: Cluster) -> Iterator[str]:
    """One for all tests of a worker: hosts have names of their own."""
    name = f"shops-{secrets.token_hex(5)}"
    control_plane.api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    control_plane.api("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def shop(control_plane: Cluster, shops_namespace: str) -> OpenShop:
    """Opens one: `async with shop(config, tiers=[...]) as site`."""
    return partial(open_shop, control_plane.kubeconfig, shops_namespace)
