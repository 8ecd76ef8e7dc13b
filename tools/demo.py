"""`make demo`: a simulated Proxmox VE cluster, a real Kubernetes API server and the operator; then capacity is sold, and the Offerings follow.

Everything runs in a directory of its own on free ports and ends with the demo, however that ends. KEEP=1 stays up until interrupted.
"""

import os
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from tools.children import Children
from tools.kube.build import BuildError
from tools.kube.controlplane import ControlPlane, StartError

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.prefix) / "bin" / "proxmox-offerings"
SAMPLE = ROOT / "manifests" / "samples" / "cluster.yaml"
NAMESPACE = "default"
OFFERINGS = f"/apis/proxmox-offerings.io/v1alpha1/namespaces/{NAMESPACE}/offerings"
PATIENCE = 90.0
"""Seconds for a change to show: a refresh takes 15 s in the sample, a first one on a busy machine somewhat longer."""

Statuses = Mapping[str, Mapping[str, Any]]


class DemoFailed(Exception):
    """The demo did not go as it should; the message says where."""


class Demo:
    """The three parts, and what is done with them."""

    def __init__(self, directory: Path, plane: ControlPlane, children: Children) -> None:
        self._directory = directory
        self._plane = plane
        self._children = children
        self._simulator = directory / "simulator"

    def start(self) -> None:
        """Start the simulated cluster and the operator, and apply the sample."""
        say("Starting a simulated Proxmox VE cluster: three nodes, one with two A100 cards.")
        self._run("simulator", "simulate", "--preset", "demo", "--dir", self._simulator)
        self._wait("the simulator listens", (self._simulator / "host.yaml").exists)
        say("Starting the operator: proxmox-offerings run --allow-endpoint-range 127.0.0.0/8")
        reach = ("--allow-endpoint-range", "127.0.0.0/8")
        self._run("operator", "run", *reach, "--health-port", "-1", "--log-format", "console")
        say(f"Applying {SAMPLE.relative_to(ROOT)}, with the simulator's addresses and token.")
        print(self._plane.kubectl_run("apply", "-f", "-", input=sample(self._simulator)).stdout, flush=True)
        self._wait_for(
            "the first Offerings", lambda said: len(said) >= 5 and all("stock" in one for one in said.values())
        )
        self.show()

    def sell(self) -> None:
        """Change the cluster three times, and watch."""
        before = self._statuses()
        say("Selling: ten guests with 4 vCPUs and 16 GiB each are created on pve1 and pve2 of the simulated cluster.")
        for node, vmid in (("pve1", 200), ("pve2", 210)):
            size = ("--cpu", "4", "--memory", "16Gi", "--disk", "50Gi", "--storage", "local-lvm")
            self._act("add-guest", str(vmid), "--node", node, *size, "--count", "5")
        self._wait_for("less stock", lambda said: said["fra1-large"]["available"] < before["fra1-large"]["available"])
        self.show()

        say("pve3 dies: its GPUs and its room are gone, although its guests still look alive for five minutes.")
        self._act("kill-node", "pve3")
        self._wait_for(
            "pve3 to sell nothing", lambda said: not self._sold_on("pve3", said) and said["fra1-gpu"]["available"] == 0
        )
        self.show()

        say("pve3 comes back.")
        self._act("restore-node", "pve3")
        self._wait_for("pve3 to sell again", lambda said: said["fra1-gpu"].get("available", 0) > 0)
        self.show()

    def keep(self) -> None:
        """Stay up until interrupted."""
        say(
            "Staying up (KEEP=1); Ctrl-C ends it. In another terminal:",
            f"export KUBECONFIG={self._plane.kubeconfig}",
            f"{self._plane.kubectl} get proxmoxhosts,offerings",
            f"{COMMAND} simulate ctl --dir {self._simulator} --help",
        )
        while True:
            self._check_children()
            time.sleep(1)

    def show(self) -> None:
        """What a user sees."""
        print("$ kubectl get proxmoxhosts,offerings")
        print(self._plane.kubectl_run("get", "proxmoxhosts,offerings", "-n", NAMESPACE).stdout, flush=True)

    def _run(self, name: str, *arguments: str | Path) -> None:
        env = {**os.environ, "KUBECONFIG": str(self._plane.kubeconfig)}
        self._children.start(name, [COMMAND, *arguments], cwd=self._directory, env=env)

    def _act(self, action: str, *arguments: str) -> None:
        print(f"$ proxmox-offerings simulate ctl {action} {' '.join(arguments)}", flush=True)
        name = f"ctl-{action}"
        self._children.start(
            name, [COMMAND, "simulate", "ctl", "--dir", self._simulator, action, *arguments], cwd=ROOT, env=os.environ
        )
        self._wait(f"{action} is done", lambda: name in self._children.ended())
        if self._children.end(name):
            raise DemoFailed(f"{action} failed:\n{self._children.last_words(name)}")

    def _statuses(self) -> Statuses:
        return {one["metadata"]["name"]: one.get("status") or {} for one in self._plane.api("GET", OFFERINGS)["items"]}

    @staticmethod
    def _sold_on(node: str, said: Statuses) -> int:
        return sum(
            place["available"] for one in said.values() for place in one.get("nodes", ()) if place["name"] == node
        )

    def _wait_for(self, what: str, seen: Callable[[Statuses], bool]) -> None:
        began = time.monotonic()
        self._wait(what, lambda: seen(self._statuses()))
        print(f"({what}: {time.monotonic() - began:.1f} s)\n", flush=True)

    def _wait(self, what: str, reached: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not reached():
            self._check_children()
            if time.monotonic() > until:
                raise DemoFailed(
                    f"waited {PATIENCE:.0f} s for: {what}\noperator's last words:\n{self._children.last_words('operator')}"
                )
            time.sleep(0.2)

    def _check_children(self) -> None:
        for name in self._children.ended():
            if not name.startswith("ctl-"):
                raise DemoFailed(f"the {name} ended by itself; its last words:\n{self._children.last_words(name)}")


def sample(simulator: Path) -> str:
    """The sample as committed, made to reach the simulator whose files are there."""
    simulated = {one["kind"]: one for one in yaml.safe_load_all((simulator / "host.yaml").read_text())}
    documents = []
    for document in yaml.safe_load_all(SAMPLE.read_text()):
        if document["kind"] == "Secret":
            document["stringData"] = simulated["Secret"]["stringData"]
        else:
            spec = simulated["ProxmoxHost"]["spec"]
            document["spec"] |= {"endpoints": spec["endpoints"], "tls": spec["tls"]}
        documents.append(document | {"metadata": document["metadata"] | {"namespace": NAMESPACE}})
    return yaml.safe_dump_all(documents)


def say(*lines: str) -> None:
    """A heading between the outputs."""
    first, *more = lines
    print("\n".join([f"── {first}", *(textwrap.indent(line, "   ") for line in more)]), flush=True)


def main() -> int:
    """Run the demo; the exit code."""
    keep = os.environ.get("KEEP", "") not in {"", "0"}
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="proxmox-offerings-demo-")))
            say("Starting a Kubernetes API server (etcd, kube-apiserver, kube-controller-manager).")
            plane = stack.enter_context(ControlPlane(crds=ROOT / "crds"))
            children = Children(directory)
            stack.callback(children.end_all)
            demo = Demo(directory, plane, children)
            demo.start()
            demo.sell()
            if keep:
                demo.keep()
            children.end("operator", grace=10)
        say("Done: everything that was started has ended.")
    except KeyboardInterrupt:
        say("Interrupted: everything that was started has ended.")
        return 0 if keep else 130
    except (DemoFailed, StartError, BuildError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


def _interrupt(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
