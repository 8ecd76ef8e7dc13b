"""The real process, killed by SIGKILL right after its n-th write, before it hears of it: the same end as if nothing had been.

As test_crashes.py, which ends the operator within its process and does more steps; here nothing of the process is left, neither what it had in
memory nor its connections. A proxy counts the writes that changed something.
"""

import contextlib
import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from integration.operator.audit import Audit, differences
from integration.operator.harness import Kube, Process, eventually
from integration.operator.test_leadership import sell, serving
from proxmox_offerings.simulator.simulator import Simulator
from support.cluster import tier
from support.controlplane import Cluster, own_namespace
from support.faultproxy import FaultProxy, Forward

SMALL = tier("small", cpu=2, memory="4Gi", disk="10Gi")
BIG = tier("big", cpu=8, memory="16Gi", disk="20Gi")
TINY = tier("tiny", cpu=1, memory="1Gi", disk="5Gi")
TERMS: Mapping[str, Any] = {"refreshIntervalSeconds": 3600, "validitySeconds": 14400}

Step = Callable[[Kube, Simulator], None]
STEPS: Mapping[str, Step] = {
    "create": lambda kube, simulated: sell(kube, simulated, tiers=[SMALL, BIG], **TERMS),
    "change": lambda kube, simulated: sell(
        kube,
        simulated,
        tiers=[SMALL | {"cpu": 4}, BIG, TINY],
        **TERMS,
        allocation={"cpu": {"percent": 200}, "memory": {"reserved": "1Gi"}, "storage": {"reservedPercent": 0}},
    ),
    "remove a tier": lambda kube, simulated: sell(kube, simulated, tiers=[BIG, TINY], **TERMS),
    "delete": lambda kube, _: kube.kubectl("delete", "proxmoxhost", "fra1", "--timeout=60s") and None,
}
SOLD: Mapping[str, set[str]] = {
    "create": {"fra1-small", "fra1-big"},
    "change": {"fra1-small", "fra1-big", "fra1-tiny"},
    "remove a tier": {"fra1-big", "fra1-tiny"},
    "delete": set(),
}
MOST_WRITES = 12
"""In one step, more than any has."""


class Killer:
    """Passes writes on and, at those that are to be the last, kills who sent them instead of answering. Writes are counted from 1 in each step."""

    def __init__(self, at: Callable[[int], bool]) -> None:
        self.at = at
        self.writes = 0
        self.kills = 0
        self.process: Process | None = None

    async def __call__(self, request: web.Request, forward: Forward) -> web.StreamResponse:
        written = await request.read()
        async with forward() as real:
            answer = await real.read()
            if real.status < 300 and _changed(request.method, written, answer):
                self.writes += 1
                if self.at(self.writes) and self.process is not None:
                    self.kills += 1
                    self.process.send(signal.SIGKILL)
                    assert request.transport is not None
                    request.transport.abort()
            return web.Response(body=answer, status=real.status, content_type="application/json")


def _changed(method: str, written: bytes, answer: bytes) -> bool:
    if method == "DELETE":
        return True
    before = (json.loads(written).get("metadata") or {}).get("resourceVersion")
    return before is None or json.loads(answer)["metadata"]["resourceVersion"] != before


class Result:
    """The objects after each step, what was created and deleted, and how many writes each step took."""

    def __init__(self) -> None:
        self.states: list[dict[str, Any]] = []
        self.counts: dict[str, int] = {}
        self.writes: list[int] = []
        self.kills = 0


def run(cluster: Cluster, namespace: str, simulated: Simulator, logs: Path, at: Callable[[int], bool]) -> Result:
    """All steps, with a process that is killed at those writes and started again each time."""
    kube, killer, result = Kube(cluster, namespace), Killer(at), Result()
    with FaultProxy(cluster) as proxy, Audit(kube) as audit:
        kubeconfig = proxy.write_kubeconfig(logs / f"{namespace}.kubeconfig")
        for resource in ("proxmoxhosts/status", "offerings", "offerings/status"):
            proxy.add(killer, verb="write", resource=resource)

        def start() -> None:
            log = logs / f"{namespace}-{killer.kills}-{killer.writes}.log"
            killer.process = Process(kubeconfig, namespace, log)

        start()
        try:
            for name, step in STEPS.items():
                killer.writes = 0
                step(kube, simulated)

                def done() -> bool:
                    assert killer.process is not None
                    if killer.process.ended:
                        killer.process.destroy()
                        start()
                        return False
                    return _is_done(kube, killer.process, SOLD[name])  # noqa: B023 - called at once

                eventually(done, within=90)
                result.states.append(audit.state())
                result.writes.append(killer.writes)
            result.counts, result.kills = audit.counts(), killer.kills
            return result
        finally:
            if killer.process is not None:
                killer.process.destroy()


def _is_done(kube: Kube, process: Process, sold: set[str]) -> bool:
    """Whether all is said that is to be said, and nothing more is being done."""
    offerings = kube.offerings()
    if offerings.keys() != sold:
        return False
    if sold:
        host = kube.get_host("fra1")
        if host.get("status", {}).get("observedGeneration") != host["metadata"]["generation"]:
            return False
        if not all(one.get("status", {}).get("available") for one in offerings.values()):
            return False
    try:
        # A new process reads the cluster, whatever it finds said of it.
        read = not sold or process.metric("proxmox_offerings_refresh_seconds_count") >= 1
        busy = process.metric("workqueue_depth") + process.metric("controller_runtime_active_workers")
    except OSError:
        return False  # killed just now
    return read and not busy and (not sold or kube.reason("fra1") == "Observed")


@pytest.fixture
def runs(control_plane: Cluster, tmp_path: Path) -> Iterator[Callable[..., list[Result]]]:
    """One run for each fate, each in a namespace of its own, on one and the same cluster."""
    with serving() as simulated, contextlib.ExitStack() as namespaces:

        def all_of(*fates: Callable[[int], bool]) -> list[Result]:
            names = [namespaces.enter_context(own_namespace(control_plane)) for _ in fates]
            with ThreadPoolExecutor(2) as pool:
                return list(pool.map(lambda name, at: run(control_plane, name, simulated, tmp_path, at), names, fates))

        yield all_of


def assert_equal(undisturbed: Result, disturbed: Sequence[Result]) -> None:
    for result in disturbed:
        for step, one, other in zip(STEPS, undisturbed.states, result.states, strict=True):
            assert differences(one, other) == [], f"after: {step}"
        assert result.counts == undisturbed.counts


@pytest.mark.timeout(300)
def test_killed_at_some_of_its_writes_it_comes_to_the_same_end(runs: Callable[..., list[Result]]) -> None:
    undisturbed, disturbed = runs(lambda _: False, {1, 4, 6}.__contains__)
    assert max(undisturbed.writes) <= MOST_WRITES
    assert disturbed.kills >= 4
    assert_equal(undisturbed, [disturbed])


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_killed_at_any_of_its_writes_it_comes_to_the_same_end(
    runs: Callable[..., list[Result]], record_property: Callable[[str, object], None]
) -> None:
    (undisturbed,) = runs(lambda _: False)
    disturbed = runs(*(number.__eq__ for number in range(1, max(undisturbed.writes) + 1)), lambda _: True)
    assert_equal(undisturbed, disturbed)
    record_property(
        "done", f"{sum(one.kills for one in disturbed)} kills at the writes {undisturbed.writes} of {len(STEPS)} steps"
    )
