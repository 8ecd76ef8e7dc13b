"""What really happens to API servers, done to a real one: restarts, rights and credentials that go and come, CRDs deleted, a backup restored.

Each test has a control plane of its own. What a proxy can do in front of one is in test_apiserver_faults.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.kube.controlplane import ApiError, ControlPlane

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, OperatorThread, eventually
from integration.operator.test_apiserver_faults import sells
from integration.operator.test_publishing import BIG, SMALL, selling
from proxmox_offerings.controller.streams import Patience
from support.controlplane import CRDS, ROOT

PATIENCE = Patience(answer=5, steady=0.3, delay=0.5, grace=0.5, settle=0.5)
ACCOUNT = "proxmox-offerings"
LONG = 40.0


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    """In the place of the one that all tests share."""
    with ControlPlane(crds=CRDS) as plane:
        yield plane


class Pod:
    """What a pod is given: the token of its service account and the API server's authority, in files that are replaced while it runs."""

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        self._plane = plane
        self._token = directory / "token"
        self._authority = directory / "ca.crt"
        self.kubeconfig = directory / "kubeconfig"
        plane.kubectl_run("create", "namespace", ACCOUNT)
        self.grant()
        self.trust_authority()
        self.take_token()
        content = {
            "current-context": "pod",
            "clusters": [
                {"name": "pod", "cluster": {"server": plane.server, "certificate-authority": str(self._authority)}}
            ],
            "users": [{"name": "pod", "user": {"tokenFile": str(self._token)}}],
            "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}],
        }
        self.kubeconfig.write_text(json.dumps(content))

    def grant(self) -> None:
        self._plane.kubectl_run("apply", "-n", ACCOUNT, "-f", str(ROOT / "manifests" / "rbac.yaml"))

    def revoke(self) -> None:
        """The account loses its rights, and its token: another account takes its name."""
        self._plane.kubectl_run("delete", "-n", ACCOUNT, "-f", str(ROOT / "manifests" / "rbac.yaml"))
        self._plane.kubectl_run("create", "serviceaccount", ACCOUNT, "-n", ACCOUNT)

    def take_token(self) -> None:
        self._token.write_text(self._plane.kubectl_run("create", "token", ACCOUNT, "-n", ACCOUNT).stdout)

    def trust_authority(self) -> None:
        self._authority.write_bytes((self._plane.directory / "ca.crt").read_bytes())


def begin_again(plane: ControlPlane, kube: Kube) -> None:
    """The API server starts, and serves our kinds: for a moment after it is ready it does not ("storage is (re)initializing")."""

    def serves() -> bool:
        with contextlib.suppress(ApiError):
            kube.offerings()
            return True
        return False

    plane.start_apiserver()
    eventually(serves, within=LONG)


def test_restarts_rights_tokens_and_authorities_that_go_and_come(
    control_plane: ControlPlane, kube: Kube, clusters: Clusters, start: Start, tmp_path: Path
) -> None:
    """The operator stays throughout, is not ready while it cannot work, deletes nothing, and goes on by itself."""
    pod = Pod(control_plane, tmp_path)
    selling(kube, clusters)
    operator = start(pod.kubeconfig, patience=PATIENCE).operator

    def publishes(*tiers: dict) -> None:
        kube.host("fra1", tiers=list(tiers))
        eventually(lambda: sells(kube, *(tier["name"] for tier in tiers)), within=LONG)
        eventually(lambda: operator.not_ready is None, within=LONG)

    publishes(SMALL, BIG)

    control_plane.stop_apiserver()
    eventually(lambda: operator.not_ready)
    begin_again(control_plane, kube)
    publishes(SMALL)

    pod.revoke()
    control_plane.stop_apiserver()
    eventually(lambda: operator.not_ready)
    begin_again(control_plane, kube)
    pod.take_token()
    kube.host("fra1", tiers=[BIG])
    assert operator.not_ready
    assert sells(kube, "small")
    pod.grant()
    publishes(SMALL, BIG)

    control_plane.stop_apiserver()
    control_plane.replace_authority()
    begin_again(control_plane, kube)
    eventually(lambda: operator.not_ready)
    pod.trust_authority()
    publishes(BIG)


def test_deleted_crds_and_a_restored_backup(
    control_plane: ControlPlane, kube: Kube, clusters: Clusters, start: Start
) -> None:
    selling(kube, clusters)
    thread = OperatorThread(
        kubeconfig=control_plane.kubeconfig, namespaces=(kube.namespace,), clusters=clusters, patience=PATIENCE
    ).start()
    eventually(lambda: sells(kube, "small", "big"))

    kube.kubectl("delete", "-f", str(CRDS))
    eventually(lambda: thread.operator.not_ready)
    control_plane.establish(CRDS)
    kube.host("fra1", tiers=[SMALL, BIG])
    eventually(lambda: sells(kube, "small", "big"), within=LONG)
    eventually(lambda: thread.operator.not_ready is None, within=LONG)

    control_plane.back_up()
    begin_again(control_plane, kube)
    kube.host("fra1", tiers=[SMALL])
    eventually(lambda: sells(kube, "small"), within=LONG)
    eventually(lambda: thread.operator.not_ready is None, within=LONG)
    control_plane.restore()
    begin_again(control_plane, kube)
    assert thread.wait(LONG) == 1, "it goes on with what it knew"
    start()
    eventually(lambda: sells(kube, "small", "big"))
    kube.host("fra1", tiers=[BIG])
    eventually(lambda: sells(kube, "big"))
