"""The ProxmoxHosts that the benchmarks sell: always the same twenty tiers."""

from typing import Any, Final

from benchmarks.fleet import Fleet
from proxmox_offerings.resources import API_VERSION, ProxmoxHost

LOCATION: Final = {
    "datacenter": "fra1",
    "region": "eu-central",
    "country": "DE",
    "city": "Frankfurt",
    "latitude": "50.11",
    "longitude": "8.68",
}


def _tier(name: str, *, cpu: int, memory: int, **rest: Any) -> dict[str, Any]:
    price = {"currency": "EUR", "monthly": f"{cpu * 3}.00"}
    return {"name": name, "cpu": cpu, "memory": f"{memory}Gi", "disk": f"{cpu * 25}Gi", "price": price, **rest}


TIERS: Final = [
    *(_tier(f"std-{cpu}", cpu=cpu, memory=2 * cpu) for cpu in (1, 2, 4, 8, 16)),
    *(_tier(f"mem-{cpu}", cpu=cpu, memory=8 * cpu) for cpu in (1, 2, 4, 8, 16)),
    *(_tier(f"ct-{cpu}", cpu=cpu, memory=cpu, virtualization="LXC") for cpu in (1, 2, 4, 8, 16)),
    *(_tier(f"ded-{cpu}", cpu=cpu, memory=4 * cpu, dedicatedCPU=True) for cpu in (2, 4, 8)),
    *(_tier(f"gpu-{count}", cpu=8 * count, memory=32 * count, gpu={"count": count}) for count in (1, 2)),
]


def fleet_host_object(name: str, *, namespace: str, fleet: Fleet, cluster: int) -> dict[str, Any]:
    """A ProxmoxHost that sells all tiers of one of the clusters of a fleet, with the times that a host has by itself."""
    return {
        "apiVersion": API_VERSION,
        "kind": ProxmoxHost.KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "endpoints": [fleet.endpoint(cluster)],
            "credentialsSecretRef": {"name": f"{name}-token"},
            "tls": {"fingerprints": [fleet.fingerprint]},
            "location": LOCATION,
            "bridge": "vmbr0",
            "tiers": TIERS,
        },
    }


def secret_object(name: str, *, namespace: str, cluster: Fleet) -> dict[str, Any]:
    """The Secret that `fleet_host_object` of the same name refers to."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{name}-token", "namespace": namespace},
        "stringData": {"tokenID": cluster.token_id, "tokenSecret": cluster.token_secret},
    }
