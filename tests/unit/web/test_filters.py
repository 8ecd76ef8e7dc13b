"""Filters: they work without script, so all of them is here."""

import pytest

from proxmox_offerings.web.filters import Filter
from proxmox_offerings.web.offers import Reader
from support.storefront import HELSINKI, Shelf


def names(shelf: Shelf, query: str) -> list[str]:
    offers = Reader().read(shelf.contents()).offers
    return [offer.name for offer in Filter.parse(query).chosen(offers, shelf.clock.now())]


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    shelf.offer("std-2", available=5, spec={"price": {"currency": "EUR", "monthly": "10.00"}, "cpu": 2})
    shelf.offer(
        "std-16", available=1, stock="LowStock", spec={"price": {"currency": "EUR", "monthly": "9.50"}, "cpu": 16}
    )
    shelf.offer("gone", available=0, spec={"price": None, "cpu": 4})
    shelf.offer("dark", available=None)
    shelf.offer("late", available=99, seconds=-1)
    shelf.offer(
        "gpu",
        host="hel1",
        available=7,
        spec={"productType": "gpu", "gpu": {"count": 1, "models": ["*A100*"]}, "location": HELSINKI, "cpu": 8},
        status={"gpu": {"name": "A100 PCIe 80GB"}},
    )
    return shelf


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["fra1-dark", "fra1-gone", "fra1-late", "fra1-std-2", "fra1-std-16", "hel1-gpu"]),
        ("stock=available", ["fra1-std-2", "fra1-std-16", "hel1-gpu"]),
        ("stock=LowStock", ["fra1-std-16"]),
        ("stock=OutOfStock", ["fra1-gone"]),
        ("stock=Unknown", ["fra1-dark", "fra1-late"]),
        ("country=FI", ["hel1-gpu"]),
        ("country=fi", ["hel1-gpu"]),
        ("type=gpu", ["hel1-gpu"]),
        ("type=compute&q=std", ["fra1-std-2", "fra1-std-16"]),
        ("gpu=A100+PCIe+80GB", ["hel1-gpu"]),
        ("q=HELSINKI%20a100", ["hel1-gpu"]),
        ("q=debian+epyc+std-16", ["fra1-std-16"]),
        ("q=nothing-like-it", []),
        ("stock=available&sort=available", ["hel1-gpu", "fra1-std-2", "fra1-std-16"]),
        ("q=fra1&sort=price&stock=available", ["fra1-std-16", "fra1-std-2"]),
        ("sort=size&stock=available", ["fra1-std-2", "hel1-gpu", "fra1-std-16"]),
    ],
)
def test_what_is_asked_for_is_found(shelf: Shelf, query: str, found: list[str]) -> None:
    assert names(shelf, query) == found


def test_what_has_no_price_is_not_the_cheapest(shelf: Shelf) -> None:
    assert names(shelf, "sort=price")[-1] == "fra1-gone"


@pytest.mark.parametrize(
    "query",
    [
        "stock=Free",
        "type=bike",
        "sort=luck",
        "page=-1",
        "page=0",
        "page=%C2%B2",
        "page=99999999999",
        "&&&=",
        "a=1&" * 99,
        "q=%00+%e2%80%ae",
    ],
)
def test_nonsense_is_taken_for_everything(query: str) -> None:
    assert Filter.parse(query) == Filter()


def test_a_query_is_written_in_one_form() -> None:
    """Else each spelling would be kept apart."""
    one = Filter.parse("sort=name&page=1&country=de&q=+a+%00b&stock=&unknown=1")
    assert one == Filter(text="a b", country="DE")
    assert Filter.parse(one.query(page=3)).page == 3
    assert Filter.parse(one.query()) == one
    assert Filter().query() == ""
