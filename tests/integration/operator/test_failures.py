"""What is said when nothing new can be known: nothing false, and nothing is lost."""

from datetime import datetime, timedelta

import pytest

from integration.operator.conftest import Start
from integration.operator.harness import Clock, Clusters, Kube, eventually
from integration.operator.test_publishing import BIG, ONE_NODE, SMALL, selling
from proxmox_offerings.proxmox.errors import (
    CertificateRejected,
    ConnectionFailed,
    MissingPrivilege,
    NotQuorate,
    ObservationError,
    PrivilegesMissing,
    Unauthorized,
)
from support.cluster import tier

LACKS = MissingPrivilege(path="/vms", privilege="VM.Audit", effect="guests cannot be counted")
FAILURES = [
    pytest.param(ConnectionFailed("no endpoint answered"), "Reconciling", id="unreachable"),
    pytest.param(NotQuorate("no quorum"), "Reconciling", id="without quorum"),
    pytest.param(Unauthorized("the token was refused"), "Stalled", id="bad token"),
    pytest.param(CertificateRejected("not the certificate"), "Stalled", id="bad certificate"),
    pytest.param(PrivilegesMissing("the token lacks rights", missing=(LACKS,)), "Stalled", id="missing rights"),
    pytest.param(RuntimeError("boom"), "Reconciling", id="a fault of ours"),
]


@pytest.mark.parametrize(("failure", "abnormal"), FAILURES)
def test_a_failure_is_told_and_changes_no_statement_before_its_end(
    kube: Kube, clusters: Clusters, start: Start, clock: Clock, failure: Exception, abnormal: str
) -> None:
    endpoint = selling(kube, clusters)
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    before = {name: o["metadata"]["resourceVersion"] for name, o in kube.offerings().items()}

    clusters.seen[endpoint] = failure
    operator.news(endpoint)
    reason = failure.reason if isinstance(failure, ObservationError) else "InternalError"
    eventually(lambda: kube.reason("fra1") == reason)
    assert kube.condition("fra1", abnormal)["status"] == "True"
    polled = clusters.polls[endpoint]
    eventually(lambda: clusters.polls[endpoint] > polled)
    operator.settle()
    assert {name: o["metadata"]["resourceVersion"] for name, o in kube.offerings().items()} == before

    clock.ahead += timedelta(seconds=14401)
    eventually(lambda: kube.stock("fra1-small") == ("Unknown", None))
    assert set(kube.offerings()) == {"fra1-small", "fra1-big"}
    eventually(lambda: kube.get_host("fra1")["status"]["offerings"]["unknown"] == 2)

    clusters.seen[endpoint] = ONE_NODE
    eventually(lambda: kube.stock("fra1-small") == ("InStock", 8))
    eventually(lambda: kube.reason("fra1") == "Observed")
    assert kube.condition("fra1", abnormal) is None


def test_statement_from_before_the_clock_was_set_back_ends_unless_it_can_be_confirmed(
    kube: Kube, clusters: Clusters, start: Start, clock: Clock
) -> None:
    endpoint = selling(kube, clusters)
    clock.ahead = timedelta(days=1)
    operator = start()
    eventually(lambda: kube.stock("fra1-small") == ("InStock", 8))
    clock.ahead = timedelta()
    clusters.seen[endpoint] = ConnectionFailed("no endpoint answered")
    operator.news(endpoint)
    eventually(lambda: kube.stock("fra1-small") == ("Unknown", None))
    eventually(lambda: kube.reason("fra1") != "Observed")
    clusters.seen[endpoint] = ONE_NODE
    eventually(lambda: kube.reason("fra1") == "Observed")
    said = kube.offering("fra1-small")["status"]
    assert said["stock"] == "InStock"
    assert datetime.fromisoformat(said["observedAt"]) <= clock.now()
    changed = [condition["lastTransitionTime"] for condition in kube.get_host("fra1")["status"]["conditions"]]
    assert all(datetime.fromisoformat(moment) <= clock.now() for moment in changed)


