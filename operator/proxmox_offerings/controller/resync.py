"""Lists all ProxmoxHosts and Offerings: once before anything is written, and from then on now and then.

The first list is the gate: nobody decides on half of what exists. The later ones find what a watch cannot tell, deletions that happened while it was
cut off (kopf lists again then, but does not compare).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from proxmox_offerings.controller.backoff import Backoff
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.kube.errors import KubeError, NotFound
from proxmox_offerings.kube.hosts import Hosts
from proxmox_offerings.kube.objects import Ref
from proxmox_offerings.kube.offerings import Offerings

log = structlog.get_logger(__name__)

SETTLE_SECONDS: Final = 30.0
"""The second list comes this long after the first: between the first and the begin of the watches something may have been deleted."""
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
        backoff: Backoff,
    ) -> None:
        self._hosts = hosts
        self._offerings = offerings
        self._live = live
        self._namespaces = namespaces
        self._concerned = concerned
        self._backoff = backoff

    async def until_listed(self) -> None:
        """List everything once, however long the API server or the CRDs are missing."""
        told = ""
        while True:
            try:
                return await self.list_all()
            except NotFound:
                problem = (
                    "the API server does not know ProxmoxHosts and Offerings: install the CustomResourceDefinitions"
                )
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

    async def keep_listing(self) -> None:
        """List everything now and then, until cancelled."""
        await asyncio.sleep(SETTLE_SECONDS)
        while True:
            try:
                await self.list_all()
            except KubeError as error:
                log.warning("objects not listed", problem=str(error))
            await asyncio.sleep(INTERVAL_SECONDS)
