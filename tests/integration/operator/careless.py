"""The operator with the guard removed: a member whose time never ends. To show that the tests of sharing can fail.

`python careless.py NAMESPACE` beside KUBECONFIG; all else is as in `run --share-work`.
"""

import asyncio
import functools
import os
import sys
from ipaddress import ip_network

from proxmox_offerings.catalogue.plan import plan, unobserved
from proxmox_offerings.controller import logging
from proxmox_offerings.controller.config import Settings
from proxmox_offerings.controller.leader import Timing
from proxmox_offerings.controller.members import LABEL, NOTHING, Member, Settle
from proxmox_offerings.controller.metrics import Metrics
from proxmox_offerings.controller.operator import Operator
from proxmox_offerings.controller.ring import ALL
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.lease import Leases
from proxmox_offerings.observation.connect import open_observer
from proxmox_offerings.proxmox.addresses import AddressPolicy


class Careless(Member):
    """Neither looks nor renews any more as soon as it has a part of the work, and goes on."""

    async def _turn(self, settle: Settle) -> None:
        if self.share in (NOTHING, ALL):
            await super()._turn(settle)


async def main(namespace: str) -> int:
    settings = Settings(namespaces=(namespace,), health_address="127.0.0.1", health_port=0)
    logging.configure(log_format="json", log_level="info")
    metrics = Metrics()
    kubeconfig = os.environ["KUBECONFIG"]
    leases = Leases(
        await KubeClient.connect(kubeconfig=kubeconfig), namespace=namespace, label=LABEL, group="proxmox-offerings"
    )
    believes_for_ever = Timing(lease_duration=9, renew_deadline=1e9, retry_period=1)
    member = Careless(leases, group="proxmox-offerings", identity="careless", timing=believes_for_ever)
    addresses = AddressPolicy(allow=(ip_network("127.0.0.0/8"),), deny=())
    return await Operator(
        settings,
        client=await KubeClient.connect(kubeconfig=kubeconfig),
        candidate=member,
        metrics=metrics,
        open_observer=functools.partial(open_observer, addresses=addresses, on_call=metrics.api_call),
        make_plan=plan,
        unobserved=unobserved,
    ).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
