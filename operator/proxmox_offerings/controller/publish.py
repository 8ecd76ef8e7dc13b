"""Makes the Offerings of one ProxmoxHost, and its status, be as they should be: compares, and sends only what differs.

A reader never sees a new spec beside a number that was counted for the old one: what an Offering says is withdrawn before its spec changes, and said
anew afterwards. A new Offering has no status until its first statement, and without status nothing is offered.

Each write changes the version that it was computed from, or nothing. Where somebody else was faster, that is no failure: the watch tells of the newer
version, and what has to be done about it is decided anew.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from proxmox_offerings.controller import conditions, host_status, statements
from proxmox_offerings.controller.announcements import Change, HostChange, OfferingChange
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.reasons import OfferingReason
from proxmox_offerings.controller.wanted import Wanted
from proxmox_offerings.kube.client import IN_FLIGHT
from proxmox_offerings.kube.errors import Conflict, KubeError, NotFound, NotLeading
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.resources import OfferingSpec, OfferingStatus, ProxmoxHost, ProxmoxHostStatus, Stock

log = structlog.get_logger(__name__)


class HostWriter(Protocol):
    """What is asked and written about ProxmoxHosts (kube.hosts.Hosts)."""

    async def get(self, ref: Ref) -> LiveObject: ...

    async def apply_status(self, before: LiveObject, status: ProxmoxHostStatus) -> LiveObject: ...


class OfferingWriter(Protocol):
    """What is written about Offerings (kube.offerings.Offerings)."""

    async def apply(
        self, ref: Ref, *, before: LiveObject | None, owner: LiveObject, labels: Mapping[str, str], spec: OfferingSpec
    ) -> LiveObject: ...

    async def apply_status(self, before: LiveObject, status: OfferingStatus) -> LiveObject: ...

    async def delete(self, live: LiveObject) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What there is after publishing: each Offering's statement by name, what the API server did not take, and whether others were faster."""

    said: Mapping[str, OfferingStatus]
    failures: Sequence[KubeError]
    overtaken: bool = False

    @property
    def complete(self) -> bool:
        """Whether all is as it should be."""
        return not self.failures and not self.overtaken


class Sure:
    """Asks once, before the first write to Offerings of a host, whether it is still what they are computed from.

    Offerings name their own versions alone, and a watch of hosts may lag behind that of Offerings: whoever begins to lead then would delete the
    Offering of a tier that is new to him, or sell on terms of the past (docs/design/writes-carry-their-version.md).
    """

    def __init__(self, host: LiveObject, *, hosts: HostWriter, live: LiveObjects) -> None:
        self._host = host
        self._hosts = hosts
        self._live = live
        self._asking = asyncio.Lock()
        self._is = False

    async def of_host(self) -> None:
        """Raises KubeError; Conflict if it is another by now, or gone."""
        async with self._asking:
            if self._is:
                return
            try:
                now = await self._hosts.get(self._host.ref)
            except NotFound:
                self._live.host_gone(self._host)
                raise Conflict("the ProxmoxHost is gone") from None
            self._live.saw_host(now)
            if (now.uid, now.generation, now.deleting) != (self._host.uid, self._host.generation, self._host.deleting):
                raise Conflict("the ProxmoxHost is another by now")
            self._is = True


