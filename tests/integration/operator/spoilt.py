"""`proxmox-offerings run` with a fault of its own: for hosts named in CRASHING it fails with the token in its hands. A program, for tests."""

import asyncio
import functools
import os
import sys
from collections.abc import Callable

from proxmox_offerings.catalogue.plan import plan, unobserved
from proxmox_offerings.cli.run import run
from proxmox_offerings.controller import logging
from proxmox_offerings.controller.config import Settings
from proxmox_offerings.controller.metrics import Metrics
from proxmox_offerings.controller.operator import Operator
from proxmox_offerings.controller.session import Observer
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.observation.connect import open_observer
from proxmox_offerings.proxmox.addresses import AddressPolicy
from proxmox_offerings.proxmox.token import Token
from proxmox_offerings.resources import ProxmoxHostSpec

CRASHING = "https://crash.example.net:8006"


def open_or_crash(
    addresses: AddressPolicy, *, spec: ProxmoxHostSpec, token: Token, on_news: Callable[[], None]
) -> Observer:
    authorization = token.authorization
    if CRASHING in spec.endpoints:
        raise RuntimeError(f"a fault of ours, with {len(authorization)} characters in a variable")
    return open_observer(spec=spec, token=token, on_news=on_news, addresses=addresses)


async def main(settings: Settings) -> int:
    logging.configure(log_format=settings.log_format, log_level=settings.log_level)
    operator = Operator(
        settings,
        client=await KubeClient.connect(kubeconfig=os.environ["KUBECONFIG"]),
        metrics=Metrics(),
        open_observer=functools.partial(
            open_or_crash, AddressPolicy(allow=settings.allow_endpoint_ranges, deny=settings.deny_endpoint_ranges)
        ),
        make_plan=plan,
        unobserved=unobserved,
    )
    return await operator.run()


if __name__ == "__main__":
    # As the command line reads them.
    chosen = run.make_context("run", sys.argv[1:], auto_envvar_prefix="PROXMOX_OFFERINGS").params
    ports = {name: None if chosen[name] < 0 else chosen[name] for name in ("health_port", "catalogue_port")}
    sys.exit(asyncio.run(main(Settings(**{**chosen, **ports}))))
