"""What a simulated cluster consists of: the YAML that people write, checked strictly, so that a typing error is named and not ignored."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from proxmox_offerings.simulator.amounts import Size
from proxmox_offerings.simulator.model import ConfigError, Model, sentence

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", max_length=63)]
StorageName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=100)]
VersionText = Annotated[str, Field(pattern=r"^\d+\.\d+[.-]\d+$")]
GuestType = Literal["qemu", "lxc"]

SHARED_TYPES = frozenset({"nfs", "cifs", "rbd", "cephfs", "iscsi", "iscsidirect", "pbs", "glusterfs", "zfs", "drbd"})
"""Storage types that are shared by their nature (proxmox-api.md 2.4); a `dir` or `lvm` may be declared so."""


class Behaviour(Model):
    """How the servers behave over time, in seconds as real ones do; tests shrink them."""

    shuffle: bool = True
    """Rows, keys and content lists in random order, as Perl's hashes give them."""
    jitter: bool = True
    """Loads and clock speeds differ from call to call."""
    seed: int = 0
    data_period: float = Field(default=10, gt=0)
    """How often pvestatd reports (pvestatd.pm, `$updatetime`): uptimes move in these steps."""
    expiry: float = Field(default=300, gt=0)
    """After so long without a report, what a node told is `unknown` (pmxcfs status.c, 60*5)."""
    refusal_delay: float = Field(default=3, ge=0)
    """A 401 comes only after this long (AnyEvent.pm)."""
    unreachable_delay: float = Field(default=0, ge=0)
    """How long a call to a dead node takes to become a 595."""
    proxy_timeout: float = Field(default=30, gt=0)
    """How long a call to a node may take before it becomes a 596."""
    keep_alive: float = Field(default=5, gt=0)
    requests_per_connection: int = Field(default=100, gt=0)


class ClusterConfig(Model):
    """A cluster. `quorate` absent: by counting votes, one for each node."""

    name: Name
    quorate: bool | None = None


class DiskConfig(Model):
    """A physical disk. `member_of` is the zpool, volume group or mounted path that lies on it."""

    devpath: Annotated[str, Field(pattern=r"^/dev/[A-Za-z0-9/_-]+$")]
    type: Literal["ssd", "nvme", "hdd", "usb", "unknown"] = "ssd"
    size: Size
    used: str | None = None
    member_of: str | None = None
    model: str = "Samsung MZQL21T9HCJR"


class MdevConfig(Model):
    """A type of mediated device (vGPU): a card makes `instances` of it, each with `memory`, as long as it makes none of another type."""

    type: Annotated[str, Field(pattern=r"^[^/.:,=]+$")]
    name: str | None = None
    instances: int = Field(gt=0, le=1000)
    memory: Size


class GpuConfig(Model):
    """A graphics card in one slot. `vfs`: how many virtual functions are switched on; `audio`: a sound function in the same group.

    `mdevs` are handed out by the card, or where it has virtual functions by these, each one (in the manner of kernel 6.8 and later).
    """

    slot: Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}$")]
    vendor: Annotated[str, Field(pattern=r"^[0-9a-f]{4}$")]
    device: Annotated[str, Field(pattern=r"^[0-9a-f]{4}$")]
    name: str | None = None
    class_code: Annotated[str, Field(pattern=r"^[0-9a-f]{6}$", alias="class")] = "030200"
    iommu: int = Field(ge=-1)
    audio: bool = False
    vfs: int = Field(default=0, ge=0, le=250)
    mdevs: list[MdevConfig] = Field(default_factory=list)


class NodeConfig(Model):
    """A server. `cores` are those of all sockets together, as Proxmox counts them. `version` differs from the cluster's during an upgrade."""

    name: Name
    version: VersionText | None = None
    sockets: int = Field(default=1, gt=0)
    cores: int = Field(gt=0)
    threads: int = Field(gt=0)
    memory: Size
    model: str = "AMD EPYC 7543 32-Core Processor"
    mhz: int = Field(default=2800, gt=0)
    arch: Literal["x86_64", "aarch64"] = "x86_64"
    hvm: bool = True
    iommu: bool = True
    bmc: bool = True
    uptime: int = Field(default=864_000, ge=0)
    memory_used: Size = 2 * 2**30
    """What the host itself uses, beside its guests (the ZFS cache, for one)."""
    rootfs: Size = 100 * 2**30
    bridges: list[Name] = Field(default_factory=lambda: ["vmbr0"])
    vnets: list[Name] = Field(default_factory=list)
    disks: list[DiskConfig] = Field(default_factory=list)
    gpus: list[GpuConfig] = Field(default_factory=list)


class FileConfig(Model):
    """A file on a storage: "iso/debian-12.iso", "vztmpl/debian-12-standard_12.7-1_amd64.tar.zst", "import/x.qcow2", "backup/...", "snippets/..."."""

    volid: Annotated[str, Field(pattern=r"^(iso|vztmpl|import|backup|snippets)/\S+$")]
    size: Size = 2**30


class StorageConfig(Model):
    """A storage definition, and the state that it has on each of its nodes. `reserved` is room that is neither used nor available."""

    id: StorageName
    type: Literal["dir", "btrfs", "lvm", "lvmthin", "zfspool", "nfs", "cifs", "rbd", "cephfs", "pbs", "iscsi"]
    content: list[Literal["images", "rootdir", "iso", "vztmpl", "backup", "snippets", "import", "none"]] = Field(
        min_length=1
    )
    nodes: Literal["all"] | list[Name] = "all"
    shared: bool | None = None
    size: Size
    used: Size = 0
    reserved: Size = 0
    disabled: bool = False
    active: bool = True
    vgname: str | None = None
    thinpool: str | None = None
    pool: str | None = None
    sparse: bool = False
    path: str | None = None
    server: str | None = None
    export: str | None = None
    share: str | None = None
    monhost: str | None = None
    files: list[FileConfig] = Field(default_factory=list)

    @property
    def is_shared(self) -> bool:
        return self.type in SHARED_TYPES if self.shared is None else self.shared


