"""The operator in this process, over clusters that tests change under its eyes, and as a process of its own; and what people see of it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from proxmox_offerings.catalogue.plan import plan, unobserved
from proxmox_offerings.controller.config import Settings
from proxmox_offerings.controller.metrics import Metrics
from proxmox_offerings.controller.operator import DEFAULT_PATIENCE, Operator
from proxmox_offerings.controller.pace import Pace
from proxmox_offerings.controller.streams import Patience
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.resources import ProxmoxHostSpec
from support.cluster import ClusterFacts
from support.controlplane import Cluster

Found = TypeVar("Found")


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Of a file that a process may be writing: without the line that is not all there yet."""
    written = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines()]


PATIENCE = 30.0
"""Seconds that a condition may take on a busy machine before a test gives up."""


def eventually(condition: Callable[[], Found], *, within: float = PATIENCE) -> Found:
    """The first truthy value of `condition`; fails with the last one, or the last exception, when time is up."""
    deadline = time.monotonic() + within
    while True:
        problem: Exception | None = None
        try:
            found = condition()
        except (AssertionError, LookupError) as error:
            problem, found = error, None  # type: ignore[assignment]
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; last: {problem or found!r}") from problem
        time.sleep(0.03)


class Clock:
    """The wall clock, as far as the operator knows; tests set it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Clusters:
    """Proxmox VE clusters by endpoint. What stands for one is what the next observation gives, or raises."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seen: dict[str, ClusterFacts | Exception] = {}
        self.polls: Counter[str] = Counter()
        self.opened: defaultdict[str, list[Token]] = defaultdict(list)
        self.open: Counter[str] = Counter()
        self.news: dict[str, Callable[[], None]] = {}

    def open_observer(self, *, spec: ProxmoxHostSpec, token: Token, on_news: Callable[[], None]) -> "FakeObserver":
        endpoint = spec.endpoints[0]
        self.opened[endpoint].append(token)
        self.open[endpoint] += 1
        self.news[endpoint] = on_news
        return FakeObserver(self, endpoint)


class FakeObserver:
    """Observes one of `Clusters`."""

    def __init__(self, clusters: Clusters, endpoint: str) -> None:
        self._clusters = clusters
        self._endpoint = endpoint

    async def observe(self) -> Snapshot:
        await asyncio.sleep(0)
        self._clusters.polls[self._endpoint] += 1
        seen = self._clusters.seen[self._endpoint]
        if isinstance(seen, Exception):
            raise seen
        return replace(seen.snapshot(), observed_at=self._clusters.clock.now(), endpoint=self._endpoint)

    async def aclose(self) -> None:
        self._clusters.open[self._endpoint] -= 1


Connect = Callable[..., Awaitable[KubeClient]]
"""KubeClient.connect"""


class OperatorThread:
    """A running operator. `stop` ends it in good order and gives its exit code."""

    def __init__(
        self,
        *,
        kubeconfig: Path,
        namespaces: tuple[str, ...],
        clusters: Clusters,
        guard: Callable[[], None] = lambda: None,
        patience: Patience = DEFAULT_PATIENCE,
        connect: Connect = KubeClient.connect,
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._kubeconfig = kubeconfig
        self._connect = connect
        self._guard = guard
        self._patience = patience
        self._clusters = clusters
        self._settings = Settings(
            namespaces=namespaces, health_address="127.0.0.1", health_port=0, log_format="console", **settings
        )
        self._metrics = Metrics()
        self._started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Operator]] = Future()
        self._exit: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="operator")

    def start(self) -> "OperatorThread":
        self._thread.start()
        self._loop, self._stop, self.operator = self._started.result(PATIENCE)
        return self

    def stop(self) -> int:
        self.stop_soon()
        self._thread.join(PATIENCE)
        return self._exit.result(0)

    def stop_soon(self) -> None:
        """Have it end, without waiting for that."""
        if not self._exit.done():
            self._loop.call_soon_threadsafe(self._stop.set)

    def wait(self, seconds: float) -> int:
        """The exit code, when it ends by itself."""
        return self._exit.result(seconds)

    def news(self, endpoint: str) -> None:
        """As if the slow loop had something new."""
        self._loop.call_soon_threadsafe(self._clusters.news[endpoint])

    def refresh(self, endpoint: str) -> None:
        """Have the cluster read once more, and wait until that and what follows from it is done."""
        before = self._clusters.polls[endpoint]
        self.news(endpoint)
        eventually(lambda: self._clusters.polls[endpoint] > before)
        self.settle()

    def writes_refused(self) -> int:
        """How often the API server said that an object is another version by now."""
        refused = re.findall(r'rest_client_requests_total\{code="409".*\} (\d+)', self.metrics())
        return sum(map(int, refused))

    def refused(self) -> int:
        """How often the API server did not know who asked."""
        refused = re.findall(r'rest_client_requests_total\{code="401".*\} (\d+)', self.metrics())
        return sum(map(int, refused))

    def metrics(self) -> str:
        """What it serves at /metrics."""

        async def text() -> str:
            return b"".join(self._metrics.pieces()).decode()

        return asyncio.run_coroutine_threadsafe(text(), self._loop).result(PATIENCE)

    def settle(self) -> None:
        """Wait until no work is in hand."""
        eventually(lambda: self.idle)

    @property
    def idle(self) -> bool:
        """Whether no work is in hand."""
        return not len(self.operator.queue) and not self.operator.queue.active

    def _run(self) -> None:
        try:
            self._exit.set_result(asyncio.run(self._main()))
        except BaseException as error:  # noqa: BLE001 - shown by whoever waits for the result
            self._exit.set_exception(error)
            if not self._started.done():
                self._started.set_exception(error)

    async def _main(self) -> int:
        client = await self._connect(
            kubeconfig=str(self._kubeconfig), counted=self._metrics.kube_call, guard=self._guard
        )
        operator = Operator(
            self._settings,
            client=client,
            metrics=self._metrics,
            open_observer=self._clusters.open_observer,
            make_plan=plan,
            unobserved=unobserved,
            now=self._clusters.clock.now,
            patience=self._patience,
            # Tests edit quickly, one change after the other, and look at what becomes of each; test_bursts.py has what that costs.
            pace=Pace(shortest=0, longest=0),
        )
        stop = asyncio.Event()
        self._started.set_result((asyncio.get_running_loop(), stop, operator))
        return await operator.run(stop)


