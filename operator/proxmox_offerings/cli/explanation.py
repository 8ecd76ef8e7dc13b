"""An Explanation in words and numbers, for a terminal. Amounts are rounded so that they never promise more: what is left is rounded
down, what would have to become free is rounded up.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

from proxmox_offerings.capacity.allocation import POINTS, Allocation
from proxmox_offerings.capacity.disks import CONTENT
from proxmox_offerings.catalogue.messages import NAMES, REASONS, TOO_SMALL, USED_UP
from proxmox_offerings.catalogue.text import clean, in_binary_units, listed
from proxmox_offerings.cli import prices

if TYPE_CHECKING:
    from proxmox_offerings.capacity.shortage import Shortage, Stranded
    from proxmox_offerings.catalogue.explain import (
        DiskAccount,
        Explanation,
        NodeAccount,
        StorageAccount,
        TierAccount,
    )

LONGEST_LINE = 1000
STORAGE_WORDS = {
    "NotSelected": "not selected by spec.storages",
    "NotVisible": "the token is not shown it",
    "Disabled": "disabled",
    "Unknown": "its state is not known",
    "Inactive": "not active",
    "Contradictory": "its definition is incomplete, or told in different ways",
    "OtherClass": "of another class",
    "Unread": "nobody could read how much of it is free",
}
CARD_WORDS = {
    "NoIommu": "without IOMMU group",
    "SharedIommuGroup": "sharing the IOMMU group with other devices",
    "VirtualFunctions": "with virtual functions switched on",
    "Contradictory": "told twice, differently",
}
NOT_SELECTED = "is not selected"


class Line(NamedTuple):
    """`head` names what the text is about; the heads of one block are one column."""

    head: str
    text: str


def render(explanation: "Explanation") -> str:
    """All of it: nodes, storages, then each tier."""
    sections = [
        f"{clean(explanation.host)}: how these figures came about",
        "Nodes: (total - reserved) x percent is the capacity; committed is what guests are configured with, running or not\n"
        + _block(line for node in explanation.nodes for line in _node(node)),
        "Storages: what is free, less what is kept back\n"
        + _block(
            Line(_place(one.storage, one.nodes, shared=one.shared), _storage(one)) for one in explanation.storages
        ),
        *(_tier(tier, explanation) for tier in explanation.tiers),
    ]
    return "\n\n".join(sections)


def size(amount: int, *, up: bool = False) -> str:
    """Bytes in the largest binary unit, with at most two decimals, rounded towards less (`up`: towards more)."""
    sign = "-" if amount < 0 else ""
    value, unit = in_binary_units(abs(amount))
    away = up != bool(sign)
    whole, rest = divmod(ceil(value * 100) if away else floor(value * 100), 100)
    return f"{sign}{whole}{f'.{rest:02}'.rstrip('0') if rest else ''} {unit}"


def vcpus(points: int) -> str:
    """Points as vCPUs, exact."""
    whole, rest = divmod(abs(points), POINTS)
    text = f"{'-' if points < 0 else ''}{whole}{f'.{rest:02}'.rstrip('0') if rest else ''}"
    return f"{text} vCPU{'' if abs(points) == POINTS else 's'}"


def _block(lines: Iterator[Line] | Sequence[Line]) -> str:
    cleaned = [Line(clean(line.head), clean(line.text, most=LONGEST_LINE)) for line in lines]
    width = max((len(line.head) for line in cleaned), default=0)
    return "\n".join(f"  {line.head.ljust(width)}  {line.text}" for line in cleaned) if cleaned else "  none"


def _node(node: "NodeAccount") -> Iterator[Line]:
    if node.left_out is not None:
        yield Line(node.name, f"left out: {REASONS.get(node.left_out, NOT_SELECTED)}")
        return
    who = [_many(node.guests, "guest")] if node.guests else []
    who += [f"{node.arriving} that may be on the way here"] if node.arriving else []
    by = f" by {listed(who)}" if who else ""
    overhead = node.guest_overhead > 0 and node.memory.committed > 0
    reserved = f"({_many(node.cpu_total, node.cpu_unit)} - {node.cpu_reserved})"
    yield Line(
        node.name,
        f"CPU: {reserved} x {node.cpu_percent} % = {vcpus(node.cpu.capacity)}; {vcpus(node.cpu.committed)} committed{by}"
        + (f"; {vcpus(node.cpu_returning)} for guests of dead nodes" if node.cpu_returning else "")
        + _left(vcpus(_headroom(node.cpu, node.cpu_returning)), short=_headroom(node.cpu, node.cpu_returning) < 0),
    )
    yield Line(
        "",
        f"memory: ({size(node.memory_total)} - {size(node.memory_reserved, up=True)}) x {node.memory_percent} % = "
        f"{size(node.memory.capacity)}; {size(node.memory.committed, up=True)} committed{by}"
        + (f" (with {size(node.guest_overhead, up=True)} beside each virtual machine)" if overhead else "")
        + (f"; {size(node.memory_returning, up=True)} for guests of dead nodes" if node.memory_returning else "")
        + _left(
            size(_headroom(node.memory, node.memory_returning)),
            short=_headroom(node.memory, node.memory_returning) < 0,
        ),
    )
    if node.cards is None:
        yield Line("", "GPUs: could not be read")
    for card in node.cards or ():
        free = f"{card.free} free" if card.free is not None else f"which are free is not known ({node.cards_blind})"
        unsellable = [f"{count} {CARD_WORDS.get(word, word)}" for word, count in sorted(card.unsellable.items())]
        parts = [f"{card.sellable} for sale, {free}"] if card.sellable else []
        yield Line("", f"GPUs: {card.name}: {'; '.join([*parts, *(f'not for sale: {one}' for one in unsellable)])}")


def _headroom(allocation: Allocation, returning: int) -> int:
    return allocation.headroom - returning


def _left(amount: str, *, short: bool) -> str:
    return f"; {amount} left" + (" (committed beyond these terms)" if short else "")


def _storage(one: "StorageAccount") -> str:
    if one.hidden is not None:
        return f"not sold: {STORAGE_WORDS.get(one.hidden, one.hidden)}"
    if one.total is None or one.avail is None:
        return f"not sold: {STORAGE_WORDS['Unread']}"
    parts = [
        f"{one.storage_class}: {size(one.total)}, {size(one.avail)} free, {size(one.reserved or 0, up=True)} kept back"
    ]
    if one.promised is not None:
        parts.append(f"{size(one.promised, up=True)} promised to volumes")
    if one.headroom is None:
        parts.append("not sold: the sizes of some volumes could not be read")
    else:
        parts.append(f"{size(max(0, one.headroom))} for sale")
    if one.same_bytes:
        parts.append(f"the same bytes as {listed(list(one.same_bytes))}")
    return "; ".join(parts)


def _tier(tier: "TierAccount", explanation: "Explanation") -> str:
    lines: list[Line] = [Line("a unit", _unit(tier))]
    price = prices.in_words(tier.reckoning)
    lines += [Line("price", price)] if price is not None else []
    for node in tier.nodes:
        rooms = [f"{node.memory} by memory", f"{node.cpu} by CPU"]
        if node.gpu is not None:
            rooms.append(f"{node.gpu} by GPUs")
        used_up = f"; {USED_UP[node.limiting]}" if node.limiting in USED_UP else ""
        lines.append(Line(node.name, f"room for {listed(rooms)}: {node.placed} placed{used_up}"))
    lines += [Line(name, TOO_SMALL[resource]) for name, resource in tier.unfit.items()]
    lines += [Line(name, f"left out: {REASONS.get(word, NOT_SELECTED)}") for name, word in tier.left_out.items()]
    lines += [Line(name, f"cannot be judged: {REASONS.get(word, word)}") for name, word in tier.blind.items()]
    lines += [Line("disk", _disk(disk)) for disk in tier.disks]
    content = CONTENT[tier.tier.virtualization]
    lines += [
        Line(
            "disk", f"{_place(one.storage, one.nodes, shared=one.shared)} is not used: {_refusal(one.reason, content)}"
        )
        for one in tier.refused
    ]
    if explanation.failover_nodes:
        lines.append(Line("failover", _failover(tier, explanation.failover_nodes)))
    lines.append(Line("one more", _one_more(tier, explanation)))
    lines += [Line("stranded", _stranded(one, tier)) for one in tier.stranded]
    return f"{clean(tier.tier.name)}: {_available(tier)}\n{_block(lines)}"


def _available(tier: "TierAccount") -> str:
    if tier.available is None:
        return "nobody can tell how many fit"
    fits = f"{tier.available} {'fits' if tier.available == 1 else 'fit'}" if tier.available else "none fits"
    return f"{fits}; {tier.limit}" if tier.limit else fits


def _unit(tier: "TierAccount") -> str:
    wanted = tier.tier
    own, all_of_it = wanted.memory.bytes, tier.memory_with_overhead
    overhead = f" and {size(all_of_it - own, up=True)} beside it" if all_of_it > own else ""
    parts = [
        f"{wanted.cpu} {'dedicated ' if wanted.dedicated_cpu else ''}vCPU{'' if wanted.cpu == 1 else 's'}",
        f"{size(own)} of memory{overhead}",
        f"{size(wanted.disk.bytes)} of disk",
    ]
    if wanted.gpu is not None:
        parts.append(_many(wanted.gpu.count, "GPU"))
    return ", ".join(parts)


def _disk(disk: "DiskAccount") -> str:
    same = f" ({_many(len(disk.storages), 'id')} on the same bytes, counted once)" if len(disk.storages) > 1 else ""
    place = _place(listed(list(disk.storages)), disk.nodes, shared=disk.shared)
    holds = f"{size(max(0, disk.headroom))} for sale, enough for {disk.holds}"
    return f"{place}: {holds}{same}; {disk.used} placed"


def _refusal(word: str, content: str) -> str:
    return f"it does not take {content}" if word == "OtherContent" else STORAGE_WORDS.get(word, word)


def _failover(tier: "TierAccount", nodes: int) -> str:
    may = "any one node may go down" if nodes == 1 else f"any {nodes} nodes may go down together"
    if tier.kept is None:
        return may
    if not tier.kept.down:
        return f"{may}, and then {_no_room(tier.homeless)}"
    down = listed([clean(name) for name in tier.kept.down])
    guests = "its guests" if len(tier.kept.down) == 1 else "their guests"
    return f"{may}; with {down} down and {guests} on the others, {tier.kept.units} of {tier.fitting} fit"


def _no_room(guest: int | None) -> str:
    return f"guest {guest} would find no room" if guest else "no node would be left"


def _one_more(tier: "TierAccount", explanation: "Explanation") -> str:
    if tier.shortage is not None:
        return _shortage(tier.shortage, tier, explanation)
    if tier.tier.max_units is not None and tier.available == tier.tier.max_units:
        return f"maxUnits allows no more than {tier.tier.max_units}"
    if tier.homeless:
        return f"takes room for guest {tier.homeless} on another node"
    if tier.available is None:
        return "cannot be said before somebody can read what is missing"
    if not tier.nodes:
        return "takes a node that can carry one"
    return (
        "no single place was found that would make room for it: several sets of nodes that may go down decide"
        if explanation.failover_nodes
        else "would not fit if something became free in one place alone"
    )


def _shortage(one: "Shortage", tier: "TierAccount", explanation: "Explanation") -> str:
    on_node = []
    if one.memory:
        on_node.append(f"{size(one.memory, up=True)} of memory")
    if one.cpu:
        on_node.append(vcpus(one.cpu))
    if one.cards:
        on_node.append(f"{_many(one.cards, 'GPU')} ({_card_name(one.model, explanation)})")
    parts = [f"{listed(on_node)} on {one.node}"] if on_node else []
    if one.backing is not None:
        disk = next(disk for disk in tier.disks if disk.backing == one.backing)
        place = _place(listed(list(disk.storages)), disk.nodes, shared=disk.shared)
        parts.append(f"{size(one.disk, up=True)} of disk on {place}")
    note = (
        f"; the guests of {one.node} do not have as much: it takes a larger node, or other terms" if one.beyond else ""
    )
    return f"would fit with {listed(parts)} more free{note}"


def _card_name(key: str | None, explanation: "Explanation") -> str:
    """The name of a model, or of a profile of one."""
    model, _, profile = str(key).partition("/")
    cards = (card for node in explanation.nodes for card in node.cards or ())
    name = next((card.name for card in cards if model in card.models), model)
    return f"{profile} of {name}" if profile else name


def _stranded(one: "Stranded", tier: "TierAccount") -> str:
    storages: Mapping[str, str] = {disk.backing: listed(list(disk.storages)) for disk in tier.disks}
    amounts = []
    if one.memory:
        amounts.append(f"{size(one.memory)} of memory")
    if one.cpu:
        amounts.append(vcpus(one.cpu))
    if one.cards:
        amounts.append(_many(one.cards, "GPU"))
    amounts += [f"{size(left)} of disk on {storages[backing]}" for backing, left in one.disk.items()]
    lack = listed([NAMES[resource] for resource in one.lack]).replace(" and ", " or ")
    return f"{listed(list(one.nodes))}: {listed(amounts)}, but no {lack}"


def _place(storage: str, nodes: Sequence[str], *, shared: bool) -> str:
    return f"{storage} on {listed(list(nodes))}" + (" (shared)" if shared else "")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
