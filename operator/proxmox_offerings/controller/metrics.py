"""What the operator counts. Where controller-runtime has a metric with the same meaning, its name is used, so that its dashboards work."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
CONTROLLER = "proxmoxhost"


class Metrics:
    """One set of metrics with a registry of its own, so that several operators can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "controller_runtime_reconcile",
            "Reconciles by result: success, requeue_after or error.",
            ("controller", "result"),
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "How long a reconcile takes, reading Proxmox and writing to Kubernetes included.",
            ("controller",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.refresh_seconds = Histogram(
            "proxmox_offerings_refresh_seconds",
            "How long it takes to read a Proxmox VE cluster, by result: ok or the reason of the failure.",
            ("result",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._kube_calls = Counter(
            "rest_client_requests",
            "Calls to the Kubernetes API, but for watches, by status code, method and resource.",
            ("code", "method", "resource"),
            registry=self.registry,
        )
        self._events = Counter(
            "proxmox_offerings_events",
            "Kubernetes Events by what became of them: written, failed, or dropped because too many waited.",
            ("result",),
            registry=self.registry,
        )
        self._depth = Gauge(
            "workqueue_depth", "ProxmoxHosts that wait for being looked at.", ("name",), registry=self.registry
        )
        self._active = Gauge(
            "controller_runtime_active_workers",
            "ProxmoxHosts that are being looked at.",
            ("controller",),
            registry=self.registry,
        )
        self._lost = Gauge(
            "proxmox_offerings_kubernetes_lost_seconds",
            "For how long a watch or list of the Kubernetes API has not worked; 0 while all work.",
            registry=self.registry,
        )

    def kube_call(self, method: str, resource: str, code: str) -> None:
        """Count a call to the Kubernetes API."""
        self._kube_calls.labels(code=code, method=method, resource=resource).inc()

    def event(self, result: str) -> None:
        """Count an Event."""
        self._events.labels(result=result).inc()

    def watch_queue(self, depth: Callable[[], float], active: Callable[[], float]) -> None:
        """Read the queue whenever metrics are read."""
        self._depth.labels(name=CONTROLLER).set_function(depth)
        self._active.labels(controller=CONTROLLER).set_function(active)

    def watch_leadership(self, name: str, leading: Callable[[], bool]) -> None:
        """Tell whether this process leads, whenever metrics are read. `name` is the Lease's."""
        master = Gauge(
            "leader_election_master_status",
            "1 if this process leads, 0 if it stands by.",
            ("name",),
            registry=self.registry,
        )
        master.labels(name=name).set_function(lambda: float(leading()))

    def watch_contact(self, lost_seconds: Callable[[], float]) -> None:
        """Read the contact with the API server whenever metrics are read."""
        self._lost.set_function(lost_seconds)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
