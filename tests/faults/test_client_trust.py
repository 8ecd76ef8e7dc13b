"""Whom the client trusts with the token: over real TLS, against servers with the wrong certificate."""

import asyncio
import logging
import ssl
import sys

import pytest

from proxmox_offerings.proxmox.errors import (
    CertificateRejected,
    ConnectionFailed,
    CredentialsMissing,
    InvalidHost,
    Unauthorized,
)
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.proxmox.transport import Transport
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.faults import Fault
from proxmox_offerings.simulator.simulator import CertificateChange, Simulator
from support.proxmox import TOKEN, answering, client_of, simulated, token_of

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{"data": 1}'
WRONG_PIN = ":".join(["AB"] * 32)


async def test_the_right_pin_is_enough_whoever_signed_the_certificate() -> None:
    async with answering(OK) as server:
        transport = server.transport(tls=TLSPolicy(fingerprints=(WRONG_PIN, server.fingerprint)))
        assert await transport.get("/version", label="/version") == 1
        await transport.aclose()
        assert TOKEN.secret.encode() in server.received


@pytest.mark.reliability("T24")
async def test_a_server_with_the_wrong_pin_never_receives_the_token() -> None:
    """T24. Not one byte of the request leaves: the handshake itself is refused."""
    async with answering(OK) as server:
        transport = server.transport(tls=TLSPolicy(fingerprints=(WRONG_PIN,)))
        with pytest.raises(CertificateRejected, match=r"tls\.fingerprints"):
            await transport.get("/version", label="/version")
        await transport.aclose()
        assert server.received == b""
        assert server.connections <= 1


async def test_a_server_that_no_trusted_authority_signed_never_receives_the_token() -> None:
    async with answering(OK) as server, simulated(presets.standalone()) as other:
        for tls in (TLSPolicy(), TLSPolicy(ca_bundle=other.ca_pem)):
            transport = server.transport(tls=tls)
            with pytest.raises(CertificateRejected, match="no authority that is trusted signed it"):
                await transport.get("/version", label="/version")
            await transport.aclose()
        assert server.received == b""


async def test_verification_is_off_only_where_the_policy_says_so() -> None:
    async with answering(OK) as server:
        transport = server.transport(tls=TLSPolicy(insecure_skip_verify=True))
        assert await transport.get("/version", label="/version") == 1
        await transport.aclose()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [("expired", "it has expired; renew it"), ("other-authority", "no authority that is trusted")],
)
@pytest.mark.reliability("T24")
async def test_a_bad_certificate_is_told_from_a_dead_server(change: CertificateChange, sentence: str) -> None:
    """T24."""
    async with simulated(presets.standalone()) as cluster, client_of(cluster) as client:
        cluster.replace_certificate(change)
        with pytest.raises(CertificateRejected, match=sentence):
            await client.version()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on all of 127.0.0.0/8")
async def test_a_certificate_for_another_address_is_refused() -> None:
    """It listens on all addresses, but its certificates hold 127.0.0.1, and not 127.0.0.2."""
    async with Simulator(presets.standalone(), host="0.0.0.0", advertised="127.0.0.1") as cluster:
        elsewhere = [endpoint.replace("127.0.0.1", "127.0.0.2") for endpoint in cluster.endpoints]
        async with client_of(cluster) as client:
            assert await client.version()
            cluster.requests.clear()
        async with client_of(cluster, endpoints=elsewhere) as client:
            with pytest.raises(CertificateRejected, match="made for another address"):
                await client.version()
        assert not cluster.requests


async def test_another_node_may_have_a_good_certificate() -> None:
    """One node whose certificate expired does not cut off the cluster; only if all are bad is the certificate to blame."""
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.replace_certificate("expired", node="pve1")
        assert (await client.version()).release == "9.1"
        assert client.endpoint == cluster.endpoint("pve2")
        cluster.replace_certificate("expired")
        cluster.kill_node("pve3")
        with pytest.raises(CertificateRejected):
            await client.version()


async def test_a_renewed_certificate_of_the_same_authority_is_not_noticed() -> None:
    async with simulated(presets.standalone()) as cluster, client_of(cluster) as client:
        await client.version()
        cluster.replace_certificate("renewed")
        await client.version()


async def test_a_nodes_own_certificate_can_be_the_bundle() -> None:
    """Many installations have one self-made certificate and no authority that anybody kept."""
    async with answering(OK) as server:
        transport = server.transport(tls=TLSPolicy(ca_bundle=server.certificate_pem))
        assert await transport.get("/version", label="/version") == 1
        await transport.aclose()


