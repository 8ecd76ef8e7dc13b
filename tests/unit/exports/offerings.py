"""Offerings to export, as the API server keeps them."""

from datetime import UTC, datetime
from typing import Any

from proxmox_offerings.resources import Offering

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
"""When all of them were observed; what they say holds for ten minutes."""


def offering(name: str = "fra1-small", *, spec: Any = None, status: Any = None, **metadata: Any) -> Offering:
    """One in stock, with a price, in Frankfurt, unless told otherwise; `status` False: none."""
    host, _, tier = name.partition("-")
    said = {
        "observedGeneration": 3,
        "stock": "InStock",
        "available": 17,
        "observedAt": "2026-11-24T12:00:00Z",
        "validUntil": "2026-11-24T12:10:00Z",
        "message": "17 fit: 9 on pve1, 8 on pve3; memory runs out first",
        "nodes": [{"name": "pve1", "available": 9}, {"name": "pve3", "available": 8}],
        "processor": {
            "brand": "AMD",
            "models": ["AMD EPYC 7402P 24-Core Processor"],
            "cores": 24,
            "threads": 48,
            "speedMHz": 2800,
        },
        "storage": {"classes": ["nvme", "ssd"], "names": ["fast", "local-lvm"]},
        "operatingSystems": [
            {"name": "Debian 12", "template": 9000, "nodes": ["pve1"]},
            {"name": "Ubuntu 24.04", "template": 9001, "nodes": ["pve1", "pve3"]},
        ],
    }
    return Offering.parse(
        {
            "apiVersion": "proxmox-offerings.io/v1alpha1",
            "kind": "Offering",
            "metadata": {"name": name, "namespace": "sales", "generation": 3} | metadata,
            "spec": {
                "hostRef": {"name": host},
                "tier": tier,
                "displayName": "Small",
                "productType": "compute",
                "virtualization": "KVM",
                "architecture": "amd64",
                "cpu": 2,
                "memory": "4Gi",
                "disk": "50Gi",
                "dedicatedCPU": False,
                "cpuAllocationPercent": 400,
                "location": {"country": "DE", "city": "Frankfurt", "latitude": "+50.11", "longitude": "8.68"},
                "price": {"currency": "EUR", "monthly": "5.00", "setup": "1.50"},
            }
            | (spec or {}),
        }
        | ({} if status is False else {"status": said | (status or {})})
    )


GPU: dict[str, Any] = {"productType": "gpu", "gpu": {"count": 4, "models": ["*A100*"]}}
A100: dict[str, Any] = {"gpu": {"name": "A100 PCIe 80GB", "memory": "80Gi"}}
