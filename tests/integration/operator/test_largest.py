"""A cluster of as many nodes as are read, with vnets, storages, templates and vGPU types by the thousand: a real etcd takes what is said of it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, eventually
from proxmox_offerings.catalogue.bounds import MOST_NAMES, MOST_PROFILES, MOST_STORAGES, MOST_SYSTEMS
from proxmox_offerings.inventory.snapshot import Snapshot, Template
from proxmox_offerings.proxmox.parse.resources import MOST_NODES
from support.cluster import cluster, handing_out, mdev, node, storage, t4s, tier

ETCD_TAKES = 1.5 * 2**20
NODES = [f"node-{number:04}-of-a-large-cluster" for number in range(MOST_NODES)]


class Seen:
    """Built once, however often it is looked at."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def snapshot(self) -> Snapshot:
        return self._snapshot


def largest() -> Seen:
    vnets = [f"vnet{number:011}" for number in range(500)]
    profiles = {"0000:01:00.0": handing_out(*(mdev(f"nvidia-{number}", 4) for number in range(230, 242)))}
    storages = [storage(f"nas-{number}", "nfs") for number in range(10)]
    own = [storage(f"own-{number:04}", on=[NODES[number]]) for number in range(len(NODES))]
    facts = cluster(
        nodes=[node(name, bridges=["vmbr0", *vnets], pci=t4s(1), mdevs=profiles) for name in NODES],
        storages=[*storages, *own],
    )
    templates = tuple(
        Template(kind="qemu", name=f"debian-{number}", vmid=9000 + number, volid=None, tags=(), nodes=frozenset(NODES))
        for number in range(2 * MOST_SYSTEMS)
    )
    return Seen(replace(facts.snapshot(), templates=templates))


@pytest.mark.timeout(180)
def test_what_is_said_of_the_largest_cluster_fits_into_etcd(kube: Kube, clusters: Clusters, start: Start) -> None:
    kube.secret("fra1-token")
    clusters.seen[f"https://fra1.{kube.namespace}.example.net:8006"] = largest()  # type: ignore[assignment]
    kube.host("fra1", tiers=[tier("small"), tier("vgpu", gpu={"profile": "nvidia-230"})])
    start()
    eventually(lambda: kube.reason("fra1") == "Observed", within=120)
    host, offering = kube.get_host("fra1"), kube.offering("fra1-small")
    status: dict[str, Any] = host["status"]
    assert [one["name"] for one in status["nodes"]] == NODES
    assert {len(one["bridges"]) for one in status["nodes"]} == {MOST_NAMES // MOST_NODES}
    assert all(one["bridges"][0] == "vmbr0" for one in status["nodes"])
    assert {len(one["gpuProfiles"]) for one in status["nodes"]} == {MOST_PROFILES // MOST_NODES}
    assert len(status["storages"]) == MOST_STORAGES
    assert max(len(one["nodes"]) for one in status["storages"]) == MOST_NAMES // MOST_STORAGES
    systems = offering["status"]["operatingSystems"]
    assert (len(systems), {len(one["nodes"]) for one in systems}) == (MOST_SYSTEMS, {MOST_NAMES // MOST_SYSTEMS})
    assert len(offering["status"]["nodes"]) == MOST_NODES
    for live in (host, offering):
        assert len(json.dumps(live)) < 0.95 * ETCD_TAKES
