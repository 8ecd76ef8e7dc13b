"""How long the operator takes to start, and how large it is with nothing to do."""

import asyncio
import statistics
import subprocess
import sys
import time
from typing import Final

import httpx

from benchmarks.figures import Figure, Goal, Result
from benchmarks.hosts import TIERS, fleet_host_object, secret_object
from benchmarks.samples import Samples
from benchmarks.scale import Scale
from benchmarks.watching import watching
from benchmarks.workplace import PATIENCE_SECONDS, ROOT, BenchmarkFailed, Operator, Workplace, progress
from proxmox_offerings.resources import API_VERSION, Offering, ProxmoxHost

ALL_OF_IT: Final = "import proxmox_offerings.controller.operator"
IDLE_GOAL: Final = Goal(relation="<", value=80)
NODES, GUESTS = 3, 100


def importing(times: int) -> tuple[Samples, Samples]:
    """A Python that imports the whole operator, and one that imports nothing; CPU time is that of the child."""
    everything, nothing = Samples(), Samples()
    for _ in range(times):
        for code, sample in ((ALL_OF_IT, everything), ("pass", nothing)):
            with sample.of_children():
                subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    return everything, nothing


async def until_ready(operator: Operator) -> float:
    """Seconds from its start until it is ready. Raises BenchmarkFailed."""
    operator.wait_for_health()
    async with httpx.AsyncClient(trust_env=False) as client:
        while (seconds := time.monotonic() - operator.started_at) < PATIENCE_SECONDS:
            operator.check()
            if (await client.get(f"http://127.0.0.1:{operator.health_port}/readyz")).is_success:
                return seconds
            await asyncio.sleep(0.02)
    raise BenchmarkFailed("the operator did not become ready in time")


async def run(place: Workplace, scale: Scale) -> Result:
    """Starts without any host, then one with a host that nobody looked at yet."""
    progress("  importing")
    everything, nothing = importing(scale.starts)
    plane = place.control_plane()
    fleet, _ = place.fleet(clusters=1, nodes=NODES, guests=GUESTS)
    ready, sizes, cpus = [], [], []
    for _ in range(scale.starts):
        operator = place.operator(plane)
        ready.append(await until_ready(operator))
        cpus.append(operator.cpu_seconds())
        await asyncio.sleep(1)
        sizes.append(operator.resident())
        operator.end()
    plane.api("POST", "/api/v1/namespaces/default/secrets", secret_object("host", namespace="default", cluster=fleet))
    plane.api(
        "POST",
        f"/apis/{API_VERSION}/namespaces/default/{ProxmoxHost.PLURAL}",
        fleet_host_object("host", namespace="default", fleet=fleet, cluster=0),
    )
    async with watching(plane, Offering.PLURAL) as offerings:
        operator = place.operator(plane)
        await offerings.until(
            lambda seen: len(seen.with_status) == len(TIERS),
            what="the Offerings of one host",
            within=PATIENCE_SECONDS,
            check=operator.check,
        )
        first = min(offerings.with_status.values()) - operator.started_at
        last = max(offerings.with_status.values()) - operator.started_at
        operator.end()
    middle = statistics.median
    return Result(
        name="start",
        setting=f"medians of {scale.starts} starts, without any host; then one with a host of {NODES} nodes and {GUESTS} guests",
        figures=(
            Figure(
                what="importing the operator, CPU",
                value=everything.cpu,
                unit="s",
                beside=f"{nothing.cpu:.3g} s",
                remark="Python alone",
            ),
            Figure(
                what="importing the operator, times Python alone", value=everything.cpu / nothing.cpu, tolerance=0.6
            ),
            Figure(what="from start to ready", value=middle(ready), unit="s"),
            Figure(what="CPU until ready", value=middle(cpus), unit="s"),
            Figure(what="from start to the first Offering of a new host", value=first, unit="s"),
            Figure(what="from start to the last of its 20 Offerings", value=last, unit="s"),
            Figure(
                what="resident memory without any host", value=middle(sizes), unit="MiB", goal=IDLE_GOAL, tolerance=0.1
            ),
        ),
    )