def test_missing_privileges_are_named(kube: Kube, clusters: Clusters, start: Start) -> None:
    endpoint = selling(kube, clusters)
    clusters.seen[endpoint] = PrivilegesMissing("the token lacks rights", missing=(LACKS,))
    start()
    eventually(lambda: kube.reason("fra1") == "PrivilegesMissing")
    assert kube.get_host("fra1")["status"]["missingPrivileges"] == [
        {"path": "/vms", "privilege": "VM.Audit", "effect": "guests cannot be counted"}
    ]


def test_what_was_never_seen_is_there_and_claims_nothing(kube: Kube, clusters: Clusters, start: Start) -> None:
    endpoint = selling(kube, clusters)
    clusters.seen[endpoint] = ConnectionFailed("no endpoint answered")
    start()
    eventually(lambda: set(kube.offerings()) == {"fra1-small", "fra1-big"})
    eventually(lambda: kube.stock("fra1-small") == ("Unknown", None))
    assert "validUntil" not in kube.offering("fra1-small")["status"]


def test_one_broken_host_spoils_only_itself(kube: Kube, clusters: Clusters, start: Start) -> None:
    broken = selling(kube, clusters, SMALL, name="broken")
    clusters.seen[broken] = RuntimeError("boom")
    selling(kube, clusters, SMALL, name="whole")
    start()
    eventually(lambda: kube.reason("broken") == "InternalError")
    eventually(lambda: kube.stock("whole-small") == ("InStock", 8))


def test_a_missing_secret_is_told_and_heals_when_it_comes(kube: Kube, clusters: Clusters, start: Start) -> None:
    endpoint = selling(kube, clusters)
    kube.kubectl("delete", "secret", "fra1-token")
    start()
    eventually(lambda: kube.reason("fra1") == "CredentialsMissing")
    assert "fra1-token" in kube.condition("fra1", "Stalled")["message"]
    assert clusters.polls[endpoint] == 0
    kube.secret("fra1-token")
    eventually(lambda: kube.stock("fra1-small") == ("InStock", 8))


def test_a_rotated_token_is_used_with_the_next_refresh(kube: Kube, clusters: Clusters, start: Start) -> None:
    endpoint = selling(kube, clusters)
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    kube.secret("fra1-token", token_secret="22222222")
    operator.refresh(endpoint)
    assert [token.secret for token in clusters.opened[endpoint]] == ["11111111", "22222222"]
    assert clusters.open[endpoint] == 1


def test_tiers_follow_the_spec_while_the_cluster_is_down(kube: Kube, clusters: Clusters, start: Start) -> None:
    """From the last snapshot, with the time when that was read."""
    endpoint = selling(kube, clusters)
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    observed_at = kube.offering("fra1-small")["status"]["observedAt"]
    clusters.seen[endpoint] = ConnectionFailed("no endpoint answered")
    operator.news(endpoint)
    eventually(lambda: kube.reason("fra1") == "ConnectionFailed")
    kube.host("fra1", tiers=[SMALL, tier("tiny")])
    eventually(lambda: kube.stock("fra1-tiny") == ("InStock", 16))
    eventually(lambda: "fra1-big" not in kube.offerings())
    assert kube.offering("fra1-tiny")["status"]["observedAt"] == observed_at