class GuestConfig(Model):
    """A guest, or `count` alike ones with rising vmids. `cpu` 0 (containers only) is no limit; `pending_hostpci` waits for the next start."""

    vmid: int = Field(ge=100, le=999_999_999)
    type: GuestType = "qemu"
    node: Name
    name: str | None = None
    status: str = "running"
    cpu: int = Field(default=1, ge=0)
    cpulimit: float | None = Field(default=None, gt=0)
    memory: Size = 2**30
    disk: Size = 0
    storage: StorageName | None = None
    template: bool = False
    tags: list[str] = Field(default_factory=list)
    lock: str | None = None
    hastate: str | None = None
    ha_target: Name | None = None
    """Where HA is moving it, while its state is migrate or relocate."""
    hostpci: list[str] = Field(default_factory=list, max_length=16)
    pending_hostpci: list[str] | None = Field(default=None, max_length=16)
    count: int = Field(default=1, ge=1, le=100_000)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.type == "qemu" and self.cpu == 0:
            raise ValueError("cpu must be at least 1 for a virtual machine; only a container can be without limit")
        if self.type == "lxc" and (self.hostpci or self.pending_hostpci):
            raise ValueError("hostpci is for virtual machines only")
        if self.disk and self.storage is None:
            raise ValueError("a disk needs a storage")
        return self


class MappingEntry(Model):
    node: Name
    path: str
    id: str
    iommugroup: int = -1
    subsystem_id: str | None = None


class MappingConfig(Model):
    """A PCI mapping of the data centre (PVE 8 and later)."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]+$")]
    entries: list[MappingEntry]


class AclConfig(Model):
    """One access rule. Either a `role` that the simulator knows, or the `privileges` themselves."""

    path: Annotated[str, Field(pattern=r"^/([^/]+(/[^/]+)*)?$")] = "/"
    role: Literal["PVEAuditor", "NoAccess", "Administrator"] | None = None
    privileges: list[str] | None = None
    propagate: bool = True

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.role is None) == (self.privileges is None):
            raise ValueError("give either role or privileges")
        return self


class UserConfig(Model):
    """An API token with its rules and those of its user (absent: the same). What it may do is what both allow, unless privsep is off."""

    token: Annotated[str, Field(pattern=r"^[^@!:/\s]+@[A-Za-z][A-Za-z0-9._-]+![A-Za-z][A-Za-z0-9._-]+$")] = (
        "offerings@pve!reader"  # noqa: S105  a name
    )
    secret: Annotated[str, Field(min_length=1)] | None = None
    """Absent: a new random one at each start."""
    privsep: bool = True
    acls: list[AclConfig] = Field(default_factory=list)
    user_acls: list[AclConfig] | None = None


def _auditor() -> list[UserConfig]:
    return [UserConfig(acls=[AclConfig(role="PVEAuditor")])]


class SimulatorConfig(Model):
    """A whole simulated cluster, or one standalone node."""

    version: VersionText = "9.1.1"
    cluster: ClusterConfig | None = None
    nodes: list[NodeConfig] = Field(min_length=1)
    storages: list[StorageConfig] = Field(default_factory=list)
    guests: list[GuestConfig] = Field(default_factory=list)
    mappings: list[MappingConfig] = Field(default_factory=list)
    users: list[UserConfig] = Field(default_factory=_auditor, min_length=1)
    behaviour: Behaviour = Field(default_factory=Behaviour)
    names: list[str] = Field(default_factory=list)
    """Further names and addresses that the certificates shall be valid for."""

    @field_validator("guests")
    @classmethod
    def _each_once(cls, guests: list[GuestConfig]) -> list[GuestConfig]:
        counted = Counter(vmid for guest in guests for vmid in range(guest.vmid, guest.vmid + guest.count))
        if twice := [vmid for vmid, times in counted.items() if times > 1]:
            raise ValueError(f"vmid {twice[0]} is given twice")
        return guests

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [node.name for node in self.nodes]
        _unique("node", names)
        _unique("storage", [storage.id for storage in self.storages])
        _unique("token", [user.token for user in self.users])
        if self.cluster is None and len(names) > 1:
            raise ValueError("several nodes need a cluster with a name")
        storages = {storage.id for storage in self.storages}
        for guest in self.guests:
            if guest.node not in names:
                raise ValueError(f"guest {guest.vmid} is on node {guest.node!r}, which is not described")
            if guest.storage is not None and guest.storage not in storages:
                raise ValueError(f"guest {guest.vmid} uses storage {guest.storage!r}, which is not described")
        for storage in self.storages:
            for name in () if storage.nodes == "all" else storage.nodes:
                if name not in names:
                    raise ValueError(f"storage {storage.id} names node {name!r}, which is not described")
        return self


def _unique(what: str, names: list[str]) -> None:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"{what} {twice[0]!r} is given twice")


def parse(document: object) -> SimulatorConfig:
    """The configuration in a parsed YAML document. Raises ConfigError naming the first wrong field."""
    try:
        return SimulatorConfig.model_validate(document)
    except ValidationError as problem:
        raise ConfigError(sentence(problem)) from None


def load(path: Path) -> SimulatorConfig:
    """Read a YAML file. Raises ConfigError where it cannot be read, is not YAML or does not describe a cluster."""
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} cannot be read: {problem}") from None
    except yaml.YAMLError as problem:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(problem).split())}") from None
    try:
        return parse(document)
    except ConfigError as problem:
        raise ConfigError(f"{path}: {problem}") from None
