"""The HTTP session that kopf watches through. Every failure of the API server ends here, so that kopf meets none.

Left alone, kopf 1.45 ends its process on an ERROR event other than 410, on a truncated line, on 404 and on a refused token, and calls without
a pause where streams end at once (operator-practice 1.4). Restarting it inside the process would leave watches of the failed run behind (kopf's
issue 1276). So each call is repeated until it works, after growing delays in disorder and with the credentials of that moment; a stream that
breaks is told to kopf as one that ended, which kopf resumes from the last version it saw; and one that the API server gives up is told as 410,
after which kopf lists again.

What kopf hears is what is news (`wire`).
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import aiohttp
import kopf

from proxmox_offerings.controller import wire
from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.contact import Contact
from proxmox_offerings.controller.wire import KINDS
from proxmox_offerings.kube.apply import PREFIX
from proxmox_offerings.kube.client import KubeClient, message_of, retry_after
from proxmox_offerings.kube.errors import NOT_INSTALLED, UNTRUSTED, KubeError
from proxmox_offerings.kube.objects import LiveObject, Ref

GONE: Final = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'
"""After this kopf lists again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to wait.

    `answer`: until an answer begins. `delay`: between two attempts, at most. `steady`: a stream that lasted as long did not end at once.
    `silence`: a stream without any byte for as long is dead, for the API server sends a bookmark each minute. `grace`: without contact until
    the operator is not ready. `settle`: from when kopf listed, or heard the API server again, until we list. `abandoned`: from when a list or
    watch ended until it is clear that nobody goes on with it.
    """

    answer: float = 30
    steady: float = 5
    silence: float = 90
    settle: float = 30
    abandoned: float = 300
    delay: float = 10
    grace: float = 30


class Ear(Protocol):
    """Who hears of objects before kopf does (LiveObjects). Kinds are plurals."""

    def knows(self, plural: str, ref: Ref, version: int) -> bool:
        """Whether this version of an object, or a newer one, is known."""

    def hears(self, plural: str, seen: LiveObject) -> bool:
        """Take note of a version of an object that nobody has to act on. Whether it is one."""


class Failed(Exception):
    """A call did not work; try again, not before `after` seconds."""

    def __init__(self, problem: str, *, after: float = 0) -> None:
        super().__init__(problem)
        self.after = after


@dataclass(slots=True, kw_only=True)
class Call:
    """What is remembered of one URL: how long to wait before it is called again, and whether its last stream was silent to the end.

    `missed`: it did not work for a while; what happened meanwhile may not be told any more.
    """

    name: str
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.25))
    wait: float = 0
    was_silent: bool = False
    missed: bool = False


class Streams:
    """Makes sessions for kopf, and is their middleware.

    `relisted` is called whenever kopf lists: it does not compare, so somebody else has to find what is gone since. And when a watch works again.
    `abandoned` is told of a kind that kopf does not watch any more, whatever made it stop (its issue 1276).
    """

    def __init__(
        self,
        *,
        client: KubeClient,
        contact: Contact,
        namespaces: Sequence[str | None],
        ear: Ear,
        relisted: Callable[[], None],
        abandoned: Callable[[str], None],
        patience: Patience,
    ) -> None:
        self._client = client
        self._contact = contact
        self._namespaces = namespaces
        self._ear = ear
        self._relisted = relisted
        self._abandoned = abandoned
        self._patience = patience
        self._calls: dict[str, Call] = {}
        self._session: aiohttp.ClientSession | None = None
        self._unattended: dict[str, asyncio.TimerHandle] = {}

    def session(self) -> kopf.AiohttpSession:
        """A new session, which kopf closes, and where it leads."""
        self._contact.awaits(_name_of("watch", kind, namespace) for kind in KINDS for namespace in self._namespaces)
        configuration = self._client.configuration
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._client.tls),
            middlewares=(self,),
            proxy=configuration.proxy,
            trust_env=False,
        )
        return kopf.AiohttpSession(server=configuration.host, aiohttp_session=self._session)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send `request` until it works."""
        is_watch = "watch" in request.url.query
        name = _name_in(request.url.path, is_watch=is_watch)
        call = self._calls.setdefault(name, Call(name=name))
        place = request.url.path
        self._attended(place)
        try:
            response = await self._until_it_works(request, handler, call, is_watch=is_watch)
        finally:
            self._unattended_from_now(place)
        return self._stream(response, call, place) if is_watch else self._whole(response, call)

    async def _until_it_works(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType, call: Call, *, is_watch: bool
    ) -> aiohttp.ClientResponse:
        while True:
            await asyncio.sleep(call.wait)
            try:
                async with self._in_time():
                    response = await self._attempt(request, handler, is_watch=is_watch)
            except Failed as failure:
                self._contact.failed(call.name, str(failure))
                call.missed = True
                call.wait = max(call.backoff.next(most=self._patience.delay), min(failure.after, self._patience.delay))
            else:
                call.wait = 0
                return response

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Whatever can go wrong in a call, as Failed."""
        try:
            async with asyncio.timeout(self._patience.answer):
                yield
        except TimeoutError:
            raise Failed("the API server did not answer in time") from None
        except KubeError as problem:
            raise Failed(str(problem)) from None
        except (aiohttp.ClientError, OSError) as problem:
            raise Failed(f"the API server was not reached ({type(problem).__name__})") from None

    async def _attempt(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType, *, is_watch: bool
    ) -> aiohttp.ClientResponse:
        authorization = await self._client.authorization()
        if authorization is not None:
            request.headers["Authorization"] = authorization
        if self._session is not None and self._session.closed:
            # kopf ends, and left some of its calls behind: aiohttp would fail an assertion, and kopf would end with that.
            raise asyncio.CancelledError
        try:
            response = await handler(request)
        except aiohttp.ClientConnectorCertificateError:
            await self._client.renew(refused=authorization)
            raise Failed(UNTRUSTED) from None
        if is_watch and response.status < 400:
            return response
        if _kind_in(request.url.path) in KINDS and response.status < 400:
            await self._shorten(response, _kind_in(request.url.path))
            return response
        content = await response.read()
        if response.status == 410:
            return response
        if response.status == 401:
            if authorization is None:
                # It is the connection's certificate that was refused: no connection with that one is to be used again.
                request.headers["Connection"] = "close"
            await self._client.renew(refused=authorization)
        if response.status == 404:
            raise Failed(NOT_INSTALLED)
        if response.status >= 400:
            raise Failed(message_of(content, response.status), after=retry_after(response.headers))
        if problem := wire.problem_of(request.url.path, content):
            raise Failed(problem)
        return response

    async def _shorten(self, response: aiohttp.ClientResponse, plural: str) -> None:
        """Take out of a list what is known. Raises Unavailable if it is none."""
        try:
            content = wire.without_known(await response.content.read(), functools.partial(self._ear.knows, plural))
        except BaseException:
            response.close()
            raise
        response.content = Body(response.content, whole=content)  # type: ignore[assignment]

    def _whole(self, response: aiohttp.ClientResponse, call: Call) -> aiohttp.ClientResponse:
        if response.status == 410:
            # Listing took so long that its next page is not kept any more: kopf begins anew.
            raise aiohttp.ClientPayloadError("410 Gone")
        call.backoff.reset()
        self._contact.works(call.name)
        if _kind_in(response.url.path) in KINDS:
            self._relisted()
        return response

    def _stream(self, response: aiohttp.ClientResponse, call: Call, place: str) -> aiohttp.ClientResponse:
        if response.status == 410:
            self._ended(call, "the watch cannot go on from where it was (410)")
            response.status = 200
            lines = _gone()
        else:
            lines = self._lines(response.content, call, place)
        response.content = Body(response.content, lines=lines)  # type: ignore[assignment]
        return response

    async def _lines(self, content: aiohttp.StreamReader, call: Call, place: str) -> AsyncIterator[bytes]:
        """Whole events that are news and nothing else, until the stream is of no more use; the last one is GONE if there is no going on from here."""
        self._attended(place)
        loop = asyncio.get_running_loop()
        steady = loop.call_later(self._patience.steady, self._is_steady, call)
        began, part, gone = loop.time(), b"", False
        plural = _kind_in(place)
        problem = "the watch ended at once"
        try:
            while not gone and (chunk := await self._chunk(content)):
                if call.was_silent:
                    call.was_silent = False
                    if loop.time() - began >= self._patience.steady:
                        self._is_steady(call)
                *lines, part = (part + chunk).split(b"\n")
                for line in filter(None, lines):
                    try:
                        news = self._is_news(line, plural)
                    except wire.NoEvent as error:
                        gone, problem = True, str(error)
                        break
                    if news:
                        yield line + b"\n"
            if part:
                problem = "the watch ended in the middle of a line"
        except TimeoutError:
            call.was_silent = True
            problem = f"the watch was silent for {self._patience.silence:.0f} s"
        except (aiohttp.ClientError, OSError) as failure:
            problem = f"the watch broke off ({type(failure).__name__})"
        finally:
            steady.cancel()
            self._unattended_from_now(place)
        if call.was_silent or loop.time() - began < self._patience.steady:
            self._ended(call, problem)
        if gone:
            yield GONE

    def _is_news(self, line: bytes, plural: str) -> bool:
        """Whether kopf has to hear of it. Raises NoEvent."""
        if wire.is_known(line, functools.partial(self._ear.knows, plural)):
            return False
        version = wire.version_in(line)
        return version is None or not self._ear.hears(plural, version)

    async def _chunk(self, content: aiohttp.StreamReader) -> bytes:
        async with asyncio.timeout(self._patience.silence):
            return await content.readany()

    def _ended(self, call: Call, problem: str) -> None:
        self._contact.failed(call.name, problem)
        call.missed = True
        call.wait = call.backoff.next(most=self._patience.delay)

    def _is_steady(self, call: Call) -> None:
        if not call.was_silent:
            call.backoff.reset()
            self._contact.works(call.name)
            if call.missed:
                call.missed = False
                self._relisted()

    def _attended(self, place: str) -> None:
        if timer := self._unattended.pop(place, None):
            timer.cancel()

    def _unattended_from_now(self, place: str) -> None:
        """Whoever lists or watches at `place` (a URL's path) has what was asked for, and will ask for more."""
        if _kind_in(place) in KINDS:
            self._attended(place)
            what = _name_in(place, is_watch=True)
            loop = asyncio.get_running_loop()
            self._unattended[place] = loop.call_later(self._patience.abandoned, self._abandoned, what)


class Body:
    """The body of an answer as kopf gets it: a list by `read`, a watch by `iter_chunked`; everything else about it is aiohttp's."""

    def __init__(
        self, content: aiohttp.StreamReader, *, whole: bytes = b"", lines: AsyncIterator[bytes] | None = None
    ) -> None:
        self._content = content
        self._whole = whole
        self._lines = lines

    async def read(self) -> bytes:
        """All of it."""
        return self._whole

    def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """The lines, one at a time."""
        if self._lines is None:
            raise TypeError("not a watch")
        return self._lines

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)


async def _gone() -> AsyncIterator[bytes]:
    yield GONE


def _kind_in(path: str) -> str:
    """The plural that the path of a list or watch ends with."""
    return path.rpartition("/")[2]


def _name_in(path: str, *, is_watch: bool) -> str:
    """What a URL is called in the log: "watch of offerings in shop"."""
    if not path.startswith(f"{PREFIX}/"):
        return path
    *scope, plural = path.removeprefix(f"{PREFIX}/").split("/")
    return _name_of("watch" if is_watch else "list", plural, scope[1] if scope else None)


def _name_of(verb: str, plural: str, namespace: str | None) -> str:
    return f"{verb} of {plural}" + (f" in {namespace}" if namespace else "")
