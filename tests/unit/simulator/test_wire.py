"""The habits of the HTTP layer that break clients: empty bodies, late refusals, connections that close."""

import asyncio
import gc
import hashlib
import socket
import ssl
import time

import httpx
import pytest

from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.simulator import Simulator


async def test_wrong_token_is_a_late_401_with_empty_body(start, browse, describe):
    pve = await browse(await start(describe(), behaviour=Behaviour(refusal_delay=0.2)))
    began = time.monotonic()
    answer = await pve.get("/version", headers={"Authorization": "PVEAPIToken=offerings@pve!reader=wrong"})
    assert (answer.status_code, answer.reason_phrase, answer.content) == (401, "invalid token value!", b"")
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("", "No ticket"),
        ("PVEAPIToken=nobody@pve!x=1", "no such token 'x' for user 'nobody@pve'"),
        ("Bearer x", "No ticket"),
    ],
)
async def test_401_says_why_before_9_2_only(start, browse, describe, authorization, reason):
    headers = {"Authorization": authorization}
    old = await (await browse(await start(describe(version="8.4.1")))).get("/version", headers=headers)
    new = await (await browse(await start(describe(version="9.2.2")))).get("/version", headers=headers)
    assert old.reason_phrase == reason
    assert new.reason_phrase == (reason if reason == "No ticket" else "Authentication failed!")


