"""What the API server keeps about every object, as far as this project reads it."""

from collections.abc import Mapping

from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.scalars import Time


class OwnerReference(Model):
    """The object whose deletion takes this one with it."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Model):
    """Name and bookkeeping. Only `name` is there before the object has been applied."""

    name: str
    namespace: str | None = None
    uid: str | None = None
    generation: int | None = None
    resource_version: str | None = None
    deletion_timestamp: Time | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None
    owner_references: tuple[OwnerReference, ...] | None = None
