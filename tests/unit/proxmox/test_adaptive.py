"""A cluster in trouble is asked less, down to one call at a time, and more again as it recovers; one that is well notices nothing."""

import asyncio
import contextlib
import gc
import random
from collections.abc import Callable

import httpx
import pytest

from proxmox_offerings.proxmox.adaptive import AdaptiveLimit
from proxmox_offerings.proxmox.errors import ObservationError
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.transport import Transport
from support.proxmox import TOKEN
from unit.controller.virtual_time import run

MOST, SLOW = 8, 15.0
NODES = tuple(f"pve{number}" for number in range(1, 17))


class AskedCluster:
    """Calls of its nodes through a limit. `answer(node, in_flight)` tells how one goes: a status, None if none comes, and after how many seconds."""

    def __init__(self, answer: Callable[[str, int], tuple[int | None, float]]) -> None:
        self.limit = AdaptiveLimit(MOST, slow=SLOW)
        self.answer = answer
        self.in_flight = 0
        self.peak = 0
        self.asked: list[str] = []

    async def call(self, node: str) -> None:
        async with self.limit.place() as place:
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            try:
                status, seconds = self.answer(node, self.in_flight)
                self.asked.append(node)
                await asyncio.sleep(seconds)
                place.ended(node=node, status=status, seconds=seconds)
            finally:
                self.in_flight -= 1

    async def call_all(self, *, times: int = 1, nodes: tuple[str, ...] = NODES) -> int:
        """Ask each node at once. The most that were in flight at the same time."""
        self.peak = 0
        await asyncio.gather(*(self.call(node) for _ in range(times) for node in nodes))
        return self.peak


def well(_node: str, _in_flight: int) -> tuple[int | None, float]:
    return 200, 0.05


def test_cluster_that_is_well_has_all_calls_at_a_time_in_their_order() -> None:
    async def main() -> None:
        cluster = AskedCluster(well)
        assert await cluster.call_all(times=5) == MOST
        assert cluster.asked == [*NODES] * 5
        assert cluster.limit.lowered == 0

    run(main())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 501])
def test_errors_that_come_quickly_are_no_load(status: int) -> None:
    """A node without ZFS, or a token that may not list devices, answers so on the healthiest of clusters."""

    async def main() -> None:
        cluster = AskedCluster(lambda *_: (status, 0.05))
        assert await cluster.call_all(times=5) == MOST
        assert cluster.limit.limit == MOST

    run(main())


@pytest.mark.parametrize(
    ("status", "seconds"), [(595, 0.01), (595, 3.0), (596, 30.0), (None, 35.0), (500, 30.0), (200, 29.0)]
)
@pytest.mark.parametrize("nodes", [2, 3, 16])
def test_one_broken_node_takes_nothing_from_the_others(status: int | None, seconds: float, nodes: int) -> None:
    """It answers before all others, or long after them; and it is asked again and again while they are not."""

    async def main() -> None:
        cluster = AskedCluster(lambda node, _: (status, seconds) if node == "pve1" else (200, 0.05))
        for _ in range(5):
            await cluster.call_all(nodes=NODES[:nodes])
            for _ in range(5):
                await cluster.call("pve1")
        assert (cluster.limit.limit, cluster.limit.lowered) == (MOST, 0)

    run(main())


