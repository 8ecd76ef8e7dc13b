"""Everything that is counted for one ProxmoxHost, once: what is said of it, and every explanation of it, come from here."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from proxmox_offerings.capacity.disks import Disks, DiskUse, Shelf, disks_for, shelves_of
from proxmox_offerings.capacity.failover import Housing, housing_of
from proxmox_offerings.capacity.fit import Fit, fit_of
from proxmox_offerings.capacity.rooms import Rooms, rooms_of
from proxmox_offerings.catalogue.derived import derived_tiers
from proxmox_offerings.catalogue.pricing import CardNames, Reckoning, reckon, reckon_derived
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.resources import OfferingSpec, ProxmoxHost, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Nodes, storages and tiers under the host's terms; `disks` for each use that a tier has, `fits` and `reckonings` in the order of `tiers`."""

    host: ProxmoxHost
    snapshot: Snapshot
    rooms: Rooms
    housing: Housing
    shelves: tuple[Shelf, ...]
    disks: Mapping[DiskUse, Disks]
    tiers: tuple[Tier, ...]
    fits: tuple[Fit, ...]
    reckonings: tuple[Reckoning, ...]


def count(*, host: ProxmoxHost, snapshot: Snapshot, existing: Iterable[OfferingSpec] = ()) -> Count:
    """Count what `snapshot` lets `host` sell. `existing` as in `plan`. Raises UncountableGuests."""
    existing = () if host.spec.tiers else tuple(existing)  # of written tiers nobody looks at them
    rooms = rooms_of(host.spec, snapshot)
    housing = housing_of(rooms, host.spec.allocation)
    shelves = shelves_of(host.spec, snapshot)
    tiers = tuple(host.spec.tiers or derived_tiers(rooms, existing=existing))
    disks = {use: disks_for(use, shelves) for use in {DiskUse.of(tier) for tier in tiers}}
    return Count(
        host=host,
        snapshot=snapshot,
        rooms=rooms,
        housing=housing,
        shelves=shelves,
        disks=disks,
        tiers=tiers,
        fits=tuple(fit_of(tier, rooms=rooms, housing=housing, disks=disks[DiskUse.of(tier)]) for tier in tiers),
        reckonings=_reckonings(host, snapshot, tiers, existing),
    )


def _reckonings(
    host: ProxmoxHost, snapshot: Snapshot, tiers: Iterable[Tier], existing: Iterable[OfferingSpec]
) -> tuple[Reckoning, ...]:
    """What is written is priced from what is written alone; only derived tiers are what the hardware is."""
    rules = host.spec.pricing
    if host.spec.tiers:
        return tuple(reckon(tier, rules) for tier in tiers)
    names = _card_names(snapshot)
    before = {spec.tier: spec.price for spec in existing}
    return tuple(reckon_derived(tier, rules, names=names, before=before.get(tier.name)) for tier in tiers)


def _card_names(snapshot: Snapshot) -> CardNames:
    names: dict[str, set[str]] = defaultdict(set)
    for node in snapshot.nodes.values():
        for card in node.cards or ():
            if card.name:
                names[card.model].add(card.name)
    return {model: frozenset(own) for model, own in names.items()}
