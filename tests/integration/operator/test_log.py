"""What a deployed operator logs while all goes well: nothing."""

import asyncio
from pathlib import Path

from integration.operator.harness import Kube, Process, eventually, json_lines
from proxmox_offerings.simulator import presets
from proxmox_offerings.simulator.config import Behaviour
from proxmox_offerings.simulator.simulator import Simulator
from support.controlplane import Cluster

TIER = {"name": "small", "cpu": 2, "memory": "4Gi", "disk": "50Gi"}


async def test_refreshes_of_a_healthy_cluster_log_nothing_and_each_line_is_json(
    control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    kube = Kube(control_plane, namespace)
    async with Simulator(presets.demo(), behaviour=Behaviour(refusal_delay=0, seed=1)) as simulated:
        await asyncio.to_thread(
            kube.secret, "fra1-token", token_id=simulated.token_id, token_secret=simulated.token_secret
        )
        spec = {"endpoints": list(simulated.endpoints), "tls": {"caBundle": simulated.ca_pem}, "tiers": [TIER]}
        await asyncio.to_thread(kube.host, "fra1", **spec)
        process = Process(control_plane.kubeconfig, namespace, tmp_path / "log")

        def lines() -> list[dict[str, str]]:
            return json_lines(tmp_path / "log")

        def refreshed(times: int) -> bool:
            return process.metric('proxmox_offerings_refresh_seconds_count{result="ok"}') >= times

        try:
            await asyncio.to_thread(eventually, lambda: lines()[-1]["event"] == "host observed", within=30)
            for again in range(1, 4):
                # A changed inventory interval has the cluster read at once, hardware and all.
                patch = f'{{"spec":{{"inventoryIntervalSeconds":{600 + again}}}}}'
                await asyncio.to_thread(kube.kubectl, "patch", "proxmoxhost", "fra1", "--type=merge", "-p", patch)
                await asyncio.to_thread(eventually, lambda again=again: refreshed(1 + again))
            assert lines()[-1]["event"] == "host observed"
            assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in lines())
        finally:
            assert await asyncio.to_thread(process.end) == 0
