"""The catalogue that decent-cloud's specification has providers keep at /.well-known/decent-cloud-offerings.json.

Specification: docs/2025-12-07-provider-catalog-seeding-spec.md of decent-stuff/decent-cloud, phase 3. Nothing reads it yet, so it is followed to
the letter: no names beyond those it has, and none for what nobody knows (bandwidth, uplink).
"""

import json
import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from proxmox_offerings.exports.decent_cloud import Listing, listings_of
from proxmox_offerings.exports.options import Options
from proxmox_offerings.exports.rendered import Rendered
from proxmox_offerings.exports.standing import first_of
from proxmox_offerings.exports.words import degrees, in_gib, text
from proxmox_offerings.resources import Location, Offering

CONTENT_TYPE: Final = "application/json"
PATH: Final = "/.well-known/decent-cloud-offerings.json"
_EXACT: Final = "\0"
"""Begins the text of a number that is written as it is: a float would not be what was said. No text that is shown holds it."""
_QUOTED: Final = re.compile(r'"\\u0000(-?[0-9]+(?:\.[0-9]+)?)"')


def render(offerings: Iterable[Offering], *, now: datetime, options: Options) -> Rendered:
    """Every Offering that has a price and a country, by id. `updated_at` is when the newest was observed: no clock."""
    listings, left_out = listings_of(offerings, now=now)
    seen = [one.offering.status.observed_at for one in listings if one.offering.status is not None]
    updated = max((moment for moment in seen if moment is not None), default=None)
    provider = options.provider
    tree = {
        "$schema": "https://decent-cloud.org/schemas/offerings/v1.json",
        "version": "1.0",
        "provider": _without_nothing(
            {
                "name": _text(provider.name),
                "website": _text(provider.website),
                "support_email": _text(provider.support_email),
            }
        ),
        "offerings": [_offering(listing, options) for listing in listings],
    }
    if updated is not None:
        tree["updated_at"] = f"{updated:%Y-%m-%dT%H:%M:%SZ}"
    for_sale = [one.standing for one in listings if one.standing.for_sale]
    written = json.dumps(tree, indent=2, ensure_ascii=False)
    return Rendered(
        body=f"{_QUOTED.sub(lambda number: number[1], written)}\n".encode(),
        content_type=CONTENT_TYPE,
        changes_at=first_of(standing.until for standing in for_sale),
        offerings=len(listings),
        for_sale=len(for_sale),
        left_out=left_out,
    )


def _offering(listing: Listing, options: Options) -> dict[str, Any]:
    spec = listing.offering.spec
    return _without_nothing(
        {
            "id": listing.id,
            "name": text(spec.display_name) or spec.tier,
            "product_type": spec.product_type.value,
            "monthly_price": _exactly(listing.price.monthly),
            "currency": listing.price.currency,
            "datacenter": _datacenter(listing.country, listing.location),
            "specs": {
                "cpu_cores": spec.cpu,
                "memory_gb": _exactly(in_gib(spec.memory.bytes)),
                "storage_gb": _exactly(in_gib(spec.disk.bytes)),
                "storage_type": listing.storage_type,
            },
            "stock_status": listing.stock_status,
            "product_url": _text(options.columns.get("product_page_url")),
        }
    )


def _datacenter(country: str, location: Location) -> dict[str, Any]:
    return _without_nothing(
        {
            "country": country,
            "city": _text(location.city),
            "latitude": _exactly(degrees(location.latitude)) if location.latitude else None,
            "longitude": _exactly(degrees(location.longitude)) if location.longitude else None,
        }
    )


def _text(written: str | None) -> str | None:
    return text(written or "") or None


def _exactly(number: str | Decimal) -> str:
    """As JSON writes numbers: without zeros in front, in digits."""
    return f"{_EXACT}{Decimal(number):f}"


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
