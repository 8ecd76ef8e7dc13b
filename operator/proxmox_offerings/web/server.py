"""HTTP, and nothing but HTTP: who may ask what, with which headers it is answered, and how much of that is borne.

Only GET and HEAD, without a body. No name of a file, no header and no part of a URL is ever made part of an answer. All is bounded: connections,
bytes of a request, time for a request and for its answer. Aimed at being put behind a proxy that speaks TLS, and safe without one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import web

from proxmox_offerings.web.assets import TYPES, asset
from proxmox_offerings.web.contents import Source
from proxmox_offerings.web.frame import Look
from proxmox_offerings.web.kitchen import SETTLE_SECONDS, Answer, Busy, Kitchen, NotReady, NotThere
from proxmox_offerings.web.menu import recipe_of
from proxmox_offerings.web.visits import OnVisit, Page, Result, nobody

log = structlog.get_logger(__name__)

MOST_CONNECTIONS: Final = 256
LONGEST_LINE: Final = 4096
"""Bytes of a request's first line, and of each header."""
MOST_HEADERS: Final = 64
IDLE_SECONDS: Final = 20.0
"""For a request to arrive, counted from the connection or from the answer before."""
ANSWER_SECONDS: Final = 60.0
"""For an answer to be made and taken."""
CHUNK: Final = 64 * 1024
MOST_FRESH_SECONDS: Final = 10
"""What caches may show without asking; less where something ends sooner."""
FOR_EVER: Final = "public, max-age=31536000, immutable"
TEXT: Final = "text/plain; charset=utf-8"

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "proxmox-offerings",
}
"""Of every answer."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class _Refused(Exception):
    """A request that is answered with one line."""

    def __init__(
        self, status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None, *, close: bool = False
    ) -> None:
        super().__init__(text)
        self.status, self.text, self.headers, self.close = status, text, headers or {}, close


class _Connection(web.RequestHandler):
    """aiohttp's, but neither what is no HTTP nor who hangs up is logged (anybody could fill the log), and nothing is quoted."""

    def __init__(self, *args: Any, visited: OnVisit, **options: Any) -> None:
        super().__init__(*args, **options)
        self._visited = visited

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        del message
        if isinstance(exc, ConnectionError):
            raise exc  # whoever asked is gone: nobody is to be answered, and nothing is wrong
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if failed:
            log.error("catalogue page failed", path=request.path, exc_info=exc)
        self._visited(Page.at(request.path) if failed else Page.OTHER, Result.of(status))
        response = web.Response(status=status, text=f"{HTTPStatus(status).phrase.lower()}\n", headers=HEADERS)
        response.force_close()
        return response


class _TooMany(asyncio.Protocol):
    """Says so, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a server of TCP makes no other
        transport.write(
            b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"
        )
        transport.close()


class _Server(web.Server):
    """Makes connections, up to a number."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], visited: OnVisit) -> None:
        super().__init__(handler)
        self._visited = visited

    def __call__(self) -> Any:
        if len(self.connections) >= MOST_CONNECTIONS:
            self._visited(Page.OTHER, Result.FAILED)
            return _TooMany()
        return _Connection(
            self,
            visited=self._visited,
            loop=asyncio.get_running_loop(),
            access_log=None,  # what its own runner is given, too
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=0.0,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            max_headers=MOST_HEADERS,
        )


