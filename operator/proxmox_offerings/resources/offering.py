"""The Offering: one tier of one ProxmoxHost, and how many more units of it can be sold."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from proxmox_offerings.resources.conditions import Condition
from proxmox_offerings.resources.group import API_VERSION
from proxmox_offerings.resources.lists import Keyed
from proxmox_offerings.resources.location import Location
from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.proxmoxhost_status import Count, Words
from proxmox_offerings.resources.quantity import Quantity
from proxmox_offerings.resources.resource import Resource
from proxmox_offerings.resources.rules import Rule
from proxmox_offerings.resources.scalars import Bool, DNSLabel, Int, PositiveBytes, Sentence, Text, Time, Word
from proxmox_offerings.resources.tiers import Price, TierGPU
from proxmox_offerings.resources.words import (
    Architecture,
    LimitingResource,
    ProductType,
    Stock,
    StorageClass,
    Virtualization,
)


class HostRef(Model):
    """The ProxmoxHost that this tier belongs to, in the same namespace."""

    name: DNSLabel
    """Name of the ProxmoxHost."""


class OfferingSpec(Model):
    """What one unit is. It follows from the ProxmoxHost and never changes because the cluster did."""

    host_ref: HostRef
    """The ProxmoxHost that this tier belongs to."""
    tier: DNSLabel
    """Name of the tier."""
    display_name: Text
    """The name that customers see."""
    product_type: ProductType
    """gpu for a tier with graphics cards, else compute."""
    virtualization: Virtualization
    """KVM: a virtual machine. LXC: a container."""
    architecture: Architecture = Architecture.AMD64
    """The processors that it runs on."""
    cpu: Annotated[Int, Field(ge=1)]
    """vCPUs of each unit."""
    memory: PositiveBytes
    """Memory of each unit."""
    disk: PositiveBytes
    """Disk of each unit."""
    storage_class: StorageClass | None = None
    """What the disk lies on; absent: any storage."""
    gpu: TierGPU | None = None
    """Graphics cards of each unit."""
    dedicated_cpu: Annotated[Bool, Field(alias="dedicatedCPU")] = False
    """One processor for each vCPU. Units must be created with one of the tags of the ProxmoxHost's `allocation.cpu.dedicatedTags`;
    otherwise they are counted as sharing, and more is sold than there is.
    """
    cpu_allocation_percent: Annotated[Int, Field(ge=1)]
    """How many vCPUs are committed for 100 processors: 100 is no sharing."""
    location: Location | None = None
    price: Price | None = None
    """What one unit costs: the tier's own price, or what the ProxmoxHost's `pricing` makes of its size."""


class OfferingNode(Model):
    """What one node can still carry, in one placement of all `available` units."""

    name: Word
    """Name of the node."""
    available: Count
    """Units placed on it."""
    limiting_resource: LimitingResource | None = None
    """What runs out first on it."""


class Processor(Model):
    """The processors of the nodes that can carry it."""

    brand: Word | None = None
    """AMD, Intel or another, if all are of one."""
    models: tuple[Word, ...] = ()
    """Their names."""
    cores: Count | None = None
    """Cores of the largest node."""
    threads: Count | None = None
    """Threads of the largest node."""
    speed_mhz: Annotated[Count | None, Field(alias="speedMHz")] = None
    """Their nominal clock, as far as the name tells it."""


class OfferingGPU(Model):
    """A graphics card of a unit, or what it gets of one."""

    name: Word
    """Its name, or its vendor:device numbers; for a tier with `gpu.profile` the profile's. Several, if units may get different ones."""
    memory: Quantity | None = None
    """The memory of one card or instance; absent if that is not known, or not the same for all."""


class OfferingStorage(Model):
    """Where the disks of units can lie."""

    classes: tuple[StorageClass, ...] = ()
    """What the storages are made of."""
    names: Words = ()
    """Ids of the storages."""


class OperatingSystem(Model):
    """Something to install from."""

    name: Word
    """What customers read, such as "Debian 12"."""
    template: Annotated[Int | Word, Field(union_mode="left_to_right")]
    """Number of the template guest, or volume id of the container template or image."""
    nodes: Words = ()
    """Nodes where it can be used, of thousands the first by name."""


class OfferingStatus(Model):
    """What was observed. Sell only if `stock` is InStock or LowStock and now is before `validUntil`."""

    RULES = (
        Rule(
            cel="self.stock != 'Unknown' || !has(self.available)",
            message="must be absent while stock is Unknown",
            holds=lambda status: status.stock is not Stock.UNKNOWN or status.available is None,
            field=".available",
        ),
        Rule(
            cel="!(self.stock in ['InStock', 'LowStock']) || (has(self.available) && self.available > 0)",
            message="must be at least 1 while stock is InStock or LowStock",
            holds=lambda status: status.stock not in (Stock.IN_STOCK, Stock.LOW_STOCK) or (status.available or 0) > 0,
            field=".available",
        ),
    )

    observed_generation: Count | None = None
    """The generation of the spec that this was said about."""
    host_generation: Count | None = None
    """The generation of the ProxmoxHost on whose terms this was said first. Absent while stock is Unknown."""
    stock: Stock = Stock.UNKNOWN
    """InStock, LowStock (few left), OutOfStock, or Unknown (not for sale: the cluster could not be judged)."""
    available: Count | None = None
    """How many units fit at the same time, if only this tier were sold. Absent when stock is Unknown."""
    limiting_resource: LimitingResource | None = None
    """What keeps `available` from being larger."""
    sold_out: Bool | None = None
    """While stock is Unknown, what it was when it was known last: true if sold out, so that units are offered again only from the
    ProxmoxHost's `stock.restockThreshold` up; false if units were offered. Absent if it was never known.
    """
    observed_at: Time | None = None
    """When Proxmox was read."""
    valid_until: Time | None = None
    """From this moment on nobody may rely on the rest. Absent: nobody may at all."""
    message: Sentence | None = None
    """The same in one sentence for people."""
    nodes: Annotated[tuple[OfferingNode, ...], Keyed("name")] = ()
    """Where the units fit: one placement of exactly `available` units."""
    processor: Processor | None = None
    """The processors of the nodes that can carry it."""
    gpu: OfferingGPU | None = None
    """The graphics card of a unit."""
    storage: OfferingStorage | None = None
    """Where the disks of units can lie."""
    operating_systems: Annotated[tuple[OperatingSystem, ...], Keyed("name", "template")] = ()
    """What can be installed, of more than 500 the first by name."""
    conditions: Annotated[tuple[Condition, ...], Keyed("type")] = ()
    """Ready: whether the above could be observed."""


class Offering(Resource):
    """One tier of a ProxmoxHost, and how many more units of it can be sold right now.

    The rule for readers: sell only if `status.stock` is InStock or LowStock and now is before `status.validUntil`.
    No status means not offered.

    Units of a tier with `dedicatedCPU: true` must be created with one of the tags of the ProxmoxHost's `allocation.cpu.dedicatedTags`.
    """

    KIND: ClassVar[str] = "Offering"
    PLURAL: ClassVar[str] = "offerings"

    api_version: Literal["proxmox-offerings.io/v1alpha1"] = API_VERSION
    kind: Literal["Offering"] = "Offering"
    spec: OfferingSpec
    """What one unit is."""
    status: OfferingStatus | None = None
    """What was observed: sell only if `stock` is InStock or LowStock and now is before `validUntil`."""