def test_prices_change_while_the_cluster_is_down_and_stock_stays(kube: Kube, clusters: Clusters, start: Start) -> None:
    """From the last snapshot, as every change of terms; and what has no price says why."""
    each = {"perVCPU": {"shared": "1.50"}, "perGiBMemory": "0.80", "perGiBDisk": [{"price": "0.05"}]}
    gpu = tier("gpu", gpu={"models": ["*H100*"]})
    endpoint = selling(kube, clusters, SMALL, gpu, pricing={"currency": "EUR"} | each)
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    before = kube.offering("fra1-small")
    # 2 x 1.50 + 4 x 0.80 + 20 x 0.05
    assert before["spec"]["price"] == {"currency": "EUR", "monthly": "7.20", "setup": "0.00"}
    assert "price" not in kube.offering("fra1-gpu")["spec"]
    assert [one["tier"] for one in kube.get_host("fra1")["status"]["unpriced"]] == ["gpu"]
    clusters.seen[endpoint] = ConnectionFailed("no endpoint answered")
    operator.news(endpoint)
    eventually(lambda: kube.reason("fra1") == "ConnectionFailed")
    kube.host("fra1", tiers=[SMALL, gpu], pricing={"currency": "EUR", "marginPercent": 50} | each)
    eventually(lambda: kube.offering("fra1-small")["spec"]["price"]["monthly"] == "10.80")
    eventually(lambda: kube.stock("fra1-small") == ("InStock", 8))
    after = kube.offering("fra1-small")["status"]
    for kept in ("stock", "available", "observedAt", "validUntil", "nodes"):
        assert after[kept] == before["status"][kept]


def test_statements_on_other_terms_end_at_once_when_nothing_is_known(
    kube: Kube, clusters: Clusters, start: Start
) -> None:
    """After a restart nothing is remembered; numbers counted for the old spec must not stand beside the new one."""
    endpoint = selling(kube, clusters)
    first = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    first.settle()
    first.stop()
    clusters.seen[endpoint] = ConnectionFailed("no endpoint answered")
    kube.host("fra1", tiers=[SMALL | {"cpu": 4}])
    start()
    eventually(lambda: kube.stock("fra1-small") == ("Unknown", None))
    eventually(lambda: set(kube.offerings()) == {"fra1-small"})
    eventually(lambda: kube.offering("fra1-small")["spec"]["cpu"] == 4)


def test_derived_tiers_stay_while_the_cluster_is_down(kube: Kube, clusters: Clusters, start: Start) -> None:
    """Which there should be follows from the hardware, and that is not known after a restart."""
    kube.secret("fra1-token")
    clusters.seen[f"https://fra1.{kube.namespace}.example.net:8006"] = ONE_NODE
    endpoint = kube.host("fra1")
    first = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    first.settle()
    first.stop()
    before = kube.offerings()
    assert "fra1-std-1" in before
    clusters.seen[endpoint] = ConnectionFailed("no endpoint answered")
    second = start()
    eventually(lambda: kube.reason("fra1") == "ConnectionFailed")
    second.settle()
    assert kube.offerings() == before


def test_another_endpoint_is_another_cluster(kube: Kube, clusters: Clusters, start: Start) -> None:
    """What was seen of the old one says nothing about the new one, and does not stand while that is being reached."""
    selling(kube, clusters)
    start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    clusters.seen["https://elsewhere.example.net:8006"] = ConnectionFailed("no endpoint answered")
    kube.host("fra1", tiers=[SMALL, BIG], endpoints=["https://elsewhere.example.net:8006"])
    eventually(lambda: kube.stock("fra1-small") == ("Unknown", None))


def test_a_suspended_host_is_not_read_and_its_statements_end(
    kube: Kube, clusters: Clusters, start: Start, clock: Clock
) -> None:
    endpoint = selling(kube, clusters)
    first = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    before = kube.offering("fra1-small")["status"]
    kube.host("fra1", tiers=[SMALL, BIG], suspend=True)
    eventually(lambda: kube.reason("fra1") == "Suspended")
    assert kube.offering("fra1-small")["status"] == before
    assert clusters.open[endpoint] == 0
    first.stop()
    clock.ahead += timedelta(seconds=14401)
    start()
    eventually(lambda: kube.stock("fra1-small") == ("Unknown", None))
    kube.host("fra1", tiers=[SMALL, BIG], suspend=False)
    eventually(lambda: kube.stock("fra1-small") == ("InStock", 8))
    assert clusters.polls[endpoint] == 2
