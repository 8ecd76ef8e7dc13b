"""How soon it acts on what people do, while it has all others to refresh: hosts that are edited or new, one after another, and one that was edited
while there was no operator. And whether the others are refreshed evenly.
"""

import asyncio
import statistics
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.kube.controlplane import ControlPlane

from benchmarks.figures import Figure, Goal
from benchmarks.fleet import Fleet, polls_of
from benchmarks.hosts import TIERS, fleet_host_object, secret_object
from benchmarks.watching import Seen, Watched
from benchmarks.workplace import Operator, Workplace, progress
from proxmox_offerings.resources import API_VERSION, ProxmoxHost

SMALLEST: Final = TIERS[0]["name"]
EDITED, CREATED = 20, 3
PATIENCE_SECONDS: Final = 90
GOAL: Final = Goal(relation="<", value=5)
"""Seconds: whoever applies something waits for what comes of it, not for the turn of 500 others."""


def name_of(number: int) -> str:
    """The name of a host."""
    return f"host-{number:03d}"


def hosts_path(name: str = "") -> str:
    """Where the API server has ProxmoxHosts, or one of them."""
    return f"/apis/{API_VERSION}/namespaces/default/{ProxmoxHost.PLURAL}" + (f"/{name}" if name else "")


def add_host(plane: ControlPlane, fleet: Fleet, number: int, *, cluster: int) -> None:
    """Apply a ProxmoxHost and its Secret."""
    name = name_of(number)
    plane.api("POST", "/api/v1/namespaces/default/secrets", secret_object(name, namespace="default", cluster=fleet))
    plane.api("POST", hosts_path(), fleet_host_object(name, namespace="default", fleet=fleet, cluster=cluster))


def busiest_second(moments: Sequence[float]) -> int:
    """The most that came within one second."""
    ordered = sorted(moments)
    return max((bisect_right(ordered, moment + 1) - index for index, moment in enumerate(ordered)), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Seconds until Offerings said what was applied; `meanwhile` from the start of the operator, by when so many clusters had been `asked`."""

    edits: Sequence[float]
    creations: Sequence[float]
    meanwhile: float
    asked: int
    hosts: int

    def figures(self) -> Iterator[Figure]:
        yield Figure(what="from an edit to its Offering, p50", value=statistics.median(self.edits), unit="s")
        yield Figure(
            what="from an edit to its Offering, longest",
            value=max(self.edits),
            unit="s",
            goal=GOAL,
            remark=f"of {len(self.edits)} hosts, one after another",
        )
        yield Figure(
            what="from a new host to its first Offering, longest",
            value=max(self.creations),
            unit="s",
            goal=GOAL,
            remark=f"of {len(self.creations)}",
        )
        yield Figure(
            what="edited while there was no operator: from its start to the Offering",
            value=self.meanwhile,
            unit="s",
            remark=f"{self.asked} of {self.hosts} clusters were asked by then",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """Applies, and waits for what comes of it. `directory` is the fleet's."""

    plane: ControlPlane
    fleet: Fleet
    directory: Path
    offerings: Watched
    hosts: int

    async def follow(self, place: Workplace, operator: Operator) -> Followed:
        """Do all of that; the operator is ended, and so is the one that takes its place. Raises BenchmarkFailed."""
        step = max(1, self.hosts // EDITED)
        edits = [await self._edited(number, operator) for number in range(0, self.hosts, step)]
        creations = [await self._created(self.hosts + number, operator) for number in range(CREATED)]
        progress("  the operator ends, a host is edited, another operator starts")
        operator.end()
        await self._edit(1, units=2)
        asked = len(polls_of(self.directory))
        operator = place.operator(self.plane)
        said = await self._until(1, lambda seen: seen.available == 2, operator)
        asked = len(polls_of(self.directory)) - asked
        operator.end()
        return Followed(
            edits=edits,
            creations=creations,
            meanwhile=said - operator.started_at,
            asked=asked,
            hosts=self.hosts + CREATED,
        )

    async def _edit(self, number: int, *, units: int) -> None:
        tiers: list[dict[str, Any]] = [{**TIERS[0], "maxUnits": units}, *TIERS[1:]]
        body, merge = {"spec": {"tiers": tiers}}, "application/merge-patch+json"
        await asyncio.to_thread(self.plane.api, "PATCH", hosts_path(name_of(number)), body, content_type=merge)

    async def _edited(self, number: int, operator: Operator) -> float:
        began = time.monotonic()
        await self._edit(number, units=1)
        return await self._until(number, lambda seen: seen.available == 1, operator) - began

    async def _created(self, number: int, operator: Operator) -> float:
        """It sells the first cluster, too."""
        began = time.monotonic()
        await asyncio.to_thread(add_host, self.plane, self.fleet, number, cluster=0)
        return await self._until(number, lambda seen: seen.available is not None, operator) - began

    async def _until(self, number: int, says: Callable[[Seen], bool], operator: Operator) -> float:
        """The moment when the smallest Offering of a host says so."""
        name = f"default/{name_of(number)}-{SMALLEST}"
        await self.offerings.until(
            lambda watched: name in watched.versions and says(watched.versions[name][-1]),
            what=f"what was changed in Offering {name}",
            within=PATIENCE_SECONDS,
            check=operator.check,
        )
        return self.offerings.versions[name][-1].at
