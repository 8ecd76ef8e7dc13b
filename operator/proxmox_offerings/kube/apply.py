"""Server-side apply and its two complements, for objects of our own group.

One field manager, always by force: what we say about our fields holds, whoever said something else. Apply never removes what others added, so
`without_foreign` computes what has to be taken out where nothing foreign may stay.

Every write names the version of the object that it was computed from, and changes that version or nothing: see
docs/design/writes-carry-their-version.md.
"""

from collections.abc import Mapping
from typing import Any, Final

from proxmox_offerings.kube.client import KubeClient, path_of
from proxmox_offerings.kube.objects import Known, LiveObject, Ref, read_page
from proxmox_offerings.resources import API_VERSION

FIELD_MANAGER: Final = "proxmox-offerings"
PREFIX: Final = f"/apis/{API_VERSION}"
_PAGE: Final = "500"
_ABSENT: Final = {"resourceVersion": "1"}
"""Metadata with which apply can only create: it is etcd's own first revision, which no object ever has. Where there is an object, the API server
answers Conflict; where there is none, it creates one and does not look at this (seen with Kubernetes 1.37)."""


class Collection:
    """All objects of one kind of our group, as requests."""

    def __init__(self, client: KubeClient, *, kind: str, plural: str) -> None:
        self._client = client
        self._kind = kind
        self._plural = plural

    async def list(self, namespace: str | None, *, known: Known) -> tuple[list[LiveObject], int]:
        """All objects of `namespace` (None: of all namespaces), and the version of the list: everything up to it is in there. Raises KubeError.

        What is `known` is there as it is known, and was not read again.
        """
        path = path_of(prefix=PREFIX, plural=self._plural, namespace=namespace)
        query = {"limit": _PAGE}
        found: list[LiveObject] = []
        while True:
            page = read_page(await self._client.fetch("GET", path, query=query), known=known)
            found += page.items
            if page.goes_on_at is None:
                return found, page.version
            query["continue"] = page.goes_on_at

    async def get(self, ref: Ref) -> LiveObject:
        """The object as it is now: not from a cache, which may lag behind. Raises KubeError; NotFound if it is gone."""
        path = path_of(prefix=PREFIX, plural=self._plural, namespace=ref.namespace, name=ref.name)
        return LiveObject.read(await self._client.fetch("GET", path))

    async def apply(
        self, ref: Ref, *, before: LiveObject | None, metadata: Mapping[str, Any], spec: Mapping[str, Any]
    ) -> LiveObject:
        """Make metadata and spec of `before` so; None: create the object.

        Raises KubeError; Conflict if `before` is not what is there.
        """
        version = _ABSENT if before is None else _version(before)
        return await self._apply(ref, None, {"metadata": {"name": ref.name, **version, **metadata}, "spec": spec})

    async def apply_status(self, before: LiveObject, status: Mapping[str, Any]) -> LiveObject:
        """Make the status of `before` so. Raises KubeError; NotFound if it is gone, Conflict if it is another version by now."""
        metadata = {"name": before.ref.name, **_version(before)}
        return await self._apply(before.ref, "status", {"metadata": metadata, "status": status})

    async def merge(
        self, before: LiveObject, patch: Mapping[str, Any], *, subresource: str | None = None
    ) -> LiveObject:
        """Apply a JSON merge patch (RFC 7386) to `before`. Raises KubeError; Conflict if it is another version by now."""
        ref = before.ref
        path = path_of(
            prefix=PREFIX, plural=self._plural, namespace=ref.namespace, name=ref.name, subresource=subresource
        )
        answer = await self._client.fetch(
            "PATCH",
            path,
            query={"fieldManager": FIELD_MANAGER},
            body={"metadata": _version(before), **patch},
            content_type="application/merge-patch+json",
        )
        return LiveObject.read(answer)

    async def delete(self, live: LiveObject) -> None:
        """Delete exactly this object in exactly this version. Raises KubeError; Conflict if it is another one by now."""
        await self._client.request(
            "DELETE",
            path_of(prefix=PREFIX, plural=self._plural, namespace=live.ref.namespace, name=live.ref.name),
            body={"preconditions": _version(live)},
        )

    async def _apply(self, ref: Ref, subresource: str | None, content: Mapping[str, Any]) -> LiveObject:
        path = path_of(
            prefix=PREFIX, plural=self._plural, namespace=ref.namespace, name=ref.name, subresource=subresource
        )
        answer = await self._client.fetch(
            "PATCH",
            path,
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body={"apiVersion": API_VERSION, "kind": self._kind, **content},
            content_type="application/apply-patch+yaml",
        )
        return LiveObject.read(answer)


def _version(live: LiveObject) -> dict[str, str]:
    return {"uid": live.uid, "resourceVersion": str(live.version)}


def without_foreign(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that takes out of `live` what `wanted` does not have; empty if there is nothing to take out.

    Lists are compared as a whole.
    """
    patch: dict[str, Any] = {}
    for key, value in live.items():
        if key not in wanted:
            patch[key] = None
        elif isinstance(value, Mapping) and isinstance(wanted[key], Mapping):
            if inner := without_foreign(value, wanted[key]):
                patch[key] = inner
        elif isinstance(value, list) and value != wanted[key]:
            patch[key] = wanted[key]
    return patch
