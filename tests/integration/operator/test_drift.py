"""What people do to Offerings by hand does not last, and costs Proxmox no call."""

import json

import pytest

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, OperatorThread, eventually
from integration.operator.test_publishing import selling


@pytest.fixture
def steady(kube: Kube, clusters: Clusters, start: Start) -> OperatorThread:
    """An operator that has published everything."""
    selling(kube, clusters)
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    operator.settle()
    return operator


EDITS = [
    pytest.param((), {"spec": {"cpu": 1}}, id="a smaller unit beside the old number"),
    pytest.param((), {"spec": {"storageClass": "nvme"}}, id="a promise that we do not make"),
    pytest.param((), {"spec": {"price": {"currency": "EUR", "monthly": "1.00"}}}, id="a price"),
    pytest.param((), {"metadata": {"labels": {"proxmox-offerings.io/tier": "big"}}}, id="a label"),
    pytest.param((), {"metadata": {"ownerReferences": None}}, id="no owner"),
    pytest.param(("--subresource=status",), {"status": {"available": 900}}, id="a number"),
    pytest.param(("--subresource=status",), {"status": {"validUntil": "2099-01-01T00:00:00Z"}}, id="an end far away"),
    pytest.param(("--subresource=status",), {"status": {"gpu": {"name": "H100"}}}, id="a card that is not there"),
    pytest.param(("--subresource=status",), {"status": None}, id="no status"),
]


@pytest.mark.parametrize(("options", "edit"), EDITS)
def test_an_edit_by_hand_is_undone(
    kube: Kube, clusters: Clusters, steady: OperatorThread, options: tuple[str, ...], edit: dict
) -> None:
    def said() -> dict:
        offering = kube.offering("fra1-small")
        status = {
            key: value for key, value in offering["status"].items() if key not in ("observedGeneration", "conditions")
        }
        return {"spec": offering["spec"], "status": status} | {
            key: offering["metadata"].get(key) for key in ("labels", "ownerReferences")
        }

    before = said()
    written = kube.offering("fra1-small")["metadata"]["resourceVersion"]
    kube.kubectl("patch", "offering", "fra1-small", "--type=merge", *options, "-p", json.dumps(edit))
    eventually(lambda: kube.offering("fra1-small")["metadata"]["resourceVersion"] != written)
    eventually(lambda: said() == before)
    offering = kube.offering("fra1-small")
    assert offering["status"]["observedGeneration"] == offering["metadata"]["generation"]
    assert sum(clusters.polls.values()) == 1


def test_an_offering_deleted_by_hand_comes_back(kube: Kube, clusters: Clusters, steady: OperatorThread) -> None:
    uid = kube.offering("fra1-small")["metadata"]["uid"]
    kube.kubectl("delete", "offering", "fra1-small", "--timeout=60s")
    eventually(lambda: kube.offering("fra1-small")["metadata"]["uid"] != uid)
    eventually(lambda: kube.stock("fra1-small") == ("InStock", 8))
    assert sum(clusters.polls.values()) == 1


def test_what_others_add_beside_ours_stays(kube: Kube, clusters: Clusters, steady: OperatorThread) -> None:
    """Labels and conditions of other controllers are theirs."""
    kube.kubectl("label", "offering", "fra1-small", "shop.example.net/listed=yes")
    theirs = {
        "type": "Listed",
        "status": "True",
        "reason": "Listed",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {
        "apiVersion": "proxmox-offerings.io/v1alpha1",
        "kind": "Offering",
        "metadata": {"name": "fra1-small"},
        "status": {"conditions": [theirs]},
    }
    kube.kubectl("apply", "--server-side", "--subresource=status", "--field-manager=shop", "-f", "-", body=status)
    kube.kubectl("patch", "offering", "fra1-small", "--type=merge", "-p", '{"spec":{"cpu":1}}')
    eventually(lambda: kube.offering("fra1-small")["spec"]["cpu"] == 2)
    eventually(lambda: kube.stock("fra1-small") == ("InStock", 8))
    steady.settle()
    offering = kube.offering("fra1-small")
    assert offering["metadata"]["labels"]["shop.example.net/listed"] == "yes"
    assert {c["type"] for c in offering["status"]["conditions"]} == {"Ready", "Listed"}


def test_our_own_writes_cause_no_more_work(kube: Kube, clusters: Clusters, steady: OperatorThread) -> None:
    """The echo of a write is no news; otherwise each write would cause the next."""
    before = kube.versions()
    kube.kubectl("annotate", "proxmoxhost", "fra1", "note=hello")
    kube.kubectl("annotate", "offering", "fra1-small", "note=hello")
    steady.settle()
    after = kube.versions()
    assert {name for name in before if before[name] != after[name]} == {"ProxmoxHost/fra1", "Offering/fra1-small"}
