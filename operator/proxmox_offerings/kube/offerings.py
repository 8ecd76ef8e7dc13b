"""Offerings: everything about them is ours to write."""

from collections.abc import Mapping

from proxmox_offerings.kube.apply import Collection, without_foreign
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.objects import Known, LiveObject, Ref, nothing_known
from proxmox_offerings.resources import API_VERSION, Offering, OfferingSpec, OfferingStatus, ProxmoxHost


class Offerings:
    """The Offerings of the API server."""

    def __init__(self, client: KubeClient) -> None:
        self._all = Collection(client, kind=Offering.KIND, plural=Offering.PLURAL)

    async def list(self, namespace: str | None, *, known: Known = nothing_known) -> tuple[list[LiveObject], int]:
        """All of `namespace` (None: of all), what is `known` as it is known, and the version of the list. Raises KubeError."""
        return await self._all.list(namespace, known=known)

    async def apply(
        self, ref: Ref, *, before: LiveObject | None, owner: LiveObject, labels: Mapping[str, str], spec: OfferingSpec
    ) -> LiveObject:
        """Make `before` (None: a new one) a tier of `owner`, exactly so: what others added to the spec is taken out.

        Raises KubeError; Conflict if `before` is not what is there.
        """
        wanted = spec.to_wire()
        controller = {
            "apiVersion": API_VERSION,
            "kind": ProxmoxHost.KIND,
            "name": owner.ref.name,
            "uid": owner.uid,
            "controller": True,
            # Nobody who deletes the host has to wait for its Offerings, and the operator needs no right on the host's finalizers.
            "blockOwnerDeletion": False,
        }
        live = await self._all.apply(
            ref, before=before, metadata={"labels": dict(labels), "ownerReferences": [controller]}, spec=wanted
        )
        if foreign := without_foreign(live.spec, wanted):
            live = await self._all.merge(live, {"spec": foreign})
        return live

    async def apply_status(self, before: LiveObject, status: OfferingStatus) -> LiveObject:
        """Make the status of `before` exactly so, but for conditions that others keep there.

        Raises KubeError; NotFound if it is gone, Conflict if it is another version by now.
        """
        wanted = status.to_wire()
        live = await self._all.apply_status(before, wanted)
        foreign = without_foreign(live.status or {}, wanted | {"conditions": (live.status or {}).get("conditions")})
        if foreign:
            live = await self._all.merge(live, {"status": foreign}, subresource="status")
        return live

    async def delete(self, live: LiveObject) -> None:
        """Delete exactly this version of it. Raises KubeError."""
        await self._all.delete(live)
