"""Leases (coordination.k8s.io/v1): one by which replicas agree who leads, or one of each replica by which they divide the work.

What their content means is the elector's and the members' (controller/leader.py, controller/members.py). Like all that we write they are guarded: a
write changes the version that it names, or nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from proxmox_offerings.kube.client import KubeClient, path_of
from proxmox_offerings.kube.errors import NOT_AN_ANSWER, NotFound, Unavailable

PREFIX: Final = "/apis/coordination.k8s.io/v1"
NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def pod_namespace(path: Path = NAMESPACE_FILE) -> str | None:
    """The namespace of the pod that we run in; None outside of one."""
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a Lease says. `holder` "" is nobody. `duration` in seconds, from when others see the Lease change; the times are for people."""

    holder: str
    duration: int
    transitions: int
    acquired_at: datetime | None
    renewed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLease:
    """One version of the Lease: what it says, and all of it as it came, for what others keep there stays."""

    claim: Claim
    version: str
    body: Mapping[str, Any]

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        return (self.body.get("metadata") or {}).get("annotations") or {}

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """From the wire; the API server has checked that it is a Lease."""
        spec = body.get("spec") or {}
        claim = Claim(
            holder=spec.get("holderIdentity") or "",
            duration=spec.get("leaseDurationSeconds") or 0,
            transitions=spec.get("leaseTransitions") or 0,
            acquired_at=_time_of(spec.get("acquireTime")),
            renewed_at=_time_of(spec.get("renewTime")),
        )
        return cls(claim=claim, version=body["metadata"]["resourceVersion"], body=body)


class Lease:
    """The Lease `name` in `namespace`. Use a client of its own: renewing must not wait for other requests."""

    def __init__(
        self, client: KubeClient, *, namespace: str, name: str, labels: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._labels = labels

    def __str__(self) -> str:
        return f"{self._namespace}/{self._name}"

    async def read(self) -> LiveLease | None:
        """What is there; None if nothing is. Raises KubeError."""
        try:
            return LiveLease.of(await self._client.request("GET", self._path(self._name)))
        except NotFound:
            return None

    async def write(
        self, claim: Claim, *, before: LiveLease | None, annotations: Mapping[str, str] = MappingProxyType({})
    ) -> LiveLease:
        """Make `before` (None: a new Lease) say `claim`. Raises KubeError; Conflict if `before` is not what is there, NotFound if nothing is."""
        spec = {
            "holderIdentity": claim.holder,
            "leaseDurationSeconds": claim.duration,
            "leaseTransitions": claim.transitions,
            "acquireTime": _wire_of(claim.acquired_at),
            "renewTime": _wire_of(claim.renewed_at),
        }
        metadata = {"name": self._name, "namespace": self._namespace}
        if before is None:
            body = {"metadata": _with(metadata, self._labels, annotations), "spec": spec}
            return LiveLease.of(await self._client.request("POST", self._path(), body=body))
        metadata = _with(before.body.get("metadata") or metadata, self._labels, annotations)
        body = {**before.body, "metadata": metadata, "spec": {**(before.body.get("spec") or {}), **spec}}
        return LiveLease.of(await self._client.request("PUT", self._path(self._name), body=body))

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    def _path(self, name: str | None = None) -> str:
        return path_of(prefix=PREFIX, plural="leases", namespace=self._namespace, name=name)


class Leases:
    """The Leases that have the label `label` with the value `group`, in `namespace`. Use a client of its own, as for a Lease."""

    def __init__(self, client: KubeClient, *, namespace: str, label: str, group: str) -> None:
        self._client = client
        self._namespace = namespace
        self._labels = {label: group}
        self._selector = f"{label}={group}"

    def __str__(self) -> str:
        return f"those of {self._namespace} with {self._selector}"

    async def list(self) -> Mapping[str, LiveLease]:
        """All of them by name, not older than this call. Raises KubeError."""
        path = path_of(prefix=PREFIX, plural="leases", namespace=self._namespace)
        answer = await self._client.request("GET", path, query={"labelSelector": self._selector})
        try:
            return {item["metadata"]["name"]: LiveLease.of(item) for item in answer["items"]}
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unavailable(NOT_AN_ANSWER) from None

    async def read(self, name: str) -> LiveLease | None:
        """The one called `name`, labelled or not; None if there is none. Raises KubeError."""
        return await self._named(name).read()

    async def write(
        self, name: str, claim: Claim, *, before: LiveLease | None, annotations: Mapping[str, str]
    ) -> LiveLease:
        """Make it say `claim`, have these annotations and the label. Raises as Lease.write."""
        return await self._named(name).write(claim, before=before, annotations=annotations)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    def _named(self, name: str) -> Lease:
        return Lease(self._client, namespace=self._namespace, name=name, labels=self._labels)


def _with(metadata: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, Any]:
    """`metadata` with more labels and annotations: what others keep there stays."""
    more = {"labels": labels, "annotations": annotations}
    return {**metadata, **{key: {**(metadata.get(key) or {}), **value} for key, value in more.items() if value}}


def _time_of(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _wire_of(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
