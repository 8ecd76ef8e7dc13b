"""An operator whose view of the cluster is of the past writes nothing that is of the past, and is right again when it hears of the present."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.operator.audit import Audit
from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, OperatorThread, eventually
from integration.operator.test_publishing import BIG, ONE_NODE, SMALL, selling
from proxmox_offerings.controller.streams import Patience
from proxmox_offerings.kube.errors import NotLeading
from support.cluster import guest, tier
from support.controlplane import Cluster
from support.faultproxy import FaultProxy, body, error_event, stall

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
            kube.kubectl("delete", "proxmoxhost", "ams1", "--timeout=60s")
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


GROUP = "/apis/proxmox-offerings.io/v1alpha1/namespaces/{namespace}/{plural}"


def freeze(proxy: FaultProxy, kube: Kube) -> Callable[[], None]:
    """What is listed now; called, it is all that lists tell from then on, and watches tell nothing: an API server that lags behind the others.

    Single objects are read as they are, and written: those reads go to etcd on any API server.
    """
    paths = [GROUP.format(namespace=kube.namespace, plural=plural) for plural in ("proxmoxhosts", "offerings")]
    lists = [(path, json.dumps(kube.cluster.api("GET", path)).encode()) for path in paths]

    def begin() -> None:
        for path, listed in lists:
            proxy.add(body(listed), verb="list", path=path)
            proxy.add(stall(), verb="watch", path=path)
        proxy.break_streams()

    return begin


def other_terms(kube: Kube) -> None:
    terms = {"cpu": {"percent": 50}, "memory": {"reserved": "0"}, "storage": {"reservedPercent": 0}}
    kube.host("fra1", tiers=[SMALL, TINY], allocation=terms)
    eventually(lambda: _sold(kube) == {"fra1-small": 4, "fra1-tiny": 8})
    eventually(lambda: kube.get_host("fra1")["status"]["observedGeneration"] == 2)


def another_host(kube: Kube) -> None:
    """Of the same name; its tier is called as one of the other was."""
    kube.kubectl("delete", "proxmoxhost", "fra1", "--timeout=60s")
    eventually(lambda: not kube.offerings(), within=40)
    kube.host("fra1", tiers=[BIG | {"cpu": 16}])
    eventually(lambda: _sold(kube) == {"fra1-big": 1} and kube.reason("fra1") == "Observed")


def no_host(kube: Kube) -> None:
    kube.kubectl("delete", "proxmoxhost", "fra1", "--timeout=60s")
    eventually(lambda: not kube.offerings(), within=40)


@pytest.mark.parametrize("meanwhile", [other_terms, another_host, no_host])
def test_restarted_on_a_list_of_the_past_it_deletes_nothing_and_sells_nothing_of_the_past(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, tmp_path: Path, meanwhile: Callable[[Kube], None]
) -> None:
    """Sieve's "stale state": what it is told of is all consistent, and all over."""
    endpoint = selling(kube, clusters, SMALL, BIG)
    first = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    first.settle()
    begin = freeze(proxy, kube)
    meanwhile(kube)
    first.settle()
    first.stop()
    sold, versions = _sold(kube), kube.versions()
    begin()
    # A guest more: there is something to say about each Offering of the past.
    busier = ONE_NODE.but(guests=[guest(101, "pve1", cpu=4, memory="4Gi")])
    clusters.seen[endpoint] = busier
    with Audit(kube) as audit:
        polls = clusters.polls[endpoint]
        second = start(proxy.write_kubeconfig(tmp_path / "kubeconfig"))
        eventually(lambda: clusters.polls[endpoint] > polls and proxy.calls(verb="get", resource="proxmoxhosts"))
        # It tries again with what it has found out, and must not be taken in then either.
        eventually(lambda: len(proxy.calls(verb="get", resource="proxmoxhosts")) > 1 or meanwhile is no_host)
        assert (_sold(kube), kube.versions()) == (sold, versions)
        proxy.heal()
        if meanwhile is not no_host:
            eventually(lambda: second.operator.not_ready is None and second.idle, within=60)
        eventually(lambda: second.idle)
        assert _sold(kube).keys() == sold.keys()
        assert audit.counts() == {}


def test_a_list_of_the_past_ends_an_operator_that_knows_better_and_changes_nothing(
    kube: Kube, clusters: Clusters, proxy: FaultProxy, tmp_path: Path
) -> None:
    """One API server of several lags behind, and the next list comes from that one: exit code 1, and the next process asks whoever answers then."""
    selling(kube, clusters, SMALL, BIG)
    operator = OperatorThread(
        kubeconfig=proxy.write_kubeconfig(tmp_path / "kubeconfig"),
        namespaces=(kube.namespace,),
        clusters=clusters,
        patience=Patience(settle=0.5),
    ).start()
    try:
        eventually(lambda: kube.reason("fra1") == "Observed")
        operator.settle()
        begin = freeze(proxy, kube)
        other_terms(kube)
        operator.settle()
        sold, versions = _sold(kube), kube.versions()
        # Its watches are said to be too old, and begin anew with a list.
        proxy.add(error_event(410), verb="watch", times=2)
        begin()
        assert operator.wait(30) == 1
        assert (_sold(kube), kube.versions()) == (sold, versions)
    finally:
        operator.stop_soon()


def _sold(kube: Kube) -> dict[str, int | None]:
    return {name: offering.get("status", {}).get("available") for name, offering in kube.offerings().items()}
