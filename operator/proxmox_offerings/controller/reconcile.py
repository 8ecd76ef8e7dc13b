"""Makes the Offerings of one ProxmoxHost say what its cluster can still sell.

Level-based: every reconcile looks at all it needs and trusts nothing remembered but the last snapshot, and that only while a statement made from it
would be valid. Safe to repeat, and to abandon at any await. No failure of the cluster, of the credentials or of this code deletes an Offering.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from proxmox_offerings.catalogue.plan import Plan, PlannedOffering
from proxmox_offerings.controller import host_status, statements, wanted
from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.figures import Seen
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.planning import MakePlan, planned
from proxmox_offerings.controller.problems import INTERNAL_ERROR, Outlook, Problem
from proxmox_offerings.controller.publish import Outcome, Publisher
from proxmox_offerings.controller.queue import Requeue
from proxmox_offerings.controller.session import Session
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.kube.errors import Conflict, KubeError, NotLeading
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.proxmox.errors import InvalidHost, ObservationError
from proxmox_offerings.resources import (
    API_VERSION,
    InvalidResource,
    OfferingSpec,
    ProxmoxHost,
    ProxmoxHostStatus,
    Stock,
)

log = structlog.get_logger(__name__)

LONGEST_WRITE_DELAY: Final = 60.0
"""Seconds between attempts to write what the API server did not take."""
PATIENCE_AT_THE_END: Final = 5.0
"""Seconds that a statement whose time is over waits for a reading that is under way, so that who comes back after a while, and can read at once, does
not end every statement only to say it anew."""


class Unobserved(Protocol):
    """catalogue.plan.unobserved"""

    def __call__(self, *, host: ProxmoxHost) -> tuple[PlannedOffering, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A snapshot that is believed, and the plan made from it."""

    snapshot: Snapshot
    plan: Plan


@dataclass(slots=True, kw_only=True)
class Memory:
    """What is kept about a host between reconciles.

    `told` is the problem that was logged last, () if nothing was logged yet; `seen` what was published last of what was read, to be believed until
    `seen_until`.
    """

    session: Session
    writing: Backoff
    told: tuple[str, ...] = ()
    seen: Seen | None = None
    seen_until: datetime | None = None
    _terms: tuple[tuple[str, int], "ProxmoxHost | Problem"] | None = None

    def terms_of(self, resource: LiveObject) -> "ProxmoxHost | Problem":
        """The host as it is written, read once for each of its generations: a spec that changes makes a new one."""
        generation = (resource.uid, resource.generation)
        if self._terms is None or self._terms[0] != generation:
            self._terms = (generation, _read_host(resource))
        return self._terms[1]