async def test_token_may_be_written_with_a_blank_and_url_encoded(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    for written in (
        f"PVEAPIToken {simulator.token_id}={simulator.token_secret}",
        f"PVEAPIToken=offerings%40pve!reader={simulator.token_secret}",
    ):
        assert (await pve.get("/version", headers={"Authorization": written})).status_code == 200


async def test_liveness_needs_no_token(start, browse, describe):
    pve = await browse(await start(describe()))
    assert (await pve.get("/access/ticket", headers={"Authorization": ""})).json() == {"data": None}


@pytest.mark.parametrize(("version", "told"), [("8.2.9", None), ("8.3.0", "Method 'GET /nope' not implemented\n")])
async def test_errors_have_a_message_since_8_3(start, browse, describe, version, told):
    answer = await (await browse(await start(describe(version=version)))).get("/nope")
    assert (answer.status_code, answer.reason_phrase) == (501, "Method 'GET /nope' not implemented")
    assert answer.json().get("message") == told
    assert answer.json()["data"] is None


async def test_unknown_parameter_is_refused_by_name(start, browse, describe):
    answer = await (await browse(await start(describe()))).get("/version?newer=1")
    assert (answer.status_code, answer.reason_phrase) == (400, "Parameter verification failed.")
    assert "not defined in schema" in answer.json()["errors"]["newer"]


async def test_missing_guest_is_a_500(start, browse, describe):
    answer = await (await browse(await start(describe()))).get("/nodes/pve1/qemu/200/config")
    assert answer.status_code == 500
    assert answer.reason_phrase == "Configuration file 'nodes/pve1/qemu-server/200.conf' does not exist"


async def test_every_request_is_recorded_and_nothing_can_be_changed(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    await pve.get("/nodes/pve1/storage?enabled=1", node="pve2")
    refused = await pve.get("/nodes/pve1/qemu/100/status/stop", method="POST")
    assert refused.status_code == 501
    assert [(each.method, each.path, each.query, each.node) for each in simulator.requests] == [
        ("GET", "/nodes/pve1/storage", "enabled=1", "pve2"),
        ("POST", "/nodes/pve1/qemu/100/status/stop", "", "pve1"),
    ]


async def test_get_with_a_body_is_refused(start, browse, describe):
    assert (await (await browse(await start(describe()))).get("/version", content=b"{}")).status_code == 501


async def test_headers_are_those_of_the_real_server(start, browse, describe):
    answer = await (await browse(await start(describe()))).get("/version")
    assert answer.headers["server"] == "pve-api-daemon/3.0"
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert answer.headers["cache-control"] == "max-age=0"
    assert answer.headers["connection"].lower() == "keep-alive"


async def test_large_answers_are_packed_where_the_client_takes_it(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    assert (await pve.get("/cluster/resources")).headers["content-encoding"] == "gzip"
    assert (
        "content-encoding" not in (await pve.get("/cluster/resources", headers={"Accept-Encoding": "identity"})).headers
    )


async def connections_of(simulator, pve, calls):
    """The local ports that consecutive calls came from."""
    ports = []
    for path in calls:
        authorization = f"PVEAPIToken={simulator.token_id}={simulator.token_secret}"
        async with pve.client.stream(
            "GET", f"{simulator.endpoints[0]}/api2/json{path}", headers={"Authorization": authorization}
        ) as answer:
            ports.append(answer.extensions["network_stream"].get_extra_info("client_addr")[1])
            await answer.aread()
    return ports


async def test_connection_ends_after_an_error(start, browse, describe):
    simulator = await start(describe())
    first, second, third = await connections_of(simulator, await browse(simulator), ["/version", "/nope", "/version"])
    assert first == second != third


async def test_connection_ends_after_its_number_of_requests(start, browse, describe):
    simulator = await start(describe(), behaviour=Behaviour(requests_per_connection=3))
    ports = await connections_of(simulator, await browse(simulator), ["/version"] * 5)
    assert [port == ports[0] for port in ports] == [True, True, True, False, False]


async def test_idle_connection_is_closed(start, describe):
    simulator = await start(describe(), behaviour=Behaviour(keep_alive=0.1))
    trust = ssl.create_default_context(cadata=simulator.ca_pem)
    port = int(simulator.endpoints[0].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    writer.write(b"GET /api2/json/access/ticket HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.endswith(b'{"data":null}'), "the end came from the server"
    writer.close()


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_connection_that_comes_at_the_very_end_leaves_no_socket_behind(describe, turns):
    """A test would fail that has nothing to do with it: the garbage collector warns of the socket whenever it finds it."""

    async def ends_while_somebody_comes() -> socket.socket:
        async with Simulator(describe(), behaviour=Behaviour(refusal_delay=0)) as simulator:
            port = int(simulator.endpoints[0].rpartition(":")[2])
            somebody = socket.create_connection(("127.0.0.1", port))
            for _ in range(turns):
                await asyncio.sleep(0)
        return somebody

    with asyncio.run(ends_while_somebody_comes()):
        gc.collect()


async def test_certificate_of_another_authority_is_not_believed(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    before = dict(simulator.fingerprints)
    simulator.replace_certificate("other-authority", node="pve1")
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        await pve.get("/version")
    assert (await pve.get("/version", node="pve2")).status_code == 200
    assert simulator.fingerprints["pve1"] != before["pve1"]
    simulator.replace_certificate()
    assert (await pve.get("/version")).status_code == 200


async def test_expired_certificate_is_told_apart(start, browse, describe):
    simulator = await start(describe())
    simulator.replace_certificate("expired")
    with pytest.raises(httpx.ConnectError, match="expired"):
        await (await browse(simulator)).get("/version")


async def test_fingerprint_of_a_node_is_that_of_its_certificate(start, browse, describe):
    simulator = await start(describe())
    rows = await (await browse(simulator)).rows("/nodes")
    assert {row["node"]: row["ssl_fingerprint"] for row in rows.values()} == simulator.fingerprints
    trust = ssl.create_default_context(cadata=simulator.ca_pem)
    port = int(simulator.endpoint("pve3").rpartition(":")[2])
    _, writer = await asyncio.open_connection("localhost", port, ssl=trust, server_hostname="pve3")
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    assert hashlib.sha256(shown).digest().hex(":").upper() == simulator.fingerprints["pve3"]


async def test_calls_at_the_same_time_are_counted_for_the_node_that_answers(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.set_storage("nfs", node="pve2", hanging=True)
    await asyncio.gather(*(pve.get("/nodes/pve2/storage") for _ in range(3)))
    assert simulator.peak_in_flight["pve2"] == 3
