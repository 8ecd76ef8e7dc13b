"""What the catalogue page shows of what the informer knows: no visitor's request leads to one of ours."""

from collections.abc import Callable, Collection

from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.kube.objects import LiveObject
from proxmox_offerings.web.contents import Contents, Item


class Informed:
    """All ProxmoxHosts of `namespaces` (empty: of all) with the Offerings that they own; nothing before the first full list."""

    def __init__(self, live: LiveObjects, *, namespaces: Collection[str], listed: Callable[[], bool]) -> None:
        self._live = live
        self._namespaces = frozenset(namespaces)
        self._listed = listed

    def revision(self) -> int | None:
        """See web.contents.Source."""
        return self._live.revision if self._listed() else None

    def contents(self) -> Contents:
        """See web.contents.Source. What is being deleted is not offered any more."""
        hosts = [
            host
            for host in self._live.hosts().values()
            if not host.deleting and (not self._namespaces or host.ref.namespace in self._namespaces)
        ]
        offerings = (offering for host in hosts for offering in self._live.offerings_of(host).values())
        return Contents(
            hosts=tuple(map(_item, hosts)),
            offerings=tuple(_item(offering) for offering in offerings if not offering.deleting),
        )


def _item(live: LiveObject) -> Item:
    return Item(
        namespace=live.ref.namespace,
        name=live.ref.name,
        version=live.version,
        generation=live.generation,
        spec=live.spec,
        status=live.status,
    )
