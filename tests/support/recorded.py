"""A server made of recorded answers, behind the real client: what was not recorded of it, a test must state, or it is an error there too."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.observation.observer import Observer
from proxmox_offerings.proxmox.client import ProxmoxClient
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.proxmox.transport import Transport

AUDITOR = dict.fromkeys(("Datastore.Audit", "Mapping.Audit", "Pool.Audit", "SDN.Audit", "Sys.Audit", "VM.Audit"), 1)
AUDITOR_EVERYWHERE = dict.fromkeys(
    ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"), AUDITOR
)
"""GET /access/permissions of a token with PVEAuditor on / and propagation."""

NOT_RECORDED = httpx.codes.INTERNAL_SERVER_ERROR


def data_of(recording: Path) -> Any:
    """The `data` of a recorded answer; some files hold the whole exchange, with the answer under `body`."""
    answer = json.loads(recording.read_bytes())
    return answer.get("body", answer)["data"]


async def observed(answers: Mapping[str, Any], *, endpoint: str = "https://pve.example.net:8006") -> Snapshot:
    """What the product sees of a server that answers these paths (below /api2/json, without parameters) with this `data`."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api2/json")
        if path not in answers:
            return httpx.Response(NOT_RECORDED, json={"data": None})
        return httpx.Response(httpx.codes.OK, json={"data": answers[path]})

    transport = Transport(
        endpoints=[endpoint],
        token=Token(id="offerings@pve!reader", secret="11111111-2222-3333-4444-555555555555"),
        tls=TLSPolicy(),
        transport_factory=lambda *_: httpx.MockTransport(answer),
    )
    observer = Observer(
        client=ProxmoxClient(transport),
        inventory_interval=600,
        provisioned=False,
        clock=lambda: datetime(2026, 7, 13, 12, 0, tzinfo=UTC),
        monotonic=lambda: 0.0,
        on_news=lambda: None,
        grace=None,
    )
    try:
        return await observer.observe()
    finally:
        await observer.aclose()


def free_space(resources: list[dict[str, Any]], node: str) -> list[dict[str, Any]]:
    """GET /nodes/{node}/storage, never recorded beside its cluster: each storage of the node as its row has it, the rest of it free."""
    return [
        {
            "storage": row["storage"],
            "type": row["plugintype"],
            "content": row["content"],
            "total": row["maxdisk"],
            "used": row["disk"],
            "avail": row["maxdisk"] - row["disk"],
            "shared": row["shared"],
            "active": 1,
            "enabled": 1,
        }
        for row in resources
        if row["type"] == "storage" and row["node"] == node
    ]
