"""The two custom resources as pydantic models: the source from which `crds/` is generated, and the words that all layers share."""

from proxmox_offerings.resources.allocation import (
    Allocation,
    AllocationOverride,
    CPUAllocation,
    CPUAllocationOverride,
    MemoryAllocation,
    MemoryAllocationOverride,
    StorageAllocation,
)
from proxmox_offerings.resources.conditions import Condition, ConditionStatus
from proxmox_offerings.resources.connection import TLS, CredentialsSecretRef
from proxmox_offerings.resources.errors import InvalidResource
from proxmox_offerings.resources.globs import glob_matches
from proxmox_offerings.resources.group import API_VERSION, GROUP, VERSION
from proxmox_offerings.resources.location import Location
from proxmox_offerings.resources.metadata import ObjectMeta, OwnerReference
from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.offering import (
    HostRef,
    Offering,
    OfferingGPU,
    OfferingNode,
    OfferingSpec,
    OfferingStatus,
    OfferingStorage,
    OperatingSystem,
    Processor,
)
from proxmox_offerings.resources.pricing import DiskPrice, GPUPrice, Pricing, Rounding
from proxmox_offerings.resources.proxmoxhost import (
    OperatingSystemMatch,
    OperatingSystemRule,
    ProxmoxHost,
    ProxmoxHostSpec,
    StockPolicy,
    StorageRule,
)
from proxmox_offerings.resources.proxmoxhost_status import (
    MissingPrivilege,
    NodeCPU,
    NodeGPU,
    NodeGPUProfile,
    NodeMemory,
    NodeStatus,
    OfferingCounts,
    ProxmoxFacts,
    ProxmoxHostStatus,
    StorageStatus,
    TierStatus,
    UnpricedTier,
)
from proxmox_offerings.resources.quantity import Quantity
from proxmox_offerings.resources.selector import Selector
from proxmox_offerings.resources.tiers import Price, Tier, TierGPU
from proxmox_offerings.resources.words import (
    Architecture,
    CPUUnit,
    LimitingResource,
    ProductType,
    Stock,
    StoppedGuests,
    StorageAccounting,
    StorageClass,
    UnlimitedContainers,
    Virtualization,
)

__all__ = [
    "API_VERSION",
    "GROUP",
    "TLS",
    "VERSION",
    "Allocation",
    "AllocationOverride",
    "Architecture",
    "CPUAllocation",
    "CPUAllocationOverride",
    "CPUUnit",
    "Condition",
    "ConditionStatus",
    "CredentialsSecretRef",
    "DiskPrice",
    "GPUPrice",
    "HostRef",
    "InvalidResource",
    "LimitingResource",
    "Location",
    "MemoryAllocation",
    "MemoryAllocationOverride",
    "MissingPrivilege",
    "Model",
    "NodeCPU",
    "NodeGPU",
    "NodeGPUProfile",
    "NodeMemory",
    "NodeStatus",
    "ObjectMeta",
    "Offering",
    "OfferingCounts",
    "OfferingGPU",
    "OfferingNode",
    "OfferingSpec",
    "OfferingStatus",
    "OfferingStorage",
    "OperatingSystem",
    "OperatingSystemMatch",
    "OperatingSystemRule",
    "OwnerReference",
    "Price",
    "Pricing",
    "Processor",
    "ProductType",
    "ProxmoxFacts",
    "ProxmoxHost",
    "ProxmoxHostSpec",
    "ProxmoxHostStatus",
    "Quantity",
    "Rounding",
    "Selector",
    "Stock",
    "StockPolicy",
    "StoppedGuests",
    "StorageAccounting",
    "StorageAllocation",
    "StorageClass",
    "StorageRule",
    "StorageStatus",
    "Tier",
    "TierGPU",
    "TierStatus",
    "UnlimitedContainers",
    "UnpricedTier",
    "Virtualization",
    "glob_matches",
]
