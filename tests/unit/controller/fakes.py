"""An API server in memory, as far as publishing needs one: versions, generations, force-applied fields, and every write in order."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from proxmox_offerings.kube.errors import Conflict, KubeError, NotFound
from proxmox_offerings.kube.objects import LiveObject, Owner, Ref
from proxmox_offerings.resources import OfferingSpec, OfferingStatus, ProxmoxHostStatus


def live_host(*, generation: int = 1, status: Mapping[str, Any] | None = None, version: int = 1) -> LiveObject:
    """The ProxmoxHost default/fra1."""
    return LiveObject(
        ref=Ref("default", "fra1"),
        uid="host-uid",
        version=version,
        generation=generation,
        deleting=False,
        labels={},
        owner=None,
        spec={},
        status=status,
    )


class FakeKube:
    """Both writers of the publisher. `refused` names whose writes fail; `told` hears of each version before whoever wrote it does."""

    def __init__(self) -> None:
        self.there: dict[str, LiveObject] = {}
        self.writes: list[tuple[str, str]] = []
        self.history: list[LiveObject] = []
        self.refused: dict[str, KubeError] = {}
        self.told: Callable[[LiveObject], object] = lambda _: None
        self._version = 100

    async def apply(
        self, ref: Ref, *, before: LiveObject | None, owner: LiveObject, labels: Mapping[str, str], spec: OfferingSpec
    ) -> LiveObject:
        self._write("apply", ref.name)
        if _version(self.there.get(ref.name)) != _version(before):
            raise Conflict("the object has been modified", status=409)
        wire = spec.to_wire()
        old = self.there.get(ref.name)
        generation = 1 if old is None else old.generation + (old.spec != wire)
        owned = Owner(kind="ProxmoxHost", name=owner.ref.name, uid=owner.uid)
        return self._store(
            LiveObject(
                ref=ref,
                uid=f"uid-{ref.name}-{self._version}" if old is None else old.uid,
                version=0,
                generation=generation,
                deleting=False,
                labels={**(old.labels if old else {}), **labels},
                owner=owned,
                spec=wire,
                status=old.status if old else None,
            )
        )

    async def get(self, ref: Ref) -> LiveObject:
        """No host was ever changed behind anybody's back."""
        return self.there.get(ref.name) or live_host()

    async def apply_status(self, before: LiveObject, status: OfferingStatus | ProxmoxHostStatus) -> LiveObject:
        self._write("status", before.ref.name)
        return self._store(replace(self._same(before), status=status.to_wire()))

    async def delete(self, live: LiveObject) -> None:
        self._write("delete", live.ref.name)
        del self.there[self._same(live).ref.name]

    def put(self, live: LiveObject) -> LiveObject:
        """As somebody else writes it."""
        return self._store(live)

    def _write(self, what: str, name: str) -> None:
        self.writes.append((what, name))
        if error := self.refused.get(name):
            raise error

    def _same(self, before: LiveObject) -> LiveObject:
        if before.ref.name not in self.there:
            raise NotFound(f"{before.ref.name} not found", status=404)
        if _version(self.there[before.ref.name]) != _version(before):
            raise Conflict("the object has been modified", status=409)
        return self.there[before.ref.name]

    def _store(self, live: LiveObject) -> LiveObject:
        self._version += 1
        stored = replace(live, version=self._version)
        self.there[live.ref.name] = stored
        self.history.append(stored)
        self.told(stored)
        return stored


def _version(live: LiveObject | None) -> tuple[str, int] | None:
    return None if live is None else (live.uid, live.version)
