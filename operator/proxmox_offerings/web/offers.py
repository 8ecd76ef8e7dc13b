"""Offerings and ProxmoxHosts as the page tells of them: what each says at a given moment. Pure.

Whether a statement holds is decided where exports decide it: from its `validUntil` on it is none.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeVar

from proxmox_offerings.exports.standing import first_of, standing_of
from proxmox_offerings.resources import (
    API_VERSION,
    InvalidResource,
    Offering,
    OfferingSpec,
    OfferingStatus,
    ProxmoxHostSpec,
    ProxmoxHostStatus,
    Stock,
)
from proxmox_offerings.web.contents import Contents, Item


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An Offering."""

    resource: Offering

    @property
    def namespace(self) -> str:
        """Where it is in Kubernetes."""
        return self.resource.metadata.namespace or ""

    @property
    def name(self) -> str:
        """What it is called there."""
        return self.resource.metadata.name

    @property
    def spec(self) -> OfferingSpec:
        """What one unit is."""
        return self.resource.spec

    @cached_property
    def status(self) -> OfferingStatus:
        """What was said, whether it still holds or not."""
        return self.resource.status or OfferingStatus()

    @cached_property
    def haystack(self) -> str:
        """All that a search for text looks at."""
        spec, status, place = self.spec, self.status, self.spec.location
        words: list[str | None] = [self.name, spec.tier, spec.display_name, spec.virtualization, spec.storage_class]
        words += [place.datacenter, place.region, place.country, place.city] if place else []
        words += [*spec.gpu.models] if spec.gpu else []
        words += [status.gpu.name] if status.gpu else []
        words += [status.processor.brand, *status.processor.models] if status.processor else []
        words += [system.name for system in status.operating_systems]
        return "\n".join(filter(None, words)).casefold()

    def holds(self, now: datetime) -> bool:
        """Whether what it says may be relied on."""
        return standing_of(self.resource, now=now).is_known

    def ends(self, now: datetime) -> datetime | None:
        """When what it claims ends; None if it claims nothing."""
        return standing_of(self.resource, now=now).until

    def stock(self, now: datetime) -> Stock:
        """The stock, as readers must take it."""
        return self.status.stock if self.holds(now) else Stock.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Host:
    """A ProxmoxHost. `spec` None: this version cannot read it."""

    namespace: str
    name: str
    spec: ProxmoxHostSpec | None
    status: ProxmoxHostStatus

    @cached_property
    def valid_until(self) -> datetime | None:
        """When the figures of its nodes and storages end, as statements made from them do; None if there are none."""
        read = self.status.last_refresh_time
        return read + timedelta(seconds=self.spec.validity_seconds) if read and self.spec else None

    def holds(self, now: datetime) -> bool:
        """Whether its figures may be relied on."""
        return self.valid_until is not None and now < self.valid_until


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Everything, in the order of its names."""

    offers: tuple[Offer, ...]
    hosts: tuple[Host, ...]

    def soonest_end(self, now: datetime) -> datetime | None:
        """The next moment at which something that holds does so no more."""
        figures = (host.valid_until for host in self.hosts)
        return first_of(
            [*(offer.ends(now) for offer in self.offers), *(end for end in figures if end is not None and end > now)]
        )


Named = TypeVar("Named", Offer, Host)


class Reader:
    """Reads contents, and keeps what was read of versions that are still there."""

    def __init__(self) -> None:
        self._offers: dict[tuple[str, str, int], Offer | None] = {}
        self._hosts: dict[tuple[str, str, int], Host] = {}

    def read(self, contents: Contents) -> Catalogue:
        """The catalogue. An Offering that this version cannot read is left out."""
        self._offers = {_key(item): self._offer(item) for item in contents.offerings}
        self._hosts = {_key(item): self._hosts.get(_key(item)) or _host(item) for item in contents.hosts}
        return Catalogue(
            offers=tuple(_in_order(filter(None, self._offers.values()))), hosts=tuple(_in_order(self._hosts.values()))
        )

    def _offer(self, item: Item) -> Offer | None:
        key = _key(item)
        return self._offers[key] if key in self._offers else _offer(item)


def _in_order(items: Iterable[Named]) -> list[Named]:
    return sorted(items, key=lambda one: (one.namespace, _natural(one.name), one.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """For comparing: std-2 comes before std-16."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split("([0-9]+)", name)]


def _key(item: Item) -> tuple[str, str, int]:
    return item.namespace, item.name, item.version


def _offer(item: Item) -> Offer | None:
    metadata = {"name": item.name, "namespace": item.namespace, "generation": item.generation}
    written = {"apiVersion": API_VERSION, "kind": Offering.KIND, "metadata": metadata, "spec": dict(item.spec)}
    for said in ({"status": dict(item.status or {})} if item.status else {}, {}):
        try:
            return Offer(resource=Offering.parse({**written, **said}))
        except InvalidResource:
            continue
    return None


def _host(item: Item) -> Host:
    try:
        spec = ProxmoxHostSpec.parse(item.spec)
    except InvalidResource:
        spec = None
    try:
        status = ProxmoxHostStatus.parse(item.status or {})
    except InvalidResource:
        status = ProxmoxHostStatus()
    return Host(namespace=item.namespace, name=item.name, spec=spec, status=status)


def by_stock(offers: Iterable[Offer], now: datetime) -> Mapping[Stock, int]:
    """How many there are of each stock."""
    counts = dict.fromkeys(Stock, 0)
    for offer in offers:
        counts[offer.stock(now)] += 1
    return counts
