"""One line about each host: what was read, and what became of its tiers."""

from collections import Counter

from proxmox_offerings.catalogue.text import listed
from proxmox_offerings.cli.reading import Preview
from proxmox_offerings.cli.table import STOCK_COLORS
from proxmox_offerings.cli.terminal import Paint


def line(preview: Preview, paint: Paint) -> str:
    """ "fra1: Proxmox VE 9.1.1, 3 of 3 nodes sell; 4 InStock, 1 LowStock; read at 16:02:11Z, valid until 16:12:11Z"."""
    counted = preview.reading.counted
    assert counted is not None  # noqa: S101 - the caller asks for hosts that were read
    rooms = counted.rooms.rooms
    selling = sum(room.left_out is None for room in rooms.values())
    stocks = Counter(offering["status"]["stock"] for offering in preview.offerings)
    told = ", ".join(paint(f"{stocks[word]} {word}", color) for word, color in STOCK_COLORS.items() if stocks[word])
    until = next((offering["status"]["validUntil"] for offering in preview.offerings), None)
    times = f"; read at {counted.snapshot.observed_at:%H:%M:%SZ}" + (f", holds until {until[11:]}" if until else "")
    nodes = f"{selling} of {len(rooms)} node{'' if len(rooms) == 1 else 's'} sell{'s' if len(rooms) == 1 else ''}"
    unpriced = [tier.name for tier, price in zip(counted.tiers, counted.reckonings, strict=True) if price.lacking]
    no_price = f"; no price for {listed(unpriced)}: --explain says why" if unpriced else ""
    return f"{paint(preview.host, bold=True)}: Proxmox VE {counted.snapshot.version}, {nodes}; {told or 'no tiers'}{times}{no_price}"
