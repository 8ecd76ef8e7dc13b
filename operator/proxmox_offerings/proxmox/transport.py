"""All HTTP to Proxmox VE: GET one path from whichever endpoint of the cluster answers, within bounds.

An answer is believed only if it is HTTP 200 with JSON and a `data` member. Redirects, cookies and proxies do not exist here: they are features
of httpx.Client, and this uses httpx's transports directly. The transport is also the seam for tests and for other ways to connect.
The token leaves only through a finished, verified TLS handshake, and no text of an answer gets into a message.
"""

import asyncio
import contextlib
import functools
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

import httpx

from proxmox_offerings import __version__
from proxmox_offerings.proxmox.adaptive import NODE_DOES_NOT_ANSWER, AdaptiveLimit, Place
from proxmox_offerings.proxmox.addresses import AddressPolicy
from proxmox_offerings.proxmox.body import body_of, let_go
from proxmox_offerings.proxmox.decoding import data_of
from proxmox_offerings.proxmox.errors import (
    CallFailed,
    CertificateRejected,
    ConnectionFailed,
    EndpointForbidden,
    InvalidHost,
    ObservationError,
    Unauthorized,
)
from proxmox_offerings.proxmox.network import AddressRefused, GuardedTransport, Resolve, resolve
from proxmox_offerings.proxmox.room import BYTES_OF_ONE, OF_THE_PROCESS, Held, Room
from proxmox_offerings.proxmox.tls import FingerprintMismatch, TLSPolicy
from proxmox_offerings.proxmox.token import Token

