"""A catalogue page over goods that tests put on its shelf, by a clock that tests set."""

import copy
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from proxmox_offerings.web.contents import Contents, Item
from proxmox_offerings.web.frame import Look
from proxmox_offerings.web.server import CatalogueServer

NAMESPACE = "shop"
FRANKFURT = {"datacenter": "fra1", "region": "eu-central", "country": "DE", "city": "Frankfurt"}
TEMPLATE = 987_650_321
"""The VMID of the template: a number that no date, size or count on a page contains by chance."""
HELSINKI = {"datacenter": "hel1", "country": "FI", "city": "Helsinki"}


class Clock:
    """The wall clock, as far as the server knows."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def in_seconds(self, seconds: float) -> str:
        return (self.now() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(kw_only=True)
class Shelf:
    """A source (web.contents.Source). `known` False: nobody knows yet what there is."""

    clock: Clock = field(default_factory=Clock)
    known: bool = True
    hosts: dict[str, Item] = field(default_factory=dict)
    offerings: dict[str, Item] = field(default_factory=dict)
    asked: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _revision: int = 0

    def revision(self) -> int | None:
        return self._revision if self.known else None

    def contents(self) -> Contents:
        self.asked += 1
        return Contents(hosts=tuple(self.hosts.values()), offerings=tuple(self.offerings.values()))

    def offer(
        self,
        tier: str,
        *,
        host: str = "fra1",
        available: int | None = 5,
        stock: str | None = None,
        seconds: float = 600,
        spec: Mapping[str, Any] | None = None,
        status: Mapping[str, Any] | None = None,
        generation: int = 1,
    ) -> str:
        """Put an Offering there, or another version in its place. Its name."""
        name = f"{host}-{tier}"
        word = stock or ("Unknown" if available is None else "InStock" if available else "OutOfStock")
        said: dict[str, Any] = {
            "observedGeneration": 1,
            "stock": word,
            "observedAt": self.clock.in_seconds(-10),
            "validUntil": self.clock.in_seconds(seconds),
            "message": f"{available} fit: {available} on pve1; memory runs out first",
            "nodes": [{"name": "pve1", "available": available}] if available else [],
            "processor": {"brand": "AMD", "models": ["AMD EPYC 7443 24-Core Processor"]},
            "storage": {"classes": ["nvme"], "names": ["local-lvm"]},
            "operatingSystems": [{"name": "Debian 12", "template": TEMPLATE, "nodes": ["pve1"]}],
        }
        if available is not None and word != "Unknown":
            said |= {"available": available, "limitingResource": "memory"}
        self._put(
            self.offerings,
            name,
            spec={
                "hostRef": {"name": host},
                "tier": tier,
                "displayName": tier.capitalize(),
                "productType": "compute",
                "virtualization": "KVM",
                "cpu": 2,
                "memory": "4Gi",
                "disk": "50Gi",
                "cpuAllocationPercent": 400,
                "location": FRANKFURT,
                "price": {"currency": "EUR", "monthly": "5.00"},
                **(spec or {}),
            },
            status={**said, **(status or {})},
            generation=generation,
        )
        return name

    def host(self, name: str = "fra1", *, seconds: float = 600, status: Mapping[str, Any] | None = None) -> None:
        """Put a ProxmoxHost there, read ten seconds ago, with figures that hold for so long."""
        spec = {
            "endpoints": ["https://secret-endpoint.example.net:8006"],
            "credentialsSecretRef": {"name": "secret-of-token"},
            "validitySeconds": 610,
            "location": FRANKFURT,
        }
        said = {**copy.deepcopy(STATUS), "lastRefreshTime": self.clock.in_seconds(seconds - 610)}
        self._put(self.hosts, name, spec=spec, status={**said, **(status or {})})

    def remove(self, name: str) -> None:
        del self.offerings[name]
        self._revision = next(self._numbers)

    def _put(
        self, where: dict[str, Item], name: str, *, spec: Mapping[str, Any], status: Any, generation: int = 1
    ) -> None:
        self._revision = next(self._numbers)
        where[name] = Item(
            namespace=NAMESPACE,
            name=name,
            version=self._revision,
            generation=generation,
            spec=spec,
            status=status,
        )


STATUS: Mapping[str, Any] = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Observed",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
    "proxmox": {
        "version": "9.1.2",
        "clusterName": "fra1",
        "quorate": True,
        "endpoint": "https://secret-endpoint.example.net:8006",
    },
    "nodes": [
        {
            "name": "pve1",
            "status": "Online",
            "cpuModel": "AMD EPYC 7443 24-Core Processor",
            "sockets": 1,
            "cores": 24,
            "threads": 48,
            "memory": "256Gi",
            "cpu": {"capacity": "184", "committed": "46", "headroom": "138"},
            "memoryAllocation": {"capacity": "252Gi", "committed": "240Gi", "headroom": "12Gi"},
            "gpus": [{"model": "A100 PCIe 80GB", "total": 2, "free": 1}],
        },
        {
            "name": "pve2",
            "status": "Maintenance",
            "excluded": "Maintenance",
            "cpu": {"capacity": "100", "committed": "112", "headroom": "-12"},
        },
    ],
    "storages": [
        {"name": "local-lvm", "class": "nvme", "total": "2Ti", "available": "512Gi", "nodes": ["pve1", "pve2"]},
        {"name": "backup", "class": "hdd", "shared": True, "nodes": ["pve1"]},
    ],
    "missingPrivileges": [{"path": "/vms", "privilege": "VM.Audit", "effect": "guests cannot be counted"}],
    "offerings": {"total": 2, "inStock": 1, "lowStock": 1, "outOfStock": 0, "unknown": 0},
}


@asynccontextmanager
async def served(shelf: Shelf, *, look: Look | None = None, **more: Any) -> AsyncIterator[CatalogueServer]:
    """The page of a shelf on a free port of this machine; changes show at once."""
    server = CatalogueServer(
        shelf,
        address="127.0.0.1",
        port=0,
        look=look or Look(title="Test Cloud"),
        now=shelf.clock.now,
        settle_seconds=0,
        **more,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
