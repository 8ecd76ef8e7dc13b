"""kopf as informer and process lifecycle, and nothing else of it.

Only `on.event`, which writes nothing on the objects: no finalizer, no annotation (operator-practice 1.1). What a handler hears goes into LiveObjects;
what has to be done about it is the work queue's.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import kopf

from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.resources import GROUP, VERSION, Offering, ProxmoxHost


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
    connect: Callable[[], kopf.AiohttpSession],
    live: LiveObjects,
    concerned: Callable[[Ref], None],
    startup: Callable[[], Awaitable[None]],
    cleanup: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """The handlers. `connect` gives a session with the API server; `startup` ends before any watch begins; `cleanup` begins when all ended."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def started(**_: Any) -> None:
        await startup()

    @kopf.on.cleanup(registry=registry)
    async def ended(**_: Any) -> None:
        await cleanup()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return connect()

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
    """kopf's settings: it watches what it is told to, and posts nothing. Time-outs and repetitions are its session's."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = NoMemory()
    settings.networking.error_backoffs = ()
    settings.networking.request_timeout = None
    settings.watching.inactivity_timeout = math.inf
    settings.networking.connect_timeout = 5
    settings.process.ultimate_exiting_timeout = None  # a pod's grace period ends it anyway
    return settings


def scope_of(namespaces: Sequence[str]) -> dict[str, Any]:
    """Which namespaces kopf serves, as its arguments."""
    return {"namespaces": list(namespaces)} if namespaces else {"clusterwide": True}