class Publisher:
    """Writes to the API server. What it wrote is in `live` at once, so that the watch's echo of it is no news; `changed` is told of each status.

    As many Offerings at a time as there may be requests, each to its end: a new one has its statement right after it exists.
    """

    def __init__(
        self,
        *,
        hosts: HostWriter,
        offerings: OfferingWriter,
        live: LiveObjects,
        now: Callable[[], datetime],
        changed: Callable[[Change], None] = lambda _: None,
    ) -> None:
        self._hosts = hosts
        self._offerings = offerings
        self._live = live
        self._now = now
        self._changed = changed
        self._free = asyncio.Semaphore(IN_FLIGHT)

    async def offerings(self, host: LiveObject, wanted: Sequence[Wanted], *, no_others: bool = True) -> Outcome:
        """Make the Offerings of `host` be `wanted`, and with `no_others` no others.

        One that fails does not keep the others from being written. Raises NotLeading.
        """
        # The versions that `wanted` was computed from: nothing was awaited since.
        sure = Sure(host, hosts=self._hosts, live=self._live)
        known = {one.name: self._live.offering(Ref(host.ref.namespace, one.name)) for one in wanted}
        surplus = [there for name, there in self._live.offerings_of(host).items() if no_others and name not in known]
        differing = [one for one in wanted if not self._is_so(known[one.name], host, one)]
        results = await asyncio.gather(
            *(self._make(known[one.name], host, one, sure) for one in differing),
            *(self._remove(there, sure) for there in surplus),
            return_exceptions=True,
        )
        failures, overtaken = [], False
        for result in results:
            if isinstance(result, NotLeading):
                raise result
            if isinstance(result, Conflict):
                overtaken = True
            elif isinstance(result, KubeError):
                failures.append(result)
            elif isinstance(result, BaseException):
                raise result
        said = {}
        for one in wanted:
            there = self._live.offering(Ref(host.ref.namespace, one.name))
            if there is not None and (status := statements.read_status(there.status)) is not None:
                said[one.name] = status
        return Outcome(said=said, failures=failures, overtaken=overtaken)

    async def host(self, host: LiveObject, status: ProxmoxHostStatus) -> None:
        """Make the status of `host` so. Raises KubeError; Conflict if it is another version by now."""
        if host.status is not None and host_status.read_host_status(host) == status:
            return
        try:
            written = await self._hosts.apply_status(host, status)
        except NotFound:
            self._live.host_gone(host)
        else:
            self._live.saw_host(written)
            self._changed(HostChange(live=written, before=host_status.read_host_status(host), after=status))

    def _is_so(self, there: LiveObject | None, host: LiveObject, wanted: Wanted) -> bool:
        """Whether nothing is to be written to the Offering."""
        return (
            there is not None
            and (wanted.spec is None or there.spec == wanted.spec.to_wire())
            and (wanted.labels is None or _belongs(there, host, wanted.labels))
            and self._unsaid(there, wanted.status, wanted.reason, host=host) is None
        )

    async def _make(self, there: LiveObject | None, host: LiveObject, wanted: Wanted, sure: Sure) -> None:
        ref = Ref(host.ref.namespace, wanted.name)
        async with self._free:
            with self._live.writing(ref) as writing:
                try:
                    await self._make_from(there, host, ref, wanted, sure)
                except NotFound:
                    # Deleted by somebody, and the watch has not told yet. Nothing was believed of it that is not believed of a new one.
                    if there is not None:
                        self._live.offering_gone(there)
                    await self._make_from(None, host, ref, wanted, sure)
            if writing.overtaken:
                raise Conflict("somebody else wrote to the Offering meanwhile")

    async def _make_from(
        self, there: LiveObject | None, host: LiveObject, ref: Ref, wanted: Wanted, sure: Sure
    ) -> None:
        said = statements.read_status(there.status) if there is not None else None
        if wanted.spec is not None and wanted.labels is not None:
            other_spec = there is None or there.spec != wanted.spec.to_wire()
            if there is not None and other_spec and _claims_stock(there):
                withdrawn = statements.unknown(statements.TERMS_CHANGED)
                there = await self._say(
                    there, withdrawn, OfferingReason.TERMS_CHANGED, host=host, sure=sure, instead_of=said
                )
            if there is None or other_spec or not _belongs(there, host, wanted.labels):
                await sure.of_host()
                there = await self._offerings.apply(
                    ref, before=there, owner=host, labels=wanted.labels, spec=wanted.spec
                )
                self._live.wrote(there)
                log.debug("offering applied", namespace=ref.namespace, offering=ref.name)
        if there is not None:
            await self._say(there, wanted.status, wanted.reason, host=host, sure=sure, instead_of=said)

    async def _say(
        self,
        there: LiveObject,
        status: OfferingStatus,
        reason: OfferingReason,
        *,
        host: LiveObject,
        sure: Sure,
        instead_of: OfferingStatus | None,
    ) -> LiveObject:
        """Write `status` unless it is there already. `instead_of`: what was said before all that is done now to this Offering."""
        whole = self._unsaid(there, status, reason, host=host)
        if whole is None:
            return there
        await sure.of_host()
        written = await self._offerings.apply_status(there, whole)
        self._live.wrote(written)
        self._changed(OfferingChange(live=written, before=instead_of, after=whole))
        if reason is not OfferingReason.TERMS_CHANGED:
            _tell_of_stock(there.ref, instead_of, whole)
        return written

    def _unsaid(
        self, there: LiveObject, status: OfferingStatus, reason: OfferingReason, *, host: LiveObject
    ) -> OfferingStatus | None:
        """The whole of what is to be written so that the Offering says `status`; None if it does."""
        before = statements.read_status(there.status)
        own = tuple(c for c in before.conditions if c.type == "Ready") if before is not None else ()
        known = statements.is_known(status)
        whole = statements.remembering(status, before=before).model_copy(
            update={
                "observed_generation": there.generation,
                "host_generation": host.generation if known else None,
                "conditions": conditions.settle(
                    conditions.of_offering(status, reason=reason),
                    before=own,
                    generation=there.generation,
                    now=self._now(),
                ),
            }
        )
        if before is None:
            return whole
        ours = before if len(own) == len(before.conditions) else before.model_copy(update={"conditions": own})
        return None if statements.on_terms_of(ours, whole) == whole else whole

    async def _remove(self, there: LiveObject, sure: Sure) -> None:
        await sure.of_host()
        with contextlib.suppress(NotFound):
            await self._offerings.delete(there)
        self._live.offering_gone(there)
        log.info("offering deleted", namespace=there.ref.namespace, offering=there.ref.name)


def _claims_stock(there: LiveObject) -> bool:
    return there.status is not None and there.status.get("stock") != Stock.UNKNOWN


def _belongs(there: LiveObject, host: LiveObject, labels: Mapping[str, str]) -> bool:
    owned = there.owner is not None and there.owner.kind == ProxmoxHost.KIND and there.owner.uid == host.uid
    return owned and labels.items() <= there.labels.items()


def _tell_of_stock(ref: Ref, before: OfferingStatus | None, now: OfferingStatus) -> None:
    was = before.stock.value if before is not None else None
    if was != now.stock.value:
        log.info(
            "stock changed",
            namespace=ref.namespace,
            offering=ref.name,
            before=was,
            stock=now.stock.value,
            available=now.available,
        )
