"""Whoever waits for a ProxmoxHost: goes on when it is fine, gives up at once on what a person must mend, keeps waiting on what may heal."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, eventually
from integration.operator.test_publishing import ONE_NODE, SMALL, selling
from proxmox_offerings.proxmox import errors
from support.kstatus import kstatus


class Case(NamedTuple):
    """What the cluster does, what a waiter makes of the host, and the reason that a person reads."""

    seen: Any
    verdict: str
    reason: str
    spec: dict[str, Any] = {}  # noqa: RUF012 - never changed


CASES = {
    "fine": Case(ONE_NODE, "Current", "Observed"),
    "unreachable": Case(errors.ConnectionFailed("no"), "InProgress", "ConnectionFailed"),
    "odd-answers": Case(errors.CallFailed("no"), "InProgress", "CallFailed"),
    "no-quorum": Case(errors.NotQuorate("no"), "InProgress", "NotQuorate"),
    "unsized-guest": Case(errors.UncountableGuests("no"), "InProgress", "UncountableGuest"),
    "our-fault": Case(RuntimeError("boom"), "InProgress", "InternalError"),
    "bad-token": Case(errors.Unauthorized("no"), "Failed", "Unauthorized"),
    "no-rights": Case(errors.PrivilegesMissing("no"), "Failed", "PrivilegesMissing"),
    "bad-certificate": Case(errors.CertificateRejected("no"), "Failed", "CertificateRejected"),
    "forbidden": Case(errors.EndpointForbidden("no"), "Failed", "EndpointForbidden"),
    "bad-spec": Case(errors.InvalidHost("no"), "Failed", "InvalidHost"),
    "no-secret": Case(ONE_NODE, "Failed", "CredentialsMissing", {"credentialsSecretRef": {"name": "absent"}}),
    "suspended": Case(ONE_NODE, "InProgress", "Suspended", {"suspend": True}),
}


def waits(kube: Kube, name: str, condition: str, seconds: int) -> bool:
    """Whether kubectl is content within so many seconds."""
    done = kube.cluster.kubectl_run(
        *("-n", kube.namespace, "wait", f"proxmoxhost/{name}", f"--for=condition={condition}", f"--timeout={seconds}s"),
        check=False,
    )
    return done.returncode == 0


def test_waiters_go_on_give_up_or_wait_as_each_kind_of_failure_asks(
    kube: Kube, clusters: Clusters, start: Start
) -> None:
    """A host that nobody looked at yet is none that is fine, and neither is one whose change nobody looked at yet."""
    for name, case in CASES.items():
        clusters.seen[f"https://{name}.{kube.namespace}.example.net:8006"] = case.seen
        selling(kube, clusters, SMALL, name=name, **case.spec)
    assert {kstatus(kube.get_host(name)) for name in CASES} == {"InProgress"}
    operator = start()
    for name, case in CASES.items():
        eventually(lambda name=name, case=case: kube.reason(name) == case.reason)
    operator.settle()
    assert {name: kstatus(kube.get_host(name)) for name in CASES} == {name: one.verdict for name, one in CASES.items()}
    offerings = kube.offerings()
    assert {name: kstatus(offerings[f"{name}-small"]) for name in CASES} == {
        name: "Current" if one.reason == "Observed" else "InProgress" for name, one in CASES.items()
    }
    with ThreadPoolExecutor(4) as at_once:
        asked = [(name, condition) for name in CASES for condition in ("Ready", "Stalled")]
        # Whoever is content is so at once; for the others a second is enough to see that they are not.
        content = {("fine", "Ready"), *((name, "Stalled") for name, case in CASES.items() if case.verdict == "Failed")}
        found = at_once.map(lambda one: waits(kube, *one, 60 if one in content else 1), asked)
        assert {one for one, was in zip(asked, found, strict=True) if was} == content


def test_who_waits_is_woken_when_it_heals(kube: Kube, clusters: Clusters, start: Start) -> None:
    endpoint = f"https://fra1.{kube.namespace}.example.net:8006"
    clusters.seen[endpoint] = errors.ConnectionFailed("no")
    selling(kube, clusters, SMALL)
    start()
    eventually(lambda: kube.reason("fra1") == "ConnectionFailed")
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(waits, kube, "fra1", "Ready", 60)
        clusters.seen[endpoint] = ONE_NODE
        assert waiting.result()
