"""Lists all ProxmoxHosts and Offerings: once before anything is written, and from then on now and then.

The first list is the gate: nobody decides on half of what exists. The later ones find what a watch cannot tell, deletions that happened while it was
cut off (kopf lists again then, but does not compare), and that the API server's data went back.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog

from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.contact import Contact
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.kube.errors import NOT_INSTALLED, KubeError, NotFound
from proxmox_offerings.kube.hosts import Hosts
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.kube.offerings import Offerings
from proxmox_offerings.resources import Offering, ProxmoxHost

log = structlog.get_logger(__name__)

INTERVAL_SECONDS: Final = 300.0
LONGEST_DELAY: Final = 30.0


class WentBack(Exception):
    """Versions never decrease, but where etcd was restored from a backup: nothing that is known may be relied upon, and no watch goes on."""

    def __init__(self) -> None:
        super().__init__(
            "the API server's data are older than what was seen before, as after restoring a backup: start anew"
        )


class Resync:
    """Fills `live` and tells of each host that has to be looked at.

    `settle`: seconds from `soon`, and from the start, until all is listed: kopf lists at the same time, and is left to it.
    """

    def __init__(
        self,
        *,
        hosts: Hosts,
        offerings: Offerings,
        live: LiveObjects,
        namespaces: Sequence[str | None],
        concerned: Callable[[Ref], None],
        contact: Contact,
        backoff: Backoff,
        settle: float,
    ) -> None:
        self._hosts = hosts
        self._offerings = offerings
        self._live = live
        self._namespaces = namespaces
        self._concerned = concerned
        self._contact = contact
        self._backoff = backoff
        self._settle = settle
        self._listed: dict[tuple[str | None, str], int] = {}
        self._due = math.inf
        self._sooner = asyncio.Event()

    async def until_listed(self) -> None:
        """List everything once, however long the API server or the CRDs are missing."""
        told = ""
        while True:
            try:
                return await self.list_all()
            except NotFound:
                problem = NOT_INSTALLED
            except KubeError as error:
                problem = str(error)
            if problem != told:
                log.warning("waiting for the API server", problem=problem)
                told = problem
            await asyncio.sleep(self._backoff.next(most=LONGEST_DELAY))

    async def list_all(self) -> None:
        """List everything. Raises KubeError, WentBack."""
        concerned: set[Ref] = set()
        for namespace in self._namespaces:
            # Offerings first: a host must not be looked at without its own.
            # What is known is taken before each list is asked for: watches and our own writes may tell of newer versions meanwhile.
            known = self._live.offering_versions()
            offerings, version = await self._offerings.list(namespace, known=self._live.offering)
            self._require_progress((namespace, Offering.PLURAL), offerings, version, known)
            concerned |= self._live.offerings_listed(offerings, namespace=namespace, version=version)
            known = self._live.host_versions()
            hosts, version = await self._hosts.list(namespace, known=self._live.host)
            self._require_progress((namespace, ProxmoxHost.PLURAL), hosts, version, known)
            concerned |= self._live.hosts_listed(hosts, namespace=namespace, version=version)
        for ref in sorted(concerned):
            self._concerned(ref)

    def _require_progress(
        self,
        what: tuple[str | None, str],
        listed: Iterable[LiveObject],
        version: int,
        known: Mapping[tuple[Ref, str], int],
    ) -> None:
        """Raises WentBack if a list, or an object in it, is older than what was known before it was asked for."""
        newest = max(self._listed.get(what, 0), *known.values(), 0)
        if version < newest or any(live.version < known.get((live.ref, live.uid), 0) for live in listed):
            raise WentBack
        self._listed[what] = version

    def soon(self) -> None:
        """Something may have been missed."""
        self._due = min(self._due, asyncio.get_running_loop().time() + self._settle)
        self._sooner.set()

    async def keep_listing(self) -> None:
        """List everything now and then, until cancelled. Raises WentBack."""
        self._backoff.reset()
        self._due_in(self._settle)
        while True:
            await self._until_due()
            try:
                await self.list_all()
            except KubeError as error:
                self._contact.failed("list", str(error))
                self._due_in(self._backoff.next(most=LONGEST_DELAY))
            else:
                self._contact.works("list")
                self._backoff.reset()
                self._due_in(INTERVAL_SECONDS)

    def _due_in(self, seconds: float) -> None:
        self._due = asyncio.get_running_loop().time() + seconds

    async def _until_due(self) -> None:
        while (left := self._due - asyncio.get_running_loop().time()) > 0:
            self._sooner.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), left)
