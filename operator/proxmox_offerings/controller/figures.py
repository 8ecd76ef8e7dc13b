"""What is known about each ProxmoxHost and each Offering, as metrics: made from what is there whenever they are read, so that series go with objects.

The same promise as everywhere: a number is there only while it may be believed. Only who works on a host tells of it, so that nobody adds up the
same Offerings twice.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proxmox_offerings.catalogue.totals import Total
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.metrics import Described
from proxmox_offerings.controller.reasons import HostReason
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.resources import Stock

UNITS: Final = {"cpu": "core", "memory": "byte", "storage": "byte", "gpu": "card"}
HOST: Final = ("namespace", "host")
RESOURCE: Final = (*HOST, "resource", "unit")
FIGURES: Final = {
    name: Described(name=f"proxmox_offerings_{name}", type="gauge", labels=labels, help=text)
    for name, labels, text in (
        ("ready", (*HOST, "reason"), "1 if the ProxmoxHost is Ready, else 0; the reason is that of the condition."),
        ("data_age_seconds", HOST, "Seconds since the cluster was read successfully; absent if it never was."),
        (
            "validity_seconds",
            HOST,
            "For how long a reading of the cluster may be believed (spec.validitySeconds): at this age its stock is Unknown.",
        ),
        ("privileges_missing", HOST, "Privileges that the token lacks (status.missingPrivileges)."),
        (
            "capacity",
            RESOURCE,
            "What may be committed on the nodes that are sold, under the host's allocation. Absent while the cluster is not known.",
        ),
        ("committed", RESOURCE, "What guests are configured with there; of storage, what is used or provisioned."),
        ("headroom", RESOURCE, "What is left there; a node that is committed beyond its capacity has 0."),
        ("offerings", (*HOST, "stock"), "Offerings by stock; those whose validUntil has passed are Unknown."),
        (
            "available",
            (*HOST, "tier", "stock"),
            "Units of an Offering that fit if only it were sold; absent while its stock is Unknown.",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """When the cluster of a host was read last, and what it has; `totals` is None while that is not believed."""

    at: datetime
    totals: Mapping[str, Total] | None


class Figures(Collector):
    """See the module. `seen` tells what this process knows of each host's cluster; nothing is told of a host but what `tells_of` it."""

    def __init__(
        self,
        *,
        live: LiveObjects,
        seen: Callable[[Ref], Seen | None],
        tells_of: Callable[[Ref], bool],
        now: Callable[[], datetime],
    ) -> None:
        self._live = live
        self._seen = seen
        self._tells_of = tells_of
        self._now = now

    def describe(self) -> Iterable[Metric]:
        """Nothing is read for registering this."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All series of this moment."""
        told = {name: GaugeMetricFamily(one.name, one.help, labels=one.labels) for name, one in FIGURES.items()}
        now = self._now()
        for host in self._live.hosts().values():
            if self._tells_of(host.ref):
                self._tell_of_host(told, host, now)
                self._tell_of_offerings(told, host, now)
        return told.values()

    def _tell_of_host(self, told: Mapping[str, GaugeMetricFamily], host: LiveObject, now: datetime) -> None:
        labels = (host.ref.namespace, host.ref.name)
        status = host.status or {}
        for condition in status.get("conditions") or ():
            if condition["type"] == "Ready" and condition["reason"] in _REASONS:
                told["ready"].add_metric((*labels, condition["reason"]), float(condition["status"] == "True"))
        validity = host.spec.get("validitySeconds")
        if isinstance(validity, int):
            told["validity_seconds"].add_metric(labels, validity)
        told["privileges_missing"].add_metric(labels, len(status.get("missingPrivileges") or ()))
        seen = self._seen(host.ref)
        read_at = seen.at if seen is not None else _time(status, "lastRefreshTime")
        if read_at is not None:
            told["data_age_seconds"].add_metric(labels, max(0.0, (now - read_at).total_seconds()))
        for resource, total in ((seen.totals if seen is not None else None) or {}).items():
            of = (*labels, resource, UNITS[resource])
            told["capacity"].add_metric(of, float(total.capacity))
            told["committed"].add_metric(of, float(total.committed))
            told["headroom"].add_metric(of, float(total.headroom))

    def _tell_of_offerings(self, told: Mapping[str, GaugeMetricFamily], host: LiveObject, now: datetime) -> None:
        labels = (host.ref.namespace, host.ref.name)
        counts = dict.fromkeys(Stock, 0)
        for offering in self._live.offerings_of(host).values():
            status = offering.status or {}
            stock, available = status.get("stock", Stock.UNKNOWN), status.get("available")
            end = _time(status, "validUntil")
            if end is None or now >= end or available is None:
                stock = Stock.UNKNOWN
            else:
                told["available"].add_metric((*labels, offering.spec.get("tier", ""), stock), available)
            counts[Stock(stock)] += 1
        for stock, count in counts.items():
            told["offerings"].add_metric((*labels, stock), count)


_REASONS: Final = frozenset(reason.value for reason in HostReason)


def _time(status: Mapping[str, Any], key: str) -> datetime | None:
    written = status.get(key)
    return datetime.fromisoformat(written) if written else None
