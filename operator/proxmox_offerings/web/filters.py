"""Which Offerings a visitor wants to see, and in which order: a query, read leniently and written back in one form. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlencode

from proxmox_offerings.resources import ProductType, Stock
from proxmox_offerings.resources.text import clean
from proxmox_offerings.web.offers import Offer

LONGEST_TEXT: Final = 80
MOST_FIELDS: Final = 32
PAGE_SIZE: Final = 100
"""Offerings on one page."""

FOR_SALE: Final = "available"
STOCKS: Final[Mapping[str, frozenset[Stock]]] = {
    FOR_SALE: frozenset({Stock.IN_STOCK, Stock.LOW_STOCK}),
    "InStock": frozenset({Stock.IN_STOCK}),
    "LowStock": frozenset({Stock.LOW_STOCK}),
    "OutOfStock": frozenset({Stock.OUT_OF_STOCK}),
    "Unknown": frozenset({Stock.UNKNOWN}),
}
TYPES: Final = tuple(kind.value for kind in ProductType)
NO_PRICE: Final = Decimal("Infinity")


def _price(offer: Offer, _: datetime) -> tuple[Any, ...]:
    """By currency first: amounts of two currencies do not compare. What has no price comes last."""
    price = offer.spec.price
    return (price is None, price.currency if price else "", Decimal(price.monthly) if price else NO_PRICE)


def _available(offer: Offer, now: datetime) -> tuple[Any, ...]:
    known = offer.holds(now)
    return (not known, -(offer.status.available or 0) if known else 0)


def _size(offer: Offer, _: datetime) -> tuple[Any, ...]:
    return (offer.spec.cpu, offer.spec.memory.value, offer.spec.disk.value)


ORDERS: Final[Mapping[str, Callable[[Offer, datetime], tuple[Any, ...]]]] = {
    "name": lambda *_: (),
    "price": _price,
    "size": _size,
    "available": _available,
}
"""Order -> what is compared; equals stay in the order of their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is wanted. "" is anything; what nobody could mean is taken for that."""

    text: str = ""
    stock: str = ""
    country: str = ""
    type: str = ""
    gpu: str = ""
    sort: str = "name"
    page: int = 1

    @classmethod
    def parse(cls, query: str) -> Self:
        """From the query of a URL."""
        try:
            fields = dict(parse_qsl(query, max_num_fields=MOST_FIELDS, errors="replace"))
        except ValueError:
            fields = {}
        page = fields.get("page", "")
        return cls(
            text=_text(fields, "q"),
            stock=_one_of(fields, "stock", STOCKS, ""),
            country=_text(fields, "country").upper()[:2],
            type=_one_of(fields, "type", TYPES, ""),
            gpu=_text(fields, "gpu"),
            sort=_one_of(fields, "sort", ORDERS, "name"),
            page=max(1, int(page)) if page.isascii() and page.isdecimal() and len(page) < 6 else 1,
        )

    def query(self, *, page: int | None = None) -> str:
        """The query of a URL, of another page if given; "" for everything."""
        fields = {
            "q": self.text,
            "stock": self.stock,
            "country": self.country,
            "type": self.type,
            "gpu": self.gpu,
            "sort": "" if self.sort == "name" else self.sort,
            "page": str(page or self.page) if (page or self.page) > 1 else "",
        }
        return urlencode({name: value for name, value in fields.items() if value})

    @property
    def is_set(self) -> bool:
        """Whether anything is left out."""
        return replace(self, sort="name", page=1) != Filter()

    def chosen(self, offers: Iterable[Offer], now: datetime) -> list[Offer]:
        """Those that are wanted, in the order that is wanted; of all pages."""
        order = ORDERS[self.sort]
        return sorted((offer for offer in offers if self._wants(offer, now)), key=lambda offer: order(offer, now))

    def _wants(self, offer: Offer, now: datetime) -> bool:
        spec = offer.spec
        return (
            (not self.type or spec.product_type == self.type)
            and (not self.country or (spec.location is not None and spec.location.country == self.country))
            and (not self.gpu or gpu_of(offer) == self.gpu)
            and (not self.stock or offer.stock(now) in STOCKS[self.stock])
            and all(word in offer.haystack for word in self.text.casefold().split())
        )


def gpu_of(offer: Offer) -> str | None:
    """What its graphics cards are called: as they were seen, else as they are wanted."""
    if offer.spec.gpu is None:
        return None
    seen = offer.status.gpu
    return seen.name if seen is not None else " or ".join(offer.spec.gpu.models)


def _text(fields: Mapping[str, str], name: str) -> str:
    return clean(fields.get(name, ""), most=LONGEST_TEXT)


def _one_of(fields: Mapping[str, str], name: str, known: Iterable[str], default: str) -> str:
    value = fields.get(name, "")
    return value if value in known else default
