"""Ends the operator, or loses or withholds an answer, at the n-th write: the same moment in each run, where a kill from outside would find another.

The seam is the client of the API server. Writes that are in flight together are sent one after another, so that there is an n-th.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.errors import Unavailable


class Fault(Enum):
    """What happens at a write."""

    DIES = "the operator dies when it is done"
    LOST = "it is done, but the answer is lost"
    WITHHELD = "it never arrives"


@dataclass(kw_only=True)
class Fate:
    """What happens at which writes, counted from 1 for each step of a run, over all operators. Only writes that change something of ours count, so
    no Events, which are sent beside all that.
    """

    fault: Fault = Fault.DIES
    at: Callable[[int], bool] = lambda _: False
    writes: list[str] = field(default_factory=list)

    def meets(self, fault: Fault, number: int) -> bool:
        """Whether the write of this number meets this fault."""
        return self.fault is fault and self.at(number)

    async def connect(self, **options: Any) -> KubeClient:
        """A client that meets it (KubeClient.connect)."""
        self._client = await FatedClient.connect(**options)
        self._client.fate = self
        return self._client

    @property
    def has_struck(self) -> bool:
        """Whether the operator that connected last is dead."""
        return self._client.dead


class FatedClient(KubeClient):
    """A client that meets its `fate`. Once `dead`, nothing of its operator is heard any more, whatever that still does until it is stopped."""

    fate: Fate

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._one_at_a_time = asyncio.Lock()
        self.dead = False

    async def fetch(self, method: str, path: str, *, body: Mapping[str, Any] | None = None, **rest: Any) -> bytes:
        if method == "GET" or (path.endswith("/events") and not self.dead):
            return await super().fetch(method, path, body=body, **rest)
        async with self._one_at_a_time:
            if self.dead:
                await asyncio.Event().wait()
            fate, number = self.fate, len(self.fate.writes) + 1
            write = f"{method} {path.partition('/namespaces/')[2].partition('/')[2]}"
            if fate.meets(Fault.WITHHELD, number):
                fate.writes.append(f"{write} (withheld)")
                raise Unavailable("withheld by the test")
            answer = await super().fetch(method, path, body=body, **rest)
            if not _changed(method, body or {}, json.loads(answer)):
                return answer
            fate.writes.append(write)
            if fate.meets(Fault.LOST, number):
                raise Unavailable("lost by the test")
            if fate.meets(Fault.DIES, number):
                self.dead = True
                await asyncio.Event().wait()
            return answer


def _changed(method: str, body: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    written = (body.get("metadata") or {}).get("resourceVersion")
    return method == "DELETE" or written is None or answer["metadata"]["resourceVersion"] != written
