"""Each fault of the API server and of the way there: the operator stays, says that it is not ready, and goes on by itself when it is over.

Real API server, real proxy in front of it, real sockets. The table of faults is in docs/explanation/faults.md.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tools.kube.certificates import Authority

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, OperatorThread, Process, eventually
from integration.operator.test_publishing import BIG, SMALL, selling
from proxmox_offerings.controller.streams import Patience
from support.controlplane import Cluster
from support.faultproxy import Fault, FaultProxy, body, cut, error_event, stall, status, truncated

QUICK = Patience(answer=0.5, steady=0.3, delay=0.5, grace=0.5)
WATCH_FAULTS = [
    pytest.param(error_event(410), id="ERROR 410"),
    pytest.param(error_event(429), id="ERROR 429"),
    pytest.param(error_event(500), id="ERROR 500"),
    pytest.param(error_event(503), id="ERROR 503"),
    pytest.param(status(401), id="HTTP 401"),
    pytest.param(status(403), id="HTTP 403"),
    pytest.param(status(404), id="HTTP 404"),
    pytest.param(status(410), id="HTTP 410"),
    pytest.param(status(429, retry_after=1), id="HTTP 429"),
    pytest.param(status(500), id="HTTP 500"),
    pytest.param(status(503, retry_after=1), id="HTTP 503"),
    pytest.param(cut(after=100), id="connection lost in the middle of a line"),
    pytest.param(truncated(after=100), id="truncated line"),
    pytest.param(body(b"<html>\n<body>busy</body>\n"), id="a page of a reverse proxy"),
    pytest.param(body(b""), id="an end at once, again and again"),
    pytest.param(stall(), id="no answer"),
]


@pytest.fixture
def proxy(control_plane: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(control_plane) as running:
        yield running


@pytest.fixture
def by_proxy(proxy: FaultProxy, tmp_path: Path) -> Path:
    """A kubeconfig."""
    return proxy.write_kubeconfig(tmp_path / "kubeconfig")


def sells(kube: Kube, *tiers: str) -> bool:
    """Whether there are just these tiers, with their stock known."""
    offerings = kube.offerings()
    return set(offerings) == {f"fra1-{tier}" for tier in tiers} and all(
        offering.get("status", {}).get("available") for offering in offerings.values()
    )


def running(kube: Kube, clusters: Clusters, start: Start, kubeconfig: Path, patience: Patience) -> OperatorThread:
    """An operator that has published `small` and `big`, and watches."""
    selling(kube, clusters)
    operator = start(kubeconfig, patience=patience)
    eventually(lambda: kube.reason("fra1") == "Observed")
    eventually(lambda: operator.operator.not_ready is None and operator.operator.lost_seconds == 0)
    return operator


@pytest.mark.parametrize("fault", WATCH_FAULTS)
def test_a_watch_that_fails_is_told_and_goes_on_without_losing_anything(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, by_proxy: Path, fault: Fault
) -> None:
    """What changed meanwhile is acted upon afterwards; and nobody hammers the API server in between."""
    operator = running(kube, clusters, start, by_proxy, QUICK)
    before = len(proxy.calls(verb="watch"))
    with proxy.failing(fault, verb="watch"):
        kube.host("fra1", tiers=[SMALL])
        eventually(lambda: operator.operator.not_ready)
    assert len(proxy.calls(verb="watch")) - before < 40
    assert len(proxy.calls(verb="list")) < 40
    eventually(lambda: sells(kube, "small"))
    eventually(lambda: operator.operator.not_ready is None)


def test_a_silent_watch_is_replaced(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, by_proxy: Path
) -> None:
    """Connected, and no byte: neither events nor the bookmarks that would come each minute."""
    operator = running(kube, clusters, start, by_proxy, replace(QUICK, silence=2))
    with proxy.failing(body(b"", end=False), verb="watch"):
        kube.host("fra1", tiers=[SMALL])
        eventually(lambda: operator.operator.not_ready)
    eventually(lambda: sells(kube, "small"))

    def is_heard() -> bool:
        kube.kubectl("annotate", "--overwrite", "pmh/fra1", "offer/fra1-small", f"test/turn={next(turns)}")
        return operator.operator.not_ready is None

    turns = itertools.count()
    eventually(is_heard)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(status(500), id="HTTP 500"),
        pytest.param(status(429, retry_after=1), id="HTTP 429"),
        pytest.param(status(403), id="HTTP 403"),
        pytest.param(status(404), id="HTTP 404"),
        pytest.param(truncated(after=40), id="truncated JSON"),
        pytest.param(body(b"<html>", content_type="text/html"), id="a page of a reverse proxy"),
    ],
)
def test_nothing_is_written_before_everything_was_listed(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, by_proxy: Path, fault: Fault
) -> None:
    selling(kube, clusters)
    proxy.add(fault, verb="list")
    operator = start(by_proxy, patience=QUICK)
    eventually(lambda: len(proxy.calls(verb="list")) >= 2)
    assert operator.operator.not_ready
    assert not proxy.calls(verb="write")
    proxy.heal()
    eventually(lambda: sells(kube, "small", "big"))
    eventually(lambda: operator.operator.not_ready is None)


def test_kinds_that_are_known_to_one_part_of_the_api_server_only(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, by_proxy: Path
) -> None:
    """Right after an installation they can be listed, but discovery does not tell of them: kopf looks there once, and would never watch."""
    selling(kube, clusters)
    proxy.add(body(json.dumps({"groups": []}).encode()), path="/apis", times=3)
    start(by_proxy, patience=QUICK)
    eventually(lambda: sells(kube, "small", "big"))
    kube.host("fra1", tiers=[SMALL])
    eventually(lambda: sells(kube, "small"))


def test_writes_that_are_put_off_come_when_they_may(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, by_proxy: Path
) -> None:
    """HTTP 429 with Retry-After: not sooner, and nobody is told of a failure."""
    selling(kube, clusters, SMALL)
    proxy.add(status(429, retry_after=1), verb="write", resource="offerings", times=1)
    start(by_proxy, patience=QUICK)
    eventually(lambda: kube.reason("fra1") is not None)
    assert kube.reason("fra1") == "Observed"
    first, second, *_ = proxy.calls(verb="write", resource="offerings")
    assert second.at - first.at >= 1


@pytest.mark.parametrize("code", [403, 500, 503])
def test_writes_that_fail_are_repeated_until_they_are_taken(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, by_proxy: Path, code: int
) -> None:
    selling(kube, clusters)
    proxy.add(status(code), verb="write")
    start(by_proxy, patience=QUICK)
    eventually(lambda: len(proxy.calls(verb="write")) >= 4)
    proxy.heal()
    eventually(lambda: sells(kube, "small", "big"))
    eventually(lambda: kube.reason("fra1") == "Observed")


def test_connections_refused_for_a_while(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, by_proxy: Path
) -> None:
    operator = running(kube, clusters, start, by_proxy, QUICK)
    proxy.refuse()
    kube.host("fra1", tiers=[SMALL])
    eventually(lambda: operator.operator.not_ready)
    proxy.accept()
    eventually(lambda: sells(kube, "small"))
    eventually(lambda: operator.operator.not_ready is None)


def test_an_expired_token_is_replaced_by_the_one_in_its_file(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, tmp_path: Path
) -> None:
    """As a pod's, which the kubelet writes anew: each side, watching and writing, takes the fresh one."""
    token = tmp_path / "token"
    token.write_text("first")
    kubeconfig = proxy.write_kubeconfig(tmp_path / "kubeconfig", token_file=token)
    proxy.token = "first"
    operator = running(kube, clusters, start, kubeconfig, QUICK)
    proxy.token = "second"
    proxy.break_streams()
    eventually(lambda: operator.operator.not_ready)
    token.write_text("second")
    kube.host("fra1", tiers=[SMALL])
    eventually(lambda: sells(kube, "small"))
    eventually(lambda: operator.operator.not_ready is None)
    assert {call.token for call in proxy.calls()} == {"first", "second"}


