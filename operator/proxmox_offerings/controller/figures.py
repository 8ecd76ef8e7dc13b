"""What is known about each ProxmoxHost and each Offering, as metrics: made from what is there whenever they are read, so that series go with objects.

The same promise as everywhere: a number is there only while it may be believed. Only who works on a host tells of it, so that nobody adds up the
same Offerings twice.

There may be ten thousand Offerings, of which most are what they were at the last scrape. So the line of each is kept for its version, and a scrape
only looks at what changed, and at the time: whether each statement still holds is asked each time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Final, NamedTuple

from proxmox_offerings.catalogue.totals import Total
from proxmox_offerings.controller.exposition import escaped, head, labelled, line
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


class Figures:
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
        self._kept: dict[Ref, _Host] = {}

    def pieces(self) -> Iterator[bytes]:
        """All series as text. Each piece is made in a moment, and others may go on between any two."""
        told = {name: [head(one.name, one.help)] for name, one in FIGURES.items()}
        for ref in tuple(self._live.hosts()):
            host = self._live.host(ref)
            if host is None or not self._tells_of(ref):
                self._kept.pop(ref, None)
                continue
            kept = self._kept.get(ref) or self._kept.setdefault(ref, _Host(ref))
            now = self._now()
            kept.tell_of_host(told, host, self._seen(ref), now)
            kept.tell_of_offerings(told, self._live, host, now)
            yield b""
        for gone in self._kept.keys() - self._live.hosts().keys():
            del self._kept[gone]
        for lines in told.values():
            yield "".join(lines).encode()


class _Offering(NamedTuple):
    """What a version of an Offering says until `end`; `line` is that of its available units. `end` None: it says nothing that may be believed."""

    version: int
    stock: Stock
    end: datetime | None
    line: str


Told = Mapping[str, list[str]]
"""The lines of each metric."""


class _Host:
    """What is kept of one host between scrapes."""

    __slots__ = ("_amounts", "_labels", "_of_host", "_offerings", "_read_at", "_revision", "_totals", "_version")

    def __init__(self, ref: Ref) -> None:
        self._labels = labelled(host=ref.name, namespace=ref.namespace)
        self._version = 0
        self._of_host: tuple[tuple[str, str], ...] = ()
        self._read_at: datetime | None = None
        self._totals: Mapping[str, Total] | None = None
        self._amounts: tuple[tuple[str, str], ...] = ()
        self._revision = 0
        self._offerings: dict[str, _Offering] = {}

    def tell_of_host(self, told: Told, host: LiveObject, seen: Seen | None, now: datetime) -> None:
        """Its condition, its age, and what its cluster has."""
        if self._version != host.version:
            status = host.status or {}
            self._of_host = tuple(self._lines_of_host(host.spec, status))
            self._read_at = _time(status, "lastRefreshTime")
            self._version = host.version
        totals = seen.totals if seen is not None else None
        if self._totals is not totals:
            self._amounts = tuple(self._lines_of_totals(totals or {}))
            self._totals = totals
        read_at = seen.at if seen is not None else self._read_at
        if read_at is not None:
            told["data_age_seconds"].append(
                self._line("data_age_seconds", "", max(0.0, (now - read_at).total_seconds()))
            )
        for name, text in (*self._of_host, *self._amounts):
            told[name].append(text)

    def tell_of_offerings(self, told: Told, live: LiveObjects, host: LiveObject, now: datetime) -> None:
        """Their stock, and their units while these may be believed."""
        revision = live.revision_of(host.ref)
        if self._revision != revision:
            self._offerings = {name: self._offering(name, there) for name, there in live.offerings_of(host).items()}
            self._revision = revision
        counts = dict.fromkeys(Stock, 0)
        available = told["available"]
        for _, stock, end, text in self._offerings.values():
            if end is None or now >= end:
                counts[Stock.UNKNOWN] += 1
            else:
                counts[stock] += 1
                available.append(text)
        told["offerings"].extend(self._line("offerings", f',stock="{stock}"', count) for stock, count in counts.items())

    def _lines_of_host(self, spec: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for condition in status.get("conditions") or ():
            if condition["type"] == "Ready" and condition["reason"] in _REASONS:
                more = f',reason="{condition["reason"]}"'
                yield "ready", self._line("ready", more, condition["status"] == "True")
        validity = spec.get("validitySeconds")
        if isinstance(validity, int):
            yield "validity_seconds", self._line("validity_seconds", "", validity)
        missing = len(status.get("missingPrivileges") or ())
        yield "privileges_missing", self._line("privileges_missing", "", missing)

    def _lines_of_totals(self, totals: Mapping[str, Total]) -> Iterator[tuple[str, str]]:
        for resource, total in totals.items():
            more = f',resource="{resource}",unit="{UNITS[resource]}"'
            yield "capacity", self._line("capacity", more, total.capacity)
            yield "committed", self._line("committed", more, total.committed)
            yield "headroom", self._line("headroom", more, total.headroom)

    def _offering(self, name: str, offering: LiveObject) -> _Offering:
        kept = self._offerings.get(name)
        if kept is not None and kept.version == offering.version:
            return kept
        status = offering.status or {}
        stock, available, end = status.get("stock"), status.get("available"), _time(status, "validUntil")
        if available is None or stock is None:
            return _Offering(offering.version, Stock.UNKNOWN, None, "")
        more = f',stock="{stock}",tier="{escaped(offering.spec.get("tier", ""))}"'
        return _Offering(offering.version, Stock(stock), end, self._line("available", more, available))

    def _line(self, name: str, more: str, value: float | Fraction) -> str:
        return line(FIGURES[name].name, self._labels + more, value)


_REASONS: Final = frozenset(reason.value for reason in HostReason)


def _time(status: Mapping[str, Any], key: str) -> datetime | None:
    written = status.get(key)
    return datetime.fromisoformat(written) if written else None
