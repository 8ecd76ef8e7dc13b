"""How much of a cluster one status names, so that it fits into what etcd takes of one object: 1.5 MiB (--max-request-bytes), with what the API server
keeps beside it (managedFields: nearly as much again for lists with keys).

Only what others make long has a bound: vnets, templates, storages by the thousand. The first by name are listed; nothing is counted from these lists.
"""

from collections.abc import Iterable
from typing import Final

from proxmox_offerings.catalogue.text import clean

MOST_NAMES: Final = 10_000
"""In all lists of one kind together: bridges of all nodes, nodes of all storages, nodes of all operating systems."""
MOST_STORAGES: Final = 500
MOST_PROFILES: Final = 1_000
"""Types of mediated devices, on all nodes together."""
MOST_SYSTEMS: Final = 500


def names(found: Iterable[str], *, lists: int = 1) -> tuple[str, ...]:
    """Names in order, printable; no more than there is room for in each of so many lists."""
    return tuple(map(clean, sorted(found)[: MOST_NAMES // lists]))
