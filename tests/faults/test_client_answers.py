"""What the client makes of answers that are none: broken, endless, huge, or from something that is no Proxmox VE."""

import asyncio
import gc
import gzip
import json
import tracemalloc
from dataclasses import replace

import pytest

from proxmox_offerings.proxmox.errors import CallFailed, ConnectionFailed, ObservationError
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.transport import Bounds, Transport
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.faults import Fault
from support.proxmox import PATIENT, QUICK, TOKEN, RawServer, answering, client_of, simulated

LIMIT = 100_000
SMALL = Bounds(body_bytes=LIMIT, values=9_000)


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def failure_of(transport: Transport, *, close: bool = True) -> ObservationError:
    try:
        with pytest.raises(ObservationError) as caught:
            await transport.get("/version", label="/version")
    finally:
        if close:
            await transport.aclose()
    return caught.value


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(b'{"data": {"version": "9.'), id="truncated JSON"),
        pytest.param(http(b"<html>secret-of-the-proxy</html>", "Content-Type: text/html"), id="HTML"),
        pytest.param(http(b""), id="empty 200"),
        pytest.param(http(b'["data"]'), id="no object"),
        pytest.param(http(b'{"error": "secret-of-the-proxy"}'), id="no data"),
        pytest.param(http(b'{"data": NaN}'), id="not a number"),
        pytest.param(http(b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}"), id="nested without end"),
        pytest.param(http(b'{"data": "\xff\xfe"}'), id="not UTF-8"),
        pytest.param(http(b'{"data": 1}' + b" " * LIMIT), id="too large"),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b" " * (LIMIT + 1), id="too large, untold"),
        pytest.param(
            http(gzip.compress(b'{"data": "' + b"x" * 50_000_000 + b'"}'), "Content-Encoding: gzip"), id="gzip bomb"
        ),
        pytest.param(http(b'{"data": 1}', "Content-Encoding: gzip"), id="gzip that is none"),
        pytest.param(http(gzip.compress(b'{"data": 1}')[:-4], "Content-Encoding: gzip"), id="truncated gzip"),
        pytest.param(
            http(gzip.compress(gzip.compress(b'{"data": 1}')), "Content-Encoding: gzip, gzip"), id="gzip in gzip"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b'{"data": 1', id="broken off"),
        pytest.param(http(b'{"data":[' + b"{}," * 10_000 + b"{}]}"), id="too many objects"),
        pytest.param(http(b'{"data":' + b"[[" + b"0," * 20_000 + b"0]]}"), id="too many numbers"),
    ],
)
@pytest.mark.reliability("T22")
async def test_what_is_no_answer_of_proxmox_is_refused_and_not_echoed(answer: bytes) -> None:
    """T22: whatever stands between, or is cut."""
    async with answering(answer) as server:
        failure = await failure_of(server.transport(bounds=SMALL))
    assert isinstance(failure, CallFailed)
    assert failure.status is None
    assert "secret-of-the-proxy" not in str(failure)


def padded(size: int) -> bytes:
    """An answer of so many bytes."""
    return b'{"data": 1}'.ljust(size)


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
@pytest.mark.parametrize("packed", [False, True], ids=["as sent", "as inflated"])
async def test_an_answer_may_be_as_long_as_its_bound_and_no_byte_longer(size: int, packed: bool) -> None:
    answer = http(gzip.compress(padded(size)), "Content-Encoding: gzip") if packed else http(padded(size))
    async with answering(answer) as server:
        transport = server.transport(bounds=SMALL)
        if size <= LIMIT:
            assert await transport.get("/version", label="/version") == 1
            await transport.aclose()
        else:
            assert f"more than {LIMIT} bytes" in str(await failure_of(transport))


