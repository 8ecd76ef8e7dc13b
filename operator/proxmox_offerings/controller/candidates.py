"""How this process takes part among others that could do the same work: alone, elected, or as a member that has a share."""

import aiohttp

from proxmox_offerings.controller.config import Settings
from proxmox_offerings.controller.leader import Elector, Timing, own_identity
from proxmox_offerings.controller.members import LABEL, Member
from proxmox_offerings.controller.metrics import Metrics
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.lease import Lease, Leases, pod_namespace


async def candidate_of(settings: Settings, metrics: Metrics) -> Elector | Member | None:
    """What takes part, with a connection of its own; None where this process always works on all hosts. Raises KubeError, ValueError."""
    if settings.leader_elect is False:
        return None
    timing = Timing(
        lease_duration=settings.leader_elect_lease_duration,
        renew_deadline=settings.leader_elect_renew_deadline,
        retry_period=settings.leader_elect_retry_period,
    )
    # Half of the deadline, so that one request which hangs does not cost the leadership.
    timeout = aiohttp.ClientTimeout(total=timing.renew_deadline / 2)
    client = await KubeClient.connect(kubeconfig=settings.kubeconfig, counted=metrics.kube_call, client_timeout=timeout)
    namespace = settings.leader_elect_namespace or (pod_namespace() if client.in_pod else None)
    if namespace is None:
        await client.aclose()
        if settings.leader_elect or settings.share_work:
            raise ValueError("outside of a pod say in which namespace the Lease is: --leader-elect-namespace")
        return None
    name = settings.leader_elect_name
    if settings.share_work:
        leases = Leases(client, namespace=namespace, label=LABEL, group=name)
        member = Member(leases, group=name, identity=own_identity(), timing=timing)
        metrics.watch_members(name, lambda: member.members)
        return member
    elector = Elector(Lease(client, namespace=namespace, name=name), identity=own_identity(), timing=timing)
    metrics.watch_leadership(name, lambda: elector.leading)
    return elector
