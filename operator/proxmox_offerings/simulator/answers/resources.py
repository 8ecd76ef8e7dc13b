"""GET /cluster/resources, GET /nodes: the cluster from the cache of the entry node (proxmox-api.md 2.1).

Thousands of guests are asked for again and again, so each guest's row is rendered once for each change of it, in several orders of keys; a call only
puts the rows into a new order and sets the uptimes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from proxmox_offerings.simulator import readings
from proxmox_offerings.simulator.answers.ha import node_states
from proxmox_offerings.simulator.cluster import Cluster, Guest, Mount, Node, Storage
from proxmox_offerings.simulator.endpoints import Call, Encoded, Endpoint, Parameter, Rows
from proxmox_offerings.simulator.serialise import join_rows, text

ORDERS = 3
"""How many orders of keys (and loads) a guest's row is kept in."""
_UPTIME = 987_654_321_987
"""Stands in a rendered row where the uptime goes."""


@dataclass(slots=True)
class _Rendered:
    """A row as text around its uptime."""

    state: tuple[int, bool, bool]
    halves: list[tuple[str, str]]


class GuestRows:
    """The rendered rows of all guests of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rendered: dict[int, _Rendered] = {}

    def rows(self, call: Call) -> Iterator[str]:
        """The rows that the caller may see, in the order of the guests."""
        cluster, allows = self._cluster, call.access.allows
        shuffle = cluster.behaviour.shuffle
        order = cluster.random.randrange(ORDERS) if shuffle or cluster.behaviour.jitter else 0
        nodes = {
            name: (node, cluster.expired(node, call.entry), node.version >= (9,))
            for name, node in cluster.nodes.items()
        }
        for vmid, guest in cluster.guests.items():
            if not allows(f"/vms/{vmid}", "VM.Audit"):
                continue
            node, expired, recent = nodes[guest.config.node]
            state = (guest.revision, expired, recent)
            rendered = self._rendered.get(vmid)
            if rendered is None or rendered.state != state:
                rendered = self._rendered[vmid] = _Rendered(state, [])
            while len(rendered.halves) <= order:
                rendered.halves.append(self._render(guest, node, expired=expired))
            before, after = rendered.halves[order]
            yield f"{before}{readings.guest_uptime(cluster, guest, node)}{after}" if after else before

    def _render(self, guest: Guest, node: Node, *, expired: bool) -> tuple[str, str]:
        row = guest_row(self._cluster, guest, node, expired=expired)
        if "uptime" in row:
            row["uptime"] = _UPTIME
        before, _, after = text(row, self._cluster).partition(str(_UPTIME))
        return before, after


def guest_row(cluster: Cluster, guest: Guest, node: Node, *, expired: bool) -> dict[str, object]:
    config = guest.config
    row: dict[str, object] = {
        "id": f"{config.type}/{config.vmid}",
        "vmid": config.vmid,
        "node": config.node,
        "type": config.type,
    }
    # lock, tags and the service state come from files that all nodes have: they stay when the node is dead
    if config.lock is not None:
        row["lock"] = config.lock
    if config.tags:
        row["tags"] = ";".join(config.tags)
    if config.hastate is not None:
        row["hastate"] = config.hastate
    if expired:
        return row | {"status": "unknown"}
    uptime = readings.guest_uptime(cluster, guest, node)
    memory = readings.guest_memory(guest)
    row |= {
        "name": guest_name(guest),
        "status": config.status if guest.running else "stopped",
        "template": int(config.template),
        "maxcpu": readings.guest_cpus(guest, node),
        "cpu": readings.cpu_load(cluster, 0.05) if guest.running else 0,
        "maxmem": config.memory,
        "mem": memory,
        "maxdisk": config.disk,
        "disk": config.disk * 40 // 100 if config.type == "lxc" and guest.running else 0,
        "uptime": uptime,
        **readings.guest_counters(guest, uptime),
    }
    if node.version >= (9,):
        row["memhost"] = memory
    return row


def guest_name(guest: Guest) -> str:
    """Without a name a virtual machine is "VM 100", a container "CT111"."""
    config = guest.config
    return config.name or (f"VM {config.vmid}" if config.type == "qemu" else f"CT{config.vmid}")


def node_row(call: Call, node: Node, used: int) -> dict[str, object]:
    """A node as the entry node knows it. The four cases are those of proxmox-api.md 2.1."""
    cluster = call.cluster
    expired, there = cluster.expired(node, call.entry), cluster.sees(call.entry, node)
    status = "offline" if not there else "unknown" if expired else "online"
    row: dict[str, object] = {
        "id": f"node/{node.name}",
        "node": node.name,
        "type": "node",
        "status": status,
        "cgroup-mode": 2,
    }
    if call.entry.version.node_hastate and (state := node_states(cluster).get(node.name)):
        row["hastate"] = state
    if call.entry.version >= (9, 2) and node.config.arch != "x86_64":
        row["host-arch"] = node.config.arch
    if expired:
        return row
    row["level"] = ""
    if not call.access.allows(f"/nodes/{node.name}", "Sys.Audit"):
        return row
    row |= {"maxcpu": node.config.threads, "maxmem": node.config.memory, "maxdisk": node.config.rootfs}
    if there:
        row |= {
            "cpu": readings.cpu_load(cluster, 0.1),
            "mem": used,
            "disk": readings.rootfs_used(node),
            "uptime": readings.node_uptime(cluster, node),
        }
    return row


def storage_row(call: Call, storage: Storage, node: Node, mount: Mount) -> dict[str, object]:
    cluster, config = call.cluster, storage.config
    gone = mount.inactive_since is not None and cluster.now - mount.inactive_since > cluster.behaviour.expiry
    row: dict[str, object] = {
        "id": f"storage/{node.name}/{config.id}",
        "type": "storage",
        "storage": config.id,
        "node": node.name,
        "plugintype": config.type,
        "content": content_list(cluster, storage),
        "shared": int(config.is_shared),
    }
    if gone or cluster.expired(node, call.entry):
        return row | {"status": "unknown"}
    return row | {"status": "available", "maxdisk": mount.room.total, "disk": mount.room.used}


def content_list(cluster: Cluster, storage: Storage) -> str:
    content = list(storage.config.content)
    if cluster.behaviour.shuffle:
        cluster.random.shuffle(content)
    return ",".join(content)


def zone_row(node: Node) -> dict[str, object]:
    """The zone that each node has. 9 calls it a network, 8 sdn; while a cluster is upgraded both are listed, node by node."""
    if node.version >= (9,):
        return {
            "id": f"network/{node.name}/zone/localnetwork",
            "type": "network",
            "network": "localnetwork",
            "network-type": "zone",
            "node": node.name,
            "status": "ok",
        }
    return {
        "id": f"sdn/{node.name}/localnetwork",
        "type": "sdn",
        "sdn": "localnetwork",
        "node": node.name,
        "status": "ok",
    }


def node_rows(call: Call) -> list[dict[str, object]]:
    used = readings.memory_by_node(call.cluster)
    return [node_row(call, node, used[node.name]) for node in call.cluster.nodes.values()]


def _storage_rows(call: Call) -> list[dict[str, object]]:
    return [
        storage_row(call, storage, call.cluster.nodes[name], mount)
        for storage in call.cluster.storages.values()
        if not storage.config.disabled and call.access.allows(f"/storage/{storage.config.id}", "Datastore.Audit")
        for name, mount in storage.mounts.items()
    ]


def _zone_rows(call: Call, wanted: str | None) -> list[dict[str, object]]:
    if not call.access.allows("/sdn/zones/localnetwork", "SDN.Audit"):
        return []
    nodes = [node for node in call.cluster.nodes.values() if node.alive and node.version >= (8,)]
    return [row for row in map(zone_row, nodes) if wanted is None or row["type"] == wanted]


def resources(guests: GuestRows, call: Call) -> Encoded:
    wanted = call.query.get("type")
    rows: list[str] = []
    if wanted in (None, "vm"):
        rows += guests.rows(call)
    if wanted in (None, "node"):
        rows += [text(row, call.cluster) for row in node_rows(call)]
    if wanted in (None, "storage"):
        rows += [text(row, call.cluster) for row in _storage_rows(call)]
    if wanted in (None, "sdn"):
        rows += [text(row, call.cluster) for row in _zone_rows(call, wanted)]
    if call.cluster.behaviour.shuffle:
        call.cluster.random.shuffle(rows)
    return Encoded(join_rows(rows))


def nodes(call: Call) -> object:
    fingerprints = call.cluster.fingerprints
    return Rows(
        row | ({"ssl_fingerprint": fingerprints[name]} if (name := str(row["node"])) in fingerprints else {})
        for row in node_rows(call)
    )


def endpoints(cluster: Cluster) -> tuple[Endpoint, ...]:
    rendered = GuestRows(cluster)
    kinds = Parameter(choices=lambda _: frozenset({"vm", "storage", "node", "sdn"}))
    return (
        Endpoint(path="/cluster/resources", answer=lambda call: resources(rendered, call), parameters={"type": kinds}),
        Endpoint(path="/nodes", answer=nodes),
    )
