"""The operator is ended at each of its writes, and started again: the same end, as if nothing had been.

After the idea of Sieve (OSDI '22): a controller that was ended between two writes must not depend on what it knew then. Compared with a run in which
nothing happens: all objects in full (but for uids, versions and times), and how often each was created and deleted.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from integration.operator.audit import Audit, differences
from integration.operator.fate import Fate, Fault
from integration.operator.harness import Clock, Clusters, Kube, OperatorThread, eventually
from support.cluster import cluster, guest, node, tier
from support.controlplane import Cluster, own_namespace

SMALL = tier("small", cpu=2, memory="4Gi", disk="20Gi", price={"currency": "EUR", "monthly": "5.00"})
BIG = tier("big", cpu=8, memory="32Gi", disk="100Gi")
HUGE = tier("huge", cpu=16, memory="60Gi", disk="100Gi")
EMPTY = cluster(nodes=[node("pve1", threads=16, memory="64Gi"), node("pve2", threads=16, memory="64Gi")])
BUSY = EMPTY.but(guests=[guest(100 + at, f"pve{at}", cpu=10, memory="4Gi") for at in (1, 2)])
BETTER = EMPTY.but(guests=[guest(101, "pve1", cpu=10, memory="4Gi")])


def host(kube: Kube, *tiers: dict[str, Any], percent: int = 100, **spec: Any) -> None:
    terms = {"cpu": {"percent": percent}, "memory": {"reserved": "0"}, "storage": {"reservedPercent": 0}}
    kube.host("fra1", tiers=list(tiers), allocation=terms, stock={"restockThreshold": 2, "lowThreshold": 2}, **spec)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that people or the cluster do, and what `fra1` then sells. `seen`: what the cluster is from now on; the operator is told."""

    name: str
    do: Callable[[Kube], None] = lambda _: None
    seen: Any = None
    sells: dict[str, int | None]


STEPS = (
    Step(
        name="a host with three tiers",
        do=lambda kube: host(kube, SMALL, BIG, HUGE),
        seen=EMPTY,
        sells={"small": 16, "big": 4, "huge": 2},
    ),
    Step(
        name="other terms",
        do=lambda kube: host(kube, SMALL, BIG, HUGE, percent=50),
        sells={"small": 8, "big": 2, "huge": 0},
    ),
    Step(name="a cluster that fills up", seen=BUSY, sells={"small": 0, "big": 0, "huge": 0}),
    Step(name="a cluster that empties a little", seen=BETTER, sells={"small": 4, "big": 0, "huge": 0}),
    Step(
        name="another price and size while sold out",
        do=lambda kube: host(
            kube, SMALL, BIG | {"disk": "90Gi", "price": {"currency": "EUR", "monthly": "9.00"}}, HUGE, percent=50
        ),
        sells={"small": 4, "big": 0, "huge": 0},
    ),
    Step(name="a tier less", do=lambda kube: host(kube, SMALL, BIG, percent=50), sells={"small": 4, "big": 0}),
    Step(
        name="one tier less, one more, one changed",
        do=lambda kube: host(kube, SMALL | {"cpu": 1}, tier("tiny"), percent=50),
        sells={"small": 8, "tiny": 8},
    ),
    Step(
        name="the host deleted",
        do=lambda kube: kube.kubectl("delete", "proxmoxhost", "fra1", "--timeout=60s"),
        sells={},
    ),
)


MOST_WRITES = 10
"""In one step, when nothing happens."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run came to: after each step the objects, and in the end how often each was created and deleted, and all writes by step."""

    states: list[dict[str, Any]]
    counts: dict[str, int]
    writes: list[list[str]]


