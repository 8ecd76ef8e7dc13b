"""ProxmoxHosts: read as a whole, written only in their status."""

from proxmox_offerings.kube.apply import Collection
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.objects import Known, LiveObject, Ref, nothing_known
from proxmox_offerings.resources import ProxmoxHost, ProxmoxHostStatus


class Hosts:
    """The ProxmoxHosts of the API server."""

    def __init__(self, client: KubeClient) -> None:
        self._all = Collection(client, kind=ProxmoxHost.KIND, plural=ProxmoxHost.PLURAL)

    async def list(self, namespace: str | None, *, known: Known = nothing_known) -> tuple[list[LiveObject], int]:
        """All of `namespace` (None: of all), what is `known` as it is known, and the version of the list. Raises KubeError."""
        return await self._all.list(namespace, known=known)

    async def get(self, ref: Ref) -> LiveObject:
        """The host as it is now. Raises KubeError; NotFound if it is gone."""
        return await self._all.get(ref)

    async def apply_status(self, before: LiveObject, status: ProxmoxHostStatus) -> LiveObject:
        """Make the status of `before` so. Raises KubeError; NotFound if it is gone, Conflict if it is another version by now."""
        return await self._all.apply_status(before, status.to_wire())