def test_everything_is_refused_and_allowed_again(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, by_proxy: Path
) -> None:
    """The account's rights were removed, and given back: whatever it does meanwhile comes to nothing, and nothing is deleted."""
    operator = running(kube, clusters, start, by_proxy, QUICK)
    with proxy.failing(status(403)):
        kube.host("fra1", tiers=[SMALL, BIG, BIG | {"name": "bigger"}])
        eventually(lambda: operator.operator.not_ready)
    eventually(lambda: sells(kube, "small", "big", "bigger"))
    eventually(lambda: operator.operator.not_ready is None)


def test_it_ends_in_good_order_while_it_still_asks_what_there_is(
    kube: Kube, clusters: Clusters, start: Start, proxy: FaultProxy, by_proxy: Path
) -> None:
    """A pod that is stopped while it starts is no crash: kopf leaves calls behind, whose session is closed."""
    proxy.add(stall(), path="/apis/proxmox-offerings.io/v1alpha1")
    proxy.add(stall(), path="/api")
    operator = start(by_proxy, patience=QUICK)
    eventually(lambda: any(call.path == "/apis/proxmox-offerings.io/v1alpha1" for call in proxy.calls()))
    assert operator.stop() == 0


@pytest.mark.parametrize("silently", [False, True], ids=["connections refused", "no answer"])
def test_sigterm_ends_it_in_time_while_the_api_server_is_away(
    kube: Kube, proxy: FaultProxy, by_proxy: Path, tmp_path: Path, silently: bool
) -> None:
    """Also the Lease cannot be given back then."""
    flags = ("--leader-elect", "--leader-elect-namespace", kube.namespace)
    process = Process(by_proxy, kube.namespace, tmp_path / "log", flags=flags)
    try:
        eventually(lambda: process.get("/readyz")[0] == 200)
        eventually(lambda: process.metric("leader_election_master_status") == 1)
        if silently:
            proxy.add(stall())
            proxy.break_streams()
        else:
            proxy.refuse()
        eventually(lambda: process.metric("proxmox_offerings_kubernetes_lost_seconds") > 0)
    finally:
        assert process.end() == 0


def test_client_certificate_replaced_in_its_file(
    kube: Kube, control_plane: Cluster, clusters: Clusters, start: Start, tmp_path: Path
) -> None:
    """The one before is not accepted: it is of another authority."""
    kubeconfig = control_plane.user_kubeconfig("somebody")
    content = json.loads(kubeconfig.read_text())
    files = {"client-certificate": tmp_path / "client.crt", "client-key": tmp_path / "client.key"}
    content["users"][0]["user"] = {key: str(path) for key, path in files.items()}
    (tmp_path / "kubeconfig").write_text(json.dumps(content))

    def give(authority: Path) -> None:
        pair = Authority(authority).client("somebody", ("system:masters",))
        files["client-certificate"].write_bytes(pair.certificate)
        files["client-key"].write_bytes(pair.key)

    give(tmp_path)
    selling(kube, clusters)
    operator = start(tmp_path / "kubeconfig", patience=QUICK)
    eventually(lambda: operator.refused() > 0)
    give(control_plane.directory)
    eventually(lambda: sells(kube, "small", "big"))
    eventually(lambda: operator.operator.not_ready is None)
