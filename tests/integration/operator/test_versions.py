"""Every write changes the version it was computed from, or nothing. The real API server has the word: all of it rests on its answers."""

from collections.abc import Awaitable, Callable

import pytest

from integration.operator.conftest import Start
from integration.operator.harness import Clusters, Kube, eventually
from integration.operator.test_publishing import ONE_NODE, SMALL, selling
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.kube.client import connected
from proxmox_offerings.kube.errors import Conflict, NotFound
from proxmox_offerings.kube.hosts import Hosts
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.kube.offerings import Offerings
from proxmox_offerings.resources import OfferingStatus, ProxmoxHostStatus, Stock
from support.cluster import ClusterFacts, cluster, guest, node, planned, tier

(PLANNED,) = planned(cluster(nodes=[node(threads=16)]), tier("small", cpu=2)).offerings
(CHANGED,) = planned(cluster(nodes=[node(threads=16)]), tier("small", cpu=4)).offerings
NOTHING = OfferingStatus(stock=Stock.UNKNOWN, message="not known")


async def test_a_writer_from_the_past_is_refused_whatever_it_writes(kube: Kube) -> None:
    kube.host("fra1", tiers=[SMALL])
    async with connected(kubeconfig=str(kube.cluster.kubeconfig)) as client:
        offerings, hosts = Offerings(client), Hosts(client)
        (host,), _ = await hosts.list(kube.namespace)
        ref = Ref(kube.namespace, "fra1-small")

        async def apply(before: LiveObject | None, planned: object = CHANGED) -> LiveObject:
            return await offerings.apply(ref, before=before, owner=host, labels={}, spec=planned.spec)

        async def refused(write: Callable[[], Awaitable[object]], error: type[Exception] = Conflict) -> None:
            versions = kube.versions()
            with pytest.raises(error):
                await write()
            assert kube.versions() == versions

        first = await apply(None, PLANNED)
        await refused(lambda: apply(None))
        second = await offerings.apply_status(first, NOTHING)
        await refused(lambda: apply(first))
        await refused(lambda: apply(first, PLANNED))
        await refused(lambda: offerings.apply_status(first, NOTHING))
        await refused(lambda: offerings.delete(first))
        third = await apply(second)
        assert (third.spec["cpu"], third.version > second.version > first.version) == (4, True)

        await offerings.delete(third)
        await refused(lambda: apply(third))
        await refused(lambda: offerings.apply_status(third, NOTHING), NotFound)
        await apply(None)
        await refused(lambda: apply(third))
        await refused(lambda: offerings.apply_status(third, NOTHING))

        await hosts.apply_status(host, ProxmoxHostStatus(observed_generation=1))
        await refused(lambda: hosts.apply_status(host, ProxmoxHostStatus(observed_generation=2)))


class Overtaken:
    """A cluster during whose reading somebody writes to our objects, once: the operator cannot have heard of it when it writes."""

    def __init__(self, kube: Kube, facts: ClusterFacts, *, written: str) -> None:
        self._kube = kube
        self._written = written
        self._facts = facts
        self.wrote = 0

    def snapshot(self) -> Snapshot:
        if not self.wrote:
            self._kube.kubectl("annotate", self._written, "--all", "note=hello")
            self.wrote += 1
        return self._facts.snapshot()


@pytest.mark.parametrize("written", ["offerings", "proxmoxhosts"])
def test_who_is_overtaken_tries_again_and_makes_no_noise(
    kube: Kube, clusters: Clusters, start: Start, capfd: pytest.CaptureFixture[str], written: str
) -> None:
    """A Conflict is nobody's failure: what there is to say is said once the newer version is known, and then no more is sent."""
    endpoint = selling(kube, clusters)
    operator = start()
    eventually(lambda: kube.reason("fra1") == "Observed")
    overtaken = Overtaken(kube, ONE_NODE.but(guests=(guest(100, "pve1", cpu=12, memory="1Gi"),)), written=written)
    clusters.seen[endpoint] = overtaken
    operator.news(endpoint)
    eventually(lambda: kube.stock("fra1-small") == ("LowStock", 2))
    eventually(lambda: kube.get_host("fra1")["status"]["offerings"]["outOfStock"] == 1)
    assert (overtaken.wrote, clusters.polls[endpoint]) == (1, 2)
    assert kube.reason("fra1") == "Observed"
    # Of a host that only got an annotation the watch may tell in time.
    assert (written == "offerings") <= operator.writes_refused() <= 6
    log = "".join(capfd.readouterr())
    assert "stock changed" in log
    assert "not ready" not in log
    assert "rror" not in log