@pytest.mark.reliability("T21")
async def test_a_token_refused_by_one_node_may_be_its_clock_but_twice_it_is_refused() -> None:
    """T21, as far as it is about tokens: they do not expire after two hours as tickets do."""
    async with simulated(presets.demo()) as cluster:
        async with client_of(cluster) as client:
            cluster.add_fault(Fault(node="pve1", status=401, count=1))
            assert (await client.version()).release == "9.1"
        async with client_of(cluster, token=Token(id=cluster.token_id, secret=TOKEN.secret)) as client:
            cluster.requests.clear()
            with pytest.raises(Unauthorized, match="tokenID and tokenSecret"):
                await client.version()
            assert [request.node for request in cluster.requests] == ["pve1", "pve2"]


async def test_the_secret_is_in_no_repr_log_or_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with simulated(presets.standalone()) as cluster, client_of(cluster) as client:
            await client.version()
            cluster.set_secret(cluster.token_id, "99999999-8888-7777-6666-555555555555")
            secret = token_of(cluster).secret
            with pytest.raises(Unauthorized) as caught:
                await client.version()
            told = f"{caplog.text} {caught.value!r} {caught.value} {client!r} {token_of(cluster)!r} {vars(client)}"
    assert "httpcore" in caplog.text
    assert secret not in told
    assert "PVEAPIToken" not in told


@pytest.mark.parametrize(
    ("token_id", "secret"),
    [
        ("root@pam", "11111111-2222-3333-4444-555555555555"),
        ("root@pam!a b", "11111111-2222-3333-4444-555555555555"),
        ("root@pam!xx\r\nHost: evil", "11111111-2222-3333-4444-555555555555"),
        ("root@pam!xx", "secret\r\nX-Other: header"),
        ("root@pam!xx", ""),
    ],
)
def test_what_cannot_be_a_token_is_refused_without_being_shown(token_id: str, secret: str) -> None:
    with pytest.raises(CredentialsMissing) as caught:
        Token(id=token_id, secret=secret)
    assert "evil" not in str(caught.value)
    assert "X-Other" not in str(caught.value)


def test_a_percent_sign_in_a_user_name_survives_the_servers_unescaping() -> None:
    assert Token(id="50%@pve!read", secret="s").authorization == "PVEAPIToken=50%25@pve!read=s"


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (TLSPolicy(ca_bundle="not PEM"), "holds no certificate that can be read"),
        (TLSPolicy(ca_bundle=""), "holds no certificate that can be read"),
        (
            TLSPolicy(ca_bundle="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "holds no certificate that can be read",
        ),
        (TLSPolicy(fingerprints=("AB:CD",)), "is not a SHA-256"),
        (TLSPolicy(fingerprints=(WRONG_PIN,), insecure_skip_verify=True), "at most one"),
    ],
)
def test_a_policy_that_cannot_be_used_says_what_to_put_there(policy: TLSPolicy, sentence: str) -> None:
    with pytest.raises(InvalidHost, match=sentence):
        policy.context()


@pytest.mark.parametrize(
    "tls",
    [TLSPolicy(), TLSPolicy(fingerprints=(WRONG_PIN,)), TLSPolicy(insecure_skip_verify=True)],
    ids=["system", "pinned", "insecure"],
)
async def test_no_tls_older_than_1_2_is_offered(tls: TLSPolicy) -> None:
    """As it stands in the first message on the wire: what is not offered there cannot be forced by whoever sits between."""
    hello = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello.extend(await reader.read(65536))
        writer.close()

    listener = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        transport = Transport(endpoints=[f"https://127.0.0.1:{port}"], token=TOKEN, tls=tls)
        with pytest.raises(ConnectionFailed):
            await transport.get("/version", label="/version")
        await transport.aclose()
    # supported_versions (RFC 8446 4.2.1): type 43, lengths, then TLS 1.3 and TLS 1.2 and no other.
    assert bytes.fromhex("002b 0005 04 0304 0303") in hello
    assert tls.context().options & ssl.OP_NO_RENEGOTIATION


def test_an_endpoint_without_tls_is_refused() -> None:
    with pytest.raises(InvalidHost, match="https://"):
        Transport(endpoints=["http://127.0.0.1:8006"], token=TOKEN, tls=TLSPolicy())
