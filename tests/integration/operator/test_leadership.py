"""Two processes, one of which leads: what becomes of Offerings when that one is killed, paused, stopped, or cut off."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tools.kube.controlplane import ControlPlane

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, Process, eventually, json_lines
from integration.operator.test_publishing import SMALL, selling
from proxmox_offerings.kube.errors import NotLeading
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import ROOT
from support.loops import end_connections

LEADING = 'leader_election_master_status{name="proxmox-offerings"}'
QUICK = (
    "--leader-elect-lease-duration=6",
    "--leader-elect-renew-deadline=5",
    "--leader-elect-retry-period=0.5",
)
"""Shorter than by default, and long enough for a machine that is busy with other tests."""
Replica = Callable[..., Process]


@contextlib.contextmanager
def serving(*, refusal_delay: float = 0) -> Iterator[Simulator]:
    """A cluster that answers as long as the block lasts."""
    ready, enough = threading.Event(), threading.Event()
    simulators: list[Simulator] = []

    async def serve() -> None:
        behaviour = Behaviour(refusal_delay=refusal_delay, seed=1)
        async with Simulator(presets.standalone(), behaviour=behaviour) as simulator:
            simulators.append(simulator)
            ready.set()
            await asyncio.to_thread(enough.wait)
        await end_connections()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(15)
    try:
        yield simulators[0]
    finally:
        enough.set()
        thread.join()


@pytest.fixture
def replica(account: Path, namespace: str, tmp_path: Path) -> Iterator[Replica]:
    """Starts one more process of the deployed account; all are ended with the test."""
    running: list[Process] = []

    def start(*flags: str, kubeconfig: Path = account) -> Process:
        own = ("--leader-elect-namespace", namespace, *flags)
        running.append(Process(kubeconfig, namespace, tmp_path / f"log-{len(running)}", flags=own))
        return running[-1]

    yield start
    for process in running:
        process.destroy()


def sell(kube: Kube, simulated: Simulator, *, token_secret: str | None = None, **spec: object) -> None:
    kube.secret("fra1-token", token_id=simulated.token_id, token_secret=token_secret or simulated.token_secret)
    where = {"endpoints": list(simulated.endpoints), "tls": {"caBundle": simulated.ca_pem}}
    kube.host("fra1", **{"tiers": [SMALL], **where, **spec})


def leads(process: Process) -> bool:
    return process.metric(LEADING) == 1


def holder(kube: Kube) -> str:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{kube.namespace}/leases/proxmox-offerings"
    return kube.cluster.api("GET", path)["spec"].get("holderIdentity", "")


def ready(process: Process) -> bool:
    return process.get("/readyz")[0] == 200


def log_of(process: Process) -> list[dict]:
    return json_lines(process.log)


def test_whoever_leads_works_alone_and_one_that_was_paused_writes_nothing_more(kube: Kube, replica: Replica) -> None:
    with serving() as simulated:
        one = replica(*QUICK)
        eventually(lambda: leads(one))
        sell(kube, simulated)
        eventually(lambda: kube.reason("fra1") == "Observed")

        # The other one knows all, is ready to take over, and does nothing.
        two = replica(*QUICK)
        eventually(lambda: ready(two))
        assert (leads(two), two.writes(), two.metric("proxmox_offerings_refresh_seconds_count")) == (False, 0, 0)

        # Paused beyond its Lease: the other one does what there is to do.
        before = one.writes()
        one.send(signal.SIGSTOP)
        eventually(lambda: leads(two))
        sell(kube, simulated, tiers=[SMALL | {"cpu": 4}])
        eventually(lambda: kube.offering("fra1-small")["spec"]["cpu"] == 4)
        eventually(lambda: kube.reason("fra1") == "Observed" and kube.stock("fra1-small")[0] == "InStock")
        eventually(lambda: kube.get_host("fra1")["status"]["observedGeneration"] == 2)
        versions, held = kube.versions(), holder(kube)

        # Running again, it has news to act on and Offerings to renew, and sends nothing at all.
        one.send(signal.SIGCONT)
        eventually(lambda: any(line["event"] == "not leading any more" for line in log_of(one)))
        eventually(lambda: ready(one))
        assert (leads(one), one.writes(), kube.versions(), holder(kube)) == (False, before, versions, held)

        # Killed: the first one leads again, reads anew, and acts.
        two.send(signal.SIGKILL)
        eventually(lambda: leads(one))
        sell(kube, simulated, tiers=[SMALL | {"cpu": 1}])
        eventually(lambda: kube.offering("fra1-small")["spec"]["cpu"] == 1 and kube.stock("fra1-small")[0] == "InStock")
        assert one.writes() > before
        assert not [line for line in log_of(one) if line["level"] in ("error", "critical")]
        assert one.end() == 0
        assert holder(kube) == ""


def test_what_is_not_sent_for_want_of_the_lease_is_no_failure(
    kube: Kube, clusters: Clusters, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    """Work that finds the Lease gone is dropped: not told to anybody, and not tried again and again until it is stopped."""

    def forbid() -> None:
        raise NotLeading("not sent: this process does not lead")

    endpoint = selling(kube, clusters)
    before = kube.versions()
    operator = start(guard=forbid)
    eventually(lambda: clusters.polls[endpoint] == 1)
    operator.settle()
    kube.host("fra1", tiers=[SMALL])
    operator.settle()
    assert {name: version for name, version in kube.versions().items() if name not in before} == {}
    assert kube.get_host("fra1")["status"] == {"observedGeneration": -1}
    log = "".join(capfd.readouterr())
    assert "operator starts" in log
    assert "not ready" not in log
    assert "rror" not in log


def test_a_clean_end_abandons_what_hangs_and_hands_over_at_once(kube: Kube, replica: Replica) -> None:
    """Not when the Lease runs out after 15 s, although the cluster that is being read would not answer for 30 s."""
    with serving(refusal_delay=30) as simulated:
        sell(kube, simulated, token_secret="00000000-0000-0000-0000-000000000000")
        one = replica()
        eventually(lambda: one.metric('controller_runtime_active_workers{controller="proxmoxhost"}') == 1)
        two = replica()
        eventually(lambda: ready(two))
        one.send(signal.SIGTERM)
        eventually(lambda: leads(two))
        assert one.wait() == 0
        assert [line["event"] for line in log_of(one)][-2:] == ["lease given back", "operator ended"]


def test_while_the_api_server_is_away_nobody_leads_and_afterwards_one(tmp_path: Path) -> None:
    with ControlPlane(crds=ROOT / "crds") as plane:
        flags = ("--leader-elect-namespace", "default", *QUICK)
        replicas = [Process(plane.kubeconfig, "default", tmp_path / f"log-{number}", flags=flags) for number in "12"]
        try:
            eventually(lambda: all(map(ready, replicas)) and any(map(leads, replicas)))
            plane.stop_apiserver()
            eventually(lambda: not any(map(leads, replicas)))
            plane.start_apiserver()
            eventually(lambda: any(map(leads, replicas)))
            assert list(map(leads, replicas)).count(True) == 1
            assert [one.end() for one in replicas] == [0, 0]
        finally:
            for one in replicas:
                one.destroy()
