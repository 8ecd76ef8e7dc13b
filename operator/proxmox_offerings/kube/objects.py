"""An object as the API server keeps it, reduced to what the operator looks at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from proxmox_offerings.kube.errors import NOT_AN_ANSWER, Unavailable
from proxmox_offerings.kube.packed import Packed


class Ref(NamedTuple):
    """Where an object is: namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The controlling owner of an object."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObject:
    """One version of an object.

    `version` is the resourceVersion: a number that grows with every write (Kubernetes, KEP-5504). `generation` grows with every change of `spec`.
    `spec` and `status` are in wire form; `status` is None where nothing was ever written to it. Not to be modified.
    """

    ref: Ref
    uid: str
    version: int
    generation: int
    deleting: bool
    labels: Mapping[str, str]
    owner: Owner | None
    spec: Mapping[str, Any]
    status: Mapping[str, Any] | None

    @classmethod
    def of(cls, body: Any) -> Self:
        """From the wire. Everything that is not looked at (managedFields above all) is let go. Raises Unavailable if it is no object."""
        try:
            return cls._of(body)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unavailable(NOT_AN_ANSWER) from None

    @classmethod
    def _of(cls, body: Mapping[str, Any]) -> Self:
        metadata = body["metadata"]
        owner = next((owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")), None)
        return cls(
            ref=Ref(metadata["namespace"], metadata["name"]),
            uid=metadata["uid"],
            version=int(metadata["resourceVersion"]),
            generation=metadata.get("generation", 0),
            deleting="deletionTimestamp" in metadata,
            labels={**(metadata.get("labels") or {})},
            owner=Owner(kind=owner["kind"], name=owner["name"], uid=owner["uid"]) if owner else None,
            spec=Packed(body.get("spec") or {}),
            status=None if body.get("status") is None else Packed(body["status"]),
        )
