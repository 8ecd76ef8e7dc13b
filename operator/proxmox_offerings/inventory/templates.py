"""What guests can be installed from: guests marked as templates, container templates and import images, and on which nodes each can be
used.
"""

from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter

from proxmox_offerings.inventory.gathered import Configs, Remembered, Slow
from proxmox_offerings.inventory.snapshot import StoragePlace, Template
from proxmox_offerings.proxmox.answers import GuestRow

KIND_OF_CONTENT = {"vztmpl": "lxc", "import": "qemu"}


def templates_of(
    rows: Iterable[GuestRow],
    *,
    slow: Slow,
    configs: Configs,
    remembered: Remembered,
    places: Iterable[StoragePlace],
) -> tuple[Template, ...]:
    """All templates, those of guests by vmid first, then files by volume id. `rows`: guests that are templates, or lost their marks."""
    reach: dict[str, set[str]] = defaultdict(set)
    shared: set[str] = set()
    for place in places:
        if place.unusable is None:
            reach[place.storage].add(place.node)
            if place.shared:
                shared.add(place.storage)
    found = []
    for guest in sorted(rows, key=attrgetter("vmid")):
        # Only a row that lost its marks speaks for what was seen before: a number may have been given to another guest since.
        seen = remembered.sizes.get(guest.vmid) if guest.maxmem is None and not guest.template else guest
        if seen is not None and seen.template:
            found.append(_of_guest(seen, configs=configs, reach=reach, shared=shared))
    files: dict[tuple[str, str], set[str]] = defaultdict(set)
    for node, reading in slow.nodes.items():
        for storage, volumes in reading.volumes.items():
            for volume in volumes or ():
                if volume.content in KIND_OF_CONTENT:
                    files[volume.volid, volume.content].update(
                        reach[storage] if storage in shared else {node} & reach[storage]
                    )
    for (volid, content), nodes in sorted(files.items()):
        name = volid.rpartition("/")[2]
        found.append(
            Template(kind=KIND_OF_CONTENT[content], name=name, vmid=None, volid=volid, tags=(), nodes=frozenset(nodes))
        )
    return tuple(found)


def _of_guest(guest: GuestRow, *, configs: Configs, reach: dict[str, set[str]], shared: set[str]) -> Template:
    """A template can be cloned onto another node only if all of its disks lie on shared storage, and from no node that cannot use one of
    them now; where its disks are not known, on its own node alone.
    """
    read = configs.get(guest.vmid)
    on = {volid.partition(":")[0] for config in read or () for volid in config.volume_sizes or ()}
    nodes = set.intersection(*(reach[storage] for storage in on)) if on else {guest.node}
    if not on <= shared:
        nodes &= {guest.node}
    return Template(
        kind=guest.kind,
        name=guest.name or str(guest.vmid),
        vmid=guest.vmid,
        volid=None,
        tags=guest.tags,
        nodes=frozenset(nodes),
    )