class Reconciler:
    """See the module. `now` is the wall clock, in UTC; the rhythm of reading is kept by the event loop's clock."""

    def __init__(
        self,
        *,
        live: LiveObjects,
        publisher: Publisher,
        open_session: Callable[[Ref], Session],
        make_plan: MakePlan,
        unobserved: Unobserved,
        now: Callable[[], datetime],
        new_backoff: Callable[[], Backoff] = Backoff,
        was_read: Callable[[Ref], None] = lambda _: None,
    ) -> None:
        self._live = live
        self._publisher = publisher
        self._open_session = open_session
        self._make_plan = make_plan
        self._unobserved = unobserved
        self._now = now
        self._new_backoff = new_backoff
        self._was_read = was_read
        self._memories: dict[Ref, Memory] = {}

    async def reconcile(self, ref: Ref) -> Requeue:
        """Look at the host once, make its Offerings and its status right, and say when to look again."""
        resource = self._live.host(ref)
        if resource is None or resource.deleting:
            await self._forget(ref)
            return Requeue(after=None)
        memory = self._memory(ref)
        try:
            all_written = await self._make_right(resource, memory)
        except NotLeading:
            # Whoever leads next looks at all hosts anew.
            return Requeue(after=None)
        except Conflict:
            # Somebody else changed the host while we looked at it. The watch may not tell of it, if that is nothing to act on.
            return self._next(resource, memory.session, again=memory.writing.next(most=LONGEST_WRITE_DELAY))
        except KubeError as error:
            self._tell(ref, memory, Problem.publishing(0, str(error)))
            return self._next(resource, memory.session, again=memory.writing.next(most=LONGEST_WRITE_DELAY))
        if not all_written:
            return self._next(resource, memory.session, again=memory.writing.next(most=LONGEST_WRITE_DELAY))
        memory.writing.reset()
        return self._next(resource, memory.session)

    def seen(self, ref: Ref) -> Seen | None:
        """What this process knows of the host's cluster; None if it never read it, or another one."""
        memory = self._memories.get(ref)
        if memory is None or memory.seen is None or memory.seen_until is None or memory.session.snapshot is None:
            return None
        believed = memory.seen.at <= self._now() < memory.seen_until
        return memory.seen if believed else replace(memory.seen, totals=None)

    async def close(self) -> None:
        """Stop observing."""
        await self.forget(lambda _: True)

    async def forget(self, which: Callable[[Ref], bool]) -> None:
        """Stop observing these hosts: somebody else works on them."""
        for ref in [ref for ref in self._memories if which(ref)]:
            await self._forget(ref)

    async def _make_right(self, resource: LiveObject, memory: Memory) -> bool:
        """Whether all is written. Raises KubeError if the host's status is not, Conflict if because the host is another version by now."""
        host = memory.terms_of(resource)
        if isinstance(host, Problem):
            await memory.session.forget()
            return await self._publish_unreadable(resource, host, memory)
        if host_status.terms_changed(resource) and memory.session.believable(host.spec, now=self._now()) is None:
            # Reading may take long. What was said on other terms does not stand in the meantime.
            claims = wanted.withdrawn(self._live.offerings_of(resource), generation=resource.generation)
            await self._publisher.offerings(resource, claims, no_others=False)
        sight = await self._look_on_time(resource, host, memory.session)
        return await self._publish(self._newest(resource), host, memory, sight)

    def _newest(self, resource: LiveObject) -> LiveObject:
        """What the host is by now, as long as its spec is the same: reading takes time, and others write labels and annotations meanwhile."""
        now = self._live.host(resource.ref)
        same = now is not None and (now.uid, now.generation) == (resource.uid, resource.generation)
        return now if now is not None and same else resource

    async def _look_on_time(self, resource: LiveObject, host: ProxmoxHost, session: Session) -> Sight | None:
        """`_look`, and meanwhile statements end when their time is over: a cluster that hangs may keep us waiting for minutes."""
        looking = asyncio.create_task(self._look(resource, host, session))
        try:
            while not (await asyncio.wait({looking}, timeout=self._until_overdue(resource)))[0]:
                over = wanted.ended(self._live.offerings_of(resource), now=self._now())
                await self._publisher.offerings(resource, over, no_others=False)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        return looking.result()

    def _until_overdue(self, resource: LiveObject) -> float | None:
        """Seconds until a statement of this host should have ended a while ago; None: nothing is left to end."""
        end = self._soonest_end(resource)
        return None if end is None else max(0.0, (end - self._now()).total_seconds()) + PATIENCE_AT_THE_END

    async def _look(self, resource: LiveObject, host: ProxmoxHost, session: Session) -> Sight | None:
        """What can be said about the cluster now; None if nothing. `session.problem` tells what is wrong, if anything is."""
        try:
            await session.look(host.spec, now=self._now())
            self._was_read(resource.ref)
            snapshot = session.believable(host.spec, now=self._now())
            if snapshot is None:
                return None
            sight = Sight(snapshot=snapshot, plan=await self._plan(resource, host, snapshot))
        except ObservationError as error:
            session.fail(Problem.of(error), host.spec)
        except KubeError:
            raise
        except Exception:
            # Whatever is wrong with us, what was said must still end at its validUntil.
            log.exception("reconcile failed", namespace=resource.ref.namespace, host=resource.ref.name)
            session.fail(INTERNAL_ERROR, host.spec)
        else:
            session.used()
            return sight
        return None

    async def _plan(self, resource: LiveObject, host: ProxmoxHost, snapshot: Snapshot) -> Plan:
        there = self._live.offerings_of(resource)
        said = {name: statements.read_status(live.status) for name, live in there.items()}
        return await planned(
            self._make_plan,
            host=host,
            snapshot=snapshot,
            past={name: Stock.OUT_OF_STOCK for name, status in said.items() if statements.was_sold_out(status)},
            existing=(spec for live in there.values() if (spec := _read_spec(live)) is not None),
        )

    async def _publish(self, resource: LiveObject, host: ProxmoxHost, memory: Memory, sight: Sight | None) -> bool:
        session = memory.session
        there = self._live.offerings_of(resource)
        changed = host_status.terms_changed(resource)
        now = self._now()
        rhythm = statements.Rhythm.of(host.spec)
        insecure = host.spec.tls.insecure_skip_verify
        if sight is not None:
            memory.seen = Seen(at=sight.snapshot.observed_at, totals=sight.plan.totals)
            memory.seen_until = sight.snapshot.observed_at + rhythm.validity
            reading = wanted.Reading(at=sight.snapshot.observed_at, confirmed=session.problem is None, rhythm=rhythm)
            offerings = wanted.seen(
                sight.plan.offerings, reading=reading, live=there, terms_changed=changed, now=now, spread=session.spread
            )
            session.spread = frozenset(one.name for one in offerings if one.is_spread)
        else:
            explicit = self._unobserved(host=host)
            derived = not host.spec.tiers
            offerings = wanted.unseen(
                explicit,
                keep_others=derived,
                live=there,
                terms_changed=changed,
                generation=resource.generation,
                now=now,
                lapsed=session.lapsed,
            )
        outcome = await self._publisher.offerings(resource, offerings)
        problem = session.problem or _of_writing(outcome)
        if sight is not None:
            status = host_status.refreshed(
                resource,
                observed=sight.plan.observed,
                at=sight.snapshot.observed_at,
                next_at=now + timedelta(seconds=min(session.seconds_until_due, host.spec.refresh_interval_seconds)),
                rhythm=rhythm,
                problem=problem,
                insecure=insecure,
                said=outcome.said,
                now=now,
                is_spread=session.host_spread,
            )
            if not changed and status != host_status.read_host_status(resource):
                session.host_spread = True
        elif problem is not None:
            status = host_status.failed(resource, problem=problem, insecure=insecure, said=outcome.said, now=now)
        else:
            # The clock was set while we looked: there is neither a sight to tell of nor a problem. Look again before long.
            return False
        await self._publish_host(resource, status, outcome)
        self._tell(resource.ref, memory, problem)
        return outcome.complete

    async def _publish_unreadable(self, resource: LiveObject, problem: Problem, memory: Memory) -> bool:
        """Of a host that cannot be read nobody knows which Offerings it should have: all stay, and what they say ends."""
        now = self._now()
        there = self._live.offerings_of(resource)
        changed = host_status.terms_changed(resource)
        offerings = wanted.unseen(
            (), keep_others=True, live=there, terms_changed=changed, generation=resource.generation, now=now
        )
        outcome = await self._publisher.offerings(resource, offerings)
        status = host_status.failed(resource, problem=problem, insecure=False, said=outcome.said, now=now)
        await self._publish_host(resource, status, outcome)
        self._tell(resource.ref, memory, problem)
        return outcome.complete

    async def _publish_host(self, resource: LiveObject, status: ProxmoxHostStatus, outcome: Outcome) -> None:
        if not outcome.complete:
            # The new terms hold when every Offering has them; until then `terms_changed` must stay true.
            generation = host_status.read_host_status(resource).observed_generation
            status = status.model_copy(update={"observed_generation": generation})
        await self._publisher.host(resource, status)

    def _next(self, resource: LiveObject, session: Session, *, again: float | None = None) -> Requeue:
        """When Proxmox may be asked again, or at the moment when a statement of this host ends.

        `again`: not everything was written; seconds until the next attempt. What should have ended already waits for that.
        """
        now = self._now()
        end = self._soonest_end(resource, after=None if again is None else now)
        # What is due, and could not be read for want of the API server, is due at the next attempt, not at once.
        soonest = min(
            max(session.seconds_until_due, again or 0.0),
            session.seconds_until_lapsed,
            math.inf if end is None else (end - now).total_seconds(),
        )
        return Requeue(after=None if soonest == math.inf else max(0.0, soonest), retry=again)

    def _soonest_end(self, resource: LiveObject, *, after: datetime | None = None) -> datetime | None:
        """When the first of this host's statements ends (`after` then); None if nothing is left to end."""
        offerings = self._live.offerings_of(resource).values()
        ends = (statements.ends(statements.read_status(live.status)) for live in offerings)
        return min((end for end in ends if end is not None and (after is None or end > after)), default=None)

    def _memory(self, ref: Ref) -> Memory:
        if ref not in self._memories:
            self._memories[ref] = Memory(session=self._open_session(ref), writing=self._new_backoff())
        return self._memories[ref]

    async def _forget(self, ref: Ref) -> None:
        if memory := self._memories.pop(ref, None):
            await memory.session.close()

    def _tell(self, ref: Ref, memory: Memory, problem: Problem | None) -> None:
        """One line in the log when what is wrong with a host changes; none while it stays the same."""
        telling: tuple[str, ...] = ("",)
        if problem is not None:
            # What may heal is worded by whichever endpoint failed last; what a person must mend changes when a person does something.
            mending = problem.outlook is Outlook.A_PERSON_MUST_ACT
            telling = (problem.reason, problem.message if mending else "")
        if memory.told == telling:
            return
        memory.told = telling
        if problem is None:
            log.info("host observed", namespace=ref.namespace, host=ref.name)
        else:
            log.warning(
                "host not ready", namespace=ref.namespace, host=ref.name, reason=problem.reason, message=problem.message
            )


def _of_writing(outcome: Outcome) -> Problem | None:
    return Problem.publishing(len(outcome.failures), str(outcome.failures[0])) if outcome.failures else None


def _read_host(resource: LiveObject) -> ProxmoxHost | Problem:
    metadata = {
        "name": resource.ref.name,
        "namespace": resource.ref.namespace,
        "uid": resource.uid,
        "generation": resource.generation,
    }
    try:
        return ProxmoxHost.parse(
            {"apiVersion": API_VERSION, "kind": ProxmoxHost.KIND, "metadata": metadata, "spec": resource.spec}
        )
    except InvalidResource as refused:
        return Problem.of(InvalidHost(str(refused)[:1000]))


def _read_spec(live: LiveObject) -> OfferingSpec | None:
    try:
        return OfferingSpec.parse(live.spec)
    except InvalidResource:
        return None