async def refused_while_pouring(head: bytes, part: bytes, *, bounds: Bounds) -> ObservationError:
    """The client's failure with a server that would send 100 MB; most of that must never be sent, and little of it be kept."""
    sent = 0

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        sent = 0
        writer.write(head)
        for _number in range(100 * 2**20 // len(part)):
            writer.write(part)
            await writer.drain()
            sent += len(part)

    async with RawServer(pour) as server:
        tracemalloc.start()
        try:
            failure = await failure_of(server.transport(bounds=bounds))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert sent < 40 * 2**20
    assert peak < 40 * 2**20
    return failure


LONG = 8_000_000


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(b'{"data":"' + b"x" * LONG + b'"}'), id="too long"),
        pytest.param(http(gzip.compress(b'{"data":"' + b"x" * LONG + b'"}'), "Content-Encoding: gzip"), id="gzip bomb"),
        pytest.param(http(b'{"data":[' + b"1," * (LONG // 3) + b"1]}"), id="too many values"),
        pytest.param(http(b'{"data":"' + b"x" * (LONG // 2)), id="not JSON"),
        pytest.param(http(b'{"data":"' + TOKEN.secret.encode() + b"x" * (LONG // 2) + b'"}'), id="with the secret"),
        pytest.param(http(b'{"data":"' + b"x" * (LONG // 2))[:-100], id="broken off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b" " * (LONG // 2), id="not in time"),
    ],
)
async def test_nothing_of_a_refused_answer_is_kept_though_its_failure_is(answer: bytes) -> None:
    """The functions that an error came through hold what they were at work on: three endpoints with 32 MiB each were 100 MiB for a while."""
    open_ended = answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999")

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        if not open_ended:
            writer.close()

    bounds = Bounds(body_bytes=LONG - 1_000_000, values=LONG // 4, read_seconds=0.3)
    async with RawServer(script) as server:
        transport = Transport(
            endpoints=[server.endpoint] * 3, token=TOKEN, tls=TLSPolicy(ca_bundle=server.ca_pem), bounds=bounds
        )
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            kept = await failure_of(transport, close=False)
            async with asyncio.timeout(5):  # the server, too, has something to send for a moment
                while tracemalloc.get_traced_memory()[0] > LONG // 4:
                    await asyncio.sleep(0.02)
        finally:
            tracemalloc.stop()
            gc.enable()
        await transport.aclose()
    assert isinstance(kept, CallFailed | ConnectionFailed)


GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"  # of deflate: five bytes that inflate to none


@pytest.mark.parametrize(
    ("head", "part"),
    [
        pytest.param(PLAIN + b'{"data":"', b"x" * 2**20, id="one long text"),
        pytest.param(PLAIN + b'{"data":[', b"[]," * 2**18, id="a list that does not end"),
        pytest.param(GZIP + gzip.compress(b'{"data": 1}'), b"x" * 2**20, id="something after the end of the gzip"),
        pytest.param(
            GZIP + gzip.compress(b"")[:10], EMPTY_BLOCK * 2**18, id="gzip that inflates to nothing, without end"
        ),
    ],
)
async def test_an_endless_answer_is_refused_at_its_bound_and_not_kept(head: bytes, part: bytes) -> None:
    failure = await refused_while_pouring(head, part, bounds=Bounds(body_bytes=4 * 2**20))
    assert isinstance(failure, CallFailed)
    assert f"more than {4 * 2**20} bytes" in str(failure)


@pytest.mark.parametrize(
    ("head", "part"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Padding: ", b"x" * 2**20, id="one header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-Padding: xxx\r\n" * 2**16, id="many headers"),
        pytest.param(b"HTTP/1.1 200 ", b"x" * 2**20, id="the reason"),
        pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2**15, id="many answers before the answer"),
    ],
)
async def test_headers_without_end_are_refused_and_not_kept(head: bytes, part: bytes) -> None:
    failure = await refused_while_pouring(head, part, bounds=QUICK)
    assert isinstance(failure, ConnectionFailed)


@pytest.mark.parametrize(
    "answer",
    [http(gzip.compress(b'{"data": 1}'), "Content-Encoding: gzip"), http(b'{"data": 1}', "Content-Encoding: identity")],
)
async def test_what_is_compressed_as_asked_for_is_read(answer: bytes) -> None:
    async with answering(answer) as server:
        transport = server.transport(bounds=SMALL)
        assert await transport.get("/version", label="/version") == 1
        await transport.aclose()


@pytest.mark.parametrize("status", ["403 Permission check failed", "500 got timeout", "595 No route to host"])
@pytest.mark.reliability("T23")
async def test_errors_of_all_generations_read_the_same(status: str) -> None:
    """T23: the reason phrase alone, a message besides (from 8.3), a text, or nothing at all."""
    bodies = (b'{"data":null}', b'{"data":null,"message":"got timeout\\n"}', b"got timeout", b"")
    told = set()
    for body in bodies:
        async with answering(http(body, status=status)) as server:
            failure = await failure_of(server.transport())
            assert isinstance(failure, CallFailed)
            told.add((failure.status, str(failure).replace(server.endpoint, "")))
    assert len(told) == 1


@pytest.mark.parametrize("status", ["400 Bad", "403 Permission check failed", "404 Nothing", "501 Not there"])
async def test_an_error_status_is_kept_and_its_text_is_not(status: str) -> None:
    async with answering(http(b'{"data":null,"message":"secret"}', status=f"{status} secret")) as server:
        failure = await failure_of(server.transport())
    assert isinstance(failure, CallFailed)
    assert failure.status == int(status[:3])
    assert "secret" not in str(failure)


async def test_a_redirect_is_not_followed() -> None:
    """The token would go wherever the answer says."""
    async with answering(http(b'{"data": 1}')) as other:
        async with answering(http(b"", f"Location: {other.endpoint}/", status="302 Found")) as server:
            failure = await failure_of(server.transport())
        assert "redirect" in str(failure)
        assert other.connections == 0


async def test_a_cookie_that_is_set_is_not_sent_back() -> None:
    """For the server a cookie wins over a token."""
    async with answering(http(b'{"data": 1}', "Set-Cookie: PVEAuthCookie=x; Path=/; Secure")) as server:
        transport = server.transport()
        for _ in range(2):
            await transport.get("/version", label="/version")
        await transport.aclose()
    assert server.received.count(b"GET ") == 2
    assert b"ookie" not in server.received


async def test_the_environments_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the environment is changed, as a deployment would; the proxy's port refuses connections."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with answering(http(b'{"data": 1}')) as server:
        transport = server.transport()
        assert await transport.get("/version", label="/version") == 1
        await transport.aclose()


async def test_a_body_that_drips_without_end_is_given_up() -> None:
    """Each read succeeds in time; the answer as a whole does not."""

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    bounds = Bounds(read_seconds=0.2, answer_seconds=0.2)
    async with RawServer(drip) as server:
        async with asyncio.timeout(60):  # all of it would take half an hour
            failure = await failure_of(server.transport(bounds=bounds))
    assert isinstance(failure, ConnectionFailed)


async def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with RawServer(silence) as server:
        failure = await failure_of(server.transport(bounds=QUICK))
    assert isinstance(failure, ConnectionFailed)
    assert "did not answer" in str(failure)


@pytest.mark.reliability("T20")
async def test_calls_to_a_node_outlast_the_servers_own_limit() -> None:
    """T20. A call of a hanging node ends with the server's 596 after 30 s, which the client must still be there to read."""
    assert PATIENT.node_read_seconds > 30
    bounds = replace(QUICK, node_read_seconds=PATIENT.node_read_seconds)
    async with simulated(presets.demo()) as cluster, client_of(cluster, bounds=bounds) as client:
        cluster.add_fault(Fault(path="/nodes/pve2/*", delay=2 * QUICK.read_seconds))
        await client.node_status("pve2")
        cluster.add_fault(Fault(path="/version", delay=2 * QUICK.read_seconds, node="pve1"))
        await client.version()
        assert client.endpoint != cluster.endpoint("pve1")


async def test_an_empty_595_is_a_failed_call_with_its_status() -> None:
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.kill_node("pve3")
        with pytest.raises(CallFailed, match="cannot reach node pve3") as caught:
            await client.node_status("pve3")
    assert caught.value.status == 595


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/cluster/resources", {"not": "a list"}),
        ("/cluster/resources", [{"type": "qemu", "node": "pve1"}]),
        ("/cluster/status", []),
        ("/version", "9.1"),
        ("/access/permissions", ["/"]),
        ("/storage", [{"type": "dir"}]),
    ],
)
async def test_well_formed_nonsense_is_a_failed_call(path: str, data: object) -> None:
    calls = {
        "/cluster/resources": "resources",
        "/cluster/status": "cluster_status",
        "/version": "version",
        "/access/permissions": "permissions",
        "/storage": "storage_configs",
    }
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.add_fault(Fault(path=path, data=json.loads(json.dumps(data))))
        with pytest.raises(CallFailed, match="cannot be used"):
            await getattr(client, calls[path])()


@pytest.mark.parametrize("name", ["../access/users", "a/b", "", "pve?x=1", "pve\n", "..", "%2e%2e"])
async def test_a_name_in_an_answer_can_not_lead_to_another_path(name: str) -> None:
    async with simulated(presets.standalone()) as cluster, client_of(cluster) as client:
        for call in (client.node_status(name), client.volumes("pve", name, "vztmpl")):
            with pytest.raises(CallFailed, match="cannot be one"):
                await call
        assert not cluster.requests
