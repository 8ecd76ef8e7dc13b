"""Connections only to addresses that a policy permits, decided on the very address that is connected to.

A name is resolved once for each connection, here, and the connection goes to the addresses found then: a name that changes between a check and
its use (DNS rebinding) gains nothing, and neither does any spelling of an address, for the resolver reads them all. A refused address sees
no packet. TLS still names and verifies the host as it was written.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

from proxmox_offerings.proxmox.addresses import AddressPolicy

HEAD_START_SECONDS = 0.25
"""Of an address before the next one is tried beside it (RFC 8305 5)."""

Connect = Callable[[str], Coroutine[Any, Any, httpcore.AsyncNetworkStream]]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]


class AddressRefused(Exception):  # a condition, like the errors that are shown
    """The host has addresses, and the policy permits none of them. Says no address: the name's author need not know where it leads from here."""


class GuardedTransport(httpx.AsyncHTTPTransport):
    """HTTP/1.1 over TLS to permitted addresses (None: to all). Requests raise AddressRefused besides httpx.TransportError."""

    def __init__(
        self, context: ssl.SSLContext, limits: httpx.Limits, *, addresses: AddressPolicy | None, resolve: Resolve
    ) -> None:
        super().__init__(verify=context, trust_env=False)
        # httpx has no parameter for the pool's network backend, which is where httpcore lets connections be made.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            http1=True,
            http2=False,
            network_backend=GuardedBackend(addresses, resolve),
        )


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Makes httpcore's connections, to permitted addresses only, and leaves none open that nobody waits for."""

    def __init__(self, addresses: AddressPolicy | None, resolve: Resolve) -> None:
        self._addresses = addresses
        self._resolve = resolve
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to whichever permitted address of `host` answers first. Raises AddressRefused, httpcore.ConnectError or ConnectTimeout."""

        async def connect(address: str) -> httpcore.AsyncNetworkStream:
            return await self._inner.connect_tcp(
                address, port, local_address=local_address, socket_options=socket_options
            )

        try:
            async with asyncio.timeout(timeout):
                policy = self._addresses
                permitted = [
                    address for address in await self._resolve(host, port) if policy is None or policy.permits(address)
                ]
                if not permitted:
                    raise AddressRefused
                return _UntilTLS(await _first_of(permitted, connect))
        except TimeoutError:
            raise httpcore.ConnectTimeout from None


class _UntilTLS(httpcore.AsyncNetworkStream):
    """A connection before TLS. httpcore closes it when the handshake fails, but not when whoever waits for it gives up."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:
            await self._stream.aclose()
            raise

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order in which the system would try them."""
    with contextlib.suppress(ValueError):
        return [str(ip_address(host))]
    try:
        # As bytes, or Python would refuse some names in words of its own.
        found = await asyncio.get_running_loop().getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    except OSError:
        raise httpcore.ConnectError from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _first_of(addresses: Sequence[str], connect: Connect) -> httpcore.AsyncNetworkStream:
    """The first connection that is made; each address gets a head start before the next one (RFC 8305). Raises httpcore.ConnectError."""
    waiting = list(addresses)
    trying: set[asyncio.Task[httpcore.AsyncNetworkStream]] = set()
    try:
        while waiting or trying:
            if waiting:
                trying.add(asyncio.create_task(connect(waiting.pop(0))))
            await asyncio.wait(
                trying, timeout=HEAD_START_SECONDS if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in [task for task in trying if task.done()]:
                trying.remove(task)
                if task.exception() is None:
                    return task.result()
    finally:
        for task in trying:
            task.cancel()
        for late in await asyncio.gather(*trying, return_exceptions=True):
            if isinstance(late, httpcore.AsyncNetworkStream):
                await late.aclose()
    raise httpcore.ConnectError
