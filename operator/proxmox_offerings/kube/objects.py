"""An object as the API server keeps it, reduced to what the operator looks at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from proxmox_offerings.kube.errors import NOT_AN_ANSWER, Unavailable
from proxmox_offerings.kube.packed import Packed


class Ref(NamedTuple):
    """Where an object is: namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


Known = Callable[[Ref], "LiveObject | None"]
"""What is known of an object."""


def nothing_known(_: Ref) -> None:
    """Of no object."""


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
    def of(cls, body: Any) -> "LiveObject":
        """From what was decoded. Raises Unavailable if it is no object."""
        try:
            return cls.read(msgspec.json.encode(body))
        except (TypeError, ValueError, RecursionError):
            raise Unavailable(NOT_AN_ANSWER) from None

    @classmethod
    def read(cls, text: bytes | msgspec.Raw, *, known: Known = nothing_known) -> "LiveObject":
        """From the wire. Everything that is not looked at (managedFields above all) is let go. Raises Unavailable if it is no object.

        If this version of it is `known`, that is given back, and nothing is read twice.
        """
        try:
            wire = _WIRE.decode(text)
            metadata = wire.metadata
            ref, version = Ref(metadata.namespace, metadata.name), int(metadata.resource_version)
            there = known(ref)
            if there is not None and (there.uid, there.version) == (metadata.uid, version):
                return there
            owner = next((owner for owner in metadata.owners or () if owner.controller), None)
            return cls(
                ref=ref,
                uid=metadata.uid,
                version=version,
                generation=metadata.generation,
                deleting=metadata.deleted is not None,
                labels=metadata.labels or {},
                owner=Owner(kind=owner.kind, name=owner.name, uid=owner.uid) if owner else None,
                spec=Packed({}) if _is_absent(wire.spec) else Packed(wire.spec),
                status=None if _is_absent(wire.status) else Packed(wire.status),
            )
        except (ValueError, RecursionError):
            raise Unavailable(NOT_AN_ANSWER) from None


def read_page(text: bytes, *, known: Known = nothing_known) -> "Page":
    """A page of a list, from the wire. Raises Unavailable if it is none."""
    try:
        page = _PAGE.decode(text)
        return Page(
            items=[LiveObject.read(item, known=known) for item in page.items],
            version=int(page.metadata.resource_version),
            goes_on_at=page.metadata.goes_on_at or None,
        )
    except (ValueError, RecursionError):
        raise Unavailable(NOT_AN_ANSWER) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list: its objects, the version of the whole, and where it goes on, if it does."""

    items: list[LiveObject]
    version: int
    goes_on_at: str | None


class _Owner(msgspec.Struct):
    kind: str
    name: str
    uid: str
    controller: bool | None = None


class _Metadata(msgspec.Struct):
    namespace: str
    name: str
    uid: str
    resource_version: str = msgspec.field(name="resourceVersion")
    generation: int = 0
    deleted: str | None = msgspec.field(name="deletionTimestamp", default=None)
    labels: dict[str, str] | None = None
    owners: list[_Owner] | None = msgspec.field(name="ownerReferences", default=None)


class _Wire(msgspec.Struct):
    metadata: _Metadata
    spec: msgspec.Raw = msgspec.Raw()
    status: msgspec.Raw = msgspec.Raw()


class _ListMetadata(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion")
    goes_on_at: str | None = msgspec.field(name="continue", default=None)


class _Page(msgspec.Struct):
    metadata: _ListMetadata
    items: list[msgspec.Raw]


_WIRE: Final = msgspec.json.Decoder(_Wire)
_PAGE: Final = msgspec.json.Decoder(_Page)


def _is_absent(value: msgspec.Raw) -> bool:
    return bytes(value) in (b"", b"null")
