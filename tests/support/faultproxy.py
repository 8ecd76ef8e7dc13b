"""A reverse proxy in front of the real API server, which misbehaves as told: the way to an API server's faults without faking the API server.

It keeps one port for as long as it exists, also while it refuses connections, and ends TLS with a certificate of the cluster's authority. So it takes
tokens, not client certificates.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import aiohttp
from aiohttp import web
from tools.kube.certificates import Authority

from support.controlplane import Cluster
from support.loops import end_connections

Result = TypeVar("Result")
PATIENCE = 15.0
HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that came in. `verb` is list, watch or get, or the HTTP method in small letters; `resource` a plural, with its subresource if any."""

    verb: str
    resource: str
    path: str
    token: str
    at: float

    @classmethod
    def of(cls, request: web.Request) -> Self:
        resource, name = _resource_of(request.path)
        verb = request.method.lower()
        if verb == "get":
            verb = "watch" if "watch" in request.query else "get" if name else "list"
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return cls(verb=verb, resource=resource, path=request.path, token=token, at=time.monotonic())

    @property
    def is_write(self) -> bool:
        return self.verb not in ("list", "watch", "get")


class Fault(Protocol):
    """Answers in the place of the API server. `forward` sends the request on and gives its answer."""

    async def __call__(self, request: web.Request, forward: "Forward") -> web.StreamResponse: ...


Forward = Callable[[], "contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]"]


def status(code: int, *, retry_after: int | None = None) -> Fault:
    """An HTTP status, as the API server words it."""

    async def answer(request: web.Request, forward: Forward) -> web.StreamResponse:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return web.json_response(failure(code), status=code, headers=headers)

    return answer


def body(content: bytes, *, content_type: str = "application/json", end: bool = True) -> Fault:
    """Status 200 and these bytes; then the end, or else nothing ever again."""

    async def answer(request: web.Request, forward: Forward) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        await response.write(content)
        if not end:
            await asyncio.Event().wait()
        return response

    return answer


def error_event(code: int) -> Fault:
    """A watch whose only line is an ERROR."""
    return body(json.dumps({"type": "ERROR", "object": failure(code)}).encode() + b"\n")


def stall() -> Fault:
    """No answer, ever."""

    async def answer(request: web.Request, forward: Forward) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return answer


def cut(*, after: int) -> Fault:
    """The real answer, until so many bytes of its body are through; then the connection breaks."""

    async def answer(request: web.Request, forward: Forward) -> web.StreamResponse:
        response = await _beginning(request, forward, length=after)
        assert request.transport is not None
        request.transport.abort()
        return response

    return answer


def truncated(*, after: int) -> Fault:
    """The real answer, until so many bytes of its body are through; then an end in good order, as if that were all."""

    async def answer(request: web.Request, forward: Forward) -> web.StreamResponse:
        return await _beginning(request, forward, length=after)

    return answer


async def _beginning(request: web.Request, forward: Forward, *, length: int) -> web.StreamResponse:
    async with forward() as real:
        response = web.StreamResponse(status=real.status, headers=_passed_on(real.headers))
        await response.prepare(request)
        left = length
        async for chunk in real.content.iter_any():
            await response.write(chunk[:left])
            left -= len(chunk)
            if left <= 0:
                break
    return response


def failure(code: int) -> dict[str, Any]:
    """A Status object."""
    phrase = HTTPStatus(code).phrase
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": f"proxy: {phrase}"}


@dataclass
class Rule:
    """A fault for the calls that `matches`, for the next `times` of them."""

    fault: Fault
    matches: Callable[[Call], bool]
    times: float


