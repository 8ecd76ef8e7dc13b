"""Clients of simulated Proxmox clusters, and servers that answer with any bytes, for what no honest server does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from cryptography.hazmat.primitives import serialization

from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.proxmox.transport import Bounds, Transport
from proxmox_offerings.simulator.certificates import Authority, server_context
from proxmox_offerings.simulator.config import Behaviour, SimulatorConfig
from proxmox_offerings.simulator.simulator import Simulator

PATIENT = Bounds()
QUICK = Bounds(connect_seconds=5, read_seconds=0.8, node_read_seconds=0.8, answer_seconds=0.8)
"""For tests of what happens when time runs out; enough of it for what is there to answer on a busy machine."""

TOKEN = Token(id="offerings@pve!reader", secret="11111111-2222-3333-4444-555555555555")


def simulated(config: SimulatorConfig) -> Simulator:
    """A simulator that refuses without the real server's delay."""
    return Simulator(config, behaviour=Behaviour(refusal_delay=0, seed=1))


def token_of(simulator: Simulator) -> Token:
    return Token(id=simulator.token_id, secret=simulator.token_secret)


@asynccontextmanager
async def client_of(
    simulator: Simulator,
    *,
    endpoints: Sequence[str] | None = None,
    token: Token | None = None,
    tls: TLSPolicy | None = None,
    bounds: Bounds = PATIENT,
    **options: Any,
) -> AsyncIterator[ProxmoxClient]:
    """A client that trusts the simulated cluster's own authority, unless told otherwise."""
    transport = Transport(
        endpoints=endpoints or simulator.endpoints,
        token=token or token_of(simulator),
        tls=tls or TLSPolicy(ca_bundle=simulator.ca_pem),
        bounds=bounds,
        **options,
    )
    client = ProxmoxClient(transport)
    try:
        yield client
    finally:
        await client.aclose()


class RawServer:
    """A TLS server whose connections run `script(reader, writer)`; `received` is all that clients sent after their handshakes."""

    def __init__(self, script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self._script = script
        self._authority = Authority("raw")
        self._leaf = self._authority.leaf("raw", [])
        self.fingerprint = self._leaf.fingerprint
        self.ca_pem = self._authority.pem
        self.certificate_pem = self._leaf.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        self.received = b""
        self.connections = 0

    async def __aenter__(self) -> "RawServer":
        context: ssl.SSLContext = server_context(self._leaf)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.endpoint = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while part := await reader.read(65536):
                self.received += part
                await self._script(reader, writer)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def transport(self, *, tls: TLSPolicy | None = None, bounds: Bounds = PATIENT) -> Transport:
        return Transport(
            endpoints=[self.endpoint], token=TOKEN, tls=tls or TLSPolicy(ca_bundle=self.ca_pem), bounds=bounds
        )


def answering(answer: bytes) -> RawServer:
    """Sends these bytes for each request, and closes the connection."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    return RawServer(script)
