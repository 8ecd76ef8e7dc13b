"""How each figure came about: what was counted, told in full. Values only, no sentences; those are `cli.explanation`'s business.

Nothing is counted here: every value is the one that made the number, or follows from the same layout (`capacity.shortage`).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxmox_offerings.capacity.allocation import Allocation, memory_reserve
from proxmox_offerings.capacity.disks import DiskUse, Shelf, disk_reserve, refusal_of
from proxmox_offerings.capacity.fit import Fit, Kept, Need
from proxmox_offerings.capacity.rooms import Room
from proxmox_offerings.capacity.shortage import Shortage, Stranded, shortage_of, stranded_of
from proxmox_offerings.catalogue.count import Count
from proxmox_offerings.catalogue.hardware import card_name
from proxmox_offerings.catalogue.messages import runs_out
from proxmox_offerings.catalogue.pricing import Reckoning
from proxmox_offerings.resources import CPUUnit, LimitingResource, ProxmoxHostSpec, Quantity, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAccount:
    """The cards of one name on a node, of one or more `models` ("10de:20b5"); `unsellable` counts some by the word that says why."""

    name: str
    models: frozenset[str]
    sellable: int
    free: int | None
    unsellable: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAccount:
    """One node: (total - reserved) x percent = capacity, less what is committed.

    CPU in threads or cores (`cpu_unit`) and points, memory in bytes. `guests` are its own, `arriving` may be on their way to it; both are
    committed. `returning` is what HA guests of dead nodes take of it in addition.
    """

    name: str
    left_out: str | None
    guests: int
    arriving: int
    cpu_unit: str
    cpu_total: int
    cpu_reserved: Quantity
    cpu_percent: int
    cpu: Allocation
    cpu_returning: int
    memory_total: int
    memory_reserved: int
    memory_percent: int
    memory: Allocation
    memory_returning: int
    guest_overhead: int
    cards: tuple[CardAccount, ...] | None
    cards_blind: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccount:
    """One storage id on one node, or a shared one on all of its nodes: bytes, with the least that any of them shows.

    `hidden` says in a word why it is not sold at all. `promised`: bytes configured on its backing, where those count. `same_bytes`: other
    ids on the same backing.
    """

    storage: str
    nodes: tuple[str, ...]
    shared: bool
    storage_class: str
    same_bytes: tuple[str, ...]
    total: int | None
    avail: int | None
    reserved: int | None
    promised: int | None
    headroom: int | None
    hidden: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskAccount:
    """What one backing has for a tier: it `holds` so many units, `used` by the placement. `storages` draw on the same bytes."""

    backing: str
    storages: tuple[str, ...]
    nodes: tuple[str, ...]
    shared: bool
    headroom: int
    holds: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedStorage:
    """A storage that is sold, only not to this tier; `reason` in a word."""

    storage: str
    nodes: tuple[str, ...]
    shared: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsAccount:
    """How many units each resource of a node allows by itself (`gpu` None: the tier needs none), and how many were placed."""

    name: str
    cpu: int
    memory: int
    gpu: int | None
    placed: int
    limiting: LimitingResource | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierAccount:
    """How one tier's number came about. `unfit` nodes have too little of something even if they were empty.

    `limit` says in words what keeps the number from being larger; `reckoning` is how its price came about.
    `shortage` None: nothing that could become free in one place would make room for one more.
    """

    tier: Tier
    reckoning: Reckoning
    memory_with_overhead: int
    available: int | None
    limiting: LimitingResource | None
    limit: str | None
    fitting: int
    kept: Kept | None
    homeless: int | None
    nodes: tuple[UnitsAccount, ...]
    unfit: Mapping[str, LimitingResource]
    left_out: Mapping[str, str]
    blind: Mapping[str, str]
    disks: tuple[DiskAccount, ...]
    refused: tuple[RefusedStorage, ...]
    shortage: Shortage | None
    stranded: tuple[Stranded, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A host's nodes and storages as counted, and each of its tiers."""

    host: str
    failover_nodes: int
    nodes: tuple[NodeAccount, ...]
    storages: tuple[StorageAccount, ...]
    tiers: tuple[TierAccount, ...]


def explain(counted: Count) -> Explanation:
    """How each figure of a count came about."""
    spec = counted.host.spec
    return Explanation(
        host=counted.host.metadata.name,
        failover_nodes=spec.allocation.failover_nodes,
        nodes=tuple(
            _node(room, counted.housing.now.get(name, room), guests=len(counted.rooms.guests.get(name, ())), spec=spec)
            for name, room in counted.rooms.rooms.items()
        ),
        storages=_storages(counted.shelves, reserved_percent=spec.allocation.storage.reserved_percent),
        tiers=tuple(
            _tier(tier, fit, reckoning, counted=counted)
            for tier, fit, reckoning in zip(counted.tiers, counted.fits, counted.reckonings, strict=True)
        ),
    )


def _node(room: Room, now: Room, *, guests: int, spec: ProxmoxHostSpec) -> NodeAccount:
    """`now` is the room with the guests that return to it."""
    cpu_policy, memory_policy = spec.allocation.cpu_for(room.name), spec.allocation.memory_for(room.name)
    counts_cores = cpu_policy.unit is CPUUnit.CORE and room.unit_total == room.node.cores
    total = room.node.memory or 0
    return NodeAccount(
        name=room.name,
        left_out=room.left_out,
        guests=guests,
        arriving=room.arriving,
        cpu_unit="core" if counts_cores else "thread",
        cpu_total=room.unit_total,
        cpu_reserved=cpu_policy.reserved,
        cpu_percent=room.percent,
        cpu=room.cpu,
        cpu_returning=now.cpu.committed - room.cpu.committed,
        memory_total=total,
        memory_reserved=memory_reserve(
            total=total, reserved=memory_policy.reserved.bytes, reserved_percent=memory_policy.reserved_percent
        ),
        memory_percent=memory_policy.percent,
        memory=room.memory,
        memory_returning=now.memory.committed - room.memory.committed,
        guest_overhead=room.overhead,
        cards=_cards(room, now),
        cards_blind=room.node.cards_blind,
    )


