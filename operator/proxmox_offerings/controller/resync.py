"""Lists all ProxmoxHosts and Offerings: once before anything is written, and from then on now and then.

The first list is the gate: nobody decides on half of what exists. The later ones find what a watch cannot tell, deletions that happened while it was
cut off (kopf lists again then, but does not compare).
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.contact import Contact
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.kube.errors import NOT_INSTALLED, KubeError, NotFound
from proxmox_offerings.kube.hosts import Hosts
from proxmox_offerings.kube.objects import Ref
from proxmox_offerings.kube.offerings import Offerings

log = structlog.get_logger(__name__)

SETTLE_SECONDS: Final = 30.0
"""How long after kopf listed we do: at the start of the process, and again where a watch could not go on from where it was."""
INTERVAL_SECONDS: Final = 300.0
LONGEST_DELAY: Final = 30.0


class Resync:
    """Fills `live` and tells of each host that has to be looked at."""

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
    ) -> None:
        self._hosts = hosts
        self._offerings = offerings
        self._live = live
        self._namespaces = namespaces
        self._concerned = concerned
        self._contact = contact
        self._backoff = backoff
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
        """List everything. Raises KubeError."""
        concerned: set[Ref] = set()
        for namespace in self._namespaces:
            # Offerings first: a host must not be looked at without its own.
            offerings, version = await self._offerings.list(namespace)
            concerned |= self._live.offerings_listed(offerings, namespace=namespace, version=version)
            hosts, version = await self._hosts.list(namespace)
            concerned |= self._live.hosts_listed(hosts, namespace=namespace, version=version)
        for ref in sorted(concerned):
            self._concerned(ref)

    def soon(self) -> None:
        """Something may have been missed."""
        self._due = min(self._due, asyncio.get_running_loop().time() + SETTLE_SECONDS)
        self._sooner.set()

    async def keep_listing(self) -> None:
        """List everything now and then, until cancelled."""
        self._backoff.reset()
        self._due_in(SETTLE_SECONDS)
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
