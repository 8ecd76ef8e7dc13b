"""GET /cluster/resources: the one answer that is large (5,000 guests: 1.8 MB), read each turn of the fast loop.

A guest that cannot be read makes the whole answer unusable, because leaving it out would sell its room. A node or storage whose numbers cannot
be read is kept without them, and is then not sold itself.
"""

from operator import attrgetter
from typing import Any

from proxmox_offerings.proxmox.answers import GuestKind, GuestRow, NodeRow, Resources, StorageRow
from proxmox_offerings.proxmox.parse.values import (
    LARGEST,
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

_UNKNOWN = "unknown"
_NOT_COUNTED = frozenset({"pool", "sdn", "network"})
"""Known row types that say nothing about capacity (proxmox-api.md 2.1)."""


def resources(data: object) -> Resources:
    """Rows by name. Raises Nonsense."""
    nodes, guests, storages, ignored = [], [], [], 0
    read_guest = _GuestReader()
    for row in rows(data):
        match row.get("type"):
            case "qemu":
                guests.append(read_guest(row, "qemu"))
            case "lxc":
                guests.append(read_guest(row, "lxc"))
            case "storage":
                storages.append(_storage(row))
            case "node":
                nodes.append(_node(row))
            case kind:
                if "vmid" in row or type(kind) is not str:
                    raise Nonsense("it lists something that may be a guest, of an unknown kind")
                ignored += kind not in _NOT_COUNTED
    each_once(node.name for node in nodes)
    each_once((guest.vmid, guest.node) for guest in guests)
    each_once((storage.node, storage.storage) for storage in storages)
    return Resources(
        nodes=tuple(sorted(nodes, key=attrgetter("name"))),
        guests=tuple(sorted(guests, key=attrgetter("vmid", "node"))),
        storages=tuple(sorted(storages, key=attrgetter("storage", "node"))),
        ignored=ignored,
    )


class _GuestReader:
    """Reads guest rows; most differ in few values, so the texts with lists in them are taken apart once."""

    def __init__(self) -> None:
        self._tags: dict[Any, tuple[str, ...]] = {None: ()}

    def __call__(self, row: Row, kind: GuestKind) -> GuestRow:
        get = row.get
        vmid, node, maxcpu, maxmem = get("vmid"), get("node"), get("maxcpu"), get("maxmem")
        # The usual types are tested in place: this runs for each guest of the cluster, each minute.
        if type(vmid) is not int or not 0 < vmid <= LARGEST:
            vmid = integer(row, "vmid")
            if not vmid:
                raise Nonsense("a guest has no vmid")
        if type(node) is not str or not node:
            node = required(row, "node")
        if type(maxcpu) is not int or not 0 <= maxcpu <= LARGEST:
            maxcpu = number(row, "maxcpu")
        if type(maxmem) is not int or not 0 <= maxmem <= LARGEST:
            maxmem = integer(row, "maxmem")
        template, raw = get("template"), get("tags")
        if template != 0 and not can_be_truth(template):
            raise Nonsense("template of a guest is neither set nor not set")
        if raw is not None and type(raw) is not str:
            raw = text(row, "tags")
        tags = self._tags.get(raw)
        if tags is None:
            tags = self._tags[raw] = tuple(sorted(set(words(raw))))
        return GuestRow(
            vmid=vmid,
            kind=kind,
            node=node,
            status=text(row, "status") or _UNKNOWN,
            name=text(row, "name"),
            template=truth(template),
            maxcpu=maxcpu,
            maxmem=maxmem,
            lock=text(row, "lock"),
            tags=tags,
            hastate=text(row, "hastate"),
        )


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
        content=frozenset(words(text(row, "content"))),
        shared=boolean(row, "shared"),
        maxdisk=maxdisk,
        disk=disk,
    )
