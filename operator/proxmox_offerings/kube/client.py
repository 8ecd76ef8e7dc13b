"""The connection to the API server: who we are, one request at a time, bounded in time and in number.

Built on kubernetes.aio for what is laborious (kubeconfig, exec plugins, rotating service account tokens, TLS) and on nothing of its generated API:
requests are plain JSON, which costs no discovery and no conversion into model classes. Promises: every failure is a KubeError; no token is ever
part of a message.
"""

import asyncio
import contextlib
import os
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from proxmox_offerings import __version__
from proxmox_offerings.kube.errors import NOT_AN_ANSWER, UNTRUSTED, KubeError, Unavailable, error_of

IN_FLIGHT: Final = 16
"""Requests at the same time. With 8 to 16 the API server, not the client, is the limit (measured, operator-practice 2.4)."""
TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=5)

Counted = Callable[[str, str, str], None]
"""Told of each call: method, resource, and HTTP status or "error"."""
Guard = Callable[[], None]
"""Asked right before a request that changes something is sent; what it raises is raised, and nothing is sent (leader.Elector.require)."""


class KubeClient:
    """Sends requests to one API server. Use `connect`; close with `aclose`."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        kubeconfig: str | None,
        context: str | None,
        counted: Counted,
        guard: Guard,
        client_timeout: aiohttp.ClientTimeout,
    ) -> None:
        self.configuration = configuration
        self._guard = guard
        self._timeout = client_timeout
        self._kubeconfig = kubeconfig
        self._context = context
        self._counted = counted
        self._api = ApiClient(configuration)
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._renewing = asyncio.Lock()
        self._refused = False

    @classmethod
    async def connect(
        cls,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        counted: Counted = lambda *_: None,
        guard: Guard = lambda: None,
        client_timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> Self:
        """Read who and where we are; nothing is sent yet.

        The first that is there: `kubeconfig`, the environment's KUBECONFIG, the account of the pod, ~/.kube/config (the order of controller-runtime).
        `context` is one of the kubeconfig's, else its current one. Raises KubeError.
        """
        found = kubeconfig_at(kubeconfig)
        configuration = Configuration()
        # aiohttp would look for proxies and netrc files in two threads for each request, which costs as much as the request.
        configuration.client_session_kwargs = {"trust_env": False, "trace_configs": [_asking(guard)]}
        await _load(configuration, found, context)
        configuration.proxy = configuration.proxy or _proxy_of_environment(configuration.host)
        return cls(
            configuration,
            kubeconfig=found,
            context=context,
            counted=counted,
            guard=guard,
            client_timeout=client_timeout,
        )

    @property
    def in_pod(self) -> bool:
        """Whether we are the account of the pod that we run in."""
        return self._kubeconfig is None

    async def aclose(self) -> None:
        """Close all connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    @property
    def tls(self) -> ssl.SSLContext:
        """Whom we trust, and our certificate if we have one: for all connections to this API server, kept up to date by `renew`."""
        context: ssl.SSLContext = self._api.rest_client.ssl_context
        return context

    async def renew(self, *, refused: str | None) -> None:
        """Ask again who we and the API server are, unless somebody did since `refused` was the value of the Authorization header.

        Tokens of plugins and files expire, and authorities and certificates in files are replaced. An authority that was trusted once stays so
        until the process ends. Raises KubeError.
        """
        async with self._renewing:
            if await self.authorization() == refused:
                await _load(self.configuration, self._kubeconfig, self._context)
                self._load_certificates()

    def _load_certificates(self) -> None:
        configuration = self.configuration
        try:
            if configuration.ssl_ca_cert or configuration.ca_cert_data:
                self.tls.load_verify_locations(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
            if configuration.cert_file:
                self.tls.load_cert_chain(configuration.cert_file, configuration.key_file)
        except OSError as problem:
            # Half written, perhaps; the old ones stay until the next attempt.
            raise Unavailable(
                f"the certificates for the API server cannot be read ({type(problem).__name__})"
            ) from None

    async def authorization(self) -> str | None:
        """The value of the Authorization header, if we authenticate by one. A secret. Raises KubeError."""
        headers: dict[str, str] = {}
        try:
            await self._api.update_params_for_auth(headers, None, ["BearerToken"], "", "", None)
        except (OSError, config.ConfigException) as problem:
            raise Unavailable(f"the service account's token cannot be read ({type(problem).__name__})") from problem
        return headers.get("authorization")

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """The same as `fetch`, decoded. Raises KubeError; Unavailable if the answer is not JSON."""
        content = await self.fetch(method, path, query=query, body=body, content_type=content_type)
        try:
            return msgspec.json.decode(content)
        except (ValueError, RecursionError):
            raise Unavailable(NOT_AN_ANSWER) from None

    async def fetch(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        """Send one request; returns the answer. `path` begins with /api; its parts are already safe (see `path_of`).

        Sent again when the API server puts it off (Retry-After), as long as all that together is not longer than an answer may take.

        Raises KubeError.
        """
        url = f"{self.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        patience = self._timeout.total or 0
        answer = await self._send(method, url, body, content_type)
        while answer.put_off and answer.put_off <= patience:
            patience -= answer.put_off
            # Nobody else is kept from calling meanwhile; and those that were put off together do not come back together.
            await asyncio.sleep(answer.put_off * random.uniform(1, 1.5))  # noqa: S311 - no secret
            answer = await self._send(method, url, body, content_type)
        if answer.status >= 400:
            raise error_of(answer.status, message_of(answer.content, answer.status))
        return answer.content

    async def _send(self, method: str, url: str, body: Mapping[str, Any] | None, content_type: str) -> "Answer":
        async with self._free:
            authorization = await self.authorization()
            answer = await self._send_as(authorization, method, url, body, content_type)
            if answer.status == 401:
                await self.renew(refused=authorization)
                answer = await self._send_as(await self.authorization(), method, url, body, content_type)
        self._counted(method, _resource(url.removeprefix(self.configuration.host)), str(answer.status))
        return answer

    async def _send_as(
        self, authorization: str | None, method: str, url: str, body: Mapping[str, Any] | None, content_type: str
    ) -> "Answer":
        headers = {
            "Accept": "application/json",
            "Content-Type": content_type,
            "User-Agent": f"proxmox-offerings/{__version__}",
        }
        if authorization is not None:
            headers["Authorization"] = authorization
        elif self._refused:
            # It is the connection's certificate that was refused: no connection with that one is to be used again.
            headers["Connection"] = "close"
        try:
            if method != "GET":
                self._guard()  # and once more when there is a connection
            answer = await self._api.rest_client.request(  # type: ignore[no-untyped-call]
                method, url, headers=headers, body=body, _request_timeout=self._timeout
            )
            content = await answer.read()
        except aiohttp.ClientConnectorCertificateError as problem:
            self._counted(method, _resource(url.removeprefix(self.configuration.host)), "error")
            await self.renew(refused=authorization)
            raise Unavailable(UNTRUSTED) from problem
        except TimeoutError:
            self._counted(method, _resource(url.removeprefix(self.configuration.host)), "error")
            raise Unavailable(f"the API server did not answer within {self._timeout.total:.0f} s") from None
        except (aiohttp.ClientError, OSError) as problem:
            self._counted(method, _resource(url.removeprefix(self.configuration.host)), "error")
            raise Unavailable(f"the API server was not reached ({type(problem).__name__})") from problem
        self._refused = answer.status == 401
        put_off = retry_after(answer.headers) if answer.status in (429, 503) else 0
        return Answer(status=answer.status, content=content, put_off=put_off)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `put_off` is the seconds after which the API server wants to be asked again, and 0 if it did what it did."""

    status: int
    content: bytes
    put_off: float


@contextlib.asynccontextmanager
async def connected(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    counted: Counted = lambda *_: None,
    guard: Guard = lambda: None,
) -> AsyncIterator[KubeClient]:
    """A client for a block. Raises KubeError."""
    client = await KubeClient.connect(kubeconfig=kubeconfig, context=context, counted=counted, guard=guard)
    try:
        yield client
    finally:
        await client.aclose()


def _asking(guard: Guard) -> aiohttp.TraceConfig:
    """Asks `guard` when a request that changes something has its connection: waiting for one may take seconds, and a process may be paused there."""
    trace = aiohttp.TraceConfig()

    async def started(_: object, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams) -> None:
        context.writes = request.method != "GET"

    async def connected(_: object, context: SimpleNamespace, __: object) -> None:
        if context.writes:
            guard()

    trace.on_request_start.append(started)
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


def path_of(
    *, prefix: str, plural: str, namespace: str | None, name: str | None = None, subresource: str | None = None
) -> str:
    """The path of an object or, without `name`, of a collection. Names are checked: none may leave its place in the path."""
    parts = [prefix]
    if namespace is not None:
        parts += ["namespaces", _safe(namespace)]
    parts.append(plural)
    if name is not None:
        parts.append(_safe(name))
    if subresource is not None:
        parts.append(subresource)
    return "/".join(parts)


def _safe(name: str) -> str:
    if not name or name in (".", "..") or quote(name, safe="") != name:
        raise ValueError(f"not a name: {name!r}")
    return name


def kubeconfig_at(kubeconfig: str | None) -> str | None:
    """The kubeconfig that `connect` would read; None: the account of the pod."""
    found = kubeconfig or os.environ.get("KUBECONFIG") or None
    if found is None and "KUBERNETES_SERVICE_HOST" not in os.environ:
        found = str(Path.home() / ".kube" / "config")
    return found


async def _load(configuration: Configuration, kubeconfig: str | None, context: str | None) -> None:
    try:
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, context=context, client_configuration=configuration, persist_config=False
            )
    except Exception as problem:
        # The loader raises whatever its parsers, plugins and files raise; all of it means the same to us.
        where = kubeconfig or "the pod's service account"
        raise KubeError(f"no usable credentials for the API server in {where} ({type(problem).__name__})") from problem


def _proxy_of_environment(server: str) -> str | None:
    """The proxy that the environment names for `server`, as kubectl takes it."""
    address = urlsplit(server)
    if address.hostname is None or proxy_bypass(address.hostname):
        return None
    return getproxies().get(address.scheme)


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that Retry-After names, 0 if it names none. The API server never gives a date."""
    try:
        return max(0.0, float(headers.get("Retry-After") or 0))
    except ValueError:
        return 0.0


def message_of(content: bytes, status: int) -> str:
    """What an answer of 400 and above says."""
    try:
        message = msgspec.json.decode(content).get("message")
    except (ValueError, AttributeError, RecursionError):
        message = None
    return str(message or f"HTTP status {status}")


def _resource(path: str) -> str:
    """The kind of object that a path is about, with its subresource, for counting: "offerings/status"."""
    parts = path.partition("?")[0].strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join(parts[:1] + parts[2:3])