def _cards(room: Room, now: Room) -> tuple[CardAccount, ...] | None:
    node = room.node
    if node.cards is None:
        return None
    models: dict[str, set[str]] = defaultdict(set)
    sellable: Counter[str] = Counter()
    unsellable: dict[str, Counter[str]] = defaultdict(Counter)
    for card in node.cards:
        name = card_name(card.name, card.model)
        models[name].add(card.model)
        if card.unsellable is None:
            sellable[name] += 1
        else:
            unsellable[name][card.unsellable] += 1
    return tuple(
        CardAccount(
            name=name,
            models=frozenset(own),
            sellable=sellable[name],
            free=None if node.cards_blind else sum(now.free_cards.get(model, 0) for model in own),
            unsellable=unsellable[name],
        )
        for name, own in sorted(models.items())
    )


def _storages(shelves: Sequence[Shelf], *, reserved_percent: int) -> tuple[StorageAccount, ...]:
    rows: dict[tuple[str, str, str | None], list[Shelf]] = defaultdict(list)
    ids: dict[str, set[str]] = defaultdict(set)
    for shelf in shelves:
        where = "" if shelf.place.shared else shelf.place.node
        rows[where, shelf.place.storage, shelf.hidden].append(shelf)
        ids[shelf.backing].add(shelf.place.storage)
    return tuple(_storage(own, ids=ids, reserved_percent=reserved_percent) for own in rows.values())


def _storage(shelves: Sequence[Shelf], *, ids: Mapping[str, set[str]], reserved_percent: int) -> StorageAccount:
    least = min(shelves, key=lambda shelf: (shelf.headroom is not None, shelf.headroom or 0))
    total = least.place.total
    return StorageAccount(
        storage=least.place.storage,
        nodes=tuple(sorted(shelf.place.node for shelf in shelves)),
        shared=least.place.shared,
        storage_class=least.storage_class,
        same_bytes=tuple(sorted(ids[least.backing] - {least.place.storage})),
        total=total,
        avail=least.place.avail,
        reserved=None if total is None else disk_reserve(total, reserved_percent=reserved_percent),
        promised=least.promised,
        headroom=least.headroom,
        hidden=least.hidden,
    )


def _tier(tier: Tier, fit: Fit, reckoning: Reckoning, *, counted: Count) -> TierAccount:
    policy, now = counted.host.spec.allocation, counted.housing.now
    need = Need.of(tier)
    capped = tier.max_units is not None and fit.available == tier.max_units
    units = fit.layout.case.units if fit.layout is not None else {}
    return TierAccount(
        tier=tier,
        reckoning=reckoning,
        memory_with_overhead=max((need.memory_on(now[name]) for name in units), default=need.memory),
        available=fit.available,
        limiting=fit.limiting,
        limit=runs_out(fit) if fit.available else None,
        fitting=fit.fitting,
        kept=fit.kept,
        homeless=fit.homeless,
        nodes=tuple(
            UnitsAccount(
                name=node.name,
                cpu=units[node.name][2],
                memory=units[node.name][1],
                gpu=units[node.name][0] if tier.gpu is not None else None,
                placed=node.available,
                limiting=node.limiting,
            )
            for node in fit.nodes
            if node.name in units and node.name in fit.carriers
        ),
        unfit=fit.unfit,
        left_out=fit.left_out,
        blind=fit.blind,
        disks=_disks(fit, need=need, shelves=counted.shelves),
        refused=_refused(DiskUse.of(tier), counted.shelves),
        shortage=None
        if capped
        else shortage_of(tier, fit, rooms=counted.rooms, housing=counted.housing, policy=policy),
        stranded=stranded_of(tier, fit, rooms=now),
    )


def _disks(fit: Fit, *, need: Need, shelves: Sequence[Shelf]) -> tuple[DiskAccount, ...]:
    if fit.layout is None:
        return ()
    shared = {shelf.backing for shelf in shelves if shelf.place.shared}
    users: dict[str, list[str]] = defaultdict(list)
    for name in fit.carriers:
        for backing in fit.disks.reach.get(name, ()):
            users[backing].append(name)
    return tuple(
        DiskAccount(
            backing=backing,
            storages=fit.disks.names[backing],
            nodes=tuple(nodes),
            shared=backing in shared,
            headroom=fit.disks.headroom[backing],
            holds=max(0, fit.disks.headroom[backing]) // need.disk,
            used=sum(fit.layout.flow.on[backing].values()),
        )
        for backing, nodes in sorted(users.items(), key=lambda one: (one[0] in shared, one[1], one[0]))
    )


def _refused(use: DiskUse, shelves: Sequence[Shelf]) -> tuple[RefusedStorage, ...]:
    refused: dict[tuple[str, bool, str], list[str]] = defaultdict(list)
    for shelf in shelves:
        reason = refusal_of(use, shelf)
        if reason is not None and shelf.hidden is None:
            refused[shelf.place.storage, shelf.place.shared, reason].append(shelf.place.node)
    return tuple(
        RefusedStorage(storage=storage, nodes=tuple(sorted(nodes)), shared=shared, reason=reason)
        for (storage, shared, reason), nodes in sorted(refused.items())
    )
