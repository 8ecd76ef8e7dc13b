"""How large the operator is, how long it takes to start, and how long until a thousand Offerings stand."""

import asyncio
import subprocess
import sys
import time
from typing import Final

import httpx
from tools.kube.controlplane import ControlPlane

from benchmarks.figures import Figure, Goal, Result
from benchmarks.hosts import TIERS, host_object, secret_object
from benchmarks.samples import Samples
from benchmarks.watching import Watched, watching
from benchmarks.workplace import PATIENCE_SECONDS, ROOT, BenchmarkFailed, Operator, Workplace, progress
from proxmox_offerings.resources import API_VERSION, Offering, ProxmoxHost
from proxmox_offerings.simulator.statefiles import State

HOSTS: Final = 50
CLUSTERS: Final = 5
NODES, GUESTS = 8, 500
REFRESH_SECONDS: Final = 60
GOAL_MEBIBYTES: Final = 200
START_SECONDS: Final = 400
IMPORTS: Final = 5
ALL_OF_IT: Final = "import proxmox_offerings.controller.operator"


def import_seconds() -> tuple[float, float]:
    """How long a Python takes that imports the whole operator, and one that imports nothing."""
    samples = {"pass": Samples(), ALL_OF_IT: Samples()}
    for _ in range(IMPORTS):
        for code, sample in samples.items():
            with sample.one():
                subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    return samples[ALL_OF_IT].wall, samples["pass"].wall


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


def add_host(plane: ControlPlane, number: int, *, cluster: State) -> None:
    """Apply a ProxmoxHost and its Secret."""
    name, secrets = f"host-{number:02d}", "/api/v1/namespaces/default/secrets"
    host = host_object(name, namespace="default", cluster=cluster, refresh_seconds=REFRESH_SECONDS)
    plane.api("POST", secrets, secret_object(name, namespace="default", cluster=cluster))
    plane.api("POST", f"/apis/{API_VERSION}/namespaces/default/{ProxmoxHost.PLURAL}", host)


def new_ones(offerings: Watched) -> list[float]:
    """When each Offering had its first status, without those of the first host, which stood already and are written again at some time."""
    return [at for name, at in offerings.with_status.items() if not name.startswith("default/host-00-")]


async def run(place: Workplace) -> Result:
    """First with nothing to do, then with everything at once."""
    progress("  importing")
    importing, nothing = import_seconds()
    plane = place.control_plane()
    clusters = place.clusters(nodes=NODES, guests=GUESTS, count=CLUSTERS)
    idle = place.operator(plane)
    ready = await until_ready(idle)
    await asyncio.sleep(2)
    idle_size = idle.resident()
    async with watching(plane, Offering.PLURAL) as offerings:
        began = time.monotonic()
        add_host(plane, 0, cluster=clusters[0])
        await offerings.until(
            lambda seen: len(seen.with_status) == len(TIERS),
            what="the Offerings of one host",
            within=START_SECONDS,
            check=idle.check,
        )
        one = sorted(at - began for at in offerings.with_status.values())
    idle.end()
    for number in range(1, HOSTS):
        add_host(plane, number, cluster=clusters[number % CLUSTERS])
    count = (HOSTS - 1) * len(TIERS)
    async with watching(plane, Offering.PLURAL) as offerings:
        progress(f"  starting an operator that finds {HOSTS} hosts")
        operator = place.operator(plane)
        await offerings.until(
            lambda seen: len(new_ones(seen)) == count,
            what=f"{count} Offerings with a status",
            within=START_SECONDS,
            check=operator.check,
        )
        times = sorted(at - operator.started_at for at in new_ones(offerings))
    size, cpu_to_start = operator.resident(), operator.cpu_seconds()
    progress(f"  {size:.0f} MiB when all stand; watching it for {REFRESH_SECONDS} s")
    began = time.monotonic()
    await asyncio.sleep(REFRESH_SECONDS)
    cpu = (operator.cpu_seconds() - cpu_to_start) / (time.monotonic() - began)
    operator.check()
    later, most = operator.resident(), operator.resident("VmHWM")
    operator.end()
    goal = Goal(relation="<", value=GOAL_MEBIBYTES)
    return Result(
        name="memory",
        setting=f"{HOSTS} hosts x {len(TIERS)} tiers, each host a cluster of {NODES} nodes and {GUESTS} guests",
        figures=(
            Figure(what="resident when all Offerings stand", value=size, unit="MiB", goal=goal),
            Figure(what=f"resident {REFRESH_SECONDS} s later", value=later, unit="MiB", goal=goal),
            Figure(what="most ever resident", value=most, unit="MiB", goal=goal),
            Figure(what="resident without any host", value=idle_size, unit="MiB"),
            Figure(
                what="importing the operator",
                value=importing,
                unit="s",
                remark=f"floor: {nothing:.3f} s for Python alone",
            ),
            Figure(what="from start to ready", value=ready, unit="s", remark="without any host"),
            Figure(
                what="from a new host to its first Offering", value=one[0], unit="s", remark="with nothing else to do"
            ),
            Figure(what="from a new host to its last Offering", value=one[-1], unit="s"),
            Figure(
                what="from start to the first Offering",
                value=times[0],
                unit="s",
                remark=f"{HOSTS - 1} new hosts at once",
            ),
            Figure(what="from start to the last Offering", value=times[-1], unit="s"),
            Figure(what="processor until then", value=cpu_to_start, unit="s"),
            Figure(what="processor, all refreshed once a minute", value=cpu * 100, unit="% of a core"),
        ),
    )
