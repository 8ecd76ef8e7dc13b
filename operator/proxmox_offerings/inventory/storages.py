"""Storages as seen: one place for each storage id on each node, with the bytes behind it, and how much of them is free."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from proxmox_offerings.inventory.backings import (
    NETWORK_PLUGINS,
    Place,
    backing_of,
    class_of,
    merged,
    same_bytes,
    same_cluster,
    tells_its_backing,
)
from proxmox_offerings.inventory.gathered import Configs, Fast, NodeReading, Remembered, Slow
from proxmox_offerings.inventory.snapshot import StoragePlace
from proxmox_offerings.proxmox.answers import GuestRow, NodeStorage, StorageConfig, StorageRow


def pairs_on_same_bytes(*, slow: Slow, remembered: Remembered) -> frozenset[tuple[str, str, str]]:
    """(node, storage, storage) on one file system, now or at any time since the storage definitions last changed."""
    configs = {config.storage: config for config in slow.storages}
    now = {
        pair for node, reading in slow.nodes.items() for pair in same_bytes(node=node, reading=reading, configs=configs)
    }
    return frozenset(now) | (remembered.same_bytes if remembered.definitions == slow.storages else frozenset())


def places_of(
    *, fast: Fast, slow: Slow, hidden: frozenset[str], pairs: Iterable[tuple[str, str, str]]
) -> tuple[StoragePlace, ...]:
    """Every storage on every node that lists it, by node and id."""
    configs = {config.storage: config for config in slow.storages}
    shared = {row.storage for row in fast.resources.storages if row.shared} | {
        config.storage for config in slow.storages if config.shared or config.plugin in NETWORK_PLUGINS
    }
    backings = _backings(fast.resources.storages, configs=configs, shared=shared, pairs=pairs)
    places = []
    for row in sorted(fast.resources.storages, key=lambda row: (row.node, row.storage)):
        reading = slow.nodes.get(row.node, NodeReading())
        config = configs.get(row.storage)
        seen = next((one for one in reading.storages or () if one.storage == row.storage), None)
        places.append(
            StoragePlace(
                storage=row.storage,
                node=row.node,
                plugin=row.plugin or (config.plugin if config else "unknown"),
                content=row.content,
                shared=row.storage in shared,
                unusable=_unusable(row, config=config, seen=seen, hidden=hidden),
                avail=_avail(row, seen=seen, then=reading.storage_used.get(row.storage)),
                total=seen.total if seen else None,
                backing=backings[row.node, row.storage],
                derived_class=class_of(config, shared=row.storage in shared, reading=slow.nodes.get(row.node))
                if config
                else "unknown",
            )
        )
    return tuple(places)


def provisioned_of(
    rows: Iterable[GuestRow], *, unread: Collection[str], configs: Configs, places: Iterable[StoragePlace]
) -> dict[str, int | None]:
    """Bytes configured on each backing by the guests, templates included, whose configurations were read; None where one that was not may
    have more.

    `unread` are the nodes of such guests, which may have volumes on any shared storage and on the local ones of their own node.
    """
    backings: dict[Place, str] = {}
    shared: dict[str, str] = {}
    local_of: dict[str, set[str]] = defaultdict(set)
    for place in places:
        backings[place.node, place.storage] = place.backing
        if place.shared:
            shared[place.storage] = place.backing
        else:
            local_of[place.node].add(place.backing)
    total = dict.fromkeys(backings.values(), 0)
    for row in rows:
        # Current and pending may both name a volume; the larger size is the one that it has, or will have.
        sizes: dict[str, int] = {}
        for config in configs[row.vmid] or ():
            for volid, size in (config.volume_sizes or {}).items():
                sizes[volid] = max(size or 0, sizes.get(volid, 0))
        for volid, size in sizes.items():
            storage = volid.partition(":")[0]
            # A node that may not use a shared storage any more can still have volumes there.
            backing = backings.get((row.node, storage)) or shared.get(storage)
            if backing is not None:
                total[backing] += size
    untold = set().union(*(local_of[node] for node in unread), shared.values() if unread else ())
    return {backing: None if backing in untold else size for backing, size in total.items()}


def _unusable(
    row: StorageRow, *, config: StorageConfig | None, seen: NodeStorage | None, hidden: frozenset[str]
) -> str | None:
    if row.storage in hidden or config is None:
        return "NotVisible"
    if config.disabled or (seen is not None and not seen.enabled):
        return "Disabled"
    if row.status != "available":
        return "Unknown"
    if seen is not None and not seen.active:
        return "Inactive"
    told = {row.plugin, config.plugin, seen.plugin if seen is not None else None} - {None}
    if len(told) > 1 or not tells_its_backing(config):
        return "Contradictory"
    return None


def _avail(row: StorageRow, *, seen: NodeStorage | None, then: int | None) -> int | None:
    """Free bytes now: what the slow loop read, less what was written since by the fast loop's account (capacity.md 4), and never more than is not
    used by that account alone, because the storage may have shrunk.

    None where either was not told: what was free minutes ago may be full now. A size of 0 is none: such a row does not know what is used either.
    """
    if seen is None or seen.avail is None or not seen.total or not row.maxdisk or row.disk is None or then is None:
        return None
    return max(0, min(seen.total, seen.avail - (row.disk - then), row.maxdisk - row.disk))


def _backings(
    rows: Iterable[StorageRow],
    *,
    configs: Mapping[str, StorageConfig],
    shared: set[str],
    pairs: Iterable[tuple[str, str, str]],
) -> dict[Place, str]:
    names: dict[Place, str] = {}
    node_of: dict[str, str] = {}
    for row in rows:
        config = configs.get(row.storage) or StorageConfig(storage=row.storage, plugin=row.plugin or "unknown")
        names[row.node, row.storage] = backing_of(config, node=row.node, shared=row.storage in shared)
        node_of.setdefault(row.storage, row.node)
    clusters = [
        ((node_of[first], first), (node_of[second], second))
        for first, second in same_cluster(configs.values())
        if first in node_of and second in node_of
    ]
    alike = [((node, first), (node, second)) for node, first, second in pairs]
    return merged(names, sorted((*clusters, *alike)))
