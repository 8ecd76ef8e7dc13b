"""Faults hit the calls that they are armed for, as often as they are armed for."""

import asyncio
import json

import httpx
import pytest

from proxmox_offerings.simulator.faults import Fault


async def test_fault_hits_its_path_only_and_stops_after_its_count(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.add_fault(Fault(path="/cluster/*", status=502, reason="Bad Gateway", body="<html>", count=1))
    assert (await pve.get("/version")).status_code == 200
    spoiled = await pve.get("/cluster/status")
    assert (spoiled.status_code, spoiled.reason_phrase, spoiled.text) == (502, "Bad Gateway", "<html>")
    assert (await pve.get("/cluster/status")).status_code == 200


async def test_fault_can_be_of_one_entry_node_and_be_disarmed(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    name = simulator.add_fault(Fault(node="pve1", status=500, reason="RPCEnvironment init request failed"))
    assert (await pve.get("/version", node="pve1")).status_code == 500
    assert (await pve.get("/version", node="pve2")).status_code == 200
    simulator.remove_fault(name)
    assert (await pve.get("/version", node="pve1")).status_code == 200


async def test_dropped_connection_is_no_answer_at_all(start, browse, describe):
    simulator = await start(describe())
    simulator.add_fault(Fault(drop=True))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await (await browse(simulator)).get("/version")


async def test_body_that_breaks_off_is_shorter_than_announced(start, browse, describe):
    simulator = await start(describe())
    simulator.add_fault(Fault(break_off=True))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await (await browse(simulator)).get("/cluster/resources")


async def test_truncated_answer_is_whole_for_http_but_no_json(start, browse, describe):
    simulator = await start(describe())
    simulator.add_fault(Fault(truncate=True))
    answer = await (await browse(simulator)).get("/cluster/resources")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_login_page_with_200(start, browse, describe):
    simulator = await start(describe())
    simulator.add_fault(Fault(body="<html>please log in</html>"))
    answer = await (await browse(simulator)).get("/version")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_empty_body_with_200(start, browse, describe):
    simulator = await start(describe())
    simulator.add_fault(Fault(status=200, reason="OK"))
    answer = await (await browse(simulator)).get("/version")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_redirect_names_its_target(start, browse, describe):
    simulator = await start(describe())
    simulator.add_fault(Fault(redirect="https://elsewhere.example/"))
    answer = await (await browse(simulator)).get("/version")
    assert (answer.status_code, answer.headers["location"]) == (302, "https://elsewhere.example/")


async def test_oversized_answer_is_well_formed_and_has_the_size(start, browse, describe):
    simulator = await start(describe())
    simulator.add_fault(Fault(oversized=2_000_000))
    answer = await (await browse(simulator)).get("/version")
    assert len(answer.content) == 2_000_000
    assert answer.json()["data"].startswith("x")


async def test_other_contents_than_expected(start, browse, describe):
    simulator = await start(describe())
    simulator.add_fault(Fault(data=[1, {"type": "moon"}]))
    assert await (await browse(simulator)).data("/cluster/resources") == [1, {"type": "moon"}]


async def test_hanging_call_holds_up_nobody_else_and_ends_with_the_simulator(start, browse, describe):
    simulator = await start(describe())
    pve = await browse(simulator)
    simulator.add_fault(Fault(path="/version", hang=True))
    hanging = asyncio.create_task(pve.get("/version"))
    assert (await pve.get("/cluster/status")).status_code == 200
    assert not hanging.done()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging


async def test_delay_alone_only_delays(start, browse, describe):
    simulator = await start(describe())
    simulator.add_fault(Fault(delay=0.1))
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await (await browse(simulator)).get("/version")).status_code == 200
    assert loop.time() - began >= 0.1
