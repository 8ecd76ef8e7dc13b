"""Recorded clusters through the product's own eyes, and through a client that does nothing but fetch."""

from typing import Final

import httpx
from pydantic_core import from_json

from benchmarks.fleet import Fleet
from benchmarks.hosts import fleet_host_object
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.observation.connect import observe_once
from proxmox_offerings.proxmox.tls import TLSPolicy
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.proxmox.transport import DEFAULT_BOUNDS, https_transport
from proxmox_offerings.resources import ProxmoxHost

FAST_LOOP: Final = ("/cluster/status", "/cluster/resources", "/cluster/ha/status/manager_status")


def token_of(fleet: Fleet) -> Token:
    """The token that the recorded clusters know."""
    return Token(id=fleet.token_id, secret=fleet.token_secret)


def host_of(fleet: Fleet, name: str = "host", cluster: int = 0) -> ProxmoxHost:
    """A ProxmoxHost that sells all tiers of one of them."""
    return ProxmoxHost.parse(fleet_host_object(name, namespace="default", fleet=fleet, cluster=cluster))


async def observed_once(fleet: Fleet) -> Snapshot:
    """Everything that can be read of the first of them. Raises ObservationError."""
    return await observe_once(spec=host_of(fleet).spec, token=token_of(fleet))


class Fetcher:
    """GET over the product's own kind of transport (same TLS settings, same kept-alive connections), one after another; answers are only decoded."""

    def __init__(self, fleet: Fleet, *, cluster: int = 0) -> None:
        limits = httpx.Limits(
            max_connections=4, max_keepalive_connections=4, keepalive_expiry=DEFAULT_BOUNDS.keepalive_seconds
        )
        self._http = https_transport(TLSPolicy(fingerprints=(fleet.fingerprint,)).context(), limits)
        self._endpoint = fleet.endpoint(cluster)
        self._headers = {
            "Authorization": token_of(fleet).authorization,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        self.calls = 0
        self.received = 0
        """Bytes, inflated."""

    async def get(self, path: str) -> bytes:
        """The body of the answer, inflated."""
        self.calls += 1
        request = httpx.Request("GET", f"{self._endpoint}/api2/json{path}", headers=self._headers)
        response = await self._http.handle_async_request(request)
        body = await response.aread()
        await response.aclose()
        if response.status_code != httpx.codes.OK:
            raise RuntimeError(f"{path} was answered with HTTP {response.status_code}")
        self.received += len(body)
        return body

    async def aclose(self) -> None:
        await self._http.aclose()


async def read_in_turn(fetcher: Fetcher) -> None:
    """A cluster as exporters and provisioning agents read it: each node's state, storages and lists of guests, and then each guest's own state, one
    call after another.
    """
    nodes = from_json(await fetcher.get("/cluster/resources"))["data"]
    guests = [row for row in nodes if row["type"] in {"qemu", "lxc"}]
    for node in [row["node"] for row in nodes if row["type"] == "node"]:
        for call in ("status", "storage", "qemu", "lxc"):
            from_json(await fetcher.get(f"/nodes/{node}/{call}"))
    for guest in guests:
        path = f"/nodes/{guest['node']}/{guest['type']}/{guest['vmid']}/status/current"
        from_json(await fetcher.get(path))
