"""A simulated cluster that runs: servers, certificates, a record of what was asked, and everything that can be done to it.

async with Simulator(presets.demo()) as simulated:
    ... simulated.endpoints, simulated.ca_pem, simulated.token_id, simulated.token_secret
    simulated.kill_node("pve2")
"""

import asyncio
import re
import time
from collections import Counter, deque
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from aiohttp import web

from proxmox_offerings.simulator.certificates import Authority, Leaf, server_context
from proxmox_offerings.simulator.changes import ChangingCluster
from proxmox_offerings.simulator.cluster import Clock, Node
from proxmox_offerings.simulator.config import Behaviour, SimulatorConfig
from proxmox_offerings.simulator.dispatch import Dispatcher, NotAuthenticated, Request
from proxmox_offerings.simulator.faults import Fault, Faults
from proxmox_offerings.simulator.refusals import ProxyFailure, Refusal
from proxmox_offerings.simulator.server import PREFIX, NodeServer, Reply, faulty, refused

CertificateChange = Literal["renewed", "other-authority", "expired"]
REMEMBERED_REQUESTS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request that came in. `path` without "/api2/json", `query` as sent, `node` the entry node."""

    method: str
    path: str
    query: str
    node: str


class Simulator(ChangingCluster):
    """A cluster that is served, one port for each node, while the `async with` lasts.

    `port` is that of the first node, the others follow it; 0 lets the system choose. `advertised` is the name or address by which others reach it,
    where that is not the `host` that it listens on. `behaviour` replaces the configuration's. All that can
    happen to a ChangingCluster shows in the next answer; call it from the event loop that serves.
    """

    def __init__(
        self,
        config: SimulatorConfig,
        *,
        behaviour: Behaviour | None = None,
        host: str = "127.0.0.1",
        advertised: str | None = None,
        port: int = 0,
        clock: Clock = time.time,
    ) -> None:
        super().__init__(
            config if behaviour is None else config.model_copy(update={"behaviour": behaviour}), clock=clock
        )
        self.requests: deque[Recorded] = deque(maxlen=REMEMBERED_REQUESTS)
        """The last requests, oldest first; clear it as you like."""
        self.peak_in_flight: Counter[str] = Counter()
        """For each node the most calls that it had to answer at the same time; calls about the cluster count for the entry node."""
        self._in_flight: Counter[str] = Counter()
        self._host, self._port = host, port
        self._advertised = advertised or {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only compared
        self._names = [*self.nodes, self._advertised, *config.names]
        self._authority = Authority(self.name or next(iter(self.nodes)))
        self._faults = Faults()
        self._dispatcher = Dispatcher(self)
        self._servers: dict[str, NodeServer] = {}
        self._contexts = {
            name: server_context(self._issue(name, self._authority.leaf(name, self._names))) for name in self.nodes
        }

    async def __aenter__(self) -> Self:
        try:
            for number, node in enumerate(self.nodes.values()):
                self._servers[node.name] = server = NodeServer(
                    node,
                    behaviour=self.behaviour,
                    context=self._contexts[node.name],
                    handler=self._handle,
                    host=self._host,
                    port=self._port and self._port + number,
                )
                server.open()
                await server.ready()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await asyncio.gather(*(server.close() for server in self._servers.values()))
        self._servers.clear()

    @property
    def endpoints(self) -> list[str]:
        """The base addresses of all nodes, "https://127.0.0.1:PORT", the dead ones too."""
        return [self.endpoint(name) for name in self._servers]

    def endpoint(self, node: str) -> str:
        host = self._advertised
        return f"https://{f'[{host}]' if ':' in host else host}:{self._servers[node].port}"

    @property
    def ca_pem(self) -> str:
        return self._authority.pem

    @property
    def token_id(self) -> str:
        """Of the first token."""
        return next(iter(self.users))

    @property
    def token_secret(self) -> str:
        return self.secret(self.token_id)

    def kill_node(self, name: str) -> None:
        super().kill_node(name)
        self._servers[name].refuse()

    def _boot(self, node: Node) -> None:
        super()._boot(node)
        self._servers[node.name].disconnect()
        self._servers[node.name].open()

    def add_fault(self, fault: Fault) -> str:
        """Arm a fault. Returns its name for `remove_fault`."""
        return self._faults.arm(fault)

    def remove_fault(self, name: str | None = None) -> None:
        """Disarm one fault, or all."""
        self._faults.disarm(name)

    def replace_certificate(self, change: CertificateChange = "renewed", *, node: str | None = None) -> None:
        """Of one node or of all: a new one of the same authority, one of another authority (`ca_pem` stays), or one that has expired."""
        authority = Authority("another cluster") if change == "other-authority" else self._authority
        for name in self.nodes if node is None else [self._node(node).name]:
            self._issue(name, authority.leaf(name, self._names, expired=change == "expired")).into(self._contexts[name])
            if name in self._servers:
                self._servers[name].disconnect()

    def _issue(self, node: str, leaf: Leaf) -> Leaf:
        self.fingerprints[node] = leaf.fingerprint
        return leaf

    async def _handle(self, request: web.BaseRequest, node: Node) -> Reply:
        path = request.path.removeprefix(PREFIX)
        self.requests.append(Recorded(method=request.method, path=path, query=request.query_string, node=node.name))
        named = re.match(r"/nodes/([^/]+)/", path)
        answering = named[1] if named else node.name
        self._in_flight[answering] += 1
        self.peak_in_flight[answering] = max(self.peak_in_flight[answering], self._in_flight[answering])
        try:
            fault = self._faults.take(path=path, node=node.name)
            if fault is not None:
                return await faulty(fault, lambda: self._answer(request, path, node))
            return await self._answer(request, path, node)
        finally:
            self._in_flight[answering] -= 1

    async def _answer(self, request: web.BaseRequest, path: str, node: Node) -> Reply:
        if path == request.path:
            return self._protest(501, f"no such file '{path}'", node)
        if request.method == "HEAD" or (request.method == "GET" and request.can_read_body):
            return self._protest(
                501,
                "Unexpected content for method 'GET'" if request.method == "GET" else "method 'HEAD' not available",
                node,
            )
        asked = Request(
            method=request.method,
            path=path,
            query=dict(request.query),
            authorization=request.headers.get("Authorization"),
        )
        try:
            return Reply(200, "OK", await self._dispatcher.answer(asked, node))
        except NotAuthenticated as problem:
            await asyncio.sleep(self.behaviour.refusal_delay)
            return Reply(401, str(problem), None)
        except Refusal as refusal:
            return refused(refusal, with_message=node.version.errors_have_message)
        except ProxyFailure as failure:
            return Reply(failure.status, failure.reason, None)

    @staticmethod
    def _protest(status: int, reason: str, node: Node) -> Reply:
        """An error of the HTTP layer itself: no body before libpve-http-server 5.2.0, then the bare reason without a type."""
        return Reply(status, reason, reason.encode() if node.version.errors_have_message else None, untyped=True)
