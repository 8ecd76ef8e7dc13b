"""A ProxmoxHost in, truthful Offerings out, on a real API server."""

from datetime import datetime, timedelta

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, eventually
from support.cluster import cluster, guest, node, tier

SMALL = tier("small", cpu=2, memory="4Gi", disk="20Gi")
BIG = tier("big", cpu=8, memory="32Gi", disk="100Gi")
VALIDITY = timedelta(seconds=14400)
ONE_NODE = cluster(nodes=[node("pve1", threads=16, memory="64Gi")])


def selling(kube: Kube, clusters: Clusters, *tiers: dict, name: str = "fra1", **spec: object) -> str:
    """A host with its Secret, and a cluster of 16 threads and 64 GiB behind it; returns the endpoint."""
    kube.secret(f"{name}-token")
    endpoint = f"https://{name}.{kube.namespace}.example.net:8006"
    clusters.seen.setdefault(endpoint, ONE_NODE)
    return kube.host(name, tiers=list(tiers or (SMALL, BIG)), **spec)


def test_offerings_appear_with_owner_labels_and_an_end(kube: Kube, clusters: Clusters, start: Start) -> None:
    """What a reader needs is there: whose it is, what it is, how many, and until when."""
    selling(kube, clusters)
    start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    assert kube.stock("fra1-small") == ("InStock", 8)
    assert kube.stock("fra1-big") == ("LowStock", 2)
    small, host = kube.offering("fra1-small"), kube.get_host("fra1")
    assert small["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "proxmox-offerings.io/v1alpha1",
            "kind": "ProxmoxHost",
            "name": "fra1",
            "uid": host["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]
    assert small["metadata"]["labels"] == {
        "proxmox-offerings.io/host": "fra1",
        "proxmox-offerings.io/tier": "small",
        "proxmox-offerings.io/product-type": "compute",
        "app.kubernetes.io/managed-by": "proxmox-offerings",
    }
    seen_at, ends = (datetime.fromisoformat(small["status"][key]) for key in ("observedAt", "validUntil"))
    assert (ends - seen_at).total_seconds() == 14400
    assert small["status"]["observedGeneration"] == small["metadata"]["generation"] == 1
    assert host["status"]["offerings"] == {"total": 2, "inStock": 1, "lowStock": 1, "outOfStock": 0, "unknown": 0}
    assert {c["type"]: c["status"] for c in host["status"]["conditions"]} == {
        "Ready": "True",
        "Reachable": "True",
        "Authorized": "True",
        "Quorate": "True",
        "TLSVerified": "True",
    }


def test_nothing_is_left_on_the_objects_but_what_is_said(kube: Kube, clusters: Clusters, start: Start) -> None:
    """A finalizer would block deletion while the operator is down; an annotation would be noise in every diff."""
    selling(kube, clusters)
    start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    for written in (kube.get_host("fra1"), kube.offering("fra1-small")):
        assert "finalizers" not in written["metadata"]
        assert not [key for key in written["metadata"].get("annotations", {}) if "kopf" in key]


def test_nothing_is_written_while_nothing_changes(kube: Kube, clusters: Clusters, start: Start) -> None:
    """Polls are free for Kubernetes: versions stay equal over several of them."""
    endpoint = selling(kube, clusters)
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    before = kube.versions()
    for _ in range(4):
        operator.refresh(endpoint)
    assert kube.versions() == before
    assert clusters.polls[endpoint] == 5


def test_a_changed_cluster_shows_after_the_next_refresh(kube: Kube, clusters: Clusters, start: Start) -> None:
    endpoint = selling(kube, clusters)
    operator = start()
    eventually(lambda: kube.stock("fra1-big") == ("LowStock", 2))
    clusters.seen[endpoint] = ONE_NODE.but(guests=(guest(100, "pve1", cpu=12, memory="4Gi"),))
    operator.refresh(endpoint)
    eventually(lambda: kube.stock("fra1-big") == ("OutOfStock", 0))
    assert kube.stock("fra1-small") == ("LowStock", 2)


def test_a_changed_spec_acts_at_once_and_without_reading_again(kube: Kube, clusters: Clusters, start: Start) -> None:
    """The next refresh is an hour away. How soon an edit is acted upon, tests/unit/controller/test_pace.py has on a clock of its own."""
    endpoint = selling(kube, clusters)
    start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    observed_at = kube.offering("fra1-small")["status"]["observedAt"]
    kube.host("fra1", tiers=[SMALL | {"cpu": 4}, tier("tiny")])
    eventually(lambda: kube.stock("fra1-small") == ("InStock", 4))
    eventually(lambda: kube.stock("fra1-tiny") == ("InStock", 16))
    eventually(lambda: "fra1-big" not in kube.offerings())
    assert clusters.polls[endpoint] == 1
    assert kube.offering("fra1-small")["status"]["observedAt"] == observed_at


def test_terms_that_need_other_reading_act_at_once_and_are_read_for(
    kube: Kube, clusters: Clusters, start: Start
) -> None:
    """The last snapshot serves until the cluster is read anew, by an observer that reads what is needed now."""
    endpoint = selling(kube, clusters)
    start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    kube.host("fra1", tiers=[SMALL | {"cpu": 4}], inventoryIntervalSeconds=60)
    eventually(lambda: kube.stock("fra1-small") == ("InStock", 4))
    eventually(lambda: clusters.polls[endpoint] == 2)
    assert clusters.open[endpoint] == 1


def test_a_tier_taken_from_the_spec_disappears(kube: Kube, clusters: Clusters, start: Start) -> None:
    selling(kube, clusters)
    start()
    eventually(lambda: set(kube.offerings()) == {"fra1-small", "fra1-big"})
    kube.host("fra1", tiers=[SMALL])
    eventually(lambda: set(kube.offerings()) == {"fra1-small"})
    eventually(lambda: kube.get_host("fra1")["status"]["offerings"]["total"] == 1)


def test_deleting_the_host_removes_its_offerings_while_the_operator_is_down(
    kube: Kube, clusters: Clusters, start: Start
) -> None:
    """The real garbage collector does it; nothing waits for us."""
    selling(kube, clusters)
    operator = start()
    eventually(lambda: len(kube.offerings()) == 2)
    assert operator.stop() == 0
    kube.kubectl("delete", "proxmoxhost", "fra1", "--timeout=60s")
    eventually(lambda: not kube.offerings(), within=40)


def test_a_deleted_host_is_no_longer_read(kube: Kube, clusters: Clusters, start: Start) -> None:
    endpoint = selling(kube, clusters)
    start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    kube.kubectl("delete", "proxmoxhost", "fra1", "--timeout=60s")
    eventually(lambda: clusters.open[endpoint] == 0)


def test_a_restart_neither_rewrites_nor_renews(kube: Kube, clusters: Clusters, start: Start) -> None:
    """A crash loop must not look like fresh statements, and costs no writes."""
    endpoint = selling(kube, clusters)
    first = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    first.settle()
    first.stop()
    before = kube.versions()
    second = start()
    eventually(lambda: clusters.polls[endpoint] == 2)
    second.settle()
    assert kube.versions() == before


def test_statements_are_renewed_before_half_of_their_validity_is_gone(
    kube: Kube, clusters: Clusters, start: Start
) -> None:
    """And not with a reading right after: see statements.must_renew."""
    endpoint = selling(kube, clusters)
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    before = kube.versions()
    clusters.clock.ahead += 0.02 * VALIDITY
    operator.refresh(endpoint)
    assert kube.versions() == before
    clusters.clock.ahead += 0.48 * VALIDITY
    operator.refresh(endpoint)
    after = kube.versions()
    assert not before.items() & after.items()
    assert kube.stock("fra1-small") == ("InStock", 8)
