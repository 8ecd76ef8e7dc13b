"""What the tests of real pods do and look at: a node with pods, and a seller's shop on it."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import yaml

from support.controlplane import ROOT, Cluster
from support.helm import CHART, Helm

PATIENCE = 60.0
"""Seconds for anything to happen. What takes longer by its nature says so."""
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
TIERS = [
    {"name": "small", "cpu": 2, "memory": "4Gi", "disk": "50Gi"},
    {"name": "large", "cpu": 8, "memory": "32Gi", "disk": "200Gi"},
]

CTL = ("proxmox-offerings", "simulate", "ctl")
VMIDS = itertools.count(1000)

Object = dict[str, Any]


class Pods:
    """A node that runs pods of `image`."""

    def __init__(self, cluster: Cluster, *, image: str) -> None:
        self.cluster = cluster
        self.repository, _, self.tag = image.rpartition(":")

    def kubectl(self, *arguments: str, namespace: str | None = None, **options: Any) -> str:
        """What kubectl prints. Raises CalledProcessError, which shows what it said."""
        place = () if namespace is None else ("--namespace", namespace)
        return self.cluster.kubectl_run(*place, *arguments, **options).stdout

    def get(self, *what: str, namespace: str | None = None) -> list[Object]:
        """Objects of a kind. Of a kind that is unknown there are none."""
        place = ("--all-namespaces",) if namespace is None else ("--namespace", namespace)
        done = self.cluster.kubectl_run("get", *what, *place, "--output", "json", check=False)
        if "doesn't have a resource type" in done.stderr or "could not find the requested" in done.stderr:
            return []
        assert done.returncode == 0, done.stderr
        items: list[Object] = json.loads(done.stdout)["items"]
        return items

    def apply(self, objects: list[Object]) -> None:
        self.kubectl("apply", "--server-side", "--filename", "-", input=yaml.safe_dump_all(objects))

    def rendered(self, kustomization: str, *, namespace: str) -> list[Object]:
        """What a kustomization of this checkout holds, with the image of this node, and in `namespace` instead of its own."""
        objects = list(yaml.safe_load_all(self.kubectl("kustomize", str(ROOT / kustomization))))
        for one in objects:
            if "namespace" in one["metadata"]:
                one["metadata"]["namespace"] = namespace
            for subject in one.get("subjects", ()):
                subject["namespace"] = namespace
            if one["kind"] == "Deployment":
                for container in one["spec"]["template"]["spec"]["containers"]:
                    container["image"] = f"{self.repository}:{self.tag}"
        return [one for one in objects if one["kind"] != "Namespace"]

    @contextmanager
    def namespace(self, name: str) -> Iterator[str]:
        """One in which only restricted pods may run. It is gone afterwards."""
        self.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}])
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")


@dataclass(kw_only=True)
class Shop:
    """A seller: an operator in `system`, and a ProxmoxHost with its Offerings in `namespace`."""

    OURS: ClassVar = "app.kubernetes.io/instance=proxmox-offerings"
    CRDS: ClassVar = ("offerings.proxmox-offerings.io", "proxmoxhosts.proxmox-offerings.io")

    pods: Pods
    helm: Helm
    simulated: str
    system: str
    namespace: str
    release: str = "proxmox-offerings"

    def values(self, **more: Any) -> Object:
        """Values for the image of this node, and `more`."""
        image = {"repository": self.pods.repository, "tag": self.pods.tag}
        return {"image": image, "podLabels": {"test": "e2e"}, **more}

    def install(self, chart: Path = CHART, **more: Any) -> None:
        """As people do; returns when all pods are ready."""
        self.helm.run("install", self.release, chart, *self._with_patience(), values=self.values(**more))

    def upgrade(self, chart: Path = CHART, **more: Any) -> None:
        """To these values; returns when all pods are replaced and ready."""
        self.helm.run("upgrade", self.release, chart, *self._with_patience(), values=self.values(**more))

    def rollback(self) -> None:
        """To the revision before."""
        self.helm.run("rollback", self.release, *self._with_patience())

    def uninstall(self) -> None:
        self.helm.run("uninstall", self.release, *self._with_patience())

    def _with_patience(self) -> tuple[str, ...]:
        return ("--namespace", self.system, "--wait", "--timeout", "90s")

    def sell(self) -> None:
        """Apply a ProxmoxHost for the simulated cluster; returns when its Offerings can be sold."""
        said = self.pods.kubectl("exec", "deployment/fra1", "--", *CTL, "host", namespace=self.simulated)
        objects = list(yaml.safe_load_all(said))
        for one in objects:
            one["metadata"]["namespace"] = self.namespace
            if one["kind"] == "ProxmoxHost":
                one["spec"] |= {"tiers": TIERS, "refreshIntervalSeconds": 15, "validitySeconds": 60}
        self.pods.apply(objects)
        self.wait("two Offerings in stock", lambda: len(self.stock()) == len(TIERS))

    def in_simulator(self, *arguments: str) -> None:
        """`simulate ctl` in the simulator's pod."""
        self.pods.kubectl("exec", "deployment/fra1", "--", *CTL, *arguments, namespace=self.simulated)

    def offerings(self) -> dict[str, Object]:
        """All of the shop, by name."""
        return {one["metadata"]["name"]: one for one in self.pods.get("offerings", namespace=self.namespace)}

    def uids(self) -> dict[str, str]:
        """By which a replaced object is told from one that stayed, the ProxmoxHost's included."""
        hosts = self.pods.get("proxmoxhosts", namespace=self.namespace)
        return {one["metadata"]["name"]: one["metadata"]["uid"] for one in [*hosts, *self.offerings().values()]}

    def stock(self) -> dict[str, int]:
        """What may be sold right now, by the rule for readers: name and number of units."""
        now = datetime.now(UTC)
        statuses = {name: one.get("status", {}) for name, one in self.offerings().items()}
        return {
            name: status["available"]
            for name, status in statuses.items()
            if status.get("stock") in {"InStock", "LowStock"} and now < _time(status["validUntil"])
        }

    def add_guest(self) -> None:
        """A guest of the smallest tier's size more in the simulated cluster."""
        self.in_simulator("add-guest", str(next(VMIDS)), "--node", "pve1", "--cpu", "2", "--memory", "4Gi")

    def sell_one(self) -> None:
        """Until a sale has reached the Offerings, the number of which stays."""
        before = self.stock()
        assert len(before) == len(TIERS), "a statement ran out"
        self.add_guest()
        self.wait("one less", lambda: 0 < self.stock().get("fra1-small", 0) < before["fra1-small"])

    def running(self) -> list[Object]:
        """The operator's pods that are not about to end."""
        return [
            one for one in self.pods.get("pods", namespace=self.system) if "deletionTimestamp" not in one["metadata"]
        ]

    def leader(self) -> str | None:
        """The name of the pod that works."""
        leases = self.pods.get("leases", namespace=self.system)
        holders = [lease["spec"].get("holderIdentity") or "" for lease in leases]
        return next((holder.split("_")[0] for holder in holders if holder), None)

    def check_logs(self) -> None:
        """No pod was refused anything, or met an error."""
        for pod in self.running():
            for line in self.pods.kubectl("logs", pod["metadata"]["name"], namespace=self.system).splitlines():
                said = json.loads(line)
                assert said["level"] != "error", line
                assert "forbidden" not in line, line

    def wait(self, what: str, reached: Callable[[], object], *, seconds: float = PATIENCE) -> None:
        """Raises AssertionError with what the operator said."""
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:.0f} s for: {what}\n{self._last_words()}")
            time.sleep(0.3)

    def _last_words(self) -> str:
        logs = self.pods.kubectl("logs", "--selector", "test=e2e", "--tail=15", "--prefix", namespace=self.system)
        hosts = json.dumps([one.get("status") for one in self.pods.get("proxmoxhosts", namespace=self.namespace)])
        return f"{logs}\n{hosts}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
