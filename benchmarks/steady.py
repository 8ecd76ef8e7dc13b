"""What is written to Kubernetes while nothing changes: freshness marks and nothing else, and those seldom.

The operator runs as a process of its own with the shortest times that the schema allows. A watch sees every version of every object; a version
that differs from the one before in its times alone is a freshness mark, any other is a write without need.
"""

import asyncio
import itertools
import time
from typing import Final

from benchmarks.figures import Figure, Goal, Result
from benchmarks.hosts import TIERS, host_object, secret_object
from benchmarks.watching import Watched, watching
from benchmarks.workplace import Workplace, progress
from proxmox_offerings.resources import API_VERSION, Offering, ProxmoxHost

HOSTS: Final = 4
REFRESH_SECONDS: Final = 15
VALIDITY_SECONDS: Final = 60
SETTLE_SECONDS: Final = VALIDITY_SECONDS // 2 + REFRESH_SECONDS
"""Each Offering's first mark comes early, so that those written together do not come due together for ever; they are left out."""
OBSERVED_SECONDS: Final = VALIDITY_SECONDS + 5
START_SECONDS: Final = 60


def most_marks(watched: Watched, *, since: float, window: float) -> int:
    """The most freshness marks of one object that lie closer together than `window`, written after `since`."""
    most = 0
    for versions in watched.versions.values():
        times = [seen.at for seen in versions if seen.at > since and not seen.changed]
        most = max([most, *(sum(first <= at < first + window for at in times) for first in times)])
    return most


def shortest(watched: Watched, *, since: float) -> float:
    """The shortest time between two freshness marks of one object."""
    gaps = []
    for versions in watched.versions.values():
        times = [seen.at for seen in versions if seen.at > since]
        gaps += [later - earlier for earlier, later in itertools.pairwise(times)]
    return min(gaps, default=float("inf"))


async def run(place: Workplace) -> Result:
    """Let an operator run while nothing happens."""
    clusters = place.clusters(nodes=4, guests=100, count=HOSTS)
    plane = place.control_plane()
    for number, cluster in enumerate(clusters):
        name = f"host-{number}"
        host = host_object(
            name,
            namespace="default",
            cluster=cluster,
            refresh_seconds=REFRESH_SECONDS,
            validity_seconds=VALIDITY_SECONDS,
        )
        plane.api(
            "POST", "/api/v1/namespaces/default/secrets", secret_object(name, namespace="default", cluster=cluster)
        )
        plane.api("POST", f"/apis/{API_VERSION}/namespaces/default/{ProxmoxHost.PLURAL}", host)
    async with watching(plane, Offering.PLURAL) as offerings, watching(plane, ProxmoxHost.PLURAL) as hosts:
        operator = place.operator(plane)
        count = HOSTS * len(TIERS)
        everything = f"{count} Offerings with a status"
        await offerings.until(
            lambda seen: len(seen.with_status) == count, what=everything, within=START_SECONDS, check=operator.check
        )
        progress(f"  {count} Offerings are there; now nothing happens for {SETTLE_SECONDS + OBSERVED_SECONDS} s")
        await asyncio.sleep(SETTLE_SECONDS)
        began, began_cpu = time.monotonic(), operator.cpu_seconds()
        await asyncio.sleep(OBSERVED_SECONDS)
        cpu = (operator.cpu_seconds() - began_cpu) / (time.monotonic() - began)
        operator.check()
        needless = sum(
            seen.changed
            for kind in (offerings, hosts)
            for all_ in kind.versions.values()
            for seen in all_
            if seen.at > began
        )
        marks = sum(seen.at > began for kind in (offerings, hosts) for all_ in kind.versions.values() for seen in all_)
        operator.end()
    half = VALIDITY_SECONDS / 2
    return Result(
        name="steady",
        setting=f"{HOSTS} hosts, {count} Offerings, refreshed every {REFRESH_SECONDS} s, valid {VALIDITY_SECONDS} s; watched {OBSERVED_SECONDS} s",
        figures=(
            Figure(what="writes that are not freshness marks", value=needless, goal=Goal(relation="=", value=0)),
            Figure(what="freshness marks", value=marks, remark=f"of {count + HOSTS} objects"),
            Figure(
                what=f"most marks of one object within {half:.0f} s",
                value=max(most_marks(kind, since=began, window=half - 1) for kind in (offerings, hosts)),
                goal=Goal(relation="<=", value=1),
                remark="half of the validity, less the second to which times are cut",
            ),
            Figure(
                what="shortest time between two",
                value=min(shortest(kind, since=began) for kind in (offerings, hosts)),
                unit="s",
            ),
            Figure(what="processor that this takes", value=cpu * 100, unit="% of a core"),
        ),
    )
