"""An operator whose view of the cluster is of the past writes nothing that is of the past, and is right again when it hears of the present."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.operator.audit import Audit
from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, eventually
from integration.operator.test_publishing import BIG, SMALL, selling
from proxmox_offerings.kube.errors import NotLeading
from support.cluster import tier
from support.controlplane import Cluster
from support.faultproxy import FaultProxy, stall

TINY = tier("tiny")


@pytest.fixture
def proxy(control_plane: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(control_plane) as running:
        yield running


class Election:
    """Who stands by writes nothing."""

    def __init__(self) -> None:
        self.won = False

    def guard(self) -> None:
        if not self.won:
            raise NotLeading("stands by")


def test_who_takes_over_with_hosts_of_the_past_neither_deletes_nor_sells_on_old_terms(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, tmp_path: Path
) -> None:
    """Its watch of hosts is silent, that of Offerings is not: of each Offering it knows the newest version, and could write to it."""
    selling(kube, clusters, SMALL, BIG)
    first = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    election = Election()
    second = start(proxy.write_kubeconfig(tmp_path / "kubeconfig"), guard=election.guard)
    eventually(lambda: second.operator.lost_seconds == 0 and proxy.calls(verb="watch", resource="proxmoxhosts"))
    second.settle()
    with Audit(kube) as audit:
        with proxy.failing(stall(), verb="watch", resource="proxmoxhosts"):
            terms = {"cpu": {"percent": 50}, "memory": {"reserved": "0"}, "storage": {"reservedPercent": 0}}
            kube.host("fra1", tiers=[SMALL, TINY], allocation=terms)
            eventually(lambda: set(kube.offerings()) == {"fra1-small", "fra1-tiny"} and kube.stock("fra1-tiny")[1] == 8)
            eventually(lambda: kube.get_host("fra1")["status"]["observedGeneration"] == 2)
            first.settle()
            first.stop()
            election.won = True
            kube.kubectl("annotate", "offering", "fra1-small", "note=hello")
            eventually(lambda: proxy.calls(verb="get", resource="proxmoxhosts") or len(proxy.calls(verb="write")) > 0)
            second.settle()
            assert _sold(kube) == {"fra1-small": 4, "fra1-tiny": 8}
        eventually(lambda: second.operator.lost_seconds == 0)
        second.settle()
        assert _sold(kube) == {"fra1-small": 4, "fra1-tiny": 8}
        assert audit.counts() == {"ADDED Offering/fra1-tiny": 1, "DELETED Offering/fra1-big": 1}


def test_events_that_cancel_out_while_it_hears_nothing_leave_nothing_wrong(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, tmp_path: Path
) -> None:
    """A tier that went and came back, terms that changed to and fro, and another host of the same name: all it sees is the last of each."""
    selling(kube, clusters, SMALL, BIG)
    selling(kube, clusters, SMALL, BIG, name="ams1")
    operator = start(proxy.write_kubeconfig(tmp_path / "kubeconfig"))
    eventually(lambda: kube.reason("fra1") == kube.reason("ams1") == "Observed")
    eventually(lambda: proxy.calls(verb="watch", resource="offerings"))
    operator.settle()
    uid = kube.get_host("ams1")["metadata"]["uid"]
    with Audit(kube) as audit:
        with proxy.failing(stall(), verb="watch"):
            kube.host("fra1", tiers=[SMALL])
            kube.host("fra1", tiers=[SMALL, BIG])
            kube.kubectl("delete", "proxmoxhost", "ams1", "--timeout=10s")
            selling(kube, clusters, SMALL | {"cpu": 4}, name="ams1")
            eventually(lambda: not [name for name in kube.offerings() if name.startswith("ams1")], within=40)
        sold = {"fra1-small": 8, "fra1-big": 2, "ams1-small": 4}
        eventually(lambda: _sold(kube) == sold, within=60)
        eventually(lambda: kube.get_host("ams1")["status"]["observedGeneration"] == 1)
        operator.settle()
        assert _sold(kube) == sold
        assert {one["metadata"]["ownerReferences"][0]["uid"] for one in kube.offerings().values()}.isdisjoint({uid})
        counts = audit.counts()
    assert not [change for change in counts if "fra1" in change]
    assert counts["ADDED Offering/ams1-small"] == counts["DELETED Offering/ams1-big"] == 1


def _sold(kube: Kube) -> dict[str, int | None]:
    return {name: offering.get("status", {}).get("available") for name, offering in kube.offerings().items()}
