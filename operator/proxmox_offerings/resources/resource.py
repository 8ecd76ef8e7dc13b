"""What the two custom resources have in common as objects of the API."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from proxmox_offerings.resources.metadata import ObjectMeta
from proxmox_offerings.resources.model import Model


class Resource(Model):
    """An object with metadata, a spec and a status."""

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]

    api_version: str
    kind: str
    metadata: ObjectMeta
    """Name and bookkeeping."""

    @classmethod
    def parse(cls, written: Mapping[str, Any], *, strict: bool = False) -> Self:
        """Read wire form; raises InvalidResource.

        `strict` is for files: unknown fields are refused, and what only the API server or the operator may say (status,
        part of the metadata) is left out, so that the output of `kubectl get -o yaml` is a file too.
        """
        if strict:
            written = {key: value for key, value in written.items() if key != "status"}
            if isinstance(metadata := written.get("metadata"), Mapping):
                written["metadata"] = {
                    key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if key in metadata
                }
        return super().parse(written, strict=strict)