@dataclass
class FaultProxy:
    """Use as a context manager; may be called from any thread. `seen` holds all calls in order; `token`, if set, is the only one that is accepted."""

    cluster: Cluster
    seen: list[Call] = field(default_factory=list)
    token: str | None = None

    def __enter__(self) -> Self:
        # Bound but not listening: nobody else gets the port while connections are refused.
        self._keeper = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._keeper.bind(("127.0.0.1", 0))
        self._rules: list[Rule] = []
        self._streams: dict[int, web.Request] = {}
        self._site: web.SockSite | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        self._keeper.close()

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self._keeper.getsockname()[1]}"

    def write_kubeconfig(self, path: Path, *, token_file: Path | None = None) -> Path:
        """For the administrator, by way of this proxy; with the token in that file in place of the administrator's."""
        content = json.loads(self.cluster.kubeconfig.read_text(encoding="utf-8"))
        content["clusters"][0]["cluster"]["server"] = self.server
        if token_file is not None:
            content["users"][0]["user"] = {"tokenFile": str(token_file)}
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def add(
        self,
        fault: Fault,
        *,
        verb: str | None = None,
        resource: str | None = None,
        path: str | None = None,
        times: float = float("inf"),
    ) -> None:
        """From now on, `fault` for the next `times` calls of this verb ("write" for all that write), resource and path; None: of all."""

        def matches(call: Call) -> bool:
            fits = verb is None or call.verb == verb or (verb == "write" and call.is_write)
            return fits and (resource is None or call.resource == resource) and (path is None or call.path == path)

        self._rules.append(Rule(fault, matches, times))

    @contextlib.contextmanager
    def failing(self, fault: Fault, *, verb: str | None = None, resource: str | None = None) -> Iterator[None]:
        """`fault` for a block; streams that are open break at its begin, and those that it left open at its end."""
        self.add(fault, verb=verb, resource=resource)
        self.break_streams()
        yield
        self.heal()

    def heal(self) -> None:
        """No faults any more."""
        self._rules.clear()
        self.break_streams()

    def break_streams(self) -> None:
        """Break the connections of all answers that are not complete."""

        async def abort() -> None:
            for request in self._streams.values():
                if request.transport is not None:
                    request.transport.abort()

        self._do(abort())

    def refuse(self) -> None:
        """Refuse connections, and break those that there are."""

        async def stop_listening() -> None:
            await self._stop_listening()
            for connection in self._runner.server.connections if self._runner.server else ():
                if connection.transport is not None:
                    connection.transport.abort()

        self._do(stop_listening())

    def accept(self) -> None:
        """Accept connections again, at the same port."""
        self._do(self._listen())

    def calls(self, *, verb: str | None = None, resource: str | None = None, since: float = 0) -> list[Call]:
        """What came in."""
        return [
            call
            for call in list(self.seen)
            if call.at >= since
            and (verb is None or call.verb == verb or (verb == "write" and call.is_write))
            and (resource is None or call.resource == resource)
        ]

    def _do(self, work: Awaitable[Result]) -> Result:
        async def main() -> Result:
            return await work

        return asyncio.run_coroutine_threadsafe(main(), self._loop).result(PATIENCE)

    async def _open(self) -> None:
        upstream = ssl.create_default_context(cafile=str(self.cluster.directory / "ca.crt"))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=upstream, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
            auto_decompress=False,
        )
        pair = Authority(self.cluster.directory).server()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = self.cluster.directory / f"proxy-{self._keeper.getsockname()[1]}.pem"
        certificate.write_bytes(pair.certificate + pair.key)
        self._tls.load_cert_chain(certificate)
        certificate.unlink()
        application = web.Application(client_max_size=0)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(self._keeper.getsockname())
        self._site = web.SockSite(self._runner, listening, ssl_context=self._tls)
        await self._site.start()

    async def _stop_listening(self) -> None:
        """What was accepted is handed over in the next turn of the loop: a server that is closed before that drops the socket, unclosed."""
        if self._site is None:
            return
        server = self._site._server
        for listening in server.sockets if isinstance(server, asyncio.Server) else ():
            self._loop.remove_reader(listening.fileno())
        await asyncio.sleep(0)
        await self._site.stop()
        self._site = None

    async def _close(self) -> None:
        await self._stop_listening()
        await self._runner.cleanup()
        await self._session.close()
        await end_connections()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = Call.of(request)
        self.seen.append(call)
        self._streams[id(request)] = request
        try:
            return await self._answer(request, call)
        finally:
            del self._streams[id(request)]

    async def _answer(self, request: web.Request, call: Call) -> web.StreamResponse:
        content = await request.read()

        def forward() -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
            headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP_BY_HOP}
            headers["Authorization"] = f"Bearer {self.cluster.admin_token}"
            return self._session.request(
                request.method, f"{self.cluster.server}{request.rel_url}", headers=headers, data=content or None
            )

        if self.token is not None and call.token != self.token:
            return await status(401)(request, forward)
        for rule in self._rules:
            if rule.times > 0 and rule.matches(call):
                rule.times -= 1
                return await rule.fault(request, forward)
        return await _pass(request, forward)


async def _pass(request: web.Request, forward: Forward) -> web.StreamResponse:
    try:
        async with forward() as real:
            response = web.StreamResponse(status=real.status, headers=_passed_on(real.headers))
            await response.prepare(request)
            async for chunk in real.content.iter_any():
                await response.write(chunk)
            return response
    except aiohttp.ClientError:
        # The API server itself is away: so is its proxy, for whoever asks.
        assert request.transport is not None
        request.transport.abort()
        raise


def _passed_on(headers: Any) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() not in HOP_BY_HOP}


def _resource_of(path: str) -> tuple[str, str]:
    """Plural, with the subresource if any, and name."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join(parts[:1] + parts[2:3]), parts[1] if len(parts) > 1 else ""
