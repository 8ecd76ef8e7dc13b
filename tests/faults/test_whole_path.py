"""The real command on the real API server over a simulated cluster that goes wrong: what people then read, and what readers may still believe."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from integration.operator.harness import Kube, eventually
from integration.operator.test_process import Process
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import AclConfig, Behaviour
from proxmox_offerings.simulator.faults import Fault
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import Cluster

TIER = {"name": "small", "cpu": 2, "memory": "4Gi", "disk": "50Gi"}


class Site:
    """One operator, two hosts: fra1 on the simulated cluster that breaks, ber1 on one that stays well."""

    def __init__(self, kube: Kube, simulated: Simulator, process: Process) -> None:
        self.kube = kube
        self.simulated = simulated
        self.process = process
        self._intervals = iter(range(601, 10_000))

    async def look_again(self) -> None:
        """Have the operator read fra1 at once: a change of the inventory interval asks for that."""
        interval = next(self._intervals)
        patch = f'{{"spec":{{"inventoryIntervalSeconds":{interval}}}}}'
        await asyncio.to_thread(self.kube.kubectl, "patch", "proxmoxhost", "fra1", "--type=merge", "-p", patch)

    async def ready(self, *, reason: str, host: str = "fra1") -> dict[str, Any]:
        """The condition Ready once it has the reason."""

        def found() -> dict[str, Any] | None:
            condition = self.kube.condition(host, "Ready")
            return condition if condition and condition["reason"] == reason else None

        return await asyncio.to_thread(eventually, found, within=45)

    def conditions(self, host: str = "fra1") -> dict[str, str]:
        return {one["type"]: one["status"] for one in self.kube.get_host(host)["status"]["conditions"]}


@contextlib.asynccontextmanager
async def site(cluster: Cluster, namespace: str, log: Path) -> AsyncIterator[Site]:
    kube = Kube(cluster, namespace)
    quick = Behaviour(refusal_delay=0, seed=1)
    async with (
        Simulator(presets.demo(), behaviour=quick) as bad,
        Simulator(presets.standalone(), behaviour=quick) as good,
    ):
        for name, simulated in (("fra1", bad), ("ber1", good)):
            secret = {"token_id": simulated.token_id, "token_secret": simulated.token_secret}
            await asyncio.to_thread(kube.secret, f"{name}-token", **secret)
            spec = {"endpoints": list(simulated.endpoints), "tls": {"caBundle": simulated.ca_pem}, "tiers": [TIER]}
            await asyncio.to_thread(kube.host, name, **spec)
        process = Process(cluster.kubeconfig, namespace, log)
        try:
            yield Site(kube, bad, process)
        finally:
            assert await asyncio.to_thread(process.end) == 0
    told = log.read_text(encoding="utf-8")
    assert "Traceback" not in told
    assert bad.token_secret not in told


def guests_hidden(simulated: Simulator) -> None:
    acls = [AclConfig(path="/", role="PVEAuditor"), AclConfig(path="/vms", role="NoAccess")]
    simulated.set_acls(simulated.token_id, acls, user_acls=[AclConfig(path="/", role="PVEAuditor")])


def every_node_down(simulated: Simulator) -> None:
    for node in list(simulated.nodes):
        simulated.kill_node(node)


def faulty(**fault: Any) -> Callable[[Simulator], None]:
    return lambda simulated: simulated.add_fault(Fault(**fault)) and None


FAILURES = [
    pytest.param(lambda s: s.set_secret(s.token_id, "another"), "Unauthorized", "Stalled", "token", id="wrong token"),
    pytest.param(
        lambda s: s.replace_certificate("expired"),
        "CertificateRejected",
        "Stalled",
        "certificate",
        id="expired certificate",
    ),
    pytest.param(guests_hidden, "PrivilegesMissing", "Stalled", "VM.Audit on /vms", id="guests hidden"),
    pytest.param(lambda s: s.set_quorum(quorate=False), "NotQuorate", "Reconciling", "quorum", id="quorum lost"),
    pytest.param(every_node_down, "ConnectionFailed", "Reconciling", "no connection", id="nobody answers"),
    pytest.param(
        faulty(path="/cluster/resources", body="<html>Please log in</html>", content_type="text/html"),
        "CallFailed",
        "Reconciling",
        "not",
        id="a login page instead of JSON",
    ),
    pytest.param(
        faulty(path="/cluster/status", status=595, reason="No route to host", body=""),
        "CallFailed",
        "Reconciling",
        "595",
        id="empty 595",
    ),
]


@pytest.mark.parametrize(("break_it", "reason", "abnormal", "word"), FAILURES)
async def test_a_failure_is_told_and_takes_back_no_statement(
    break_it: Callable[[Simulator], None],
    reason: str,
    abnormal: str,
    word: str,
    control_plane: Cluster,
    namespace: str,
    tmp_path: Path,
) -> None:
    """A documented reason, a sentence that helps, the right kind of waiting; Offerings stay as they were, and other hosts go on."""
    async with site(control_plane, namespace, tmp_path / "log") as place:
        await place.ready(reason="Observed")
        await place.ready(reason="Observed", host="ber1")
        before = place.kube.offering("fra1-small")
        assert before["status"]["available"] > 0
        break_it(place.simulated)
        await place.look_again()
        condition = await place.ready(reason=reason)
        assert condition["status"] == "False"
        assert word in condition["message"]
        assert "log in" not in condition["message"]
        assert place.conditions()[abnormal] == "True"
        assert {"Stalled", "Reconciling"} - {abnormal} - place.conditions().keys()
        after = place.kube.offering("fra1-small")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        kept = ("stock", "available", "observedAt", "validUntil")
        assert {key: after["status"][key] for key in kept} == {key: before["status"][key] for key in kept}
        host = place.kube.get_host("fra1")["status"]
        assert host["proxmox"]["quorate"] == (reason != "NotQuorate")
        if reason == "PrivilegesMissing":
            missing = host["missingPrivileges"]
            assert ("/vms", "VM.Audit") in {(one["path"], one["privilege"]) for one in missing}
        assert place.conditions("ber1")["Ready"] == "True"


async def test_a_dead_node_costs_its_own_room_and_nothing_else(
    control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Calls to it answer 595 with an empty body, and its guests still look alive."""
    async with site(control_plane, namespace, tmp_path / "log") as place:
        await place.ready(reason="Observed")
        before = {node["name"]: node["available"] for node in place.kube.offering("fra1-small")["status"]["nodes"]}
        place.simulated.kill_node("pve3")
        await place.look_again()

        def told() -> dict[str, int] | None:
            nodes = {node["name"]: node["available"] for node in place.kube.offering("fra1-small")["status"]["nodes"]}
            return nodes if "pve3" not in nodes else None

        after = await asyncio.to_thread(eventually, told, within=45)
        assert after == {name: available for name, available in before.items() if name != "pve3"}

        def left_out() -> bool:
            """The host's status is written after its Offerings."""
            nodes = {node["name"]: node.get("excluded") for node in place.kube.get_host("fra1")["status"]["nodes"]}
            return nodes["pve3"] == "Offline"

        await asyncio.to_thread(eventually, left_out)
        assert place.conditions()["Ready"] == "True"


async def test_a_cluster_that_was_never_reached_claims_nothing(
    control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    kube = Kube(control_plane, namespace)
    kube.secret("gone-token")
    kube.host("gone", tiers=[TIER], refreshIntervalSeconds=15, validitySeconds=60)  # no such name anywhere
    process = Process(control_plane.kubeconfig, namespace, tmp_path / "log")
    try:
        condition = await asyncio.to_thread(
            eventually,
            lambda: kube.condition("gone", "Ready") if kube.reason("gone") == "ConnectionFailed" else None,
            within=45,
        )
        assert "no such name" in condition["message"]
        assert kube.stock("gone-small") == ("Unknown", None)
    finally:
        assert process.end() == 0
