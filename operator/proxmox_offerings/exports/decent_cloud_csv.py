"""decent-cloud's CSV of offerings, to be imported with `upsert=true`.

Its importer finds columns by name and takes sizes as texts ("4 GB" means GiB); a whole number that it cannot read it drops without a word, and
an upsert replaces whatever the row leaves empty. docs/how-to/export.md says which column comes from where.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from proxmox_offerings.exports.decent_cloud import Listing, listings_of
from proxmox_offerings.exports.options import Options
from proxmox_offerings.exports.rendered import Rendered
from proxmox_offerings.exports.standing import first_of
from proxmox_offerings.exports.words import GIB, degrees, gigabytes, gigahertz, text
from proxmox_offerings.resources import Offering, OperatingSystem

CONTENT_TYPE: Final = "text/csv; charset=utf-8; header=present"

COLUMNS: Final = (
    "offering_id",
    "offer_name",
    "description",
    "product_page_url",
    "currency",
    "monthly_price",
    "setup_fee",
    "visibility",
    "product_type",
    "virtualization_type",
    "billing_interval",
    "stock_status",
    "processor_brand",
    "processor_amount",
    "processor_cores",
    "processor_speed",
    "processor_name",
    "memory_error_correction",
    "memory_type",
    "memory_amount",
    "hdd_amount",
    "total_hdd_capacity",
    "ssd_amount",
    "total_ssd_capacity",
    "unmetered_bandwidth",
    "uplink_speed",
    "traffic",
    "datacenter_country",
    "datacenter_city",
    "datacenter_latitude",
    "datacenter_longitude",
    "control_panel",
    "gpu_name",
    "gpu_count",
    "gpu_memory_gb",
    "min_contract_hours",
    "max_contract_hours",
    "payment_methods",
    "features",
    "operating_systems",
    "agent_pool_id",
)
"""The 41 of its template, in their order."""

TEMPLATE_COLUMNS: Final = ("template_name", "provisioner_type", "provisioner_config")
"""What its own export has beyond those; its importer takes them too."""

_WHOLE: Final = frozenset({"processor_amount", "traffic", "min_contract_hours", "max_contract_hours"})
_TRUTH: Final = frozenset({"unmetered_bandwidth"})
_WORDS: Final[Mapping[str, frozenset[str]]] = {"visibility": frozenset({"public", "shared", "private"})}
FREE_COLUMNS: Final = (
    _WHOLE
    | _TRUTH
    | _WORDS.keys()
    | {
        "product_page_url",
        "memory_error_correction",
        "memory_type",
        "uplink_speed",
        "control_panel",
        "payment_methods",
        "agent_pool_id",
    }
)
"""What follows from no Offering; the seller may say it for all of them (`Options.columns`)."""


def column_problem(name: str, value: str) -> str | None:
    """Why a seller may not say this; None if they may."""
    if name not in FREE_COLUMNS:
        return f"is none that can be set; those are {', '.join(sorted(FREE_COLUMNS))}"
    if name in _WHOLE and not (value.isascii() and value.isdigit()):
        return "must be a whole number: the importer would drop anything else without a word"
    if name in _TRUTH and value not in ("true", "false"):
        return "must be true or false"
    if name in _WORDS and value not in _WORDS[name]:
        return f"must be one of {', '.join(sorted(_WORDS[name]))}"
    return None


def render(offerings: Iterable[Offering], *, now: datetime, options: Options) -> Rendered:
    """The header, and a row for each Offering that has a price and a country, by id. Raises ValueError if `options.previous` is no such CSV."""
    listings, left_out = listings_of(offerings, now=now)
    rows = {listing.id: _row(listing, options) for listing in listings}
    rows = _withdrawn(options.previous) | rows
    header = [*COLUMNS, *(TEMPLATE_COLUMNS if options.template_columns else ())]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, header, lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(row for _, row in sorted(rows.items()))
    for_sale = [one.standing for one in listings if one.standing.for_sale]
    return Rendered(
        body=file.getvalue().encode(),
        content_type=CONTENT_TYPE,
        changes_at=first_of(standing.until for standing in for_sale),
        offerings=len(listings),
        for_sale=len(for_sale),
        left_out=left_out,
    )


def _withdrawn(previous: bytes) -> dict[str, dict[str, str]]:
    """The rows of an earlier export by id, each out of stock."""
    if not previous:
        return {}
    try:
        header, *rows = csv.reader(io.StringIO(previous.decode(), newline=""), strict=True)
    except (csv.Error, ValueError):
        header, rows = [], []
    if not set(COLUMNS) <= set(header) or any(len(row) != len(header) for row in rows):
        raise ValueError("it is no CSV that was exported before")
    found = (dict(zip(header, row, strict=True)) | {"stock_status": "out_of_stock"} for row in rows)
    return {row["offering_id"]: row for row in found}


def _row(listing: Listing, options: Options) -> dict[str, str]:
    spec, location = listing.offering.spec, listing.location
    row = {
        "offering_id": listing.id,
        "offer_name": text(spec.display_name) or spec.tier,
        "description": _description(listing),
        "currency": listing.price.currency,
        "monthly_price": listing.price.monthly,
        "setup_fee": listing.price.setup,
        "visibility": "public",
        "product_type": spec.product_type.value,
        "virtualization_type": spec.virtualization.value,
        "billing_interval": "monthly",
        "stock_status": listing.stock_status,
        "processor_cores": str(spec.cpu),
        "memory_amount": gigabytes(spec.memory.bytes),
        f"{listing.storage_type}_amount": "1",
        f"total_{listing.storage_type}_capacity": gigabytes(spec.disk.bytes),
        "unmetered_bandwidth": "false",
        "datacenter_country": listing.country,
        "datacenter_city": text(location.city or ""),
        "datacenter_latitude": degrees(location.latitude or ""),
        "datacenter_longitude": degrees(location.longitude or ""),
        "features": "Dedicated vCPU" if spec.dedicated_cpu else "",
    }
    row |= _hardware(listing.offering) | _systems(listing.offering, with_template=options.template_columns)
    return row | {name: text(value) for name, value in options.columns.items()}


def _hardware(offering: Offering) -> dict[str, str]:
    """What was found to carry it. After the end of a statement that is what it once was."""
    status, wanted = offering.status, offering.spec.gpu
    row = {"gpu_count": str(wanted.count)} if wanted is not None else {}
    if status is None:
        return row
    if status.processor is not None:
        found = status.processor
        row |= {
            "processor_brand": text(found.brand or ""),
            "processor_name": " / ".join(filter(None, map(text, found.models))),
            "processor_speed": gigahertz(found.speed_mhz) if found.speed_mhz else "",
        }
    if status.gpu is not None and wanted is not None:
        memory = wanted.count * status.gpu.memory.bytes // GIB if status.gpu.memory is not None else 0
        row |= {"gpu_name": text(status.gpu.name), "gpu_memory_gb": str(memory) if memory else ""}
    return row


def _systems(offering: Offering, *, with_template: bool) -> dict[str, str]:
    """Names without commas, at which the importer splits them. One template: that of the first system, which they are listed by."""
    systems = offering.status.operating_systems if offering.status is not None else ()
    names = dict.fromkeys(text(system.name.replace(",", " ")) for system in systems)
    row = {"operating_systems": ",".join(filter(None, names))}
    if with_template:
        row |= {"provisioner_type": "proxmox"} | (_template(systems[0]) if systems else {})
    return row


def _template(system: OperatingSystem) -> dict[str, str]:
    config = json.dumps({"template_vmid": system.template}) if isinstance(system.template, int) else ""
    return {"template_name": text(str(system.template)), "provisioner_config": config}


def _description(listing: Listing) -> str:
    """What one unit is, in a sentence; no names of nodes or storages, which are nobody's business outside."""
    spec = listing.offering.spec
    kind = "container" if spec.virtualization.value == "LXC" else "virtual machine"
    parts = [
        f"{spec.cpu} {'dedicated ' if spec.dedicated_cpu else ''}vCPU{'' if spec.cpu == 1 else 's'} ({spec.architecture})",
        f"{gigabytes(spec.memory.bytes).replace('B', 'iB')} memory",
        f"{gigabytes(spec.disk.bytes).replace('B', 'iB')} {spec.storage_class or ''} disk".replace("  ", " "),
    ]
    if spec.gpu is not None:
        profile = f" ({text(spec.gpu.profile)})" if spec.gpu.profile else ""
        parts.append(f"{spec.gpu.count} GPU{'' if spec.gpu.count == 1 else 's'}{profile}")
    return f"{spec.virtualization} {kind}: {', '.join(parts)}"
