"""What both of decent-cloud's formats say of an Offering, and which Offerings they can take at all.

Facts about its importer: `parse_csv_record` and `create_offering` in api/src/database/offerings.rs of decent-stuff/decent-cloud.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from proxmox_offerings.exports.rendered import LeftOut
from proxmox_offerings.exports.standing import Standing, standing_of
from proxmox_offerings.exports.words import identifier
from proxmox_offerings.resources import Location, Offering, Price, StorageClass

SOLID_STATE = frozenset({StorageClass.NVME, StorageClass.SSD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An Offering that can be listed: with a price and a country."""

    offering: Offering
    id: str
    price: Price
    location: Location
    country: str
    standing: Standing

    @property
    def stock_status(self) -> str:
        """What a statement that is over says nothing for is out of stock: a row that vanished would stay listed as it was."""
        return "in_stock" if self.standing.for_sale else "out_of_stock"

    @property
    def storage_type(self) -> str:
        """ "ssd" only if that is known of all storages that a disk may lie on; else "hdd", the least that it can be."""
        classes = classes_of(self.offering)
        return "ssd" if classes and classes <= SOLID_STATE else "hdd"


def classes_of(offering: Offering) -> frozenset[StorageClass]:
    """What a unit's disk may lie on: what the tier asks for, or else what was found."""
    if offering.spec.storage_class is not None:
        return frozenset({offering.spec.storage_class})
    found = offering.status.storage if offering.status is not None else None
    return frozenset(found.classes) if found is not None else frozenset()


def listings_of(offerings: Iterable[Offering], *, now: datetime) -> tuple[list[Listing], tuple[LeftOut, ...]]:
    """By id: those that can be listed, and those that cannot with the reason."""
    listings, left_out = [], []
    for one in offerings:
        price, location = one.spec.price, one.spec.location
        name = identifier(one.metadata.namespace, one.metadata.name)
        if price is None:
            left_out.append(LeftOut(name=name, reason="it has no price: give its tier one, or the host spec.pricing"))
        elif location is None or location.country is None:
            left_out.append(LeftOut(name=name, reason="it has no country: give the host spec.location.country"))
        else:
            standing = standing_of(one, now=now)
            listings.append(
                Listing(
                    offering=one,
                    id=name,
                    price=price,
                    location=location,
                    country=location.country,
                    standing=standing,
                )
            )
    return sorted(listings, key=lambda one: one.id), tuple(sorted(left_out, key=lambda one: one.name))
