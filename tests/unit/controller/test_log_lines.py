"""One line in the log for each change of state, and none for what goes well and stays so."""

import asyncio
from collections import Counter

from structlog.testing import capture_logs

from proxmox_offerings.proxmox.errors import ConnectionFailed, Unauthorized
from support.cluster import cluster, guest, node
from unit.controller.running import Running, running

FULL = cluster(nodes=[node(threads=16)], guests=[guest(100, "pve1", cpu=16)])
LOUD = {"info", "warning", "error", "critical"}


def told(log: list) -> list[str]:
    return [line["event"] for line in log if line["log_level"] in LOUD]


def test_hours_of_healthy_refreshes_are_not_told() -> None:
    """Renewals of unchanged statements and numbers that move included."""

    async def actions(world: Running) -> None:
        with capture_logs() as log:
            await asyncio.sleep(10)
            assert told(log) == ["stock changed", "host observed"]
            log.clear()
            for used in (1, 3, 5) * 4:
                world.seen = cluster(nodes=[node(threads=16)], guests=[guest(100, "pve1", cpu=used)])
                await asyncio.sleep(900)
            assert told(log) == []
        assert len(world.read) > 12 * 900 / 60

    running(actions)


def test_each_change_of_state_is_one_line_however_long_it_lasts() -> None:
    async def actions(world: Running) -> None:
        await asyncio.sleep(10)
        with capture_logs() as log:
            for seen in (ConnectionFailed("no endpoint answered"), Unauthorized("the token was refused"), FULL):
                world.seen = seen
                await asyncio.sleep(500)
        lines = [line for line in log if line["log_level"] in LOUD]
        assert [(line["event"], line.get("reason") or line.get("stock")) for line in lines] == [
            ("host not ready", "ConnectionFailed"),
            ("host not ready", "Unauthorized"),
            ("stock changed", "Unknown"),
            ("stock changed", "OutOfStock"),
            ("host observed", None),
        ]
        # Constant messages, and what they are about as keys with values.
        assert Counter(line.get("host") or line.get("offering") for line in lines) == {"fra1": 3, "fra1-small": 2}

    running(actions)


def test_a_failure_that_is_worded_differently_each_time_is_one_change() -> None:
    """Of several endpoints now one and now another is the worst."""

    async def actions(world: Running) -> None:
        await asyncio.sleep(10)
        with capture_logs() as log:
            for number in range(20):
                world.seen = ConnectionFailed(f"https://pve{number % 3}.example.net:8006 did not answer in time")
                await asyncio.sleep(60)
        assert told(log).count("host not ready") == 1

    running(actions)
