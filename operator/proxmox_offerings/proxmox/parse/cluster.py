"""What the entry node says about the cluster as a whole."""

from proxmox_offerings.proxmox.answers import (
    ClusterStatus,
    ManagerStatus,
    PciMapping,
    PciMappingEntry,
    Permissions,
    StorageConfig,
    Version,
)
from proxmox_offerings.proxmox.parse.values import (
    Nonsense,
    Row,
    boolean,
    each_once,
    fields,
    required,
    rows,
    text,
    words,
)


def version(data: object) -> Version:
    """GET /version."""
    row = fields(data)
    full = required(row, "version")
    return Version(version=full, release=text(row, "release") or ".".join(full.split("-")[0].split(".")[:2]))


def permissions(data: object) -> Permissions:
    """GET /access/permissions; empty for a token without any right."""
    return Permissions(
        paths={
            path: {privilege: boolean(fields(privileges), privilege) for privilege in fields(privileges)}
            for path, privileges in fields(data).items()
        }
    )


def cluster_status(data: object) -> ClusterStatus:
    """GET /cluster/status: a `cluster` row exists only in a cluster, so a standalone node is always quorate."""
    clusters, names, online = [], set(), {}
    addresses: dict[str, str] = {}
    local = None
    for row in rows(data):
        match row.get("type"):
            case "cluster":
                clusters.append(row)
            case "node":
                names.add(name := required(row, "name"))
                if "online" in row:
                    online[name] = boolean(row, "online")
                if (address := text(row, "ip")) is not None:
                    addresses[name] = address
                if row.get("local") in (1, "1", True):
                    local = name
    if len(clusters) > 1:
        raise Nonsense("it tells of several clusters")
    if not clusters:
        if not online:
            raise Nonsense("it tells of no node")
        if len(names) > 1:
            raise Nonsense("it tells of several nodes, but of no cluster that could have a quorum")
        return ClusterStatus(name=None, quorate=True, online=online, addresses=addresses, local=local)
    if "quorate" not in clusters[0]:
        raise Nonsense("it does not tell whether the cluster has a quorum")
    return ClusterStatus(
        name=text(clusters[0], "name"),
        quorate=boolean(clusters[0], "quorate"),
        online=online,
        addresses=addresses,
        local=local,
    )


def manager_status(data: object) -> ManagerStatus:
    """GET /cluster/ha/status/manager_status; rows with an empty node name exist."""
    row = fields(data)
    manager = fields(row.get("manager_status") or {})
    states, services = fields(manager.get("node_status") or {}), fields(manager.get("service_status") or {})
    managers = fields(row.get("lrm_status") or {})
    return ManagerStatus(
        node_status={node: state for node, state in sorted(states.items()) if node and isinstance(state, str)},
        lrm_mode={
            node: mode
            for node, told in sorted(managers.items())
            if node and isinstance(told, dict) and isinstance(mode := told.get("mode"), str)
        },
        targets={
            int(vmid): target
            for service, told in sorted(services.items())
            if (vmid := service.partition(":")[2]).isdecimal()
            and isinstance(told, dict)
            and told.get("state") in ("migrate", "relocate")  # a tuple: what is told may not be hashable
            and isinstance(target := told.get("target"), str)
            and target
        },
    )


def storage_configs(data: object) -> tuple[StorageConfig, ...]:
    """GET /storage, by id."""
    configs = sorted(map(_storage_config, rows(data)), key=lambda config: config.storage)
    each_once(config.storage for config in configs)
    return tuple(configs)


def _storage_config(row: Row) -> StorageConfig:
    nodes = words(text(row, "nodes"))
    return StorageConfig(
        storage=required(row, "storage"),
        plugin=required(row, "type"),
        content=frozenset(words(text(row, "content"))),
        nodes=frozenset(nodes) if nodes else None,
        disabled=boolean(row, "disable"),
        shared=boolean(row, "shared") if "shared" in row else None,
        pool=text(row, "pool"),
        volume_group=text(row, "vgname"),
        thin_pool=text(row, "thinpool"),
        path=text(row, "path"),
        server=text(row, "server"),
        export=text(row, "export"),
        share=text(row, "share"),
        monitors=text(row, "monhost"),
    )


def pci_mappings(data: object) -> tuple[PciMapping, ...]:
    """GET /cluster/mapping/pci, by id: each entry of `map` is "id=10de:20b5,node=pve1,path=0000:17:00.0;0000:18:00.0,..."."""
    mappings = sorted(
        (PciMapping(id=required(row, "id"), entries=_entries(row.get("map"))) for row in rows(data)),
        key=lambda mapping: mapping.id,
    )
    each_once(mapping.id for mapping in mappings)
    return tuple(mappings)


def _entries(told: object) -> tuple[PciMappingEntry, ...]:
    entries = []
    if not isinstance(told, list):
        raise Nonsense("map is not a list")
    for entry in told:
        options = dict(part.split("=", 1) for part in str(entry).split(",") if "=" in part)
        if not options.get("node") or not options.get("path"):
            raise Nonsense("an entry of a PCI mapping has no node or no path")
        entries.append(PciMappingEntry(node=options["node"], paths=tuple(filter(None, options["path"].split(";")))))
    return tuple(entries)
