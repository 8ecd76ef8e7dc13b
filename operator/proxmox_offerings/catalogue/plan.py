"""The Offerings that should exist for one ProxmoxHost, and what they should say: a pure function of the host and a Snapshot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from proxmox_offerings.capacity.disks import Disks, DiskUse
from proxmox_offerings.capacity.fit import Fit
from proxmox_offerings.catalogue.bounds import names
from proxmox_offerings.catalogue.count import Count, count
from proxmox_offerings.catalogue.hardware import gpu_of, processor_of
from proxmox_offerings.catalogue.messages import message_of
from proxmox_offerings.catalogue.observed import observed_of
from proxmox_offerings.catalogue.pricing import Reckoning, reckon
from proxmox_offerings.catalogue.stock import stock_of
from proxmox_offerings.catalogue.systems import systems_of
from proxmox_offerings.catalogue.totals import Total, totals_of
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.resources import (
    GROUP,
    HostRef,
    OfferingNode,
    OfferingSpec,
    OfferingStatus,
    OfferingStorage,
    Processor,
    ProductType,
    ProxmoxHost,
    ProxmoxHostStatus,
    Stock,
    StorageClass,
    Tier,
)

NOT_OBSERVED = "the cluster has not been observed yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOffering:
    """One Offering as it should be.

    `statement` is the status without observedGeneration, observedAt, validUntil and conditions: those belong to the moment of writing.
    """

    name: str
    tier: str
    labels: Mapping[str, str]
    spec: OfferingSpec
    statement: OfferingStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All Offerings of a host in the order of their tiers, and the part of the host's status that was observed (no times, no conditions).

    `totals` are the whole cluster's, by resource.
    """

    offerings: tuple[PlannedOffering, ...]
    observed: ProxmoxHostStatus
    totals: Mapping[str, Total]


def plan(
    *, host: ProxmoxHost, snapshot: Snapshot, past: Mapping[str, Stock], existing: Iterable[OfferingSpec] = ()
) -> Plan:
    """What `snapshot` lets `host` sell.

    `past` is each Offering's last published stock by name (restockThreshold needs it); `existing` are the specs of the host's Offerings: those
    of derived tiers stay although no node could carry them any more. Raises UncountableGuests.
    """
    return plan_of(count(host=host, snapshot=snapshot, existing=existing), past=past)


def plan_of(counted: Count, *, past: Mapping[str, Stock]) -> Plan:
    """The same, of what was counted."""
    host, snapshot = counted.host, counted.snapshot
    # Most tiers can be carried by the same nodes.
    processor = cache(lambda carriers: processor_of([snapshot.nodes[name] for name in carriers]))
    storage = cache(lambda carriers, use: _storage(carriers, counted.disks[use]))
    offerings = tuple(
        _offering(
            host,
            tier,
            reckoning,
            _stated(
                host,
                tier,
                fit=fit,
                snapshot=snapshot,
                past=past.get(offering_name(host, tier)),
                processor=processor(fit.carriers),
                storage=storage(fit.carriers, DiskUse.of(tier)),
            ),
        )
        for tier, fit, reckoning in zip(counted.tiers, counted.fits, counted.reckonings, strict=True)
    )
    unpriced = {
        tier.name: reckoning.lacking
        for tier, reckoning in zip(counted.tiers, counted.reckonings, strict=True)
        if reckoning.lacking
    }
    stocks = [offering.statement.stock for offering in offerings]
    return Plan(
        offerings=offerings,
        observed=observed_of(
            snapshot=snapshot, rooms=counted.rooms, shelves=counted.shelves, stocks=stocks, unpriced=unpriced
        ),
        totals=totals_of(counted.rooms, counted.shelves),
    )


def unobserved(*, host: ProxmoxHost) -> tuple[PlannedOffering, ...]:
    """The Offerings that follow from the host alone (its explicit tiers), all with stock Unknown: for when nothing could be observed.

    Derived tiers follow from the hardware, so without an observation there are none: what exists of them stays.
    """
    statement = OfferingStatus(stock=Stock.UNKNOWN, message=NOT_OBSERVED)
    return tuple(_offering(host, tier, reckon(tier, host.spec.pricing), statement) for tier in host.spec.tiers or ())


def offering_name(host: ProxmoxHost, tier: Tier) -> str:
    return f"{host.metadata.name}-{tier.name}"


def _stated(
    host: ProxmoxHost,
    tier: Tier,
    *,
    fit: Fit,
    snapshot: Snapshot,
    past: Stock | None,
    processor: Processor | None,
    storage: OfferingStorage | None,
) -> OfferingStatus:
    said = stock_of(fit.available, policy=host.spec.stock, past=past)
    return OfferingStatus(
        stock=said.stock,
        available=said.available,
        limiting_resource=fit.limiting,
        message=message_of(fit, said, policy=host.spec.stock),
        nodes=tuple(
            OfferingNode(
                name=node.name,
                available=node.available if said.available else 0,
                limiting_resource=node.limiting,
            )
            for node in fit.nodes
        ),
        processor=processor,
        gpu=gpu_of(tier, [snapshot.nodes[name] for name in fit.carriers]) if tier.gpu else None,
        storage=storage,
        operating_systems=systems_of(
            tier,
            templates=snapshot.templates,
            rules=host.spec.operating_systems,
            carriers=fit.carriers,
        ),
    )


def _storage(carriers: tuple[str, ...], disks: Disks) -> OfferingStorage | None:
    backings = {backing for name in carriers for backing in disks.reach.get(name, ())}
    if not backings:
        return None
    ids = {name for backing in backings for name in disks.names[backing]}
    classes = {word for backing in backings for word in disks.classes[backing]}
    return OfferingStorage(classes=tuple(map(StorageClass, sorted(classes))), names=names(ids))


def _offering(host: ProxmoxHost, tier: Tier, reckoning: Reckoning, statement: OfferingStatus) -> PlannedOffering:
    product = ProductType.GPU if tier.gpu is not None else ProductType.COMPUTE
    labels = {
        f"{GROUP}/host": host.metadata.name,
        f"{GROUP}/tier": tier.name,
        f"{GROUP}/product-type": product.value,
    }
    location = host.spec.location
    if location.country is not None:
        labels[f"{GROUP}/country"] = location.country
    return PlannedOffering(
        name=offering_name(host, tier),
        tier=tier.name,
        labels=labels,
        # All of it was checked as part of the host; to check twenty tiers once more would be a twentieth of a small cluster's plan.
        spec=OfferingSpec.model_construct(
            host_ref=HostRef(name=host.metadata.name),
            tier=tier.name,
            display_name=tier.display_name or tier.name,
            product_type=product,
            virtualization=tier.virtualization,
            architecture=tier.architecture,
            cpu=tier.cpu,
            memory=tier.memory,
            disk=tier.disk,
            storage_class=tier.storage_class,
            gpu=tier.gpu,
            dedicated_cpu=tier.dedicated_cpu,
            cpu_allocation_percent=host.spec.allocation.cpu.percent,
            location=location,
            price=reckoning.price,
        ),
        statement=statement,
    )
