"""Events (events.k8s.io/v1): what `kubectl describe` and `kubectl get events` show of an object's past. Created, never read or changed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from proxmox_offerings.kube.client import KubeClient, path_of
from proxmox_offerings.kube.objects import LiveObject
from proxmox_offerings.resources import API_VERSION
from proxmox_offerings.resources.group import GROUP

PREFIX: Final = "/apis/events.k8s.io/v1"
LONGEST_NOTE: Final = 1024
"""Bytes; the API server refuses more."""
LONGEST_INSTANCE: Final = 128
ACTION: Final = "Publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to `regarding`, of our group and of kind `kind`, with the write that made it this version.

    `reason` is a documented word, `note` a sentence for people; `warning`: somebody should look at it.
    """

    regarding: LiveObject
    kind: str
    reason: str
    note: str
    warning: bool
    at: datetime

    @property
    def name(self) -> str:
        """Follows from the object's version and the reason, so that one change is one Event, whoever tells of it and however often."""
        told = f"{self.regarding.uid}/{self.regarding.version}/{self.reason}"
        return f"{self.regarding.ref.name}.{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}"


class Events:
    """The Events of the API server. `instance` is the name of this process."""

    def __init__(self, client: KubeClient, *, instance: str) -> None:
        self._client = client
        self._instance = instance[:LONGEST_INSTANCE]

    async def create(self, event: Event) -> None:
        """Raises KubeError; Conflict if this was told before."""
        ref = event.regarding.ref
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": event.name, "namespace": ref.namespace},
            "eventTime": event.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": f"{GROUP}/operator",
            "reportingInstance": self._instance,
            "action": ACTION,
            "reason": event.reason,
            "type": "Warning" if event.warning else "Normal",
            "note": _cut(event.note),
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": event.kind,
                "namespace": ref.namespace,
                "name": ref.name,
                "uid": event.regarding.uid,
                "resourceVersion": str(event.regarding.version),
            },
        }
        await self._client.request("POST", path_of(prefix=PREFIX, plural="events", namespace=ref.namespace), body=body)


def _cut(note: str) -> str:
    encoded = note.encode()
    return note if len(encoded) <= LONGEST_NOTE else encoded[: LONGEST_NOTE - 3].decode(errors="ignore") + "…"
