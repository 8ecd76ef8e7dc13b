"""The answers of simulated clusters as bytes, without servers: for measuring what is made of them, on clusters of any size."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from proxmox_offerings.inventory.build import configs_wanted, remember, snapshot_of
from proxmox_offerings.inventory.gathered import Configs, Fast, Remembered, Slow
from proxmox_offerings.observation.configs import GuestConfigs
from proxmox_offerings.observation.slow import SlowLoop
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.decoding import data_of
from proxmox_offerings.proxmox.errors import CallFailed
from proxmox_offerings.proxmox.parse import cluster as cluster_answers
from proxmox_offerings.proxmox.parse.resources import resources
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.proxmox.transport import DEFAULT_BOUNDS, Transport
from proxmox_offerings.simulator.changes import ChangingCluster
from proxmox_offerings.simulator.config import SimulatorConfig
from proxmox_offerings.simulator.dispatch import Dispatcher, Request
from proxmox_offerings.simulator.refusals import Refusal

ENDPOINT: Final = "https://pve01.example.net:8006"
READ_AT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PARSERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "/cluster/status": cluster_answers.cluster_status,
    "/cluster/resources": resources,
    "/cluster/ha/status/manager_status": cluster_answers.manager_status,
}
"""The calls of the fast loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One cluster: the `bodies` of the fast loop's calls by path, and what the slow loop made of its own."""

    bodies: Mapping[str, bytes]
    slow: Slow
    configs: Configs
    remembered: Remembered

    @property
    def size(self) -> int:
        """Bytes of the fast loop's answers."""
        return sum(map(len, self.bodies.values()))


class Unserved(Transport):
    """Answers as the simulated cluster's first node would, in this process and without a network."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._cluster = ChangingCluster(config, clock=READ_AT.timestamp)
        self._dispatcher = Dispatcher(self._cluster)
        self._entry = next(iter(self._cluster.nodes.values()))
        name = next(iter(self._cluster.users))
        self._authorization = Token(id=name, secret=self._cluster.secret(name)).authorization
        self.told: dict[str, bytes] = {}
        """What was answered, by `asked_of`."""

    @property
    def endpoint(self) -> str:
        return ENDPOINT

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def get(
        self,
        path: str,
        *,
        label: str,
        params: Mapping[str, str] | None = None,
        node: str | None = None,  # noqa: ARG002  one process answers for all nodes
    ) -> object:
        try:
            return data_of(await self.body(path, params or {}), most=DEFAULT_BOUNDS.values, what=label)
        except Refusal as refusal:
            raise CallFailed(f"{label} was refused", status=refusal.status) from None

    async def body(self, path: str, params: Mapping[str, str]) -> bytes:
        """The bytes of an answer. Raises Refusal."""
        asked = Request(method="GET", path=path, query=params, authorization=self._authorization)
        body = await self._dispatcher.answer(asked, self._entry)
        self.told[asked_of(path, params)] = body
        return body

    async def ask_everything(self) -> Answers:
        """All that the operator would ask it for."""
        return await _asked(self)


def asked_of(path: str, params: Mapping[str, str]) -> str:
    """The name of a call: "/nodes/pve1/storage?enabled=1"."""
    return path + "?" + "&".join(f"{key}={value}" for key, value in sorted(params.items())) if params else path


async def answers_of(config: SimulatorConfig) -> Answers:
    """Ask a simulated cluster for all that the operator would ask it for."""
    return await Unserved(config).ask_everything()


async def _asked(cluster: Unserved) -> Answers:
    client = ProxmoxClient(cluster)
    slow_loop = SlowLoop(client=client, interval=600, monotonic=time.monotonic, on_progress=lambda _: None)
    guest_configs = GuestConfigs(client=client, interval=600, monotonic=time.monotonic)
    bodies = {path: await cluster.body(path, {}) for path in PARSERS}
    fast = parsed(bodies)
    await slow_loop.read_cluster()
    await asyncio.gather(*slow_loop.notice(fast.resources))
    slow = slow_loop.known()
    assert slow is not None
    wanted = configs_wanted(fast=fast, slow=slow, remembered=Remembered(), provisioned=False)
    await asyncio.gather(*guest_configs.notice(wanted, fast.resources.guests))
    known = guest_configs.known(wanted)
    first = snapshot_of(fast=fast, slow=slow, configs=known, remembered=Remembered())
    remembered = remember(fast=fast, slow=slow, snapshot=first, remembered=Remembered())
    return Answers(bodies=bodies, slow=slow, configs=known, remembered=remembered)


def parsed(bodies: Mapping[str, bytes]) -> Fast:
    """What the product makes of each turn's bytes: JSON, then typed answers."""
    read = {
        path: parse(data_of(bodies[path], most=DEFAULT_BOUNDS.values, what=path, path=path))
        for path, parse in PARSERS.items()
    }
    return Fast(
        read_at=READ_AT,
        endpoint=ENDPOINT,
        cluster=read["/cluster/status"],
        resources=read["/cluster/resources"],
        manager=read["/cluster/ha/status/manager_status"],
    )
