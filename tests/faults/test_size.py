"""Clusters, and answers, of any size: handled or refused, never fatal, and never at the cost of other hosts."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.hosts import fleet_host_object
from benchmarks.workplace import Workplace

from faults.test_whole_path import TIER, site
from integration.operator.harness import Kube, Process, eventually
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.faults import Fault
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import Cluster

MIB = 2**20
HUGE = '{"data":[' + " " * 100 * MIB
REFUSAL = "answered the call /cluster/resources with more than 33554432 bytes"
ROOMY = {"cpu": {"percent": 2000}, "memory": {"percent": 600}}
"""Terms under which so many guests leave stock: counting what is not there would be easy."""
QUICK = Behaviour(refusal_delay=0, seed=1)


def read_more_often(process: Process, *, times: int) -> Callable[[], bool]:
    """Whether clusters were read well so many times more from now on."""
    reads = 'proxmox_offerings_refresh_seconds_count{result="ok"'
    before = process.metric(reads)
    return lambda: process.metric(reads) >= before + times


@pytest.mark.long
async def test_long_answer_of_100_mb_is_refused_by_a_condition_and_takes_back_no_statement(
    control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    async with site(control_plane, namespace, tmp_path / "log") as place:
        await place.ready(reason="Observed")
        await place.ready(reason="Observed", host="ber1")
        before, memory = place.kube.offering("fra1-small")["status"], place.process.most_resident
        place.simulated.add_fault(Fault(path="/cluster/resources", body=HUGE))
        await place.look_again()
        condition = await place.ready(reason="CallFailed")
        assert REFUSAL in condition["message"]
        assert place.conditions()["Reconciling"] == "True"
        # ber1 alone is still read well.
        often = '{"spec":{"refreshIntervalSeconds":15}}'
        await asyncio.to_thread(place.kube.kubectl, "patch", "proxmoxhost", "ber1", "--type=merge", "-p", often)
        await asyncio.to_thread(eventually, read_more_often(place.process, times=2), within=60)
        assert place.kube.offering("fra1-small")["status"] == before
        assert place.conditions("ber1")["Ready"] == "True"
        assert place.process.most_resident < memory + 64
        place.simulated.remove_fault()
        await place.ready(reason="Observed")


@pytest.mark.long
async def test_long_cluster_of_50_000_guests_is_sold_beside_the_others_in_bounded_memory(
    control_plane: Cluster, namespace: str, tmp_path: Path, record_property: Any
) -> None:
    """Through real HTTPS and the real API server, with the chart's memory limit in mind; another cluster answers with 100 MB meanwhile."""
    kube = Kube(control_plane, namespace)
    with Workplace() as place:
        fleet, _ = await asyncio.to_thread(place.fleet, clusters=1, nodes=128, guests=50_000)
        async with (
            Simulator(presets.standalone(), behaviour=QUICK) as huge,
            Simulator(presets.standalone(), behaviour=QUICK) as good,
        ):
            huge.add_fault(Fault(path="/cluster/resources", body=HUGE))
            kube.secret("big-token", token_id=fleet.token_id, token_secret=fleet.token_secret)
            spec = fleet_host_object("big", namespace=namespace, fleet=fleet, cluster=0)["spec"]
            kube.host("big", **{**spec, "refreshIntervalSeconds": 15, "allocation": ROOMY})
            for name, simulated in (("huge", huge), ("good", good)):
                kube.secret(f"{name}-token", token_id=simulated.token_id, token_secret=simulated.token_secret)
                own = {"endpoints": list(simulated.endpoints), "tls": {"caBundle": simulated.ca_pem}, "tiers": [TIER]}
                kube.host(name, refreshIntervalSeconds=15, **own)
            process = Process(control_plane.kubeconfig, namespace, tmp_path / "log")
            try:
                await asyncio.to_thread(eventually, lambda: kube.reason("big") == "Observed", within=240)
                # And twice more, when all that was read in the background is there.
                await asyncio.to_thread(eventually, lambda: kube.stock("big-std-1")[0] == "InStock", within=120)
                await asyncio.to_thread(eventually, read_more_often(process, times=5), within=120)
                await asyncio.to_thread(eventually, lambda: kube.reason("huge") == "CallFailed", within=30)
                assert REFUSAL in kube.condition("huge", "Ready")["message"]
                assert kube.stock("huge-small") == ("Unknown", None)
                assert kube.reason("good") == kube.reason("big") == "Observed"
                status = kube.get_host("big")["status"]
                assert len(status["nodes"]) == 128
                assert not [node for node in status["nodes"] if node.get("excluded")]
                record_property("done", f"{process.most_resident:.0f} MiB resident at most")
                assert process.most_resident < 300
            finally:
                assert await asyncio.to_thread(process.end) == 0
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
