"""What one turn of the fast loop costs on a big cluster: three calls, their answers parsed, a snapshot, and the plan of twenty tiers.

The floor fetches the same three answers over the same kind of transport (same TLS settings, same kept-alive connections) and calls json.loads on
them. The simulated cluster runs in a process of its own: CPU time is ours alone, wall time also holds how long the cluster takes to answer, in
both.
"""

import asyncio
import json
import time
from pathlib import Path
from typing import Final

import httpx

from benchmarks.answers import PARSERS
from benchmarks.figures import Figure, Goal, Result
from benchmarks.observing import host_of, token_of
from benchmarks.samples import Samples
from benchmarks.workplace import Workplace, progress
from proxmox_offerings.catalogue.plan import plan
from proxmox_offerings.observation.connect import open_observer
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.transport import DEFAULT_BOUNDS, Transport, https_transport
from proxmox_offerings.simulator.control import Control
from proxmox_offerings.simulator.statefiles import State

NODES, GUESTS = 32, 5000
TURNS: Final = 20
GOAL: Final = Goal(relation="<=", value=3)


class Floor:
    """The least that anybody must do to know what these calls answer."""

    def __init__(self, cluster: State) -> None:
        limits = httpx.Limits(
            max_connections=4, max_keepalive_connections=4, keepalive_expiry=DEFAULT_BOUNDS.keepalive_seconds
        )
        self._http = https_transport(tls_of(cluster).context(), limits)
        self._endpoint = cluster.endpoints[0]
        self._headers = {
            "Authorization": token_of(cluster).authorization,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        self._slots = asyncio.Semaphore(DEFAULT_BOUNDS.calls_per_node)
        self.read_bytes = 0

    async def read(self) -> None:
        """All three."""
        self.read_bytes = sum(await asyncio.gather(*(self._get(path) for path in PARSERS)))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _get(self, path: str) -> int:
        request = httpx.Request("GET", f"{self._endpoint}/api2/json{path}", headers=self._headers)
        async with self._slots:
            response = await self._http.handle_async_request(request)
            body = await response.aread()
            await response.aclose()
        if response.status_code != httpx.codes.OK or not json.loads(body)["data"]:
            raise RuntimeError(f"{path} was answered with HTTP {response.status_code}")
        return len(body)


def tls_of(cluster: State) -> TLSPolicy:
    """Trust in the simulated cluster's own authority, as the hosts of the benchmarks have it."""
    return TLSPolicy(ca_bundle=Path(cluster.ca_file).read_text(encoding="utf-8"))


async def until_quiet(control: Control) -> int:
    """Wait until the cluster has not been asked anything for a second; how often it was asked so far."""
    count = -1
    while (now := len(control.requests())) != count:
        count = now
        await asyncio.sleep(1)
    return count


async def run(place: Workplace) -> Result:
    """Turns of the fast loop and of its floor, one after the other."""
    [cluster] = place.clusters(nodes=NODES, guests=GUESTS)
    control = Control.of(Path(cluster.ca_file).parent)
    host = host_of(cluster)
    observer = open_observer(spec=host.spec, token=token_of(cluster), on_news=lambda: None)
    transport = Transport(endpoints=host.spec.endpoints, token=token_of(cluster), tls=tls_of(cluster))
    floor = Floor(cluster)
    samples = {name: Samples() for name in ("floor", "whole", "fetch", "parse", "plan")}
    try:
        progress("  first look")
        began, began_cpu = time.perf_counter(), time.process_time()
        await observer.observe()
        first, first_cpu = time.perf_counter() - began, time.process_time() - began_cpu
        first_calls = await until_quiet(control)
        snapshot = await observer.observe()
        calls = await until_quiet(control) - first_calls
        progress(f"  {TURNS} turns")
        for turn in range(TURNS + 1):
            if turn == 1:  # the first one opened the connections
                samples = {name: Samples() for name in samples}
            for subject in ("floor", "whole") if turn % 2 else ("whole", "floor"):
                with samples[subject].one():
                    if subject == "floor":
                        await floor.read()
                    else:
                        plan(host=host, snapshot=await observer.observe(), past={})
            with samples["fetch"].one():
                answers = await asyncio.gather(*(transport.get(path, label=path) for path in PARSERS))
            with samples["parse"].one():
                for parse, answer in zip(PARSERS.values(), answers, strict=True):
                    parse(answer)
            with samples["plan"].one():
                plan(host=host, snapshot=snapshot, past={})
    finally:
        await observer.aclose()
        await transport.aclose()
        await floor.aclose()
    cpu = {name: sample.cpu * 1000 for name, sample in samples.items()}
    cpu["snapshot"] = cpu["whole"] - cpu["fetch"] - cpu["parse"] - cpu["plan"]
    wall = {name: samples[name].wall * 1000 for name in ("whole", "floor")}
    stages = {
        "fetch": "decoding of JSON included",
        "parse": "into typed answers",
        "snapshot": "what is left of the whole",
        "plan": f"{len(host.spec.tiers or ())} tiers",
    }
    return Result(
        name="refresh",
        setting=f"{NODES} nodes, {GUESTS:,} guests, answers of {floor.read_bytes / 1e6:.2f} MB; median of {TURNS}",
        figures=(
            Figure(what="calls in the fast loop", value=calls, goal=Goal(relation="=", value=3)),
            Figure(what="CPU of fetch + parse + plan", value=cpu["whole"], unit="ms"),
            *(
                Figure(what=f"    {stage}", value=cpu[stage], unit="ms", remark=remark)
                for stage, remark in stages.items()
            ),
            Figure(
                what="CPU of the floor", value=cpu["floor"], unit="ms", remark="same bytes, same transport, json.loads"
            ),
            Figure(what="CPU, times the floor", value=cpu["whole"] / cpu["floor"], goal=GOAL),
            Figure(what="wall time", value=wall["whole"], unit="ms"),
            Figure(what="wall time of the floor", value=wall["floor"], unit="ms"),
            Figure(what="wall time, times the floor", value=wall["whole"] / wall["floor"], goal=GOAL),
            Figure(
                what="first look: calls",
                value=first_calls,
                remark="all nodes, and the configurations of guests on GPU nodes",
            ),
            Figure(what="first look: wall time", value=first, unit="s"),
            Figure(what="first look: CPU", value=first_cpu, unit="s"),
        ),
    )