@pytest.mark.parametrize(
    ("status", "seconds"),
    [(429, 0.01), (502, 0.01), (503, 0.01), (504, 1.0), (596, 30.0), (None, 35.0), (595, 3.0)],
)
@pytest.mark.parametrize("nodes", [1, 3, 16])
def test_cluster_in_trouble_is_asked_one_call_at_a_time_and_all_when_it_is_well_again(
    status: int | None, seconds: float, nodes: int
) -> None:
    async def main() -> None:
        cluster = AskedCluster(lambda *_: (status, seconds))
        await cluster.call_all(nodes=NODES[:nodes], times=1 + 16 // nodes)
        assert await cluster.call_all(nodes=NODES[:nodes], times=1 + 16 // nodes) == 1
        cluster.answer = well
        await cluster.call_all(times=2)
        assert cluster.limit.limit == MOST
        assert await cluster.call_all() == MOST

    run(main())


@pytest.mark.parametrize("status", [200, 500])
def test_cluster_that_answers_slowly_is_asked_half_of_the_calls_at_a_time(status: int) -> None:
    """No fewer: what its answers say is worth having in time."""

    async def main() -> None:
        cluster = AskedCluster(lambda *_: (status, 29.0))
        await cluster.call_all(times=3)
        assert await cluster.call_all(times=3) == MOST // 2
        cluster.answer = lambda *_: (None, 35.0)
        await cluster.call_all()
        assert await cluster.call_all() == 1
        cluster.answer = lambda *_: (status, 29.0)
        await cluster.call_all()
        assert await cluster.call_all() == MOST // 2

    run(main())


def test_no_more_is_in_flight_than_the_limit_from_the_moment_when_it_is_lowered() -> None:
    """Places that were free at that moment are not given away either."""

    async def main() -> None:
        cluster = AskedCluster(lambda *_: (503, 1.0))
        await asyncio.gather(cluster.call("pve1"), cluster.call("pve2"))
        cluster.answer = lambda *_: (None, 1.0)  # tells nothing
        assert await cluster.call_all() == cluster.limit.limit == MOST // 2

    run(main())


def test_what_was_in_flight_together_lowers_the_limit_once() -> None:
    """Eight failures of one moment are one sign, not eight."""

    async def main() -> None:
        cluster = AskedCluster(lambda *_: (503, 1.0))
        await cluster.call_all(nodes=NODES[:MOST])
        assert (cluster.limit.limit, cluster.limit.lowered) == (MOST // 2, 1)

    run(main())


@pytest.mark.parametrize("bearable", [1, 2, 3, 5])
def test_as_many_are_in_flight_as_the_cluster_bears(bearable: int) -> None:
    """It answers 503 to whatever is more. Most calls succeed then, and no one starves."""

    async def main() -> None:
        refused = 0

        def answer(_: str, in_flight: int) -> tuple[int | None, float]:
            nonlocal refused
            refused += in_flight > bearable
            return (503, 0.01) if in_flight > bearable else (200, 0.1)

        cluster = AskedCluster(answer)
        await cluster.call_all(times=20)
        refused = 0
        peak = await cluster.call_all(times=20)
        assert bearable < peak <= bearable + 2  # to see whether it bears more by now
        assert refused < 0.4 * 20 * len(NODES)

    run(main())


def test_connection_that_is_refused_at_once_tells_nothing() -> None:
    """The entry node is gone, and another one is asked."""

    async def main() -> None:
        cluster = AskedCluster(lambda *_: (None, 0.01))
        await cluster.call_all(times=3)
        assert cluster.limit.limit == MOST

    run(main())


def test_calls_that_are_given_up_leave_their_places_whatever_the_limit_did_meanwhile() -> None:
    """Waiting or in flight, at any moment: never more than the limit, and all places are there in the end."""

    async def main(seed: int) -> None:
        rng = random.Random(seed)
        cluster = AskedCluster(lambda *_: (rng.choice([200, 200, 429, None]), rng.random() * 3))
        most = 0
        for _ in range(300):
            calls = [asyncio.create_task(cluster.call(rng.choice(NODES))) for _ in range(rng.randrange(4))]
            await asyncio.sleep(rng.random())
            most = max(most, cluster.in_flight)
            for call in calls:
                if rng.random() < 0.4:
                    call.cancel()
        await asyncio.sleep(1000)
        assert cluster.in_flight == 0
        assert 2 < most <= MOST
        cluster.answer = well
        await cluster.call_all(times=3)
        assert await cluster.call_all() == MOST

    for seed in range(20):
        run(main(seed))


class Wire(httpx.AsyncBaseTransport):
    """Instead of a network: what a call of a node meets is `status` after `seconds`; the entry node itself answers at once."""

    def __init__(self) -> None:
        self.status, self.seconds = 200, 0.05
        self.in_flight = 0
        self.peak = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "/nodes/" not in request.url.path:
            return httpx.Response(200, json={"data": "well"})
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.in_flight -= 1
        return httpx.Response(self.status, json={"data": "well"})


def transport_over(wire: Wire) -> Transport:
    return Transport(
        endpoints=["https://pve1.example.net:8006"],
        token=TOKEN,
        tls=TLSPolicy(insecure_skip_verify=True),
        transport_factory=lambda *_: wire,
    )


async def ask_all(transport: Transport, *, times: int = 1) -> None:
    async def ask(node: str) -> None:
        with contextlib.suppress(ObservationError):
            await transport.get(f"/nodes/{node}/status", label="/nodes/{node}/status", node=node)

    await asyncio.gather(*(ask(node) for _ in range(times) for node in NODES))


@pytest.mark.parametrize(("status", "seconds"), [(200, 1000.0), (596, 30.0), (503, 0.1), (429, 0.1)])
def test_client_asks_the_nodes_of_a_cluster_in_trouble_less_and_the_entry_node_as_ever(
    status: int, seconds: float
) -> None:
    async def main() -> None:
        wire = Wire()
        transport = transport_over(wire)
        await ask_all(transport)
        assert wire.peak == MOST
        wire.status, wire.seconds = status, seconds
        await ask_all(transport, times=3)
        wire.peak = 0
        asking = asyncio.create_task(ask_all(transport, times=2))
        for _ in range(5):
            await asyncio.sleep(1)
            async with asyncio.timeout(0.01):
                assert await transport.get("/version", label="/version") == "well"
        await asking
        assert wire.peak == 1
        wire.status, wire.seconds = 200, 0.05
        await ask_all(transport, times=3)
        assert wire.peak == MOST
        await transport.aclose()

    run(main())


def test_nothing_is_kept_of_nodes_that_were_asked_once() -> None:
    """A cluster may name new ones without end."""

    def semaphores() -> int:
        gc.collect()
        return sum(isinstance(one, asyncio.Semaphore) for one in gc.get_objects())

    async def main() -> None:
        transport = transport_over(Wire())
        await ask_all(transport)
        before = semaphores()
        for number in range(1000):
            await transport.get("/nodes/x/status", label="/nodes/{node}/status", node=f"x{number}")
        assert semaphores() <= before
        await transport.aclose()

    run(main())
