"""Storages: how they are defined, what they hold on a node, and the files and disks on them (proxmox-api.md 2.4)."""

from proxmox_offerings.simulator.answers.resources import content_list
from proxmox_offerings.simulator.answers.volumes import of_storage, visible
from proxmox_offerings.simulator.cluster import Storage
from proxmox_offerings.simulator.endpoints import Call, Check, Endpoint, HangingError, Parameter, Rows, needs
from proxmox_offerings.simulator.refusals import missing, wrong_parameter
from proxmox_offerings.simulator.versions import Version

SEE = ("Datastore.Audit", "Datastore.AllocateSpace")
SEE_ONE: Check = needs("/storage/{storage}", *SEE)


def definitions(call: Call) -> object:
    """GET /storage: `shared` is absent unless it was set by hand, `content` a list in random order."""
    rows = Rows()
    for storage in call.cluster.storages.values():
        config = storage.config
        if call.query.get("type") not in (None, config.type) or not call.access.allows(f"/storage/{config.id}", *SEE):
            continue
        row: dict[str, object] = {
            "storage": config.id,
            "type": config.type,
            "content": content_list(call.cluster, storage),
            "digest": "0" * 40,
        }
        for key in ("vgname", "thinpool", "pool", "path", "server", "export", "share", "monhost"):
            if (value := getattr(config, key)) is not None:
                row[key] = value
        if config.nodes != "all":
            row["nodes"] = ",".join(config.nodes)
        if config.disabled:
            row["disable"] = 1
        if config.sparse:
            row["sparse"] = 1
        if config.shared is not None:
            row["shared"] = int(config.shared)
        rows.append(row)
    return rows


def on_node(call: Call) -> object:
    """GET /nodes/{node}/storage: activates what it lists, so that one that hangs holds up all; `content` narrows that, `storage` does not."""
    contents = set(call.query["content"].split(",")) if "content" in call.query else None
    only = call.query.get("storage")
    if only is not None and only not in call.cluster.storages:
        raise wrong_parameter("storage", "No such storage.")
    asked = [each for each in call.cluster.storages.values() if contents is None or contents & set(each.config.content)]
    _activate(call, asked)
    rows = Rows()
    for storage in asked:
        row = _state(call, storage)
        hidden = not call.access.allows(f"/storage/{storage.config.id}", *SEE)
        if hidden or only not in (None, storage.config.id) or (call.flag("enabled") and not row["enabled"]):
            continue
        row["storage"] = storage.config.id
        total, used = row["total"], row["used"]
        if isinstance(total, int) and isinstance(used, int) and total > 0:
            row["used_fraction"] = used / total
        if call.flag("format"):
            files = storage.config.type in ("dir", "btrfs", "nfs", "cifs")
            row["formats"] = {
                "supported": ["qcow2", "raw"] if files else ["raw"],
                "default": "qcow2" if files else "raw",
            }
            row["select_existing"] = 0
        rows.append(row)
    return rows


def status(call: Call) -> object:
    """GET /nodes/{node}/storage/{storage}/status: probes all storages of the node, whichever is asked for."""
    storage = call.cluster.storages.get(call.path["storage"])
    if storage is None:
        raise wrong_parameter("storage", "No such storage.")
    _activate(call, list(call.cluster.storages.values()))
    return _state(call, storage)


def content(call: Call) -> object:
    storage, name = _usable(call), call.path["storage"]
    _activate(call, [storage])
    if storage.mounts[call.node.name].inactive_since is not None:
        raise missing(f"storage '{name}' is not online")
    wanted, owner = call.query.get("content"), call.query.get("vmid")
    return Rows(
        volume
        for volume in of_storage(call.cluster, storage, call.node.name)
        if wanted in (None, volume["content"])
        and owner in (None, str(volume.get("vmid", "")))
        and visible(call.access, name, volume)
    )


def _usable(call: Call) -> Storage:
    name = call.path["storage"]
    storage = call.cluster.storages.get(name)
    if storage is None:
        raise missing(f"storage '{name}' does not exist")
    if storage.config.disabled:
        raise missing(f"storage '{name}' is disabled")
    if call.node.name not in storage.mounts:
        raise missing(f"storage '{name}' is not available on node '{call.node.name}'")
    return storage


def _activate(call: Call, storages: list[Storage]) -> None:
    for storage in storages:
        mount = storage.mounts.get(call.node.name)
        if mount is not None and mount.hanging and not storage.config.disabled:
            raise HangingError


def _state(call: Call, storage: Storage) -> dict[str, object]:
    """A disabled or inactive storage, and one of other nodes, is told with total 0: that says nothing about its size."""
    mount = storage.mounts.get(call.node.name)
    enabled = mount is not None and not storage.config.disabled
    row: dict[str, object] = {
        "type": storage.config.type,
        "content": content_list(call.cluster, storage),
        "shared": int(storage.config.is_shared),
        "enabled": int(enabled),
    }
    if not enabled or mount is None or mount.inactive_since is not None:
        return row | {"active": 0, "total": 0, "used": 0, "avail": 0}
    return row | {"active": 1, "total": mount.room.total, "used": mount.room.used, "avail": mount.room.available}


def _contents(version: Version) -> frozenset[str]:
    known = {"images", "rootdir", "vztmpl", "iso", "backup", "snippets", "none"}
    return frozenset(known | ({"import"} if version >= (8, 3) else set()))


def _types(version: Version) -> frozenset[str]:
    known = {
        "btrfs",
        "cephfs",
        "cifs",
        "dir",
        "iscsi",
        "iscsidirect",
        "lvm",
        "lvmthin",
        "nfs",
        "pbs",
        "rbd",
        "zfs",
        "zfspool",
    }
    return frozenset(known | ({"esxi"} if version >= (8,) else set()) | (set() if version >= (9,) else {"glusterfs"}))


ENDPOINTS = (
    Endpoint(path="/storage", answer=definitions, parameters={"type": Parameter(choices=_types)}),
    Endpoint(
        path="/nodes/{node}/storage",
        answer=on_node,
        proxied=True,
        parameters={
            "content": Parameter(choices=_contents, several=True),
            "enabled": Parameter(boolean=True),
            "storage": Parameter(),
            "format": Parameter(boolean=True, since=(8,)),
        },
    ),
    Endpoint(path="/nodes/{node}/storage/{storage}/status", answer=status, check=SEE_ONE, proxied=True),
    Endpoint(
        path="/nodes/{node}/storage/{storage}/content",
        answer=content,
        check=SEE_ONE,
        proxied=True,
        parameters={"content": Parameter(choices=_contents), "vmid": Parameter()},
    ),
)
