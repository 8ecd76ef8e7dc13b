"""What a person sees who watches: few and readable lines of `kubectl get offers -w`, and a host that explains itself."""

import os
import subprocess
from pathlib import Path

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, eventually
from integration.operator.test_publishing import BIG, SMALL, selling
from support.cluster import cluster, guest, node

BOTH = cluster(nodes=[node("pve1", threads=16, memory="64Gi"), node("pve2", threads=16, memory="64Gi")])
ONE_DOWN = cluster(
    nodes=[node("pve1", threads=16, memory="64Gi"), node("pve2", threads=16, memory="64Gi", status="offline")],
    guests=[guest(100, "pve1", cpu=16, memory="60Gi")],
)


def test_a_node_that_dies_is_a_story_that_watching_and_describing_tell(
    kube: Kube, clusters: Clusters, start: Start, tmp_path: Path
) -> None:
    endpoint = selling(kube, clusters, SMALL, BIG)
    clusters.seen[endpoint] = BOTH
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    seen = tmp_path / "watched"
    environment = os.environ | {"KUBECONFIG": str(kube.cluster.kubeconfig)}
    with (
        seen.open("w") as output,
        subprocess.Popen(
            [kube.cluster.kubectl, "-n", kube.namespace, "get", "offers", "-w"], stdout=output, env=environment
        ) as watching,
    ):
        eventually(lambda: len(seen.read_text().splitlines()) == 3)
        for _ in range(3):
            operator.refresh(endpoint)  # nothing new: nothing to see
        clusters.seen[endpoint] = ONE_DOWN
        operator.refresh(endpoint)
        eventually(lambda: kube.stock("fra1-small") == ("OutOfStock", 0))
        eventually(lambda: len(seen.read_text().splitlines()) >= 5)
        operator.settle()
        watching.terminate()
    header, *lines = [line.split() for line in seen.read_text().splitlines()]
    assert header == ["NAME", "TIER", "VCPU", "MEMORY", "DISK", "GPU", "PRICE", "STOCK", "AVAILABLE", "LIMIT", "AGE"]
    assert max(map(len, seen.read_text().splitlines())) <= 120
    said = [f"{line[0]} {line[5]}" for line in lines]
    assert sorted(said[:2]) == ["fra1-big InStock", "fra1-small InStock"]
    assert sorted(said[2:]) == ["fra1-big OutOfStock", "fra1-small OutOfStock"]

    eventually(lambda: "NodeLeftOut" in kube.kubectl("describe", "proxmoxhost", "fra1"))
    described = " ".join(kube.kubectl("describe", "proxmoxhost", "fra1").split())
    assert "Message: none fits: memory is used up on pve1" in described
    assert "Name: small Stock: OutOfStock" in described
    assert "Excluded: Offline" in described
    assert "Warning NodeLeftOut" in described
    assert "pve2 is offline: nothing is sold there" in described
