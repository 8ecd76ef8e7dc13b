"""Simulated clusters through the product's own eyes."""

from benchmarks.hosts import host_object
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.observation.connect import observe_once
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.resources import ProxmoxHost
from proxmox_offerings.simulator.statefiles import State


def token_of(cluster: State) -> Token:
    """The token that the simulated cluster knows."""
    return Token(id=cluster.token_id, secret=cluster.token_secret)


def host_of(cluster: State, name: str = "host") -> ProxmoxHost:
    """A ProxmoxHost that sells all tiers of it."""
    return ProxmoxHost.parse(host_object(name, namespace="default", cluster=cluster))


async def observed_once(cluster: State) -> Snapshot:
    """Everything that can be read of it. Raises ObservationError."""
    return await observe_once(spec=host_of(cluster).spec, token=token_of(cluster))