class CatalogueServer:
    """Serves until stopped. `port` is the real one after `start`.

    `visited` is told of each request. `only_for`: the names by which it may be asked, where whoever runs it has to be kept safe from pages of others
    that lead their names here; empty: any.
    """

    def __init__(
        self,
        source: Source,
        *,
        address: str,
        port: int,
        look: Look,
        only_for: frozenset[str] = frozenset(),
        now: Callable[[], datetime] = utc_now,
        settle_seconds: float = SETTLE_SECONDS,
        visited: OnVisit = nobody,
    ) -> None:
        self.port = port
        self._address = address
        self._look = look
        self._only_for = only_for
        self._now = now
        self._kitchen = Kitchen(source, now=now, settle_seconds=settle_seconds)
        # Nobody waits at the end for connections that a browser keeps open.
        self._runner = web.ServerRunner(_Server(self._handle, visited), shutdown_timeout=1.0)
        self._visited = visited

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        await self._runner.cleanup()
        await self._kitchen.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        page = Page.at(request.path)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                response = await self._answer(request)
        except _Refused as refused:
            response = self._refusal(refused)
        except ConnectionError:
            self._visited(page, Result.CUT)
            raise
        except TimeoutError:
            self._visited(page, Result.CUT)
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError from None
        self._visited(page, Result.of(response.status))
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._check(request)
        path = request.path
        if path.startswith("/assets/"):
            return await self._asset(request, path.removeprefix("/assets/"))
        recipe = recipe_of(path, request.query_string, look=self._look)
        if recipe is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
        try:
            answer = await self._kitchen.answer(recipe)
        except NotThere:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing of this name") from None
        except NotReady:
            problem = "not known yet what there is: try again in a moment"
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, problem, {"Retry-After": "2"}) from None
        except Busy:
            problem = "too many ask at once: try again in a moment"
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, problem, {"Retry-After": "5"}) from None
        return await self._send(
            request,
            body=answer.body,
            compressed=answer.compressed,
            content_type=answer.content_type,
            etag=answer.etag,
            cache=self._cache_control(answer),
        )

    def _check(self, request: web.BaseRequest) -> None:
        """Raises _Refused for what is answered nowhere."""
        if request.method not in ("GET", "HEAD"):
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD", {"Allow": "GET, HEAD"}, close=True)
        if request.can_read_body:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a request has no body here", close=True)
        if self._only_for and _name_of(request.headers.get("Host", "")) not in self._only_for:
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, "this server is not known by that name")

    async def _asset(self, request: web.BaseRequest, name: str) -> web.StreamResponse:
        if name not in TYPES:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
        found = asset(name)
        known = request.query.get("v") == found.version
        return await self._send(
            request,
            body=found.body,
            compressed=None,
            content_type=found.content_type,
            etag=f'"{found.version}"',
            cache=FOR_EVER if known else "no-cache",
        )

    def _cache_control(self, answer: Answer) -> str:
        """As long as nothing that it says ends, and never longer than a visitor would mind. Details are for browsers alone."""
        fresh = MOST_FRESH_SECONDS
        if answer.soonest_end is not None:
            fresh = min(fresh, max(0, int((answer.soonest_end - self._now()).total_seconds())))
        return f"{'private' if self._look.details else 'public'}, max-age={fresh}, must-revalidate"

    async def _send(
        self,
        request: web.BaseRequest,
        *,
        body: bytes,
        compressed: bytes | None,
        content_type: str,
        etag: str,
        cache: str,
    ) -> web.StreamResponse:
        headers = {**self._headers(), "ETag": etag, "Cache-Control": cache, "Vary": "Accept-Encoding"}
        if _knows(request, etag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        headers["Content-Type"] = content_type
        if compressed is not None and _takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            body = compressed
        response = web.StreamResponse(headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        if request.method != "HEAD":
            for start in range(0, len(body), CHUNK):
                await response.write(body[start : start + CHUNK])
        await response.write_eof()
        return response

    def _refusal(self, refused: _Refused) -> web.Response:
        response = web.Response(
            status=refused.status,
            body=f"{refused.text}\n".encode(),
            headers={**self._headers(), **refused.headers, "Content-Type": TEXT, "Cache-Control": "no-store"},
        )
        if refused.close:
            response.force_close()
        return response

    def _headers(self) -> dict[str, str]:
        return {**HEADERS, "Date": format_datetime(self._now(), usegmt=True)}


def _knows(request: web.BaseRequest, etag: str) -> bool:
    """Whether the visitor has this answer already: If-None-Match, compared weakly (RFC 9110, 13.1.2)."""
    known = request.headers.get("If-None-Match", "")
    plain = etag.removeprefix("W/")
    return known.strip() == "*" or any(one.strip().removeprefix("W/") == plain for one in known.split(","))


def _takes_gzip(request: web.BaseRequest) -> bool:
    for offer in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.strip().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _name_of(host: str) -> str:
    """The name in a Host header, without port."""
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
