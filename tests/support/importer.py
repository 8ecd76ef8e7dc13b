"""decent-cloud's CSV importer, as far as it decides what becomes of a row; in our own words, from what its source does.

Read: `import_offerings_csv_internal`, `parse_csv_record`, `create_offering` in api/src/database/offerings.rs of decent-stuff/decent-cloud. Columns
are found by their trimmed names. What is optional is trimmed, and dropped without a word where it is empty or no number. What is not is taken as
it is, with its blanks.
"""

import csv
import io
import re
from dataclasses import dataclass, field
from typing import Any

TEXTS = (
    "description",
    "product_page_url",
    "virtualization_type",
    "processor_brand",
    "processor_speed",
    "processor_name",
    "memory_error_correction",
    "memory_type",
    "memory_amount",
    "total_hdd_capacity",
    "total_ssd_capacity",
    "uplink_speed",
    "control_panel",
    "gpu_name",
    "offering_source",
    "external_checkout_url",
    "provisioner_type",
    "provisioner_config",
    "template_name",
    "agent_pool_id",
    "post_provision_script",
)
WHOLES = (
    "processor_amount",
    "processor_cores",
    "hdd_amount",
    "ssd_amount",
    "traffic",
    "gpu_count",
    "gpu_memory_gb",
    "min_contract_hours",
    "max_contract_hours",
    "included_units",
    "subscription_interval_days",
)
FLOATS = ("datacenter_latitude", "datacenter_longitude")
LISTS = ("payment_methods", "features", "operating_systems")
AS_THEY_ARE = (
    "offering_id",
    "offer_name",
    "currency",
    "visibility",
    "product_type",
    "billing_interval",
    "stock_status",
    "datacenter_country",
    "datacenter_city",
)
COUNTRIES = {"DE", "FR", "NL", "NO", "US"}
"""Of the ISO codes that it knows, those that the tests use."""


@dataclass
class Marketplace:
    """One provider's offerings by offering_id, and what was wrong with the rows of the last import: (row, message)."""

    offerings: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)

    def upsert(self, body: bytes) -> int:
        """Take a CSV over, with `upsert=true`; the number of rows that it took."""
        self.errors = []
        header, *rows = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
        names = [name.strip() for name in header]
        for number, cells in enumerate(rows, start=2):
            if len(cells) != len(names):
                self.errors.append((number, "CSV parse error: other length"))
                continue
            try:
                offering = _parsed(dict(zip(names, cells, strict=True)))
            except ValueError as problem:
                self.errors.append((number, str(problem)))
                continue
            self.offerings[offering["offering_id"]] = offering
        return len(rows) - len(self.errors)


def _parsed(row: dict[str, str]) -> dict[str, Any]:
    taken: dict[str, Any] = {name: row.get(name, "") for name in AS_THEY_ARE}
    for name in ("offering_id", "offer_name"):
        if not taken[name].strip():
            raise ValueError(f"{name} is required")
    for name in ("monthly_price", "setup_fee"):
        if name not in row:
            raise ValueError(f"Missing column '{name}'")
        taken[name] = _float(row[name].strip())
        if taken[name] is None:
            raise ValueError(f"Invalid number in column '{name}'")
    country = taken["datacenter_country"]
    if country and country not in COUNTRIES:
        raise ValueError(f"Invalid datacenter_country '{country}'")
    taken |= {name: row.get(name, "").strip() or None for name in TEXTS}
    taken |= {name: _whole(row.get(name, "").strip()) for name in WHOLES}
    taken |= {name: _float(row.get(name, "").strip()) for name in FLOATS}
    items = {name: [item.strip() for item in row.get(name, "").split(",")] for name in LISTS}
    taken |= {name: [item for item in found if item] or None for name, found in items.items()}
    taken["unmetered_bandwidth"] = row.get("unmetered_bandwidth", "").strip().lower() in ("true", "1", "yes")
    return taken


def _whole(cell: str) -> int | None:
    return int(cell) if re.fullmatch(r"[+-]?[0-9]+", cell) and abs(int(cell)) < 2**63 else None


def _float(cell: str) -> float | None:
    return float(cell) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", cell) else None
