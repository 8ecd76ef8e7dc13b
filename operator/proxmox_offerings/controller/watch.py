"""kopf as informer and process lifecycle, and nothing else of it.

Only `on.event`, which writes nothing on the objects: no finalizer, no annotation (operator-practice 1.1). What a handler hears goes into LiveObjects;
what has to be done about it is the work queue's.
"""

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, cast

import kopf

from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.resources import GROUP, VERSION, Offering, ProxmoxHost


class EndlessBackoff:
    """Delays that kopf waits after failed calls: growing, in disorder, and without end. It would exit at the end of a finite list.

    Each iteration begins anew, for kopf iterates once for each call.
    """

    def __init__(self, *, first: float = 0.5, most: float = 30.0, rng: random.Random | None = None) -> None:
        self._first = first
        self._most = most
        self._random = rng or random.Random()  # noqa: S311 - delays, not secrets

    def __iter__(self) -> Iterator[float]:
        delay = self._first
        while True:
            yield delay * self._random.uniform(0.75, 1.0)
            delay = min(self._most, delay * 2)


class NoMemory(kopf.DiffBaseStorage):
    """kopf's memory of each object's last state, which only its change handlers need: we have none.

    Copying every object for it, at each event, is a third of all the time that writing a thousand Offerings takes (measured).
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of an object is worth keeping."""
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> None:
        """Nothing was kept."""

    def store(self, **_: Any) -> None:
        """Nothing is kept."""


def registry_of(
    *,
    client: KubeClient,
    live: LiveObjects,
    concerned: Callable[[Ref], None],
    startup: Callable[[], Awaitable[None]],
    cleanup: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """The handlers. `startup` ends before any watch begins; `cleanup` is called when all watches have ended."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def started(**_: Any) -> None:
        await startup()

    @kopf.on.cleanup(registry=registry)
    async def ended(**_: Any) -> None:
        await cleanup()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        await client.reload()
        return await connection_of(client)

    @kopf.on.event(GROUP, VERSION, ProxmoxHost.PLURAL, registry=registry)
    async def host_seen(event: Any, **_: Any) -> None:
        host = LiveObject.of(event["object"])
        if live.host_gone(host) if event["type"] == "DELETED" else live.saw_host(host):
            concerned(host.ref)

    @kopf.on.event(GROUP, VERSION, Offering.PLURAL, registry=registry)
    async def offering_seen(event: Any, **_: Any) -> None:
        offering = LiveObject.of(event["object"])
        for ref in live.offering_gone(offering) if event["type"] == "DELETED" else live.saw_offering(offering):
            concerned(ref)

    return registry


def settings_of() -> kopf.OperatorSettings:
    """kopf's settings: it watches what it is told to, posts nothing, and never gives up."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = NoMemory()
    settings.networking.error_backoffs = EndlessBackoff()
    settings.networking.connect_timeout = 5
    settings.process.ultimate_exiting_timeout = None  # a pod's grace period ends it anyway
    return settings


async def connection_of(client: KubeClient) -> kopf.ConnectionInfo:
    """Who and where we are, in kopf's words. Holds a secret."""
    configuration = client.configuration
    scheme, _, token = (await client.authorization() or "").partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme.capitalize() or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
    )


def scope_of(namespaces: Sequence[str]) -> dict[str, Any]:
    """Which namespaces kopf serves, as its arguments."""
    return {"namespaces": list(namespaces)} if namespaces else {"clusterwide": True}
