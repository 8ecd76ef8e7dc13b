"""What it costs to make a plan of the answers of one turn, stage by stage, on clusters of three sizes; and what a failover reserve adds.

All of it happens in this process, without a network: CPU time alone is looked at. What it stands beside is json.loads of the same answers, in turns.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from benchmarks.answers import ENDPOINT, Answers, answers_of, parsed
from benchmarks.figures import Figure, Goal, Result
from benchmarks.hosts import LOCATION, TIERS
from benchmarks.samples import Samples
from benchmarks.scale import Scale
from benchmarks.workplace import Workplace, progress
from proxmox_offerings.catalogue.plan import plan
from proxmox_offerings.inventory.build import snapshot_of
from proxmox_offerings.inventory.gathered import Fast
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.resources import API_VERSION, ProxmoxHost
from proxmox_offerings.simulator import presets

FAILOVER_TURNS: Final = 5
ROOMY: Final = {"cpu": {"percent": 600}, "memory": {"percent": 180}}
"""Terms under which the generated cluster has stock left, and room for the guests of two nodes: counting what is not there would be easy."""
FAILOVER_GOALS: Final = {1: Goal(relation="<=", value=50), 2: Goal(relation="<=", value=1000)}


def host(tiers: Sequence[dict[str, Any]], *, failover: int = 0) -> ProxmoxHost:
    """A host of the generated cluster."""
    return ProxmoxHost.parse(
        {
            "apiVersion": API_VERSION,
            "kind": ProxmoxHost.KIND,
            "metadata": {"name": "host", "namespace": "default"},
            "spec": {
                "endpoints": [ENDPOINT],
                "credentialsSecretRef": {"name": "token"},
                "location": LOCATION,
                "bridge": "vmbr0",
                "tiers": list(tiers),
                "allocation": {**ROOMY, "failoverNodes": failover},
            },
        }
    )


def seen(answers: Answers, fast: Fast) -> Snapshot:
    return snapshot_of(fast=fast, slow=answers.slow, configs=answers.configs, remembered=answers.remembered)


def measured(stages: Iterable[tuple[str, Callable[[], object]]], *, turns: int) -> dict[str, float]:
    """Milliseconds of CPU of each stage, in turns; the first turn is not counted."""
    samples = {name: Samples() for name, _ in stages}
    for turn in range(turns + 1):
        if turn == 1:
            samples = {name: Samples() for name in samples}
        for name, stage in stages:
            with samples[name].one():
                stage()
    return {name: sample.cpu * 1000 for name, sample in samples.items()}


async def stages(nodes: int, guests: int, turns: int) -> tuple[Figure, ...]:
    """All stages on one cluster."""
    progress(f"  {nodes} nodes, {guests:,} guests")
    answers = await answers_of(presets.mixed(nodes=nodes, guests=guests))
    fast, sold = parsed(answers.bodies), host(TIERS)
    snapshot = seen(answers, fast)
    took = measured(
        (
            ("json.loads", lambda: [json.loads(body) for body in answers.bodies.values()]),
            ("parse", lambda: parsed(answers.bodies)),
            ("snapshot", lambda: seen(answers, fast)),
            ("plan", lambda: plan(host=sold, snapshot=snapshot, past={})),
        ),
        turns=turns,
    )
    return tuple(_stages(f"{nodes} nodes, {guests:,} guests", took))


def _stages(size: str, took: dict[str, float]) -> Iterator[Figure]:
    floor = took.pop("json.loads")
    remarks = {"parse": "bytes to typed answers", "plan": f"{len(TIERS)} tiers, no failover"}
    for stage, milliseconds in took.items():
        yield Figure(what=f"{size}: {stage}", value=milliseconds, unit="ms", remark=remarks.get(stage, ""))
        yield Figure(
            what=f"{size}: {stage}, times json.loads",
            value=milliseconds / floor,
            beside=f"{floor:.3g} ms",
            tolerance=0.3,
        )


async def run(_: Workplace, scale: Scale) -> Result:
    """Stages on clusters of all sizes, then one tier with a failover reserve on that of the middle."""
    found: list[Figure] = []
    for nodes, guests, turns in scale.planned:
        found += await stages(nodes, guests, turns)
    nodes, guests, _turns = scale.planned[1]
    answers = await answers_of(presets.mixed(nodes=nodes, guests=guests))
    snapshot = seen(answers, parsed(answers.bodies))
    for failover, goal in FAILOVER_GOALS.items():
        one = host(TIERS[1:2], failover=failover)
        made = (("plan", lambda one=one: plan(host=one, snapshot=snapshot, past={})),)
        took = measured(made, turns=FAILOVER_TURNS)["plan"]
        what = f"{nodes} nodes, {guests:,} guests: plan of one tier, failoverNodes {failover}"
        found.append(Figure(what=what, value=took, unit="ms", goal=goal))
    return Result(name="planning", setting="CPU time without a network, medians of turns", figures=tuple(found))