class Run:
    """One run over the steps, with an operator that meets `fate` and is started again whenever it died."""

    def __init__(self, kube: Kube, clusters: Clusters, fate: Fate) -> None:
        self.kube = kube
        self.clusters = clusters
        self.fate = fate
        self.endpoint = f"https://fra1.{kube.namespace}.example.net:8006"
        self._all: list[OperatorThread] = []

    def over(self, steps: Sequence[Step], *, undisturbed: Result | None = None) -> Result:
        """`undisturbed`: wait after each step for the state that it had; None: for what the step sells."""
        states, writes = [], []
        self.kube.secret("fra1-token")
        with Audit(self.kube) as audit:
            self._start()
            try:
                for number, step in enumerate(steps):
                    self.fate.writes = []
                    self._take(step)
                    wanted = undisturbed.states[number] if undisturbed else None
                    for _ in range(2):
                        eventually(lambda: self._is_done(step, audit, wanted), within=40)  # noqa: B023 - called at once
                        self._settle()
                    states.append(audit.state())
                    writes.append(self.fate.writes)
                return Result(states=states, counts=audit.counts(), writes=writes)
            finally:
                assert [one.stop() for one in self._all] == [0] * len(self._all)

    def _take(self, step: Step) -> None:
        if step.seen is not None:
            self.clusters.seen[self.endpoint] = step.seen
        step.do(self.kube)
        if self.clusters.polls[self.endpoint]:
            self.operator.news(self.endpoint)

    def _is_done(self, step: Step, audit: Audit, wanted: dict[str, Any] | None) -> bool:
        self._restart_if_dead()
        if wanted is not None:
            assert differences(wanted, audit.state()) == [], f"after: {step.name}"
        elif step.sells:
            host = self.kube.get_host("fra1")
            assert host.get("status", {}).get("observedGeneration") == host["metadata"]["generation"]
        assert (step.name, self._sold()) == (step.name, step.sells)
        return True

    def _settle(self) -> None:
        while True:
            eventually(lambda: self.fate.has_struck or self.operator.idle)
            if not self._restart_if_dead():
                return

    def _sold(self) -> dict[str, int | None]:
        return {
            name.removeprefix("fra1-"): offering.get("status", {}).get("available")
            for name, offering in self.kube.offerings().items()
        }

    def _restart_if_dead(self) -> bool:
        struck = self.fate.has_struck
        if struck:
            self.operator.stop_soon()
            self._start()
        return struck

    def _start(self) -> None:
        self.operator = OperatorThread(
            kubeconfig=self.kube.cluster.kubeconfig,
            namespaces=(self.kube.namespace,),
            clusters=self.clusters,
            connect=self.fate.connect,
        ).start()
        self._all.append(self.operator)


Runs = Callable[..., list[Result]]


@pytest.fixture
def runs(control_plane: Cluster) -> Iterator[Runs]:
    """Does one run for each fate, each in a namespace of its own, several at a time."""
    with contextlib.ExitStack() as namespaces:

        def all_of(*fates: Fate, undisturbed: Result | None = None, steps: Sequence[Step] = STEPS) -> list[Result]:
            def run(fate: Fate, namespace: str) -> Result:
                return Run(Kube(control_plane, namespace), Clusters(Clock()), fate).over(steps, undisturbed=undisturbed)

            names = [namespaces.enter_context(own_namespace(control_plane)) for _ in fates]
            with ThreadPoolExecutor(4) as pool:
                return list(pool.map(run, fates, names))

        yield all_of


def test_ended_at_any_write_and_started_again_it_comes_to_the_same_end(runs: Runs) -> None:
    """Several times in each step, at writes that the long test does one by one; and so with answers that are lost, and writes that never arrive."""
    (undisturbed,) = runs(Fate())
    assert max(map(len, undisturbed.writes)) == MOST_WRITES
    disturbed = runs(
        Fate(fault=Fault.DIES, at={1, 3, 6, 10}.__contains__),
        Fate(fault=Fault.DIES, at={2, 5, 8}.__contains__),
        Fate(fault=Fault.LOST, at={1, 5}.__contains__),
        Fate(fault=Fault.WITHHELD, at={2, 6}.__contains__),
        undisturbed=undisturbed,
    )
    assert [result.counts for result in disturbed] == [undisturbed.counts] * len(disturbed)


def test_an_operator_that_dies_after_each_write_gets_on_by_one_write_each_time(runs: Runs) -> None:
    """Also while terms change: what the one before said on the new terms stands, else each would take back what the last one said, for ever."""
    steps = STEPS[:2]
    (undisturbed,) = runs(Fate(), steps=steps)
    (disturbed,) = runs(Fate(fault=Fault.DIES, at=lambda _: True), steps=steps, undisturbed=undisturbed)
    assert disturbed.counts == undisturbed.counts
    assert all(len(writes) <= 2 * MOST_WRITES for writes in disturbed.writes), disturbed.writes


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_operator_that_dies_after_each_write_comes_to_the_same_end(runs: Runs) -> None:
    (undisturbed,) = runs(Fate())
    (disturbed,) = runs(Fate(fault=Fault.DIES, at=lambda _: True), undisturbed=undisturbed)
    assert disturbed.counts == undisturbed.counts


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", Fault)
def test_no_single_write_is_one_that_must_not_be_the_last(runs: Runs, fault: Fault) -> None:
    """All writes of all steps, one in each step and run: each step begins with the state that it begins with in the undisturbed run."""
    undisturbed, again = runs(Fate(), Fate())
    assert (differences(undisturbed.states, again.states), again.counts) == ([], undisturbed.counts), "by itself"
    fates = [Fate(fault=fault, at=number.__eq__) for number in range(1, MOST_WRITES + 1)]
    disturbed = runs(*fates, undisturbed=undisturbed)
    assert [result.counts for result in disturbed] == [undisturbed.counts] * len(disturbed)
