"""The control plane that other tests stand on must be a real one, apart from other runs, and leave nothing behind."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tools.kube.controlplane import ApiError, ControlPlane, StartError

from support.controlplane import ROOT, Cluster, shared_control_plane

WIDGETS = "/apis/example.test/v1/namespaces/default/widgets"
WIDGET_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.test"},
    "spec": {
        "group": "example.test",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
OWNER_OF_A_CONTROL_PLANE = """
import signal, sys
from pathlib import Path
from tools.kube.controlplane import ControlPlane

with ControlPlane(directory=Path(sys.argv[1])) as plane:
    print("ready", flush=True)
    signal.pause()
"""


def eventually(condition: Callable[[], bool], *, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def widget(name: str, **metadata: object) -> dict[str, object]:
    return {"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": name, **metadata}}


def is_gone(cluster: Cluster, path: str) -> bool:
    try:
        cluster.api("GET", path)
    except ApiError as refusal:
        return refusal.status == 404
    return False


def processes_in(directory: Path) -> list[int]:
    """The processes that work in `directory`, as those of a control plane do."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == directory:
                found.append(int(process.name))
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
    return found


@pytest.fixture(scope="module")
def crds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crds")
    (folder / "widgets.json").write_text(json.dumps(WIDGET_CRD))
    return folder


@pytest.fixture(scope="module")
def own_plane(crds: Path) -> Iterator[ControlPlane]:
    """A control plane that a test may disturb."""
    with ControlPlane(crds=crds) as plane:
        yield plane


def test_server_is_the_version_that_go_mod_pins(own_plane: ControlPlane) -> None:
    pinned = re.search(r"k8s\.io/kubernetes (v\S+)", (ROOT / "tools/kube/go.mod").read_text())
    assert pinned is not None
    assert own_plane.api("GET", "/version")["gitVersion"] == pinned[1]


def test_server_certificate_is_not_accepted_by_accident(own_plane: ControlPlane) -> None:
    """Clients that verify must need the kubeconfig's authority; else no test of TLS against this server means anything."""
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(own_plane.server, context=ssl.create_default_context(), timeout=10)


def test_user_can_do_only_what_rbac_grants(own_plane: ControlPlane) -> None:
    jane = own_plane.user_kubeconfig("jane", ("sales",))
    listing = ("--kubeconfig", jane, "get", "widgets.example.test")
    assert "Forbidden" in own_plane.kubectl_run(*listing, check=False).stderr

    own_plane.kubectl_run("create", "role", "reader", "--verb=list", "--resource=widgets.example.test")
    own_plane.kubectl_run("create", "rolebinding", "reader", "--role=reader", "--group=sales")
    assert eventually(lambda: own_plane.kubectl_run(*listing, check=False).returncode == 0)


def test_deleted_owner_takes_custom_resources_along(own_plane: ControlPlane) -> None:
    """Needs a garbage collector that knew the CRD from its start: later ones it finds only every 30 seconds."""
    if not own_plane.controllers:
        pytest.skip("KUBEBUILDER_ASSETS has no kube-controller-manager")
    owner = own_plane.api("POST", WIDGETS, widget("owner"))
    reference = {"apiVersion": "example.test/v1", "kind": "Widget", "name": "owner", "uid": owner["metadata"]["uid"]}
    own_plane.api("POST", WIDGETS, widget("child", ownerReferences=[reference]))
    own_plane.api("DELETE", f"{WIDGETS}/owner")
    assert eventually(lambda: is_gone(own_plane, f"{WIDGETS}/child"))


def test_outage_of_the_api_server_keeps_data_and_address(own_plane: ControlPlane) -> None:
    own_plane.api("POST", WIDGETS, widget("survivor"))
    own_plane.stop_apiserver()
    with pytest.raises(OSError, match="refused"):
        own_plane.api("GET", "/readyz")
    own_plane.start_apiserver()
    assert own_plane.api("GET", f"{WIDGETS}/survivor")["metadata"]["name"] == "survivor"


def test_two_side_by_side_share_nothing(own_plane: ControlPlane) -> None:
    with ControlPlane() as other:
        assert other.server != own_plane.server
        with pytest.raises(ApiError, match="404"):
            other.api("GET", WIDGETS)
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            Cluster(
                directory=own_plane.directory,
                server=other.server,
                kubectl=other.kubectl,
                admin_token=other.admin_token,
                controllers=other.controllers,
            ).api("GET", "/readyz")
    assert not other.directory.exists()
    assert own_plane.api("GET", "/readyz") == "ok"


def test_refused_crd_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    crds = tmp_path / "crds"
    crds.mkdir()
    (crds / "broken.json").write_text(json.dumps(WIDGET_CRD | {"spec": {}}))
    plane = ControlPlane(crds=crds, directory=tmp_path / "plane")
    with pytest.raises(StartError, match=r"spec\.group"):
        plane.start()
    assert not (tmp_path / "plane").exists()
    assert not processes_in(tmp_path / "plane")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
def test_killed_starter_leaves_no_process(tmp_path: Path) -> None:
    directory = tmp_path / "plane"
    starter = subprocess.Popen(
        [sys.executable, "-c", OWNER_OF_A_CONTROL_PLANE, directory],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert starter.stdout is not None
    with starter:
        assert starter.stdout.readline() == "ready\n"
        assert len(processes_in(directory)) >= 2
        starter.send_signal(signal.SIGKILL)
    assert eventually(lambda: not processes_in(directory))


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_workers_share_one_and_the_last_ends_it(tmp_path: Path, crds: Path) -> None:
    with shared_control_plane(tmp_path, crds=crds) as first:
        with shared_control_plane(tmp_path, crds=crds) as second:
            assert second.server == first.server
        assert first.api("GET", "/readyz") == "ok"
        assert processes_in(first.directory)
    assert eventually(lambda: not first.directory.exists() and not processes_in(first.directory))

    with shared_control_plane(tmp_path, crds=crds) as later:
        assert later.api("GET", "/readyz") == "ok"
        assert later.directory != first.directory
