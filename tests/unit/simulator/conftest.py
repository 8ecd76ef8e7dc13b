"""Simulated clusters for the tests, and an ordinary HTTPS client: what they say is checked on the wire, as any client would see it."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from proxmox_offerings.simulator.config import Behaviour, SimulatorConfig, parse
from proxmox_offerings.simulator.simulator import Simulator

FAST = Behaviour(refusal_delay=0.05, proxy_timeout=0.05)
Describe = Callable[..., SimulatorConfig]
Start = Callable[..., Awaitable[Simulator]]


class Browser:
    """Reads a simulator as the holder of a token, through the entry `node` (the first)."""

    def __init__(self, simulator: Simulator, client: httpx.AsyncClient) -> None:
        self._simulator = simulator
        self.client = client

    async def get(self, path: str, *, node: str | None = None, method: str = "GET", **options: Any) -> httpx.Response:
        simulator = self._simulator
        authorization = f"PVEAPIToken={simulator.token_id}={simulator.token_secret}"
        headers = {"Authorization": authorization} | options.pop("headers", {})
        base = simulator.endpoint(node or next(iter(simulator.nodes)))
        return await self.client.request(method, f"{base}/api2/json{path}", headers=headers, **options)

    async def data(self, path: str, *, node: str | None = None) -> Any:
        """The data of a 200."""
        answer = await self.get(path, node=node)
        assert answer.status_code == 200, (answer.status_code, answer.reason_phrase)
        return answer.json()["data"]

    async def rows(self, path: str, *, node: str | None = None) -> dict[str, dict[str, Any]]:
        """Rows by their id."""
        return {row.get("id", row.get("vmid")): row for row in await self.data(path, node=node)}


@pytest.fixture
def describe() -> Describe:
    """A small cluster with what a test wants different: `describe(version="7.4-16", nodes=[...])`."""

    def build(**different: Any) -> SimulatorConfig:
        document: dict[str, Any] = {
            "cluster": {"name": "lab"},
            "nodes": [
                {"name": name, "sockets": 2, "cores": 32, "threads": 64, "memory": "256Gi"}
                for name in ("pve1", "pve2", "pve3")
            ],
            "storages": [
                {
                    "id": "local-lvm",
                    "type": "lvmthin",
                    "vgname": "pve",
                    "thinpool": "data",
                    "content": ["images", "rootdir"],
                    "size": "1Ti",
                    "used": "100Gi",
                },
                {
                    "id": "nfs",
                    "type": "nfs",
                    "server": "192.0.2.9",
                    "export": "/srv",
                    "content": ["images", "rootdir", "iso"],
                    "size": "4Ti",
                },
            ],
            "guests": [
                {
                    "vmid": 100,
                    "node": "pve1",
                    "name": "web",
                    "cpu": 4,
                    "memory": "8Gi",
                    "disk": "50Gi",
                    "storage": "local-lvm",
                },
                {
                    "vmid": 200,
                    "node": "pve2",
                    "name": "db",
                    "cpu": 8,
                    "memory": "16Gi",
                    "tags": ["a", "b"],
                    "lock": "backup",
                },
                {"vmid": 201, "node": "pve2", "type": "lxc", "name": "dns", "cpu": 1, "memory": "512Mi"},
                {"vmid": 9000, "node": "pve2", "name": "debian-12-template", "template": True, "status": "stopped"},
            ],
        }
        return parse(document | different)

    return build


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Run a simulator until the end of the test."""
    async with AsyncExitStack() as running:

        async def begin(config: SimulatorConfig, *, behaviour: Behaviour = FAST, **options: Any) -> Simulator:
            return await running.enter_async_context(Simulator(config, behaviour=behaviour, **options))

        yield begin


@pytest.fixture
async def browse() -> AsyncIterator[Callable[[Simulator], Awaitable[Browser]]]:
    """A client that trusts the simulated cluster's authority, as strictly as Python 3.13 does by default."""
    async with AsyncExitStack() as open_ones:

        async def begin(simulator: Simulator) -> Browser:
            trust = ssl.create_default_context(cadata=simulator.ca_pem)
            trust.verify_flags |= ssl.VERIFY_X509_STRICT
            client = httpx.AsyncClient(verify=trust, trust_env=False, timeout=5)
            return Browser(simulator, await open_ones.enter_async_context(client))

        yield begin
