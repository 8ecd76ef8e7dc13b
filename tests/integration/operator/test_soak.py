"""The real process over many hosts, for long: simulated clusters over HTTPS, a real API server, and what the kernel says of the process."""

import asyncio
import contextlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from integration.operator.harness import Kube, Process, eventually, json_lines
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour, GuestConfig
from proxmox_offerings.simulator.faults import Fault
from proxmox_offerings.simulator.simulator import Simulator
from support.cluster import tier
from support.loops import end_connections

REFRESH: Final = 15
"""Seconds, the least that a ProxmoxHost may ask for."""
SLOW: Final = 30.0
"""Seconds that the slow cluster takes for each answer."""
SMALL = tier("small", cpu=1, memory="1Gi", disk="5Gi")
MIB = 2**20


class Clusters:
    """Simulated clusters in a thread of their own. The first of them takes half a minute for each answer."""

    def __init__(self, number: int) -> None:
        self.simulators: list[Simulator] = []
        self._number = number
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated clusters")

    def __enter__(self) -> "Clusters":
        self._thread.start()
        self._open = contextlib.AsyncExitStack()

        async def serve() -> None:
            for seed in range(self._number):
                behaviour = Behaviour(refusal_delay=0, seed=seed, jitter=False)
                simulated = Simulator(presets.standalone(), behaviour=behaviour)
                self.simulators.append(await self._open.enter_async_context(simulated))
            self.simulators[0].add_fault(Fault(delay=SLOW))

        self._do(serve())
        return self

    def __exit__(self, *_: object) -> None:
        async def close() -> None:
            await self._open.aclose()
            await end_connections()

        self._do(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(15)
        self._loop.close()

    def sell_one(self, number: int) -> None:
        """A customer comes to each cluster but the slow one, and the one before goes."""

        async def change() -> None:
            for simulated in self.simulators[1:]:
                node = next(iter(simulated.nodes))
                simulated.add_guest(GuestConfig(vmid=5000 + number, node=node, cpu=1, memory=2**30))
                if number:
                    simulated.remove_guest(5000 + number - 1)

        self._do(change())

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the kernel says of the process, and how often it has read a cluster."""

    resident: int
    files: int
    refreshes: float

    @classmethod
    def of(cls, process: Process) -> "Measured":
        proc = Path(f"/proc/{process.pid}")
        status = (proc / "status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return cls(
            resident=int(found[1]) * 1024,
            files=len(list((proc / "fd").iterdir())),
            refreshes=process.metric("proxmox_offerings_refresh_seconds_count"),
        )


def ages(process: Process) -> Mapping[str, float]:
    """Host -> seconds since it was read."""
    text = process.get("/metrics")[1]
    samples = re.findall(r'^proxmox_offerings_data_age_seconds\{host="([^"]+)".*\} (\S+)$', text, re.MULTILINE)
    return {host: float(age) for host, age in samples}


def apply(kube: Kube, clusters: Clusters, hosts: int) -> list[str]:
    """So many hosts, of which the first is the slow cluster and the others are spread over the rest; returns the names of those."""
    items: list[dict[str, Any]] = []
    names = ["slow", *(f"host-{number:03d}" for number in range(hosts - 1))]
    for number, name in enumerate(names):
        simulated = clusters.simulators[0 if not number else 1 + number % (len(clusters.simulators) - 1)]
        data = {"tokenID": simulated.token_id, "tokenSecret": simulated.token_secret}
        items.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}-token"}, "stringData": data})
        spec = {
            "endpoints": list(simulated.endpoints),
            "tls": {"caBundle": simulated.ca_pem},
            "credentialsSecretRef": {"name": f"{name}-token"},
            "refreshIntervalSeconds": REFRESH,
            "validitySeconds": 600,
            "tiers": [SMALL],
        }
        kind = {"apiVersion": "proxmox-offerings.io/v1alpha1", "kind": "ProxmoxHost"}
        items.append({**kind, "metadata": {"name": name}, "spec": spec})
    kube.kubectl("apply", "--server-side", "-f", "-", body={"apiVersion": "v1", "kind": "List", "items": items})
    return names[1:]


@pytest.fixture
def process(account: Path, namespace: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts the operator; it must end well."""
    running: list[Process] = []

    def start(*flags: str) -> Process:
        running.append(Process(account, namespace, tmp_path / "log", flags=flags))
        return running[-1]

    yield start
    assert [one.end() for one in running] == [0] * len(running)


def test_a_cluster_that_takes_half_a_minute_for_each_answer_delays_none_of_the_others(
    kube: Kube, process: Callable[..., Process]
) -> None:
    """A dozen hosts and two workers, so that one of these is with the slow one all the time."""
    with Clusters(3) as clusters:
        running = process("--concurrency", "2")
        names = apply(kube, clusters, 12)
        eventually(lambda: ages(running).keys() >= set(names), within=90)
        oldest, end = 0.0, time.monotonic() + REFRESH + 3
        while time.monotonic() < end:
            oldest = max(oldest, *(age for host, age in ages(running).items() if host != "slow"))
            time.sleep(0.5)
        assert oldest < SLOW, "it waited for the slow one"
        assert "slow" not in ages(running), "else it was not slow"


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_thousands_of_refreshes_over_https_leave_memory_and_files_as_they_were(
    kube: Kube, process: Callable[..., Process], record_property: Callable[[str, object], None]
) -> None:
    """A hundred hosts, one of them slow. Customers come and go all the time, so that there is something to write."""
    with Clusters(6) as clusters:
        running = process()
        names = apply(kube, clusters, 100)
        eventually(lambda: ages(running).keys() >= set(names), within=180)
        number, oldest = 0, 0.0

        def until(refreshes: float) -> Measured:
            """As it is then; but of the open files the fewest on the way: connections come and go, most of them with inventories."""
            nonlocal number, oldest
            fewest = sys.maxsize
            while True:
                clusters.sell_one(number)
                number += 1
                time.sleep(2)
                now = ages(running)
                oldest = max(oldest, *(age for host, age in now.items() if host != "slow"))
                measured = Measured.of(running)
                fewest = min(fewest, measured.files)
                if measured.refreshes >= refreshes:
                    return replace(measured, files=fewest)

        warm = until(Measured.of(running).refreshes + 600)
        oldest = 0.0
        readings = [warm, *(until(warm.refreshes + 500 * turn) for turn in range(1, 5))]
        end = readings[-1]
        done = end.refreshes - warm.refreshes
        record_property(
            "done",
            f"{done:.0f} refreshes of 100 hosts: resident "
            + ", ".join(f"{one.resident / MIB:.1f}" for one in readings)
            + " MiB, fewest open files "
            + ", ".join(str(one.files) for one in readings)
            + f"; with one cluster that takes 30 s for each answer, no other was older than {oldest:.1f} s",
        )
        assert done >= 2000
        assert end.resident - warm.resident < 6 * MIB
        assert end.files <= warm.files + 10
        assert oldest < SLOW, "it waited for the slow one"
        assert json_lines(running.log)[-1]["level"] in ("info", "warning")
