"""What a number of units is called, and when a sold-out tier is offered again."""

from dataclasses import dataclass

from proxmox_offerings.resources import Stock, StockPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`available` None: Unknown."""

    stock: Stock
    available: int | None


def stock_of(available: int | None, *, policy: StockPolicy, past: Stock | None) -> Statement:
    """After OutOfStock, units are offered again only from `restockThreshold` up: below it the tier stays sold out, with 0 available."""
    if available is None:
        return Statement(stock=Stock.UNKNOWN, available=None)
    if available == 0 or (past is Stock.OUT_OF_STOCK and available < policy.restock_threshold):
        return Statement(stock=Stock.OUT_OF_STOCK, available=0)
    low = available <= policy.low_threshold
    return Statement(stock=Stock.LOW_STOCK if low else Stock.IN_STOCK, available=available)
