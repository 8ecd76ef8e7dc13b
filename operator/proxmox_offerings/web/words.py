"""Amounts, moments and reasons in the words of the page. Pure."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Final

from proxmox_offerings.catalogue.messages import RUNS_OUT, USED_UP
from proxmox_offerings.catalogue.text import in_binary_units
from proxmox_offerings.resources import LimitingResource, Quantity, Stock, StorageClass
from proxmox_offerings.web.html import Html, tag

STOCK_WORDS: Final = {
    Stock.IN_STOCK: "In stock",
    Stock.LOW_STOCK: "Low stock",
    Stock.OUT_OF_STOCK: "Sold out",
    Stock.UNKNOWN: "Unknown",
}
CLASS_WORDS: Final = {
    StorageClass.NVME: "NVMe",
    StorageClass.SSD: "SSD",
    StorageClass.HDD: "HDD",
    StorageClass.NETWORK: "network",
    StorageClass.UNKNOWN: "unknown",
}
LIMITS: Final = {
    **RUNS_OUT,
    LimitingResource.FAILOVER: "the rest is kept for failover",
    LimitingResource.MAX_UNITS: "as many as are for sale",
}
LACKING: Final = {
    **USED_UP,
    LimitingResource.FAILOVER: "what is left is kept for failover",
    LimitingResource.NODES: "no node can carry it now",
}


def size(amount: Quantity | int) -> str:
    """Bytes for people: "4 GiB", "1.5 TiB", with a decimal below ten."""
    value = Fraction(amount) if isinstance(amount, int) else amount.value
    scaled, unit = in_binary_units(abs(value))
    return f"{'−' if value < 0 else ''}{_number(scaled)} {unit}"


def amount(quantity: Quantity) -> str:
    """vCPUs for people: "12", "1.5"."""
    return f"{'−' if quantity.value < 0 else ''}{_number(abs(quantity.value))}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """ "1 node", "2 nodes"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def time(moment: datetime, *, class_: str | None = None) -> Html:
    """A moment; the script tells its age instead."""
    utc = moment.astimezone(UTC)
    return tag("time", f"{utc.day} {utc:%b %H:%M:%S} UTC", datetime=utc.strftime("%Y-%m-%dT%H:%M:%SZ"), class_=class_)


def milliseconds(moment: datetime) -> int:
    """For the script."""
    return round(moment.timestamp() * 1000)


def _number(value: Fraction) -> str:
    """At most one decimal, and none from ten on, rounded down: nothing looks larger than it is."""
    if value >= 10 or value.denominator == 1:
        return str(int(value))
    tenths = int(value * 10)
    return str(tenths // 10) if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"
