"""The catalogue: what is sold, for shops, comparison sites and pages, in JSON with a published schema (docs/reference/catalogue.md).

It says of every Offering whether it is for sale, and why not; until when that holds; and nothing about nodes and storages by name, which is
nobody's business outside.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from proxmox_offerings.exports.options import Options
from proxmox_offerings.exports.rendered import Rendered
from proxmox_offerings.exports.standing import NotForSale, Standing, first_of, standing_of
from proxmox_offerings.exports.words import identifier, text
from proxmox_offerings.resources import (
    Architecture,
    Location,
    Model,
    Offering,
    OfferingStatus,
    Price,
    ProductType,
    Stock,
    StorageClass,
    TierGPU,
    Virtualization,
)
from proxmox_offerings.resources.scalars import Time

CONTENT_TYPE: Final = "application/json"
SCHEMA_ID: Final = "https://proxmox-offerings.io/schemas/catalogue-v1.json"
Whole = Annotated[int, Field(ge=0)]


class CatalogueGPU(Model):
    """Graphics cards of each unit."""

    count: Whole
    """Cards, or instances of `profile`."""
    models: tuple[str, ...]
    """Patterns for the cards that a unit may get."""
    profile: str | None = None
    """Set where parts of cards are sold: the profile's pattern."""
    name: str | None = None
    """What the cards are called, as far as they were seen."""
    memory_bytes: Whole | None = None
    """Memory of one card or instance; absent if that is not known, or not the same for all."""


class CatalogueProcessor(Model):
    """The processors that a unit may run on, as far as they were seen."""

    brand: str | None = None
    """AMD, Intel or another, if all are of one."""
    models: tuple[str, ...] = ()
    """Their names."""
    speed_mhz: Annotated[Whole | None, Field(alias="speedMHz")] = None
    """Their nominal clock; the slowest."""


class CatalogueSystem(Model):
    """Something to install from."""

    name: str
    """What customers read, such as "Debian 12"."""
    template: int | str
    """Number of the template guest, or volume id of the container template or image."""


class CatalogueOffering(Model):
    """One tier in one place."""

    id: str
    """The same for as long as it exists, and of no other: <namespace>.<name>."""
    namespace: str
    """Namespace of the Offering in Kubernetes."""
    name: str
    """Name of the Offering in Kubernetes."""
    host: str
    """The ProxmoxHost that it belongs to."""
    tier: str
    """Name of the tier."""
    display_name: str
    """The name that customers see."""
    product_type: ProductType
    """gpu for a tier with graphics cards, else compute."""
    virtualization: Virtualization
    """KVM: a virtual machine. LXC: a container."""
    architecture: Architecture
    """The processors that it runs on."""
    cpu: Whole
    """vCPUs of each unit."""
    dedicated_cpu: Annotated[bool, Field(alias="dedicatedCPU")]
    """Whether each vCPU has a processor of its own."""
    cpu_allocation_percent: Whole
    """How many vCPUs may be committed for 100 processors: 100 is no sharing."""
    memory_bytes: Whole
    """Memory of each unit."""
    disk_bytes: Whole
    """Disk of each unit."""
    storage_class: StorageClass | None = None
    """What the disk lies on; absent: any storage."""
    storage_classes: tuple[StorageClass, ...] = ()
    """What the storages are made of that were seen to carry it."""
    gpu: CatalogueGPU | None = None
    processor: CatalogueProcessor | None = None
    operating_systems: tuple[CatalogueSystem, ...] = ()
    """What can be installed."""
    location: Location | None = None
    """Where it stands."""
    price: Price | None = None
    """What one unit costs; absent: ask the seller."""
    for_sale: bool
    """Whether it may be sold: stock is InStock or LowStock, and it is not yet `validUntil`."""
    not_for_sale: NotForSale | None = None
    """Why not. SoldOut: none fits. Unknown: the cluster could not be judged. Expired: what was said is over. NotObserved: nothing was said
    yet. TermsChanged: what was said is about other terms.
    """
    stock: Stock
    """InStock, LowStock, OutOfStock, or Unknown, at the moment of the export."""
    available: Whole | None = None
    """How many units fit at the same time, if only this tier were sold. Absent when stock is Unknown."""
    observed_at: Time | None = None
    """When Proxmox was read."""
    valid_until: Time | None = None
    """From this moment on nobody may sell it on these grounds."""


