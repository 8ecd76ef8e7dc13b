"""The HTTPS server of one node: pveproxy's habits on the wire (proxmox-api.md 2.9).

Where aiohttp would be more polite than the real server (a Content-Length for an empty body, a whole body), the bytes are written here.
"""

import asyncio
import json
import socket
import ssl
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from aiohttp import web

from proxmox_offerings.simulator.cluster import Node
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.faults import Fault
from proxmox_offerings.simulator.refusals import Refusal

PREFIX = "/api2/json"
JSON = "application/json;charset=UTF-8"
SERVER = "pve-api-daemon/3.0"
COMPRESS_FROM = 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What is to be sent. `body` None: nothing at all, not even its length; the end of the connection ends it."""

    status: int
    reason: str
    body: bytes | None
    headers: dict[str, str] = field(default_factory=dict)
    break_off: bool = False
    """Close in the middle of the body."""
    untyped: bool = False
    """Without a Content-Type, as the server's own errors are sent (AnyEvent.pm `error`)."""


Handler = Callable[[web.BaseRequest, Node], Awaitable[Reply]]


class BrokenConnectionError(ConnectionError):
    """The connection is to be broken without an answer."""


class NodeServer:
    """Listens for one node. Stopping it refuses connections, but keeps the port, so that the node can come back."""

    def __init__(
        self, node: Node, *, behaviour: Behaviour, context: ssl.SSLContext, handler: Handler, host: str, port: int
    ) -> None:
        self._node = node
        self._behaviour = behaviour
        self._context = context
        self._handler = handler
        self._host = host
        self._held = _claim(host, port)
        self.port: int = self._held.getsockname()[1]
        self._served: dict[web.RequestHandler, int] = {}
        self._web = web.Server(
            self._handle, keepalive_timeout=behaviour.keep_alive, access_log=None, handler_cancellation=True
        )
        self._listening: asyncio.Future[asyncio.Server] | None = None

    def open(self) -> None:
        """Accept connections from now on; they are answered as soon as the event loop runs."""
        if self._listening is None:
            bound = _bind(self._host, self.port)
            bound.listen(100)
            start = asyncio.get_running_loop().create_server(self._web, sock=bound, ssl=self._context)
            self._listening = asyncio.ensure_future(start)

    async def ready(self) -> None:
        if self._listening is not None:
            await self._listening

    def refuse(self) -> None:
        """Refuse connections from now on, and break those that there are."""
        if self._listening is not None:
            self._listening.add_done_callback(lambda done: done.result().close())
            if self._listening.done():
                self._listening.result().close()
            self._listening = None
        self.disconnect()

    def disconnect(self) -> None:
        for connection in list(self._web.connections):
            transport = connection.transport
            if isinstance(transport, asyncio.Transport):
                transport.abort()

    async def close(self) -> None:
        if self._listening is not None and self._listening.done():
            # What was accepted is handed over in the next turn of the loop; a server that is closed before that drops the socket, unclosed.
            for bound in self._listening.result().sockets:
                asyncio.get_running_loop().remove_reader(bound.fileno())
            await asyncio.sleep(0)
        self.refuse()
        await self._web.shutdown(timeout=0.1)
        self._held.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        served = self._count(request)
        try:
            reply = await self._handler(request, self._node)
        except BrokenConnectionError:
            _abort(request)
            return web.Response()
        if reply.body is None or reply.break_off or reply.untyped:
            return _raw(request, reply)
        body, headers = reply.body, _headers(reply)
        if len(body) > COMPRESS_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = (
                await asyncio.get_running_loop().run_in_executor(None, _gzip, body)
                if len(body) > 100_000
                else _gzip(body)
            )
            headers["Content-Encoding"] = "gzip"
        response = web.Response(status=reply.status, reason=reply.reason, body=body, headers=headers)
        last = reply.status >= 400 or served >= self._behaviour.requests_per_connection
        if last:
            response.force_close()
        response.headers["Connection"] = "close" if last else "Keep-Alive"
        return response

    def _count(self, request: web.BaseRequest) -> int:
        """How many requests this connection has brought, this one included."""
        if request.protocol not in self._served:
            open_ones = set(self._web.connections)
            self._served = {connection: count for connection, count in self._served.items() if connection in open_ones}
        self._served[request.protocol] = self._served.get(request.protocol, 0) + 1
        return self._served[request.protocol]


def refused(refusal: Refusal, *, with_message: bool) -> Reply:
    """A handler's error: `message` since 8.3, `errors` for parameters."""
    told: dict[str, Any] = {"data": None}
    if refusal.errors:
        told["errors"] = dict(refusal.errors)
    if with_message:
        told["message"] = f"{refusal.reason}\n"
    return Reply(refusal.status, refusal.reason, json.dumps(told, separators=(",", ":")).encode())


async def faulty(fault: Fault, honest: Callable[[], Awaitable[Reply]]) -> Reply:
    """The answer as the fault spoils it. Raises BrokenConnectionError."""
    await asyncio.sleep(fault.delay)
    if fault.hang:
        await asyncio.Event().wait()
    if fault.drop:
        raise BrokenConnectionError
    if fault.redirect is not None:
        return Reply(302, "Found", b"", {"Location": fault.redirect})
    if fault.oversized is not None:
        return Reply(200, "OK", b'{"data":"' + b"x" * max(0, fault.oversized - 11) + b'"}')
    if fault.status is not None or fault.body is not None:
        headers = {"Content-Type": fault.content_type or "text/html; charset=utf-8"}
        return Reply(fault.status or 200, fault.reason, None if fault.body is None else fault.body.encode(), headers)
    if fault.data is not None:
        return Reply(200, "OK", json.dumps({"data": fault.data}).encode())
    reply = await honest()
    if fault.truncate and reply.body:
        return Reply(reply.status, reply.reason, reply.body[: len(reply.body) // 2], reply.headers)
    return Reply(reply.status, reply.reason, reply.body, reply.headers, break_off=fault.break_off)


def _headers(reply: Reply) -> dict[str, str]:
    now = formatdate(time.time(), usegmt=True)
    usual = {
        "Cache-Control": "max-age=0",
        "Content-Type": JSON,
        "Date": now,
        "Expires": now,
        "Pragma": "no-cache",
        "Server": SERVER,
    }
    return usual | reply.headers


def _raw(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """A status line and headers, and then what Reply says of the body."""
    headers = _headers(reply)
    body = reply.body or b""
    if reply.body is None or reply.untyped:
        headers.pop("Content-Type")
    if reply.body is not None:
        headers["Content-Length"] = str(len(body))
    if reply.break_off:
        body = body[: len(body) // 2]
    lines = [
        f"HTTP/1.1 {reply.status} {reply.reason}",
        *(f"{key}: {value}" for key, value in headers.items()),
        "Connection: close",
        "",
        "",
    ]
    if request.transport is not None:
        request.transport.write("\r\n".join(lines).encode() + body)
    request.protocol.force_close()  # flushes, then closes; what aiohttp would still send finds the connection closed
    return web.Response()


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
    request.protocol.force_close()


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(level=1, wbits=31)
    return packer.compress(body) + packer.flush()


def _claim(host: str, port: int) -> socket.socket:
    """A port of our own. Sharing is only meant for our own two sockets, so a fixed port must be nobody else's. Raises OSError."""
    if port != 0:
        with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    return _bind(host, port)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bind(host: str, port: int) -> socket.socket:
    """Sockets that share a port: one holds it while the node is dead, the other listens while it lives. Raises OSError."""
    bound = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
