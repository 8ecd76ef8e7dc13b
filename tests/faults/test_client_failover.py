"""What the client does when an endpoint, or a connection, is not there."""

import asyncio
from ipaddress import ip_network

import pytest

from proxmox_offerings.proxmox.addresses import AddressPolicy
from proxmox_offerings.proxmox.errors import CallFailed, ConnectionFailed, Unauthorized
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.transport import Bounds, Transport, transport_to
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.faults import Fault
from support.proxmox import PATIENT, QUICK, TOKEN, RawServer, client_of, simulated


@pytest.mark.reliability("T19")
async def test_a_connection_that_breaks_once_is_not_noticed() -> None:
    """The server closes idle connections at any moment (T19)."""
    async with simulated(presets.standalone()) as cluster, client_of(cluster) as client:
        for spoilt in (Fault(drop=True, count=1), Fault(break_off=True, count=1)):
            cluster.add_fault(spoilt)
            assert (await client.version()).release == "9.1"


async def test_a_connection_that_breaks_always_is_tried_twice() -> None:
    async with simulated(presets.standalone()) as cluster, client_of(cluster) as client:
        cluster.add_fault(Fault(drop=True))
        with pytest.raises(ConnectionFailed):
            await client.version()
        assert len(cluster.requests) == 2


@pytest.mark.reliability("T19")
async def test_an_idle_connection_is_given_up_before_the_server_does() -> None:
    """T19. Within the server's 5 s, but not at their end (fact 13)."""
    assert PATIENT.keepalive_seconds < 5

    async def keep_open(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data": 1}')
        await writer.drain()

    async with RawServer(keep_open) as server:
        kept, given_up = (server.transport(bounds=Bounds(keepalive_seconds=seconds)) for seconds in (3600, 0.05))
        for _ in range(3):
            await kept.get("/version", label="/version")
        assert server.connections == 1
        for turn in (2, 3):
            await given_up.get("/version", label="/version")
            assert server.connections == turn
            await asyncio.sleep(0.1)  # longer than it is kept
        await kept.aclose()
        await given_up.aclose()


@pytest.mark.reliability("T7")
async def test_another_node_answers_when_the_entry_node_is_dead_and_stays_the_entry() -> None:
    """T7."""
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        assert client.endpoint == cluster.endpoint("pve1")
        cluster.kill_node("pve1")
        await client.version()
        assert client.endpoint == cluster.endpoint("pve2")
        cluster.restore_node("pve1")
        cluster.requests.clear()
        await client.resources()
        assert [request.node for request in cluster.requests] == ["pve2"]


async def test_an_entry_node_that_hangs_is_left_behind() -> None:
    async with simulated(presets.demo()) as cluster, client_of(cluster, bounds=QUICK) as client:
        cluster.add_fault(Fault(node="pve1", hang=True))
        await client.version()
        assert client.endpoint == cluster.endpoint("pve2")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.reliability("T5", "T22")
async def test_an_entry_node_that_is_ill_is_left_behind(status: int) -> None:
    """T5, T22. A 500 of a call that the entry node answers itself is its pmxcfs, which another node has in order (T5)."""
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.add_fault(Fault(node="pve1", status=status))
        await client.resources()
        assert client.endpoint == cluster.endpoint("pve2")
        cluster.add_fault(Fault(status=status))
        with pytest.raises(CallFailed) as caught:
            await client.resources()
        assert caught.value.status == status


async def test_a_failing_call_of_a_node_is_not_repeated_elsewhere() -> None:
    """It would fail there too, thirty seconds later."""
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.add_fault(Fault(path="/nodes/pve2/*", status=500))
        with pytest.raises(CallFailed):
            await client.node_status("pve2")
        assert len(cluster.requests) == 1


async def test_all_endpoints_dead_is_one_sentence() -> None:
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        for node in ("pve1", "pve2", "pve3"):
            cluster.kill_node(node)
        with pytest.raises(ConnectionFailed, match="no connection to https://"):
            await client.version()


async def test_a_name_that_does_not_resolve_is_a_failed_connection() -> None:
    async with (
        simulated(presets.standalone()) as cluster,
        client_of(cluster, endpoints=["https://does-not-exist.invalid:8006"]) as client,
    ):
        with pytest.raises(ConnectionFailed):
            await client.version()


async def test_something_that_speaks_no_tls_is_a_failed_connection() -> None:
    async def shout(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.net ESMTP\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(shout, "127.0.0.1", 0)
    async with listener, simulated(presets.standalone()) as cluster:
        port = listener.sockets[0].getsockname()[1]
        async with client_of(cluster, endpoints=[f"https://127.0.0.1:{port}"]) as client:
            with pytest.raises(ConnectionFailed):
                await client.version()


@pytest.mark.reliability("T16")
async def test_never_more_than_two_calls_at_once_for_a_node() -> None:
    """Three hanging calls would block all logins of that node (T16)."""
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.add_fault(Fault(delay=0.05))
        calls = [client.node_status(node) for node in ("pve2", "pve3") for _ in range(5)]
        await asyncio.gather(*calls, *(client.resources() for _ in range(5)))
        assert max(cluster.peak_in_flight.values()) == 2
        assert cluster.peak_in_flight["pve1"] == 2


async def test_hanging_nodes_do_not_hold_up_what_the_entry_node_answers() -> None:
    async with (
        simulated(presets.mixed(nodes=12, guests=20)) as cluster,
        client_of(cluster, endpoints=[cluster.endpoints[0]]) as client,
    ):
        cluster.add_fault(Fault(path="/nodes/*", hang=True))
        stuck = [asyncio.create_task(client.node_status(node)) for node in cluster.nodes for _ in range(2)]
        async with asyncio.timeout(30):
            while len(cluster.requests) < 8:
                await asyncio.sleep(0.01)
            await client.resources()
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


async def test_each_attempt_is_counted() -> None:
    seen: list[tuple[str, str]] = []
    async with (
        simulated(presets.demo()) as cluster,
        client_of(cluster, on_call=lambda label, result, _: seen.append((label, result))) as client,
    ):
        await client.version()
        cluster.add_fault(Fault(path="/nodes/*", status=596, count=1))
        with pytest.raises(CallFailed):
            await client.node_status("pve2")
        cluster.kill_node("pve1")
        await client.guest_config("pve3", "qemu", 160, current=True)
    assert seen == [
        ("/version", "200"),
        ("/nodes/{node}/status", "596"),
        ("/nodes/{node}/qemu/{vmid}/config", "ConnectionFailed"),
        ("/nodes/{node}/qemu/{vmid}/config", "ConnectionFailed"),
        ("/nodes/{node}/qemu/{vmid}/config", "200"),
    ]


async def test_a_cancelled_call_leaves_the_client_usable() -> None:
    async with simulated(presets.standalone()) as cluster, client_of(cluster) as client:
        hanging = cluster.add_fault(Fault(hang=True))
        calls = [asyncio.create_task(client.version()) for _ in range(6)]
        async with asyncio.timeout(30):
            while len(cluster.requests) < 2:
                await asyncio.sleep(0.01)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        cluster.remove_fault(hanging)
        async with asyncio.timeout(30):
            await client.version()


async def test_an_answer_that_cannot_be_read_is_asked_for_elsewhere() -> None:
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.add_fault(Fault(node="pve1", body="<html>"))
        await client.version()
        assert client.endpoint == cluster.endpoint("pve2")


@pytest.mark.reliability("T7")
async def test_what_belongs_together_is_told_by_one_node() -> None:
    """One call that fails moves all of them: another node may see another cluster."""
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.add_fault(Fault(node="pve1", path="/cluster/ha/*", status=500))
        await client.cluster_now()
        assert client.endpoint == cluster.endpoint("pve2")
        asked = [request.path for request in cluster.requests if request.node == "pve2"]
        assert sorted(asked) == ["/cluster/ha/status/manager_status", "/cluster/resources", "/cluster/status"]


@pytest.mark.reliability("T20")
async def test_node_that_hangs_is_waited_for_once_and_not_for_each_call() -> None:
    """What is asked together is asked one after another: the second and third call would wait for their turns to hang."""
    async with simulated(presets.demo()) as cluster, client_of(cluster, bounds=QUICK) as client:
        cluster.add_fault(Fault(node="pve1", hang=True))
        await client.cluster_now()
        assert [request.node for request in cluster.requests].count("pve1") == 1
        assert client.endpoint == cluster.endpoint("pve2")


@pytest.mark.reliability("T5")
async def test_node_without_quorum_is_believed_only_if_no_other_one_has_it() -> None:
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.isolate_node("pve1")
        status, _, _ = await client.cluster_now()
        assert (status.quorate, client.endpoint) == (True, cluster.endpoint("pve2"))
        cluster.set_quorum(quorate=False)
        status, _, _ = await client.cluster_now()
        assert status.quorate is False


@pytest.mark.reliability("T21")
async def test_of_several_failures_the_one_that_a_person_can_mend_is_told() -> None:
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        cluster.add_fault(Fault(path="/cluster/status", status=502))
        cluster.add_fault(Fault(path="/cluster/resources", status=401, delay=0.05))
        with pytest.raises(Unauthorized):
            await client.cluster_now()


async def test_a_call_that_is_given_up_during_the_handshake_leaves_no_connection() -> None:
    """The server hears the end of it at once, not when memory is cleaned up."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        begun.set()
        while await reader.read(65536):
            pass
        ended.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        transport = Transport(
            endpoints=[f"https://127.0.0.1:{port}"],
            token=TOKEN,
            tls=TLSPolicy(insecure_skip_verify=True),
            transport_factory=transport_to(AddressPolicy(allow=(ip_network("127.0.0.1"),))),
        )
        call = asyncio.create_task(transport.get("/version", label="/version"))
        await begun.wait()
        call.cancel()
        await asyncio.wait([call])
        await asyncio.wait_for(ended.wait(), 30)
        await transport.aclose()


async def test_connections_are_closed_soon_after_the_last_call_and_never_during_one() -> None:
    """The server would close them before the next refresh. Until then they cost fifty kilobytes each on our side, and one of its own on the other."""
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)  # longer than connections are kept: one that is in use must last
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"data":1}')
        await writer.drain()
        if not await reader.read(1):
            ended.put_nowait(None)

    async with RawServer(slow) as server:
        transport = server.transport(bounds=Bounds(keepalive_seconds=0.05))
        for turn in (1, 2):
            assert await transport.get("/version", label="/version") == 1
            await asyncio.wait_for(ended.get(), 30)
            assert server.connections == turn
        await transport.aclose()


async def test_calls_that_are_asked_together_share_one_connection() -> None:
    async with simulated(presets.demo()) as cluster, client_of(cluster) as client:
        await client.cluster_now()
        pool = client._transport._own._pool  # type: ignore[attr-defined]
        assert len(pool.connections) == 1
