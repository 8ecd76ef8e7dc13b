"""GET /cluster/resources: the one answer that is large (5,000 guests: 1.8 MB), read each turn of the fast loop.

A guest that cannot be read makes the whole answer unusable, because leaving it out would sell its room. A node or storage whose numbers cannot
be read is kept without them, and is then not sold itself.
"""

import functools
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, TypeGuard

from msgspec import Struct
from msgspec.structs import force_setattr

from proxmox_offerings.proxmox.answers import (
    ContainerRow,
    GuestKind,
    GuestRow,
    MachineRow,
    NodeRow,
    Resources,
    StorageRow,
)
from proxmox_offerings.proxmox.decoding import UsualNode, UsualRow, UsualStorage
from proxmox_offerings.proxmox.parse.values import (
    Nonsense,
    Row,
    boolean,
    can_be_truth,
    each_once,
    integer,
    number,
    required,
    rows,
    text,
    truth,
    words,
)

MOST_NODES: Final = 1_000
"""Each is asked several things: so many names cost nothing to tell, and gigabytes to ask about. Proxmox VE's own clusters end at some dozens."""
MOST_GUESTS: Final = 100_000
MOST_STORAGES: Final = 100_000
"""Rows: one for each node that has the storage."""
_UNKNOWN = "unknown"
_NOT_COUNTED = frozenset({"pool", "sdn", "network"})
"""Known row types that say nothing about capacity (proxmox-api.md 2.1)."""


def resources(data: object, *, before: Resources | None = None) -> Resources:
    """Rows by name, from `data` as decoding.data_of gives it. Guests that are as they were `before` are the same objects. Raises Nonsense."""
    told: _Told = _usual(data) if _is_usual(data) else _unusual(data)
    guests = told.guests
    _no_more_than(MOST_NODES, "nodes", told.nodes)
    _no_more_than(MOST_GUESTS, "guests", guests)
    _no_more_than(MOST_STORAGES, "storages", told.storages)
    if len({guest.vmid for guest in guests}) < len(guests):
        each_once((guest.vmid, guest.node) for guest in guests)
        guests.sort(key=attrgetter("node"))
    guests.sort(key=attrgetter("vmid"))
    each_once(node.name for node in told.nodes)
    each_once((storage.node, storage.storage) for storage in told.storages)
    return Resources(
        nodes=tuple(sorted(told.nodes, key=attrgetter("name"))),
        guests=_kept(guests, before.guests if before is not None else ()),
        storages=tuple(sorted(told.storages, key=attrgetter("storage", "node"))),
        ignored=told.ignored,
    )


def _no_more_than(most: int, what: str, listed: Sequence[object]) -> None:
    if len(listed) > most:
        raise Nonsense(f"it lists more than {most:,} {what}")


class _Told:
    """Rows in the order of the answer."""

    def __init__(self) -> None:
        self.nodes: list[NodeRow] = []
        self.guests: list[GuestRow] = []
        self.storages: list[StorageRow] = []
        self.ignored = 0


def _kept(guests: Sequence[GuestRow], before: Sequence[GuestRow]) -> tuple[GuestRow, ...]:
    """The guests; those that have not changed as they are kept already, and of the others, what many have in common kept once."""
    known = {guest.vmid: guest for guest in before}
    share = _Sharing()
    return tuple([there if (there := known.get(guest.vmid)) == guest else share(guest) for guest in guests])


class _Sharing:
    """Keeps equal values of many rows once: half of the memory that rows take."""

    def __init__(self) -> None:
        self._once: dict[Any, Any] = {}

    def __call__(self, guest: GuestRow) -> GuestRow:
        once = self._once.setdefault
        force_setattr(guest, "node", once(guest.node, guest.node))
        force_setattr(guest, "status", once(guest.status, guest.status))
        force_setattr(guest, "maxmem", once(guest.maxmem, guest.maxmem))
        force_setattr(guest, "tag_text", once(guest.tag_text, guest.tag_text))
        return guest


def _is_usual(data: object) -> TypeGuard[list[UsualRow]]:
    return isinstance(data, list) and len(data) > 0 and isinstance(data[0], Struct)


def _usual(told_rows: Sequence[UsualRow]) -> _Told:
    told = _Told()
    guests = told.guests
    for row in told_rows:
        if isinstance(row, GuestRow):
            guests.append(row)
        elif isinstance(row, UsualStorage):
            told.storages.append(
                StorageRow(
                    storage=row.storage,
                    node=row.node,
                    status=row.status,
                    plugin=row.plugintype,
                    content=_content_of(row.content),
                    shared=bool(row.shared),
                    maxdisk=row.maxdisk,
                    disk=row.disk,
                )
            )
        elif isinstance(row, UsualNode):
            told.nodes.append(
                NodeRow(
                    name=row.node,
                    status=row.status,
                    maxcpu=row.maxcpu,
                    maxmem=row.maxmem,
                    uptime=row.uptime,
                    hastate=row.hastate,
                    host_arch=row.host_arch,
                )
            )
    return told


def _unusual(data: object) -> _Told:
    told = _Told()
    for row in rows(data):
        match row.get("type"):
            case "qemu" | "lxc" as kind:
                told.guests.append(_guest(row, kind))
            case "storage":
                told.storages.append(_storage(row))
            case "node":
                told.nodes.append(_node(row))
            case kind:
                if "vmid" in row or type(kind) is not str:
                    raise Nonsense("it lists something that may be a guest, of an unknown kind")
                told.ignored += kind not in _NOT_COUNTED
    return told


def _guest(row: Row, kind: GuestKind) -> GuestRow:
    vmid, template = integer(row, "vmid"), row.get("template")
    if not vmid:
        raise Nonsense("a guest has no vmid")
    if not can_be_truth(template):
        raise Nonsense("template of a guest is neither set nor not set")
    make = MachineRow if kind == "qemu" else ContainerRow
    return make(
        vmid=vmid,
        node=required(row, "node"),
        status=text(row, "status") or _UNKNOWN,
        name=text(row, "name"),
        template=truth(template),
        maxcpu=number(row, "maxcpu"),
        maxmem=integer(row, "maxmem"),
        lock=text(row, "lock"),
        tag_text=text(row, "tags"),
        hastate=text(row, "hastate"),
    )


@functools.lru_cache(maxsize=256)
def _content_of(value: str | None) -> frozenset[str]:
    return frozenset(words(value))


def _node(row: Row) -> NodeRow:
    name, status = required(row, "node"), text(row, "status") or _UNKNOWN
    hastate, host_arch = text(row, "hastate"), text(row, "host-arch")
    try:
        maxcpu, maxmem, uptime = integer(row, "maxcpu"), integer(row, "maxmem"), integer(row, "uptime")
    except Nonsense:
        maxcpu = maxmem = uptime = None
    return NodeRow(
        name=name, status=status, maxcpu=maxcpu, maxmem=maxmem, uptime=uptime, hastate=hastate, host_arch=host_arch
    )


def _storage(row: Row) -> StorageRow:
    storage, node, status = required(row, "storage"), required(row, "node"), text(row, "status") or _UNKNOWN
    try:
        maxdisk, disk = integer(row, "maxdisk"), integer(row, "disk")
    except Nonsense:
        maxdisk, disk, status = None, None, _UNKNOWN
    return StorageRow(
        storage=storage,
        node=node,
        status=status,
        plugin=text(row, "plugintype"),
        content=_content_of(text(row, "content")),
        shared=boolean(row, "shared"),
        maxdisk=maxdisk,
        disk=disk,
    )
