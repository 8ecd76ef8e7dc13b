"""What an operator knows of many hosts: their objects as the API server hands them out, and what was read of their clusters."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from benchmarks.answers import READ_AT, answers_of, parsed
from benchmarks.planning import host, seen
from proxmox_offerings.catalogue.plan import Plan, PlannedOffering, plan
from proxmox_offerings.controller import conditions, host_status, wanted
from proxmox_offerings.controller.figures import Seen
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.statements import Rhythm
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.resources import ProxmoxHost
from proxmox_offerings.simulator import presets

NODES: Final = 3
GUESTS: Final = 100


class Known:
    """`count` hosts that sell `terms`, with all their Offerings. `now` is the wall clock."""

    def __init__(self, count: int, terms: ProxmoxHost, planned: Plan) -> None:
        self.live = LiveObjects()
        self.now = READ_AT
        self.hosts = [Ref("default", f"host-{number:03d}") for number in range(count)]
        self._seen: dict[Ref, Seen] = {}
        self._terms = terms
        self._plan = planned
        self._version = 0
        for ref in self.hosts:
            self.live.saw_host(self._object(ref, spec=terms.spec.to_wire(), status=None, owner=None))
            self.read(ref, offerings=len(planned.offerings))

    @classmethod
    async def of(cls, count: int, tiers: list[dict[str, Any]]) -> "Known":
        """All of one kind: a small cluster, on which the tiers have stock."""
        answers = await answers_of(presets.mixed(nodes=NODES, guests=GUESTS))
        terms = host(tiers)
        return cls(count, terms, plan(host=terms, snapshot=seen(answers, parsed(answers.bodies)), past={}))

    def seen(self, ref: Ref) -> Seen | None:
        """What is known of a host's cluster."""
        return self._seen.get(ref)

    def read(self, ref: Ref, *, offerings: int) -> None:
        """The cluster of a host was read now, and that wrote so many of its Offerings, and its status."""
        live = self.live.host(ref)
        assert live is not None
        # Each reading makes its own plan.
        self._seen[ref] = Seen(at=self.now, totals={**self._plan.totals})
        rhythm = Rhythm.of(self._terms.spec)
        reading = wanted.Reading(at=self.now, confirmed=True, rhythm=rhythm)
        planned = [self._named(ref, one) for one in self._plan.offerings[:offerings]]
        for one in wanted.seen(planned, reading=reading, live={}, terms_changed=True, now=self.now):
            found = conditions.of_offering(one.status, reason=one.reason)
            settled = conditions.settle(found, before=(), generation=1, now=self.now)
            status = one.status.model_copy(update={"observed_generation": 1, "conditions": settled})
            assert one.spec is not None
            spec = one.spec.to_wire()
            self.live.saw_offering(
                self._object(Ref(ref.namespace, one.name), spec=spec, status=status.to_wire(), owner=live)
            )
        said = host_status.refreshed(
            live,
            observed=self._plan.observed,
            at=self.now,
            next_at=self.now + timedelta(seconds=60),
            rhythm=rhythm,
            problem=None,
            insecure=False,
            said={},
            now=self.now,
        )
        self.live.saw_host(self._object(ref, spec=live.spec, status=said.to_wire(), owner=None))

    def _named(self, ref: Ref, planned: PlannedOffering) -> PlannedOffering:
        return replace(planned, name=f"{ref.name}-{planned.tier}")

    def _object(
        self, ref: Ref, *, spec: Mapping[str, Any], status: Mapping[str, Any] | None, owner: LiveObject | None
    ) -> LiveObject:
        self._version += 1
        owners = (
            [{"kind": ProxmoxHost.KIND, "name": owner.ref.name, "uid": owner.uid, "controller": True}] if owner else []
        )
        metadata = {
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": f"uid-{ref.name}",
            "resourceVersion": str(self._version),
            "generation": 1,
            "ownerReferences": owners,
        }
        return LiveObject.of({"metadata": metadata, "spec": {**spec}, "status": status})
