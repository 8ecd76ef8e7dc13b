"""Several processes that share the work, on a real API server: each its share, and no host of two, whatever happens to the processes."""

import itertools
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.operator.harness import Kube, Process, eventually
from integration.operator.ledger import Ledger, editing
from integration.operator.test_leadership import log_of, serving
from integration.operator.test_publishing import SMALL
from proxmox_offerings.controller import ring
from proxmox_offerings.kube.objects import Ref
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import Cluster

LEASE_SECONDS = 9
TIMING = (
    f"--leader-elect-lease-duration={LEASE_SECONDS}",
    "--leader-elect-renew-deadline=7",
    "--leader-elect-retry-period=1",
)
"""Shorter than by default, and long enough for a machine that is busy with other tests."""
CARELESS = str(Path(__file__).with_name("careless.py"))
Member = Callable[..., Process]


@pytest.fixture
def ledger(control_plane: Cluster, namespace: str) -> Iterator[Ledger]:
    with Ledger(cluster=control_plane, namespace=namespace, duration=LEASE_SECONDS) as kept:
        yield kept


@pytest.fixture
def member(ledger: Ledger, namespace: str, tmp_path: Path) -> Iterator[Member]:
    """Starts one more process, which reaches the API server by a way of its own; all are ended with the test."""
    running: list[Process] = []
    numbers = itertools.count(1)

    def start(*flags: str, **more: Any) -> Process:
        name = f"process-{next(numbers)}"
        kubeconfig = ledger.kubeconfig(name, tmp_path / f"{name}.kubeconfig")
        flags = ("--share-work", "--leader-elect-namespace", namespace, *(flags or TIMING))
        running.append(Process(kubeconfig, namespace, tmp_path / f"{name}.log", flags=flags, **more))
        return running[-1]

    yield start
    for process in running:
        process.destroy()


def names_for(namespace: str, number: int, *, members: int) -> list[str]:
    """Of which the first so many members have equally many each. Namespaces of tests have random names, and with them a share could be any number."""
    view = frozenset(range(members))
    left = dict.fromkeys(view, number // members)
    names = []
    for name in map("host-{:03d}".format, itertools.count()):
        bucket = ring.bucket_of(Ref(namespace, name))
        owner = next(member for member in view if bucket in ring.share_of(member, view))
        if left[owner]:
            left[owner] -= 1
            names.append(name)
        if not any(left.values()):
            return names
    raise AssertionError("unreachable")


def make_hosts(kube: Kube, simulated: Simulator, number: int, *, members: int = 2) -> list[str]:
    kube.secret("fra1-token", token_id=simulated.token_id, token_secret=simulated.token_secret)
    spec = {
        "endpoints": list(simulated.endpoints),
        "tls": {"caBundle": simulated.ca_pem},
        "credentialsSecretRef": {"name": "fra1-token"},
        "refreshIntervalSeconds": 15,
        "validitySeconds": 60,
        "tiers": [SMALL],
    }
    names = names_for(kube.namespace, number, members=members)
    kind = {"apiVersion": "proxmox-offerings.io/v1alpha1", "kind": "ProxmoxHost"}
    items = [{**kind, "metadata": {"name": name}, "spec": spec} for name in names]
    kube.kubectl("apply", "--server-side", "-f", "-", body={"apiVersion": "v1", "kind": "List", "items": items})
    return names


def owned(*processes: Process) -> list[int]:
    return [int(process.metric("proxmox_offerings_hosts_owned")) for process in processes]


def until_shared(hosts: int, *processes: Process, within: float = 30) -> float:
    """Until each of them works on some hosts and all together on all; returns the seconds."""
    began = time.monotonic()
    eventually(lambda: sum(shares := owned(*processes)) == hosts and all(shares), within=within)
    return time.monotonic() - began


def errors_of(*processes: Process) -> list[dict]:
    return [line for process in processes for line in log_of(process) if line["level"] in ("error", "critical")]


@pytest.mark.timeout(400)
def test_two_share_the_work_and_hand_over_without_writing_for_one_host_at_a_time(
    kube: Kube, member: Member, ledger: Ledger
) -> None:
    """Joining, a pause beyond the Lease, kill -9 and a clean end, while there is always something to write for each host."""
    with serving() as simulated:
        names = make_hosts(kube, simulated, 16)
        one = member()
        until_shared(16, one)
        two = member()
        until_shared(16, one, two)
        eventually(lambda: owned(one, two) == [8, 8])
        eventually(lambda: all(kube.stock(f"{name}-small")[0] == "InStock" for name in names), within=30)
        # Whoever adds up sees whether a host has no owner, and how many went from one to the other.
        assert [process.metric("proxmox_offerings_hosts") for process in (one, two)] == [16, 16]
        assert two.metric('proxmox_offerings_hosts_handed_over_total{direction="gained"') >= 8

        with editing(kube.cluster, kube.namespace, names):
            eventually(lambda: min(map(ledger.writes.__getitem__, ("process-1", "process-2"))) > 50, within=60)
            one.send(signal.SIGSTOP)
            until_shared(16, two)
            before = ledger.writes["process-2"]
            eventually(lambda: ledger.writes["process-2"] > before + 100, within=60)
            one.send(signal.SIGCONT)
            until_shared(16, one, two)

            two.send(signal.SIGKILL)
            assert until_shared(16, one) < 2 * LEASE_SECONDS

            three = member()
            until_shared(16, one, three)
            three.send(signal.SIGTERM)
            assert until_shared(16, one) < LEASE_SECONDS, "waited for the Lease to run out"
            assert three.wait() == 0
        assert ledger.double == []
        assert errors_of(one, three) == []
        # The one who is left says of all what is true now, and nothing is left of what was said by the others.
        eventually(lambda: all(kube.reason(name) == "Observed" for name in names), within=60)
        assert one.end() == 0


@pytest.mark.timeout(300)
def test_of_two_that_write_for_one_host_the_ledger_tells(kube: Kube, member: Member, ledger: Ledger) -> None:
    """The test above can fail: a process that renews nothing, and does not stop for that, writes for hosts that are another's by now."""
    with serving() as simulated:
        names = make_hosts(kube, simulated, 12)
        careless = member(program=(CARELESS, kube.namespace))
        until_shared(12, careless)
        two = member()
        until_shared(12, careless, two)
        with editing(kube.cluster, kube.namespace, names):
            eventually(lambda: ledger.double, within=60)
        careless.destroy()
        assert two.end() == 0


@pytest.mark.long
@pytest.mark.timeout(400)
def test_one_two_and_four_with_the_default_times(kube: Kube, member: Member, ledger: Ledger) -> None:
    """A hundred hosts: what each has, and how long those that move are nobody's."""
    defaults = ("--leader-elect-renew-deadline=10",)
    with serving() as simulated:
        make_hosts(kube, simulated, 100, members=4)
        processes = [member(*defaults)]
        until_shared(100, *processes)
        processes.append(member(*defaults))
        until_shared(100, *processes)
        processes += [member(*defaults), member(*defaults)]
        until_shared(100, *processes, within=60)
        eventually(lambda: owned(*processes) == [25] * 4)
        clean = processes.pop()
        clean.send(signal.SIGTERM)
        assert clean.wait() == 0
        assert until_shared(100, *processes) < 5
        processes.pop(0).send(signal.SIGKILL)
        assert until_shared(100, *processes) < 20
        assert ledger.double == []
        assert [process.end() for process in processes] == [0, 0]
