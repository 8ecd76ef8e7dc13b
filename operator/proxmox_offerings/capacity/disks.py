"""How many bytes each backing has for sale to a tier, and which nodes reach it. Rules: capacity.md 4."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from proxmox_offerings.inventory.snapshot import NodeState, Snapshot, StoragePlace
from proxmox_offerings.resources import (
    ProxmoxHostSpec,
    StorageAccounting,
    StorageClass,
    StorageRule,
    Tier,
    Virtualization,
)
from proxmox_offerings.resources.globs import glob_matches

CONTENT = {Virtualization.KVM: "images", Virtualization.LXC: "rootdir"}
UNREAD = "Unread"
"""The refusal of a storage that may hold something, but nobody read how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One storage id on one node under the seller's terms.

    `headroom`: bytes for sale, negative where the reserve is eaten into; None where it may hold something, but nobody read how much.
    `hidden` says in a word why it is not sold; None where it is. `promised`: bytes configured on its backing, where those count.
    """

    place: StoragePlace
    storage_class: str
    backing: str
    headroom: int | None
    hidden: str | None
    promised: int | None = None


class DiskUse(NamedTuple):
    """What decides which storages a tier may use; most tiers of a host have one in common."""

    virtualization: Virtualization
    storage_class: StorageClass | None

    @classmethod
    def of(cls, tier: Tier) -> "DiskUse":
        return cls(tier.virtualization, tier.storage_class)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disks:
    """What a tier may use: bytes by backing (negative where the reserve is eaten into), the backings that each node reaches, and the nodes
    whose storages nobody could read.

    What fewer nodes reach comes first: what many share stays for those that have nothing else, so that few disks have to change places.
    """

    headroom: Mapping[str, int]
    reach: Mapping[str, tuple[str, ...]]
    unread: frozenset[str]
    names: Mapping[str, tuple[str, ...]]
    classes: Mapping[str, tuple[str, ...]]


def shelves_of(spec: ProxmoxHostSpec, snapshot: Snapshot) -> tuple[Shelf, ...]:
    """All storages on all online nodes, judged by the host's selection, rules and reserve."""
    policy = spec.allocation.storage
    shelves = []
    for place in snapshot.storages:
        node = snapshot.nodes.get(place.node)
        if node is None or node.state is not NodeState.ONLINE:
            continue
        rule = next((rule for rule in spec.storage_rules if glob_matches(rule.match, place.storage)), None)
        shelves.append(
            Shelf(
                place=place,
                storage_class=_class(rule, place),
                backing=_backing(rule, place),
                headroom=_headroom(place, reserved_percent=policy.reserved_percent),
                hidden=_hidden(spec, place),
            )
        )
    return (
        _with_provisioned(spec, snapshot, shelves)
        if policy.accounting is StorageAccounting.PROVISIONED
        else tuple(shelves)
    )


def disks_for(use: DiskUse, shelves: Iterable[Shelf]) -> Disks:
    """What of the shelves may be used: right content, right class. A backing has the least that any of its ids shows."""
    headroom: dict[str, int] = {}
    reach: dict[str, set[str]] = defaultdict(set)
    names: dict[str, set[str]] = defaultdict(set)
    classes: dict[str, set[str]] = defaultdict(set)
    unread: set[str] = set()
    for shelf in shelves:
        refusal = refusal_of(use, shelf)
        if refusal == UNREAD:
            unread.add(shelf.place.node)
        if refusal is not None or shelf.headroom is None:
            continue
        headroom[shelf.backing] = min(shelf.headroom, headroom.get(shelf.backing, shelf.headroom))
        reach[shelf.place.node].add(shelf.backing)
        names[shelf.backing].add(shelf.place.storage)
        classes[shelf.backing].add(shelf.storage_class)
    nodes_of = Counter(backing for backings in reach.values() for backing in backings)
    return Disks(
        headroom=headroom,
        reach={
            node: tuple(sorted(backings, key=lambda backing: (nodes_of[backing], backing)))
            for node, backings in reach.items()
        },
        unread=frozenset(unread - reach.keys()),
        names={backing: tuple(sorted(own)) for backing, own in names.items()},
        classes={backing: tuple(sorted(own)) for backing, own in classes.items()},
    )


def refusal_of(use: DiskUse, shelf: Shelf) -> str | None:
    """Why units of such use cannot have their disks there, in a word; None where they can."""
    if shelf.hidden:
        return shelf.hidden
    if CONTENT[use.virtualization] not in shelf.place.content:
        return "OtherContent"
    if use.storage_class is not None and shelf.storage_class != use.storage_class:
        return "OtherClass"
    return UNREAD if shelf.headroom is None else None


def _class(rule: StorageRule | None, place: StoragePlace) -> str:
    return rule.class_ if rule is not None and rule.class_ is not None else place.derived_class


def _backing(rule: StorageRule | None, place: StoragePlace) -> str:
    if rule is None or not rule.backing:
        return place.backing
    return f"named:{rule.backing}" if place.shared else f"named:{rule.backing}@{place.node}"


def _headroom(place: StoragePlace, *, reserved_percent: int) -> int | None:
    if place.avail is None or place.total is None:
        return None
    return place.avail - disk_reserve(place.total, reserved_percent=reserved_percent)


def disk_reserve(total: int, *, reserved_percent: int) -> int:
    """Bytes of a storage that are never sold, rounded up."""
    return -(-total * reserved_percent // 100)


def _hidden(spec: ProxmoxHostSpec, place: StoragePlace) -> str | None:
    return place.unusable if spec.storages.matches(place.storage) else "NotSelected"


def _with_provisioned(spec: ProxmoxHostSpec, snapshot: Snapshot, shelves: Sequence[Shelf]) -> tuple[Shelf, ...]:
    """Configured sizes count too: never more than `percent` of the total may be promised on a backing."""
    percent = spec.allocation.storage.percent
    # Provisioned bytes are known by the backings that were seen; a backing named by hand joins several of those.
    seen: dict[str, set[str]] = defaultdict(set)
    for shelf in shelves:
        seen[shelf.backing].add(shelf.place.backing)
    promised = snapshot.provisioned
    result = []
    for shelf in shelves:
        told = [promised[backing] for backing in seen[shelf.backing]]
        known = [size for size in told if size is not None]
        headroom, on_backing, total = shelf.headroom, None, shelf.place.total
        if headroom is None or total is None or len(known) < len(told):
            headroom = None
        else:
            on_backing = sum(known)
            headroom = min(headroom, total * percent // 100 - on_backing)
        result.append(replace(shelf, headroom=headroom, promised=on_backing))
    return tuple(result)
