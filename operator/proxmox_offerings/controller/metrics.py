"""What the operator counts about itself. Where controller-runtime has a metric with the same meaning, its name is used, so that its dashboards work.

No label comes from Proxmox: series are as many as there are hosts and tiers, and go with them (`figures`).
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
QUEUE_BUCKETS: Final = (0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000)
CONTROLLER: Final = "proxmoxhost"
KNOWN_STATUS: Final = frozenset(str(status.value) for status in HTTPStatus) | {"595", "596", "599"}
"""Proxmox' own: a node cannot be reached, or did not answer in time."""

Metric = TypeVar("Metric", bound=MetricWrapperBase)

# A second series for each counter and histogram, which nobody asked for.
disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One metric as docs/reference/metrics.md tells of it."""

    name: str
    type: str
    labels: Sequence[str]
    help: str


class QueueMetrics:
    """What happens to the work queue (queue.Watcher)."""

    def __init__(self, metrics: "Metrics") -> None:
        labels = {"name": CONTROLLER, "controller": CONTROLLER}
        self._adds = metrics.queue_adds.labels(**labels)
        self._waiting = metrics.queue_seconds.labels(**labels)
        self._working = metrics.work_seconds.labels(**labels)
        self._retries = metrics.queue_retries.labels(**labels)

    def added(self) -> None:
        self._adds.inc()

    def began(self, waited: float) -> None:
        self._waiting.observe(waited)

    def ended(self, worked: float) -> None:
        self._working.observe(worked)

    def repeated(self) -> None:
        self._retries.inc()


class Metrics:
    """One set of metrics with a registry of its own, so that several operators can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.described: list[Described] = []
        self._more: list[Callable[[], Iterable[bytes]]] = []
        ProcessCollector(registry=self.registry)

        self._reconciles = self._of(
            Counter,
            "controller_runtime_reconcile_total",
            "Reconciles by result: success, requeue_after or error.",
            "controller",
            "result",
        )
        self._reconcile_errors = self._of(
            Counter,
            "controller_runtime_reconcile_errors_total",
            "Reconciles that raised an error. That a cluster cannot be read is none: see proxmox_offerings_ready.",
            "controller",
        )
        self._reconcile_seconds = self._of(
            Histogram,
            "controller_runtime_reconcile_time_seconds",
            "How long a reconcile takes, reading Proxmox and writing to Kubernetes included.",
            "controller",
        )
        self._concurrency = self._of(
            Gauge,
            "controller_runtime_max_concurrent_reconciles",
            "ProxmoxHosts that may be looked at at the same time (--concurrency).",
            "controller",
        )
        self._active = self._of(
            Gauge, "controller_runtime_active_workers", "ProxmoxHosts that are being looked at.", "controller"
        )
        queue = ("name", "controller")
        self._depth = self._of(Gauge, "workqueue_depth", "ProxmoxHosts that wait for being looked at.", *queue)
        self.queue_adds = self._of(
            Counter, "workqueue_adds_total", "How often a ProxmoxHost was put into the queue.", *queue
        )
        self.queue_seconds = self._of(
            Histogram,
            "workqueue_queue_duration_seconds",
            "How long a ProxmoxHost waits in the queue.",
            *queue,
            buckets=QUEUE_BUCKETS,
        )
        self.work_seconds = self._of(
            Histogram,
            "workqueue_work_duration_seconds",
            "How long looking at a ProxmoxHost takes.",
            *queue,
            buckets=QUEUE_BUCKETS,
        )
        self._unfinished = self._of(
            Gauge,
            "workqueue_unfinished_work_seconds",
            "Seconds that the reconciles in hand have taken so far, together.",
            *queue,
        )
        self._longest = self._of(
            Gauge,
            "workqueue_longest_running_processor_seconds",
            "Seconds that the longest of the reconciles in hand has taken so far.",
            *queue,
        )
        self.queue_retries = self._of(
            Counter, "workqueue_retries_total", "Reconciles that are repeated because of an error.", *queue
        )
        self._master = self._of(
            Gauge,
            "leader_election_master_status",
            "1 if this process leads, 0 if it stands by. Not with --share-work.",
            "name",
        )
        self._members = self._of(
            Gauge,
            "proxmox_offerings_members",
            "Processes that share the work, as this one sees it; 0 while it is none of them. Only with --share-work.",
            "name",
        )
        self._hosts = self._of(
            Gauge,
            "proxmox_offerings_hosts",
            "ProxmoxHosts that there are, as this process knows, whoever works on them.",
            "name",
        )
        self._owned = self._of(
            Gauge, "proxmox_offerings_hosts_owned", "ProxmoxHosts that this process works on, and no other one.", "name"
        )
        self._handovers = self._of(
            Counter,
            "proxmox_offerings_hosts_handed_over_total",
            "ProxmoxHosts that this process began to work on (gained), or left to another one (lost), new and deleted ones not counted.",
            "name",
            "direction",
        )
        self._kube_calls = self._of(
            Counter,
            "rest_client_requests_total",
            "Calls to the Kubernetes API, but for watches, by status code (or error), method and resource.",
            "code",
            "method",
            "resource",
        )
        self._lost = self._of(
            Gauge,
            "proxmox_offerings_kubernetes_lost_seconds",
            "For how long a watch or list of the Kubernetes API has not worked; 0 while all work.",
        )
        self._refresh_seconds = self._of(
            Histogram,
            "proxmox_offerings_refresh_seconds",
            "How long it takes to read a Proxmox VE cluster, by result: ok or the reason of the failure.",
            "result",
        )
        self._api_calls = self._of(
            Counter,
            "proxmox_offerings_api_calls_total",
            "Calls to the Proxmox VE API by kind of call and result: the HTTP status, or a word for what went wrong.",
            "call",
            "result",
        )
        self._api_seconds = self._of(
            Histogram,
            "proxmox_offerings_api_call_seconds",
            "How long a call to the Proxmox VE API takes, whatever its result.",
            "call",
        )
        self._events = self._of(
            Counter,
            "proxmox_offerings_events_total",
            "Kubernetes Events by what became of them: written, failed, or dropped because too many waited.",
            "result",
        )
        self._visits = self._of(
            Counter,
            "proxmox_offerings_catalogue_requests_total",
            "Requests to the catalogue page by kind of page and result: the hundred of the HTTP status, or cut. Only where it is served.",
            "page",
            "result",
        )
        for result in ("success", "requeue_after", "error"):
            self._reconciles.labels(controller=CONTROLLER, result=result)
        self._reconcile_errors.labels(controller=CONTROLLER)
        for result in ("written", "failed", "dropped"):
            self._events.labels(result=result)

    def reconciled(self, result: str, seconds: float) -> None:
        """Count a reconcile: success, requeue_after or error."""
        self._reconciles.labels(controller=CONTROLLER, result=result).inc()
        self._reconcile_seconds.labels(controller=CONTROLLER).observe(seconds)
        if result == "error":
            self._reconcile_errors.labels(controller=CONTROLLER).inc()

    def refreshed(self, result: str, seconds: float) -> None:
        """Count a reading of a cluster: ok, or the reason of the failure."""
        self._refresh_seconds.labels(result=result).observe(seconds)

    def api_call(self, call: str, result: str, seconds: float) -> None:
        """Count a call to Proxmox (transport.OnCall). A status that nobody knows is counted with its hundred: servers may send any number."""
        if result.isdigit() and result not in KNOWN_STATUS:
            result = f"{result[0]}xx"
        self._api_calls.labels(call=call, result=result).inc()
        self._api_seconds.labels(call=call).observe(seconds)

    def kube_call(self, method: str, resource: str, code: str) -> None:
        """Count a call to the Kubernetes API."""
        self._kube_calls.labels(code=code, method=method, resource=resource).inc()

    def event(self, result: str) -> None:
        """Count an Event."""
        self._events.labels(result=result).inc()

    def visit(self, page: str, result: str) -> None:
        """Count a request to the catalogue page."""
        self._visits.labels(page=page, result=result).inc()

    def expect_visits(self, pages: Iterable[str], results: Iterable[str]) -> None:
        """Tell of all kinds of requests to the catalogue page, from 0."""
        for page, result in itertools.product(pages, results):
            self._visits.labels(page=page, result=result)

    def watch_queue(
        self,
        *,
        depth: Callable[[], float],
        active: Callable[[], float],
        unfinished: Callable[[], float],
        longest: Callable[[], float],
        concurrency: int,
    ) -> None:
        """Read the queue whenever metrics are read."""
        labels = {"name": CONTROLLER, "controller": CONTROLLER}
        self._depth.labels(**labels).set_function(depth)
        self._unfinished.labels(**labels).set_function(unfinished)
        self._longest.labels(**labels).set_function(longest)
        self._active.labels(controller=CONTROLLER).set_function(active)
        self._concurrency.labels(controller=CONTROLLER).set(concurrency)

    def watch_leadership(self, name: str, leading: Callable[[], bool]) -> None:
        """Tell whether this process leads, whenever metrics are read. `name` is the Lease's."""
        self._master.labels(name=name).set_function(lambda: float(leading()))

    def watch_members(self, name: str, members: Callable[[], float]) -> None:
        """Tell how many share the work, whenever metrics are read. `name` is that of the Lease that they hold together."""
        self._members.labels(name=name).set_function(members)

    def watch_share(self, name: str, *, owned: Callable[[], float], hosts: Callable[[], float]) -> None:
        """Tell on how many hosts of all this process works, whenever metrics are read. `name` is the Lease's by which that is decided, if it is."""
        self._owned.labels(name=name).set_function(owned)
        self._hosts.labels(name=name).set_function(hosts)
        for direction in ("gained", "lost"):
            self._handovers.labels(name=name, direction=direction)

    def handed_over(self, name: str, hosts: int, *, gained: bool) -> None:
        """Count hosts that came to this process, or left it; `name` as in `watch_share`."""
        self._handovers.labels(name=name, direction="gained" if gained else "lost").inc(hosts)

    def watch_contact(self, lost_seconds: Callable[[], float]) -> None:
        """Read the contact with the API server whenever metrics are read."""
        self._lost.set_function(lost_seconds)

    def add(self, pieces: Callable[[], Iterable[bytes]]) -> None:
        """Have more metrics read whenever these are, as text: others may go on between any two pieces of it."""
        self._more.append(pieces)

    def pieces(self) -> Iterator[bytes]:
        """All metrics in Prometheus' text format, piece by piece."""
        yield generate_latest(self.registry)
        for pieces in self._more:
            yield from pieces()

    def _of(self, kind: type[Metric], name: str, text: str, *labels: str, buckets: Sequence[float] = BUCKETS) -> Metric:
        more = {"buckets": buckets} if kind is Histogram else {}
        described = Described(name=name, type=kind.__name__.lower(), labels=labels, help=text)
        self.described.append(described)
        return kind(name, text, labels, registry=self.registry, **more)  # type: ignore[arg-type]


def lines_of(described: Sequence[Described]) -> Iterator[str]:
    """The rows of a table for people."""
    for one in sorted(described, key=lambda one: one.name):
        labels = ", ".join(f"`{label}`" for label in one.labels) or "–"
        yield f"| `{one.name}` | {one.type} | {labels} | {one.help} |"
