"""Where the guarded client connects to: never to what its policy refuses, however that is written or resolved."""

from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from proxmox_offerings.proxmox.addresses import AddressPolicy
from proxmox_offerings.proxmox.errors import CertificateRejected, ConnectionFailed, EndpointForbidden, InvalidHost
from proxmox_offerings.proxmox.network import resolve
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.transport import Transport, transport_to
from support.proxmox import PATIENT, QUICK, TOKEN, RawServer, answering

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{"data": 1}'
DEFAULT = AddressPolicy()
HERE = AddressPolicy(allow=(ip_network("127.0.0.1"),))
LOOPBACK = AddressPolicy(allow=(ip_network("127.0.0.0/8"),))


class Names:
    """A resolver whose answers change: each name gives its lists in turn, the last one for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name: list(lists) for name, lists in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        lists = self._answers[host]
        return lists.pop(0) if len(lists) > 1 else lists[0]


def client(
    server: RawServer, *hosts: str, addresses: AddressPolicy, names: Names | None = None, tls: TLSPolicy | None = None
) -> Transport:
    port = server.endpoint.rpartition(":")[2]
    return Transport(
        endpoints=[f"https://{host}:{port}" for host in hosts],
        token=TOKEN,
        tls=tls or TLSPolicy(ca_bundle=server.ca_pem),
        bounds=PATIENT if names is None else QUICK,
        transport_factory=transport_to(addresses, resolve=names.resolve if names else resolve),
    )


async def get(transport: Transport) -> object:
    return await transport.get("/version", label="/version")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "127.0.0.1.",
        "localhost",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
    ],
)
async def test_no_spelling_of_a_refused_address_is_connected_to(host: str) -> None:
    """Each of them reaches the server, where it is allowed. Not even the TCP handshake happens: what listens there stays unknown."""
    async with answering(OK) as server:
        transport = client(server, host, addresses=DEFAULT)
        with pytest.raises((EndpointForbidden, ConnectionFailed)) as caught:
            await get(transport)
        await transport.aclose()
        assert server.connections == 0
        assert isinstance(caught.value, EndpointForbidden) or host == "127.0.0.1."


async def test_an_allowed_address_is_connected_to_and_verified() -> None:
    async with answering(OK) as server:
        transport = client(server, "127.0.0.1", addresses=HERE)
        assert await get(transport) == 1
        await transport.aclose()


async def test_a_name_that_changes_gains_nothing() -> None:
    """DNS rebinding: what is checked is what is connected to, for each connection anew."""
    names = Names(localhost=[["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]])
    async with answering(OK) as server:
        transport = client(server, "localhost", addresses=HERE, names=names)
        assert await get(transport) == 1
        with pytest.raises(EndpointForbidden):
            await get(transport)
        assert server.connections == 1
        assert await get(transport) == 1
        assert names.asked == ["localhost"] * 3
        await transport.aclose()


async def test_of_a_names_addresses_only_the_permitted_are_tried() -> None:
    names = Names(localhost=[["169.254.169.254", "fd00:ec2::254", "127.0.0.1"]])
    async with answering(OK) as server:
        transport = client(server, "localhost", addresses=HERE, names=names)
        assert await get(transport) == 1
        await transport.aclose()


async def test_a_dead_address_of_a_name_does_not_hide_a_living_one() -> None:
    names = Names(localhost=[["127.0.0.99", "127.0.0.1"]])
    async with answering(OK) as server:
        transport = client(server, "localhost", addresses=LOOPBACK, names=names)
        assert await get(transport) == 1
        await transport.aclose()


async def test_the_certificate_must_still_hold_the_name_that_was_written() -> None:
    names = Names(**{"pve.example.net": [["127.0.0.1"]]})
    async with answering(OK) as server:
        transport = client(server, "pve.example.net", addresses=HERE, names=names)
        with pytest.raises(CertificateRejected, match="another name"):
            await get(transport)
        await transport.aclose()
        assert server.received == b""


async def test_the_refusal_names_the_endpoint_and_the_flag_and_no_address() -> None:
    """What a name resolves to inside the operator's network is not told to whoever wrote it."""
    names = Names(**{"metadata.internal": [["169.254.169.254"]]})
    async with answering(OK) as server:
        transport = client(server, "metadata.internal", addresses=DEFAULT, names=names)
        with pytest.raises(EndpointForbidden) as caught:
            await get(transport)
        await transport.aclose()
    assert "https://metadata.internal:" in str(caught.value)
    assert "--allow-endpoint-range" in str(caught.value)
    assert "169.254" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_forbidden_endpoint_does_not_hide_the_others() -> None:
    names = Names(gone=[["127.0.0.2"]], localhost=[["127.0.0.1"]])
    async with answering(OK) as server:
        transport = client(server, "gone", "localhost", addresses=HERE, names=names)
        assert await get(transport) == 1
        await transport.aclose()


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a..b", "x" * 200, "."])
async def test_a_name_that_cannot_be_resolved_is_a_failed_connection(host: str) -> None:
    async with answering(OK) as server:
        transport = client(server, host, addresses=DEFAULT)
        with pytest.raises(ConnectionFailed):
            await get(transport)
        await transport.aclose()


@pytest.mark.parametrize("host", ["0177.0.0.1", "256.1.1.1", "[::::]"])
async def test_a_host_that_can_be_none_is_a_mistake_in_the_spec(host: str) -> None:
    """A library refuses these when the call is made, which must not become a fault of the operator."""
    async with answering(OK) as server:
        with pytest.raises(InvalidHost, match="no host that can be one"):
            client(server, host, addresses=DEFAULT)
