"""Installed as people install it, on a real node: what must hold through the life of a release."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from support.helm import CHART

from .shop import Pods, Shop

pytestmark = pytest.mark.timeout(300)  # several pods start and end in each, also on a busy machine

LOOK = """
import importlib.util, json, os, shutil
def writable(path):
    try:
        open(path, "w").close()
    except OSError:
        return False
    return True
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(json.dumps({
    "user": os.getuid(),
    "programs": [name for name in ("sh", "bash", "apt", "dpkg", "pip", "gcc", "cc", "perl") if any(
        shutil.which(name, path=path) for path in ("/bin", "/sbin", "/usr/bin", "/usr/local/bin", os.environ["PATH"]))],
    "pip": importlib.util.find_spec("pip") is not None or importlib.util.find_spec("ensurepip") is not None,
    "writable": [path for path in ("/x", "/tmp/x", "/opt/proxmox-offerings/x") if writable(path)],
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "seccomp": int(status["Seccomp"]),
}))
"""


def test_capacity_that_is_sold_in_the_cluster_is_no_longer_offered(shop: Shop):
    shop.install()
    shop.sell()
    before = shop.stock()
    shop.in_simulator("add-guest", "900", "--node", "pve1", "--cpu", "4", "--memory", "64Gi")
    shop.wait("less stock", lambda: 0 < shop.stock().get("fra1-large", 0) < before["fra1-large"])

    looked = json.loads(
        shop.pods.kubectl("exec", "deployment/proxmox-offerings", "--", "python", "-c", LOOK, namespace=shop.system)
    )
    nothing = {"programs": [], "pip": False, "writable": [], "capabilities": 0}
    assert looked == {"user": 65532, "seccomp": 2, **nothing}


def test_other_values_and_back_leave_offerings_in_place_and_fresh(shop: Shop):
    shop.install()
    shop.sell()
    uids = shop.uids()

    shop.upgrade(replicaCount=1, log={"level": "debug"}, watchNamespaces=[shop.namespace])
    assert len(shop.running()) == 1
    assert not shop.pods.get("clusterrolebindings", "--selector", shop.OURS)
    shop.sell_one()
    assert shop.uids() == uids

    shop.rollback()
    assert len(shop.running()) == 2
    shop.sell_one()
    assert shop.uids() == uids


def test_upgrade_of_the_chart_keeps_all_objects_and_the_new_operator_goes_on_with_them(shop: Shop, tmp_path: Path):
    shop.install(older_chart(tmp_path))
    shop.sell()
    uids, old = shop.uids(), {pod["metadata"]["name"] for pod in shop.running()}
    assert len(old) == 1
    assert "suspend" not in described(shop.pods)

    shop.upgrade()
    listed = json.loads(shop.helm.run("list", "--namespace", shop.system, "--output", "json"))
    present = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    assert (listed[0]["chart"], listed[0]["revision"]) == (f"proxmox-offerings-{present}", "2")
    assert "suspend" in described(shop.pods)
    assert not old & {pod["metadata"]["name"] for pod in shop.running()}
    shop.sell_one()
    assert shop.uids() == uids

    shop.rollback()
    shop.sell_one()
    assert shop.uids() == uids


def test_death_of_the_leader_does_not_let_statements_run_out(shop: Shop):
    shop.install()
    shop.sell()
    leader = shop.leader()
    pods = {pod["metadata"]["name"] for pod in shop.running()}
    assert leader in pods
    assert len(pods) == 2
    before = shop.stock()

    shop.pods.kubectl("delete", "pod", str(leader), "--grace-period=0", "--force", namespace=shop.system)
    shop.add_guest()

    def taken_over() -> bool:
        now = shop.stock()
        assert now.keys() == before.keys(), "a statement ran out"
        return shop.leader() not in {None, leader} and now["fra1-small"] < before["fra1-small"]

    # Only a new leader can tell of the guest, and must read the cluster before.
    shop.wait("another one leads, and offers less", taken_over)
    assert shop.leader() in {pod["metadata"]["name"] for pod in shop.running()}


def test_uninstalled_release_leaves_offerings_that_the_next_one_adopts(shop: Shop):
    shop.install()
    shop.sell()
    uids = shop.uids()
    shop.uninstall()
    assert not shop.running()
    assert shop.uids() == uids

    shop.install()
    shop.sell_one()
    assert shop.uids() == uids


def test_release_that_does_not_keep_its_crds_leaves_nothing_and_can_be_installed_again(shop: Shop):
    shop.install(crds={"keep": False})
    shop.sell()
    uids = shop.uids()
    shop.uninstall()
    assert shop.uids() == {}
    shop.wait("the kinds are gone", lambda: not shop.pods.get("crds", "--selector", shop.OURS))
    for kinds in ("clusterroles,clusterrolebindings", "deployments,roles,rolebindings,serviceaccounts,leases"):
        assert not shop.pods.get(kinds, "--selector", shop.OURS)

    shop.install()
    shop.sell()
    assert not set(uids.values()) & set(shop.uids().values())


def test_manifests_without_helm_bring_up_an_operator_too(shop: Shop, pods: Pods):
    objects = pods.rendered("manifests", namespace=shop.system)
    try:
        pods.apply(objects)
        pods.kubectl("rollout", "status", "deployment/proxmox-offerings", "--timeout=60s", namespace=shop.system)
        shop.sell()
    finally:
        pods.kubectl("delete", "--ignore-not-found", "--filename", "-", input=yaml.safe_dump_all(objects))


def older_chart(directory: Path) -> Path:
    """The present chart as a release before it might have been, since there is none: other defaults, and a field less in the schema."""
    older = shutil.copytree(CHART, directory / "chart")
    changes = (
        ("Chart.yaml", r"(?m)^(version|appVersion): .*$", r"\1: 0.0.1"),
        ("values.yaml", r"(?m)^replicaCount: 2$", "replicaCount: 1"),
        ("values.yaml", r"(?m)^  level: info$", "  level: debug"),
        ("templates/crd-proxmoxhosts.yaml", r"\n {14}suspend:(\n {16}.*)+", ""),
    )
    for name, pattern, replacement in changes:
        file = older / name
        content, count = re.subn(pattern, replacement, file.read_text())
        assert count, f"nothing to change in {name}"
        file.write_text(content)
    return older


def described(pods: Pods) -> Mapping[str, object]:
    """The fields of a ProxmoxHost's spec."""
    crd = json.loads(pods.kubectl("get", "crd", "proxmoxhosts.proxmox-offerings.io", "--output", "json"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields: Mapping[str, object] = schema["properties"]["spec"]["properties"]
    return fields
