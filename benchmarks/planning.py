"""What it costs to make a plan of the answers of one turn, beside parsing those answers; how that grows; and what a failover reserve adds.

The floor is what the product makes of the bytes: JSON, then typed answers. All of it happens in this process, without a network: CPU time alone
is looked at, in turns.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from benchmarks.answers import ENDPOINT, Answers, answers_of, parsed
from benchmarks.figures import Figure, Goal, Result
from benchmarks.hosts import LOCATION, TIERS
from benchmarks.samples import Samples
from benchmarks.workplace import Workplace, progress
from proxmox_offerings.catalogue.plan import plan
from proxmox_offerings.inventory.build import snapshot_of
from proxmox_offerings.inventory.gathered import Fast
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.resources import API_VERSION, ProxmoxHost
from proxmox_offerings.simulator import presets

NODES, GUESTS = 32, 5000
TURNS: Final = 20
GROWTH: Final = ((8, 1000), (32, 5000), (128, 20_000), (128, 50_000))
GROWTH_TURNS: Final = 5
FAILOVER_TURNS: Final = 5
ROOMY: Final = {"cpu": {"percent": 600}, "memory": {"percent": 180}}
"""Terms under which the generated cluster has stock left, and room for the guests of two nodes: counting what is not there would be easy."""
RATIO_GOAL: Final = Goal(relation="<=", value=0.5)
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


async def growth(nodes: int, guests: int) -> tuple[float, float]:
    """Microseconds for each guest: of snapshot and plan, and of parsing."""
    progress(f"  {nodes} nodes and {guests:,} guests")
    answers = await answers_of(presets.mixed(nodes=nodes, guests=guests))
    fast, sold = parsed(answers.bodies), host(TIERS)
    took = measured(
        (
            ("parse", lambda: parsed(answers.bodies)),
            ("plan", lambda: plan(host=sold, snapshot=seen(answers, fast), past={})),
        ),
        turns=GROWTH_TURNS,
    )
    return took["plan"] * 1000 / guests, took["parse"] * 1000 / guests


async def run(_: Workplace) -> Result:
    """Stages on one cluster, then clusters of other sizes, then one tier with a failover reserve."""
    progress("  reading a simulated cluster")
    answers = await answers_of(presets.mixed(nodes=NODES, guests=GUESTS))
    fast, sold = parsed(answers.bodies), host(TIERS)
    snapshot = seen(answers, fast)
    progress(f"  {TURNS} turns")
    took = measured(
        (
            ("parse", lambda: parsed(answers.bodies)),
            ("snapshot", lambda: seen(answers, fast)),
            ("plan", lambda: plan(host=sold, snapshot=snapshot, past={})),
        ),
        turns=TURNS,
    )
    reserves = {}
    for failover in FAILOVER_GOALS:
        one = host(TIERS[1:2], failover=failover)
        stages = (("plan", lambda one=one: plan(host=one, snapshot=snapshot, past={})),)
        reserves[failover] = measured(stages, turns=FAILOVER_TURNS)["plan"]
    grown = {size: await growth(*size) for size in GROWTH}
    least = grown[GROWTH[0]]
    return Result(
        name="planning",
        setting=f"{NODES} nodes, {GUESTS:,} guests, answers of {answers.size / 1e6:.2f} MB; CPU time, median of {TURNS}",
        figures=(
            Figure(what="parse", value=took["parse"], unit="ms", remark="bytes, JSON, typed answers of the fast loop"),
            Figure(what="snapshot", value=took["snapshot"], unit="ms"),
            Figure(what="plan", value=took["plan"], unit="ms", remark=f"{len(TIERS)} tiers, no failover"),
            Figure(
                what="snapshot + plan, times parse",
                value=(took["snapshot"] + took["plan"]) / took["parse"],
                goal=RATIO_GOAL,
            ),
            *(
                Figure(
                    what=f"plan of one tier, failoverNodes {failover}",
                    value=reserves[failover],
                    unit="ms",
                    goal=goal,
                )
                for failover, goal in FAILOVER_GOALS.items()
            ),
            *(
                Figure(
                    what=f"per guest: {nodes} nodes, {guests:,} guests",
                    value=grown[nodes, guests][0],
                    unit="µs",
                    remark=f"{grown[nodes, guests][0] / least[0]:.2f} times the smallest; "
                    f"parsing {grown[nodes, guests][1]:.2f} µs, {grown[nodes, guests][1] / least[1]:.2f} times",
                )
                for nodes, guests in GROWTH
            ),
        ),
    )