class Kube:
    """What a person with kubectl sees and does in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._group = f"/apis/proxmox-offerings.io/v1alpha1/namespaces/{namespace}"

    def secret(self, name: str, token_id: str = "monitor@pve!offerings", token_secret: str = "11111111") -> None:
        body = {"metadata": {"name": name}, "stringData": {"tokenID": token_id, "tokenSecret": token_secret}}
        self.kubectl("apply", "-f", "-", body={"apiVersion": "v1", "kind": "Secret", **body})

    def host(self, name: str, **spec: Any) -> str:
        """Create or change a ProxmoxHost; returns its endpoint."""
        endpoint = f"https://{name}.{self.namespace}.example.net:8006"
        terms = {
            "endpoints": [endpoint],
            "credentialsSecretRef": {"name": f"{name}-token"},
            "refreshIntervalSeconds": 3600,
            "validitySeconds": 14400,
            "allocation": {
                "cpu": {"percent": 100},
                "memory": {"reserved": "0"},
                "storage": {"reservedPercent": 0},
            },
        }
        body = {
            "apiVersion": "proxmox-offerings.io/v1alpha1",
            "kind": "ProxmoxHost",
            "metadata": {"name": name},
            "spec": {**terms, **spec},
        }
        self.kubectl("apply", "-f", "-", body=body)
        return endpoint

    def kubectl(self, *arguments: str, body: Any = None, check: bool = True) -> str:
        text = None if body is None else json.dumps(body)
        return self.cluster.kubectl_run("-n", self.namespace, *arguments, input=text, check=check).stdout

    def get_host(self, name: str) -> dict[str, Any]:
        return self.cluster.api("GET", f"{self._group}/proxmoxhosts/{name}")

    def offerings(self) -> dict[str, dict[str, Any]]:
        listed = self.cluster.api("GET", f"{self._group}/offerings")
        return {item["metadata"]["name"]: item for item in listed["items"]}

    def offering(self, name: str) -> dict[str, Any]:
        return self.offerings()[name]

    def stock(self, name: str) -> tuple[str | None, int | None]:
        """What an Offering says: stock and available."""
        status = self.offering(name).get("status", {})
        return status.get("stock"), status.get("available")

    def condition(self, host: str, kind: str) -> dict[str, Any] | None:
        conditions = self.get_host(host).get("status", {}).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), None)

    def reason(self, host: str) -> str | None:
        """Why the host is ready or not."""
        ready = self.condition(host, "Ready")
        return ready["reason"] if ready else None

    def versions(self) -> dict[str, str]:
        """The resourceVersion of everything of ours: equal means nothing was written."""
        hosts = self.cluster.api("GET", f"{self._group}/proxmoxhosts")["items"]
        objects = [*hosts, *self.offerings().values()]
        return {f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for o in objects}


SIMULATORS = ("--allow-endpoint-range", "127.0.0.0/8")
"""They listen on the loopback address, which the operator does not connect to by itself."""


class Process:
    """`proxmox-offerings run` for one namespace, or with None for all."""

    def __init__(
        self,
        kubeconfig: Path,
        namespace: str | None,
        log: Path,
        *,
        flags: Sequence[str] = (),
        reach: Sequence[str] = SIMULATORS,
        program: Sequence[str] = ("-m", "proxmox_offerings", "run"),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.log = log
        settings = {"KUBECONFIG": str(kubeconfig), "PROXMOX_OFFERINGS_LOG_FORMAT": "json"}
        scope = [] if namespace is None else ["--namespace", namespace]
        flags = [*scope, "--health-address", "127.0.0.1", "--health-port", "0", *reach, *flags]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error::ResourceWarning", *program, *flags],
                env={**os.environ, **settings, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def port(self) -> int:
        found = eventually(lambda: re.search(r'port(?:": |=)(\d+)', self.log.read_text(encoding="utf-8")))
        return int(found[1])

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port()}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def metric(self, name: str) -> float:
        """The sum of all samples of `name`, with labels as far as given: `name{label="value"`."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{re.escape(name)}\W", line))

    def writes(self) -> float:
        """How many requests it sent that could change our objects."""
        lines = self.get("/metrics")[1].splitlines()
        found = (re.match(r'rest_client_requests_total\{.*method="(PATCH|DELETE)".*\} (.*)', line) for line in lines)
        return sum(float(sample[2]) for sample in found if sample)

    def send(self, sent: signal.Signals) -> None:
        self._process.send_signal(sent)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def most_resident(self) -> float:
        """MiB of memory that it had at most so far."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> int:
        return self._process.wait(PATIENCE)

    def end(self, sent: signal.Signals = signal.SIGTERM, *, within: float = PATIENCE) -> int:
        if self._process.poll() is None:
            self._process.send_signal(sent)
        try:
            code = self._process.wait(within)
            if code > 0:
                print(self.log.read_text(encoding="utf-8", errors="replace")[-5000:])  # what pytest shows of a failure
            return code
        finally:
            self.destroy()

    def destroy(self) -> None:
        """End it, whatever it does and whether it was paused."""
        self._process.kill()
        self._process.wait()