class Catalogue(Model):
    """What is sold, and until when that may be believed."""

    schema_: Annotated[Literal["https://proxmox-offerings.io/schemas/catalogue-v1.json"], Field(alias="$schema")] = (
        SCHEMA_ID
    )
    """Names this form. Further fields may appear in it: ignore those that you do not know."""
    valid_until: Time | None = None
    """The first moment at which something here ends by itself: fetch again before. Absent: nothing does."""
    offerings: tuple[CatalogueOffering, ...]
    """All of them, for sale or not, by id."""


def catalogue_of(offerings: Iterable[Offering], *, now: datetime) -> Catalogue:
    """The catalogue at `now`."""
    entries = [(one, standing_of(one, now=now)) for one in offerings]
    return Catalogue(
        valid_until=first_of(standing.until for _, standing in entries),
        offerings=tuple(sorted((_entry(one, standing) for one, standing in entries), key=lambda entry: entry.id)),
    )


def render(offerings: Iterable[Offering], *, now: datetime, options: Options) -> Rendered:
    """The same in JSON."""
    del options  # a seller's additions are for marketplaces
    made = catalogue_of(offerings, now=now)
    return Rendered(
        body=f"{made.model_dump_json(by_alias=True, exclude_none=True, indent=2)}\n".encode(),
        content_type=CONTENT_TYPE,
        changes_at=made.valid_until,
        offerings=len(made.offerings),
        for_sale=sum(one.for_sale for one in made.offerings),
    )


def _entry(offering: Offering, standing: Standing) -> CatalogueOffering:
    spec, status, metadata = offering.spec, offering.status or OfferingStatus(), offering.metadata
    return CatalogueOffering(
        id=identifier(metadata.namespace, metadata.name),
        namespace=metadata.namespace or "default",
        name=metadata.name,
        host=spec.host_ref.name,
        tier=spec.tier,
        display_name=text(spec.display_name) or spec.tier,
        product_type=spec.product_type,
        virtualization=spec.virtualization,
        architecture=spec.architecture,
        cpu=spec.cpu,
        dedicated_cpu=spec.dedicated_cpu,
        cpu_allocation_percent=spec.cpu_allocation_percent,
        memory_bytes=spec.memory.bytes,
        disk_bytes=spec.disk.bytes,
        storage_class=spec.storage_class,
        storage_classes=status.storage.classes if status.storage is not None else (),
        gpu=_gpu(spec.gpu, status) if spec.gpu is not None else None,
        processor=_processor(status),
        operating_systems=tuple(
            CatalogueSystem(name=text(system.name), template=system.template) for system in status.operating_systems
        ),
        location=spec.location,
        price=spec.price,
        for_sale=standing.for_sale,
        not_for_sale=standing.why_not,
        stock=status.stock if standing.is_known else Stock.UNKNOWN,
        available=status.available if standing.is_known else None,
        observed_at=status.observed_at,
        valid_until=status.valid_until,
    )


def _gpu(wanted: TierGPU, status: OfferingStatus) -> CatalogueGPU:
    found = status.gpu
    return CatalogueGPU(
        count=wanted.count,
        models=wanted.models,
        profile=wanted.profile,
        name=text(found.name) if found is not None else None,
        memory_bytes=found.memory.bytes if found is not None and found.memory is not None else None,
    )


def _processor(status: OfferingStatus) -> CatalogueProcessor | None:
    found = status.processor
    if found is None:
        return None
    return CatalogueProcessor(brand=found.brand, models=tuple(map(text, found.models)), speed_mhz=found.speed_mhz)
