"""What a ProxmoxHost's status tells about its cluster: enough to see with `kubectl describe` why an offering is what it is."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from proxmox_offerings.capacity.allocation import POINTS, Allocation
from proxmox_offerings.capacity.disks import Shelf
from proxmox_offerings.capacity.rooms import Room, Rooms
from proxmox_offerings.catalogue.bounds import MOST_PROFILES, MOST_STORAGES, names
from proxmox_offerings.catalogue.hardware import card_name
from proxmox_offerings.catalogue.text import clean
from proxmox_offerings.inventory.snapshot import Node, Profile, Snapshot
from proxmox_offerings.proxmox.errors import MissingPrivilege as Gap
from proxmox_offerings.resources import (
    MissingPrivilege,
    NodeCPU,
    NodeGPU,
    NodeGPUProfile,
    NodeMemory,
    NodeStatus,
    OfferingCounts,
    ProxmoxFacts,
    ProxmoxHostStatus,
    Quantity,
    Stock,
    StorageClass,
    StorageStatus,
    UnpricedTier,
)

MOST_MISSING = 100
LONGEST_REASON = 1024
MILLI_PER_POINT = 1000 // POINTS


def observed_of(
    *,
    snapshot: Snapshot,
    rooms: Rooms,
    shelves: Sequence[Shelf],
    stocks: Iterable[Stock],
    unpriced: Mapping[str, Sequence[str]],
) -> ProxmoxHostStatus:
    """The observed part of the status. `unpriced`: what keeps tiers from having a price, by name."""
    return ProxmoxHostStatus(
        proxmox=ProxmoxFacts(
            version=clean(snapshot.version),
            cluster_name=clean(snapshot.cluster_name) if snapshot.cluster_name else None,
            quorate=True,
            endpoint=snapshot.endpoint,
        ),
        nodes=tuple(_node(room, of=len(rooms.rooms)) for room in rooms.rooms.values()),
        storages=_storages(shelves),
        missing_privileges=missing_of(snapshot.missing_privileges),
        offerings=counts_of(stocks),
        unpriced=tuple(
            UnpricedTier(tier=tier, reason=clean("; ".join(reasons), most=LONGEST_REASON))
            for tier, reasons in unpriced.items()
        ),
    )


def missing_of(gaps: Iterable[Gap]) -> tuple[MissingPrivilege, ...]:
    """What the token lacks, each once, and so many that a person would read them: thousands of guests may each have a rule."""
    told = {(clean(gap.path), gap.privilege): gap.effect for gap in gaps}
    return tuple(
        MissingPrivilege(path=path, privilege=privilege, effect=effect)
        for (path, privilege), effect in islice(told.items(), MOST_MISSING)
    )


def counts_of(stocks: Iterable[Stock]) -> OfferingCounts:
    """How many Offerings there are, by stock."""
    by_stock = Counter(stocks)
    return OfferingCounts(
        total=by_stock.total(),
        in_stock=by_stock[Stock.IN_STOCK],
        low_stock=by_stock[Stock.LOW_STOCK],
        out_of_stock=by_stock[Stock.OUT_OF_STOCK],
        unknown=by_stock[Stock.UNKNOWN],
    )


def _node(room: Room, *, of: int) -> NodeStatus:
    """One of so many."""
    node = room.node
    return NodeStatus(
        name=node.name,
        status=node.state.value,
        cpu_model=node.cpu_model or None,
        sockets=node.sockets,
        cores=node.cores,
        threads=node.threads,
        memory=Quantity.of_bytes(node.memory) if node.memory is not None else None,
        excluded=room.left_out.value if room.left_out is not None else None,
        cpu=_cpu(room.cpu) if node.threads else None,
        memory_allocation=_memory(room.memory) if node.memory else None,
        bridges=None if node.bridges is None else names(node.bridges, lists=of),
        gpus=_gpus(node),
        gpu_profiles=_gpu_profiles(node)[: MOST_PROFILES // of],
    )


def _cpu(allocation: Allocation) -> NodeCPU:
    capacity, committed, headroom = (
        Quantity.of_milli(points * MILLI_PER_POINT)
        for points in (allocation.capacity, allocation.committed, allocation.headroom)
    )
    return NodeCPU(capacity=capacity, committed=committed, headroom=headroom)


def _memory(allocation: Allocation) -> NodeMemory:
    capacity, committed, headroom = map(
        Quantity.of_bytes, (allocation.capacity, allocation.committed, allocation.headroom)
    )
    return NodeMemory(capacity=capacity, committed=committed, headroom=headroom)


def _gpus(node: Node) -> tuple[NodeGPU, ...] | None:
    if node.cards is None:
        return None
    # By name, which is the list's key: several device ids may share one.
    sellable = Counter(card_name(card.name, card.model) for card in node.cards if card.unsellable is None)
    free = Counter(
        card_name(card.name, card.model) for card in node.cards if card.unsellable is None and not card.taken
    )
    return tuple(
        NodeGPU(model=name, total=sellable[name], free=None if node.cards_blind else free[name])
        for name in sorted({card_name(card.name, card.model) for card in node.cards})
    )


def _gpu_profiles(node: Node) -> tuple[NodeGPUProfile, ...]:
    return tuple(
        NodeGPUProfile(
            profile=clean(own[0].type),
            model=model,
            name=clean(own[0].name) if own[0].name else None,
            free=sum(profile.free for profile in own),
        )
        for (model, _), own in sorted(_by_card_name(node.profiles).items())
    )


def _by_card_name(profiles: Iterable[Profile]) -> Mapping[tuple[str, str], Sequence[Profile]]:
    """Several device ids may share a name, which is part of the list's key."""
    found: dict[tuple[str, str], list[Profile]] = defaultdict(list)
    for profile in profiles:
        found[card_name(profile.card, profile.model), profile.type].append(profile)
    return found


def _storages(shelves: Sequence[Shelf]) -> tuple[StorageStatus, ...]:
    rows: dict[tuple[str, str], list[Shelf]] = defaultdict(list)
    for shelf in shelves:
        if shelf.hidden != "NotSelected":
            rows[shelf.place.storage, shelf.storage_class].append(shelf)
    listed = sorted(rows.items())[:MOST_STORAGES]
    return tuple(_storage(own, of=len(listed)) for _, own in listed)


def _storage(shelves: Sequence[Shelf], *, of: int) -> StorageStatus:
    """One of so many."""
    place = shelves[0].place
    backings = sorted({shelf.backing for shelf in shelves})
    usable = [
        shelf for shelf in shelves if shelf.hidden is None and shelf.place.total and shelf.place.avail is not None
    ]
    total = available = None
    if usable:
        totals = [shelf.place.total or 0 for shelf in usable]
        free = [shelf.place.avail or 0 for shelf in usable]
        total, available = (min(totals), min(free)) if place.shared else (sum(totals), sum(free))
    return StorageStatus(
        name=clean(place.storage),
        class_=StorageClass(shelves[0].storage_class),
        shared=place.shared,
        backing=clean(backings[0]) if len(backings) == 1 else None,
        total=Quantity.of_bytes(total) if total is not None else None,
        available=Quantity.of_bytes(_coarse(available, total)) if available is not None and total is not None else None,
        nodes=names((shelf.place.node for shelf in shelves if shelf.hidden is None), lists=of),
    )


def _coarse(available: int, total: int) -> int:
    """Free bytes in steps of a hundredth of the total, rounded down: guests write all the time, and that alone should not rewrite the status."""
    step = max(1, total // 100)
    return available // step * step
