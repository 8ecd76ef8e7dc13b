"""The words with a fixed meaning that may be written in the resources."""

from enum import StrEnum


class Stock(StrEnum):
    """Whether more units can be sold."""

    IN_STOCK = "InStock"
    LOW_STOCK = "LowStock"
    OUT_OF_STOCK = "OutOfStock"
    UNKNOWN = "Unknown"


class LimitingResource(StrEnum):
    """What keeps `available` from being larger."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    GPU = "gpu"
    FAILOVER = "failover"
    MAX_UNITS = "maxUnits"
    NODES = "nodes"


class Virtualization(StrEnum):
    """KVM for virtual machines (qemu), LXC for containers."""

    KVM = "KVM"
    LXC = "LXC"


class Architecture(StrEnum):
    """The instruction set of the nodes, in the spelling of Go and container images."""

    AMD64 = "amd64"
    ARM64 = "arm64"


class ProductType(StrEnum):
    """What kind of product a tier is: with graphics cards or without."""

    COMPUTE = "compute"
    GPU = "gpu"


class CPUUnit(StrEnum):
    """What counts as one processor of a node."""

    THREAD = "Thread"
    CORE = "Core"


class StorageClass(StrEnum):
    """What kind of disks a storage is made of."""

    NVME = "nvme"
    SSD = "ssd"
    HDD = "hdd"
    NETWORK = "network"
    UNKNOWN = "unknown"


class StorageAccounting(StrEnum):
    """What counts as used on a storage."""

    FREE = "Free"
    PROVISIONED = "Provisioned"


class StoppedGuests(StrEnum):
    """Whether stopped guests count as committed."""

    COUNT = "Count"
    IGNORE = "Ignore"


class UnlimitedContainers(StrEnum):
    """What a container without a CPU limit counts."""

    IGNORE = "Ignore"
    COUNT_AS_NODE = "CountAsNode"
