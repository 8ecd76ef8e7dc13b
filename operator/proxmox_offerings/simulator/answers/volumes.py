"""The volumes of a storage: files that were put there, and the guests' disks, each named as its kind of storage names it."""

from proxmox_offerings.simulator.cluster import Cluster, Storage
from proxmox_offerings.simulator.config import FileConfig, GuestConfig
from proxmox_offerings.simulator.privileges import Access

FILE_BASED = frozenset({"dir", "btrfs", "nfs", "cifs"})
_UNITS = (("T", 2**40), ("G", 2**30), ("M", 2**20), ("K", 2**10))


def disk_volid(guest: GuestConfig, storage: Storage) -> str:
    """ "local-lvm:vm-100-disk-0", of a template "local-lvm:base-9000-disk-0", on file systems "nfs:9000/base-9000-disk-0.qcow2"."""
    prefix = (
        "base"
        if guest.template
        else "vm"
        if guest.type == "qemu" or storage.config.type not in ("zfspool", "btrfs")
        else "subvol"
    )
    name = f"{prefix}-{guest.vmid}-disk-0"
    if storage.config.type in FILE_BASED:
        name = f"{guest.vmid}/{name}.{'qcow2' if guest.type == 'qemu' else 'raw'}"
    return f"{storage.config.id}:{name}"


def size_text(size: int) -> str:
    """A size as configurations write it: "50G"; bytes where no unit divides it."""
    return next(
        (
            f"{size // unit}{letter}"
            for letter, unit in _UNITS
            if size and size % unit == 0 and (letter != "T" or size >= 2**43)
        ),
        str(size),
    )


def of_storage(cluster: Cluster, storage: Storage, node: str) -> list[dict[str, object]]:
    """All volumes, whoever may see them."""
    found: list[dict[str, object]] = [_file(storage.config.id, file) for file in storage.config.files]
    for guest in cluster.guests.values():
        config = guest.config
        if (
            config.storage != storage.config.id
            or not config.disk
            or (config.node != node and not storage.config.is_shared)
        ):
            continue
        found.append(
            {
                "volid": disk_volid(config, storage),
                "content": "images" if config.type == "qemu" else "rootdir",
                "format": "qcow2" if storage.config.type in FILE_BASED and config.type == "qemu" else "raw",
                "size": config.disk,
                "vmid": config.vmid,
                "ctime": 1_700_000_000,
            }
        )
    return found


def _file(storage: str, file: FileConfig) -> dict[str, object]:
    kind, _, name = file.volid.partition("/")
    ending = name.rpartition(".")[2]
    format_ = {"vztmpl": f"t{ending}", "iso": "iso", "snippets": "snippet"}.get(kind, ending)
    return {
        "volid": f"{storage}:{file.volid}",
        "content": kind,
        "format": format_,
        "size": file.size,
        "ctime": 1_700_000_000,
    }


def visible(access: Access, storage: str, volume: dict[str, object]) -> bool:
    """An auditor sees ISO images and templates, but no disks: those need rights on their guest (Storage.pm check_volume_access)."""
    where = f"/storage/{storage}"
    if access.allows(where, "Datastore.Allocate"):
        return True
    match volume["content"]:
        case "iso" | "vztmpl" | "import":
            return access.allows(where, "Datastore.Audit", "Datastore.AllocateSpace")
        case "images" | "rootdir":
            return access.allows(where, "Datastore.Audit") and access.allows(f"/vms/{volume['vmid']}", "VM.Config.Disk")
        case _:
            return False