TransportFactory = Callable[[ssl.SSLContext, httpx.Limits], httpx.AsyncBaseTransport]
OnCall = Callable[[str, str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long and how large a call may be. The values follow from the server's own (proxmox-api.md 2.9, 2.10).

    `read_seconds` is for calls that the entry node answers itself; those that go to a node must outlast the server's own limit of 30 s, which
    ends in a 596. `answer_seconds` bounds the whole of one answer beyond these waits, `call_seconds` a call over all endpoints.
    """

    connect_seconds: float = 5
    read_seconds: float = 10
    node_read_seconds: float = 35
    answer_seconds: float = 10
    call_seconds: float = 30
    node_call_seconds: float = 60
    body_bytes: int = 32 * 2**20
    """Of one answer, as sent and as inflated: /cluster/resources of some 70,000 guests."""
    values: int = 2_000_000
    """Values and objects in one answer: each takes a hundred times the memory that it may take in the text."""
    calls_per_node: int = 2
    node_calls: int = 8
    """To all nodes together, while the cluster answers well."""
    slow_seconds: float = 15
    """From then on an answer of a node tells of trouble: most take milliseconds, and one dead storage no more than 10 s (proxmox-api.md 2.4)."""
    keepalive_seconds: float = 2
    """The server closes idle connections after 5 s; a call sent at that moment would be lost."""


DEFAULT_BOUNDS = Bounds()


def transport_to(addresses: AddressPolicy | None, *, resolve: Resolve = resolve) -> TransportFactory:
    """HTTP/1.1 over TLS to the addresses that the policy permits; None: to all. The environment's proxies and certificate settings are not looked
    at. `resolve`: the system's resolver, unless told otherwise.
    """
    return functools.partial(GuardedTransport, addresses=addresses, resolve=resolve)


https_transport: TransportFactory = transport_to(None)


class Transport:
    """GET with failover. The endpoint that answered last is asked first; one that fails is asked last.

    At most two calls are in flight for each node: those that a node answers itself count for that endpoint, proxied ones for their target. Of proxied
    calls there are at most eight, and fewer while the cluster is in trouble (adaptive.py).
    Proxied calls have connections of their own, so that a hanging node never holds up the calls of the fast loop.
    `on_call(label, result, seconds)` is told of each attempt; `result` is the HTTP status or a word for what went wrong.
    """

    def __init__(
        self,
        *,
        endpoints: Sequence[str],
        token: Token,
        tls: TLSPolicy,
        bounds: Bounds = DEFAULT_BOUNDS,
        transport_factory: TransportFactory = https_transport,
        on_call: OnCall | None = None,
        room: Room = OF_THE_PROCESS,
    ) -> None:
        """Raises InvalidHost where the TLS policy or an endpoint cannot be used."""
        if not endpoints or not all(endpoint.startswith("https://") for endpoint in endpoints):
            raise InvalidHost(
                "spec.endpoints must be addresses that begin with https://: the token would travel in clear"
            )
        for endpoint in endpoints:
            try:
                httpx.URL(endpoint)
            except httpx.InvalidURL:
                raise InvalidHost(f"{endpoint} in spec.endpoints has no host that can be one") from None
        context = tls.context()
        self._endpoints = tuple(endpoint.rstrip("/") for endpoint in endpoints)
        self._bounds = bounds
        self._room = Room(max(BYTES_OF_ONE, bounds.body_bytes), within=room)
        self._on_call = on_call
        self._current = 0
        self._token = token
        self._headers = {
            "Authorization": token.authorization,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"proxmox-offerings/{__version__}",
        }

        def connections(most: int) -> httpx.AsyncBaseTransport:
            limits = httpx.Limits(
                max_connections=most, max_keepalive_connections=most, keepalive_expiry=bounds.keepalive_seconds
            )
            return transport_factory(context, limits)

        self._own = connections(4)
        self._proxied = connections(bounds.node_calls)
        self._calls = 0
        self._resting: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._limit = AdaptiveLimit(bounds.node_calls, slow=bounds.slow_seconds)
        # Only those that somebody has or waits for: clusters may name ever new nodes.
        self._slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @property
    def endpoint(self) -> str:
        """The endpoint that answered last, or that will be asked next."""
        return self._endpoints[self._current]

    async def aclose(self) -> None:
        self._wake()
        if self._closing is not None:
            await self._closing
        await self._own.aclose()
        await self._proxied.aclose()

    async def _hang_up(self) -> None:
        for connections in (self._own, self._proxied):
            if not self._calls:
                await connections.aclose()

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        """While calls are made. A while after the last one, connections are closed: the server would do so before the next refresh, and until then
        each takes memory for nothing.
        """
        self._wake()
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._resting = asyncio.get_running_loop().call_later(self._bounds.keepalive_seconds, self._rest)

    def _wake(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _rest(self) -> None:
        self._resting = None
        self._closing = asyncio.create_task(self._hang_up())

    async def get(
        self, path: str, *, label: str, params: Mapping[str, str] | None = None, node: str | None = None
    ) -> object:
        """The `data` of GET /api2/json`path`, which must be quoted already. `node`: the call is proxied to that node.

        `label` names the kind of call in messages and metrics. Raises ConnectionFailed, EndpointForbidden, CertificateRejected, Unauthorized or
        CallFailed; of several endpoints' failures, the one that a person can do most about.
        """
        call = _Call(path=path, label=label, params=dict(params or {}), node=node)
        with self._busy():
            if node is None:
                (data,) = await self._over_endpoints([call])
                return data
            async with self._slot(f"node {node}"), self._limit.place() as place:
                (data,) = await self._over_endpoints([replace(call, place=place)])
                return data

    async def get_together(
        self, *paths: str, prefer: Callable[[Sequence[object]], bool] = lambda _: True
    ) -> Sequence[object]:
        """The `data` of each of the paths, all from one and the same endpoint: what two nodes say may be about two different moments.

        Answers that are not `prefer`red are returned only if no other endpoint gives better ones. Raises as `get`.
        """
        with self._busy():
            return await self._over_endpoints(
                [_Call(path=path, label=path, params={}, node=None) for path in paths], prefer=prefer
            )

    async def _over_endpoints(
        self, calls: Sequence["_Call"], *, prefer: Callable[[Sequence[object]], bool] = lambda _: True
    ) -> Sequence[object]:
        worst: ObservationError | None = None
        second_best: tuple[int, Sequence[object]] | None = None
        refused = 0
        first = self._current
        proxied = calls[0].node is not None
        clock = asyncio.get_running_loop().time
        until = clock() + (self._bounds.node_call_seconds if proxied else self._bounds.call_seconds)
        for step in range(len(self._endpoints)):
            index = (first + step) % len(self._endpoints)
            try:
                answers = await self._all_from_endpoint(self._endpoints[index], calls)
            except ObservationError as failure:
                worst = max((failure, worst), key=_severity)
                refused += isinstance(failure, Unauthorized)
                # A token refused twice is refused; once may be the clock of one node (proxmox-api.md T21).
                if refused > 1 or not _worth_another_endpoint(failure, proxied=proxied) or clock() >= until:
                    break
                if self._current == index:
                    self._current = (index + 1) % len(self._endpoints)
            else:
                if prefer(answers):
                    self._current = index
                    return answers
                second_best = second_best or (index, answers)
        if second_best is not None:
            self._current, answers = second_best
            return answers
        assert worst is not None  # noqa: S101  # there is at least one endpoint, by the schema
        try:
            raise worst
        finally:
            del worst  # or it would hold itself, by its traceback

    async def _all_from_endpoint(self, endpoint: str, calls: Sequence["_Call"]) -> Sequence[object]:
        """One after another, over one connection: a second one would cost both sides more than the calls that it saves waiting for.

        Raises the worst of the failures; where the endpoint does not answer one call, the others are not made.
        """
        answers, failures = [], []
        for call in calls:
            try:
                answers.append(await self._from_endpoint(endpoint, call))
            except ObservationError as failure:
                let_go(failure)
                if not isinstance(failure, CallFailed | Unauthorized):
                    raise
                failures.append(failure)  # another may fail for what a person can do more about
        if failures:
            raise max(failures, key=_severity)
        return answers

    async def _from_endpoint(self, endpoint: str, call: "_Call") -> object:
        """One retry where the connection broke: the server closes idle ones at any time (proxmox-api.md T19)."""
        async with self._slot(endpoint) if call.node is None else contextlib.nullcontext():
            try:
                return await self._attempt(endpoint, call)
            except _Broken as failure:
                if failure.certificate:
                    raise failure.reason from None
            try:
                return await self._attempt(endpoint, call)
            except _Broken as failure:
                raise failure.reason from None

    def _slot(self, whose: str) -> asyncio.Semaphore:
        return self._slots.setdefault(whose, asyncio.Semaphore(self._bounds.calls_per_node))

    async def _attempt(self, endpoint: str, call: "_Call") -> object:
        clock = asyncio.get_running_loop().time
        started = clock()
        result, status = "cancelled", None
        try:
            with self._room.held() as held:
                body = await self._fetch(endpoint, call, held)
                self._refuse_own_secret(endpoint, call, body)
                data = data_of(body, most=self._bounds.values, what=f"{endpoint} answered {call}", path=call.path)
            result, status = "200", 200
        except CallFailed as failure:
            result, status = str(failure.status or "unreadable"), failure.status
            raise
        except _Broken as failure:
            result = failure.reason.reason
            raise
        except ObservationError as failure:
            result = failure.reason
            raise
        finally:
            seconds = clock() - started
            if self._on_call is not None:
                self._on_call(call.label, result, seconds)
            if call.place is not None and call.node is not None and result != "cancelled":
                call.place.ended(node=call.node, status=status, seconds=seconds)
        return data

    def _refuse_own_secret(self, endpoint: str, call: "_Call", body: bytes) -> None:
        if self._token.is_repeated_in(body):
            raise CallFailed(
                f"{endpoint} answered {call} with the secret of the token in it, which would be published: "
                "if somebody wrote it down there, put a new token in its place"
            )

    async def _fetch(self, endpoint: str, call: "_Call", held: Held) -> bytes:
        bounds = self._bounds
        read = bounds.read_seconds if call.node is None else bounds.node_read_seconds
        request = httpx.Request(
            "GET",
            f"{endpoint}/api2/json{call.path}",
            params=call.params,
            headers=self._headers,
            extensions={
                "timeout": {
                    "connect": bounds.connect_seconds,
                    "read": read,
                    "write": bounds.connect_seconds,
                    "pool": None,
                }
            },
        )
        transport = self._own if call.node is None else self._proxied
        began = False
        try:
            async with asyncio.timeout(bounds.connect_seconds + read + bounds.answer_seconds):
                response = await transport.handle_async_request(request)
                began = True
                try:
                    self._refuse_status(endpoint, call, response.status_code)
                    what = f"{endpoint} answered {call}"
                    return await body_of(response, most=bounds.body_bytes, what=what, held=held)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException):
            raise ConnectionFailed(f"{endpoint} did not answer {call} in time") from None
        except AddressRefused:
            raise EndpointForbidden(
                f"{endpoint} leads to an address that this operator does not connect to (loopback, link-local, multicast, a metadata service, or "
                "what its settings deny); whoever runs the operator can allow it with --allow-endpoint-range"
            ) from None
        except httpx.TransportError as error:
            raise _broken(error, endpoint=endpoint, call=call, began=began) from None

    def _refuse_status(self, endpoint: str, call: "_Call", status: int) -> None:
        if status == httpx.codes.OK:
            return
        if status == httpx.codes.UNAUTHORIZED:
            raise Unauthorized(
                f"{endpoint} refused the token: check tokenID and tokenSecret, and that neither the user nor the token is disabled or expired"
            )
        raise CallFailed(f"{endpoint} answered {call} with HTTP {status}{_meaning(status, call)}", status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    path: str
    label: str
    params: Mapping[str, str]
    node: str | None
    place: Place | None = None

    def __str__(self) -> str:
        return f"the call {self.label}" + (f" for node {self.node}" if self.node else "")


class _Broken(Exception):  # never leaves this module
    """A connection that could not be made, or broke. `certificate`: it will not be better at once."""

    def __init__(self, reason: ObservationError, *, certificate: bool = False) -> None:
        super().__init__()
        self.reason = reason
        self.certificate = certificate


def _broken(error: httpx.TransportError, *, endpoint: str, call: _Call, began: bool) -> _Broken:
    refusal = certificate_refusal(error)
    if refusal is not None:
        return _Broken(
            CertificateRejected(f"the certificate of {endpoint} was not accepted: {refusal}"), certificate=True
        )
    if began:
        return _Broken(CallFailed(f"{endpoint} answered {call}, but the answer broke off"))
    if isinstance(error, httpx.ConnectError):
        return _Broken(ConnectionFailed(f"no connection to {endpoint}: refused, no such name, or no TLS there"))
    return _Broken(ConnectionFailed(f"{endpoint} closed the connection without an answer to {call}"))


def certificate_refusal(error: BaseException) -> str | None:
    """Why TLS refused the certificate, in words of ours; None where it did not."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, FingerprintMismatch):
            return "its SHA-256 is none of tls.fingerprints; if it was renewed, list the new one beside the old"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _OPENSSL_REFUSALS.get(
                cause.verify_code,
                "no authority that is trusted signed it; name the right one in tls.caBundle, or pin it in tls.fingerprints",
            )
        cause = cause.__cause__ or cause.__context__
    return None


# Codes of X509_verify_cert (OpenSSL, X509_STORE_CTX_get_error(3)).
_OPENSSL_REFUSALS: Mapping[int, str] = {
    9: "it is not valid yet; check the clocks",
    10: "it has expired; renew it",
    62: "it was made for another name; use a name that it holds in spec.endpoints",
    64: "it was made for another address; use a name or address that it holds in spec.endpoints",
}

_ENTRY_NODE_IS_ILL = frozenset({500, 502, 503, 504})
"""From calls that the entry node answers itself: its pmxcfs or pvedaemon is down, or it is behind a proxy that cannot reach it."""


def _worth_another_endpoint(failure: ObservationError, *, proxied: bool) -> bool:
    if isinstance(failure, CallFailed) and failure.status is not None:
        return not proxied and failure.status in _ENTRY_NODE_IS_ILL
    return True


def _severity(failure: ObservationError | None) -> int:
    """What a person can do something about wins; None: nothing went wrong yet."""
    order = (ConnectionFailed, CallFailed, Unauthorized, CertificateRejected, EndpointForbidden)
    return -1 if failure is None else order.index(type(failure))


def _meaning(status: int, call: _Call) -> str:
    if 300 <= status < 400:
        return ": a redirect, which is not followed"
    if status == 403:
        return ": a privilege is missing"
    if status in NODE_DOES_NOT_ANSWER and call.node is not None:
        return f": it cannot reach node {call.node}, or the node did not finish in time"
    return ""
