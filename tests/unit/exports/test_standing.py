"""Only statements that still hold are exported as in stock, to the second; and everything else stays, as out of stock."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from proxmox_offerings.exports import FORMATS, Rendered, render
from proxmox_offerings.exports.standing import NotForSale, standing_of
from support.importer import Marketplace
from unit.exports.offerings import NOON, offering

END = NOON + timedelta(minutes=10)
SECOND = timedelta(seconds=1)
GONE = {"available": None, "stock": "Unknown"}


@pytest.mark.parametrize(
    ("status", "now", "why_not"),
    [
        ({}, NOON, None),
        ({}, END - SECOND, None),
        ({}, END - timedelta(microseconds=1), None),
        ({}, END, NotForSale.EXPIRED),
        ({}, END + SECOND, NotForSale.EXPIRED),
        ({"stock": "LowStock", "available": 1}, NOON, None),
        ({"stock": "OutOfStock", "available": 0}, NOON, NotForSale.SOLD_OUT),
        ({"stock": "OutOfStock", "available": 0}, END, NotForSale.EXPIRED),
        (GONE, NOON, NotForSale.UNKNOWN),
        (GONE, END, NotForSale.UNKNOWN),
        ({"validUntil": None}, NOON, NotForSale.EXPIRED),
        (False, NOON, NotForSale.NOT_OBSERVED),
        ({"observedGeneration": 2}, NOON, NotForSale.TERMS_CHANGED),
        ({"observedGeneration": None}, NOON, None),
    ],
)
def test_rule_for_readers(status: Any, now: datetime, why_not: NotForSale | None) -> None:
    standing = standing_of(offering(status=status), now=now)
    assert standing.why_not is why_not
    assert standing.for_sale is (why_not is None)
    assert standing.until == (END if why_not in (None, NotForSale.SOLD_OUT) else None)


def in_stock(rendered: Rendered, form: str) -> bool:
    text = rendered.body.decode()
    return {"csv": "in_stock" in text, "decent-cloud-json": '"in_stock"' in text, "json": '"forSale": true' in text}[
        form
    ]


@pytest.mark.parametrize("form", FORMATS)
class TestEveryFormat:
    def test_it_is_for_sale_until_its_last_second(self, form: str) -> None:
        one = [offering()]
        assert in_stock(render(form, one, now=END - SECOND), form)
        assert not in_stock(render(form, one, now=END), form)
        assert render(form, one, now=END).for_sale == 0

    def test_what_is_not_for_sale_stays(self, form: str) -> None:
        for status in (GONE, False, {"stock": "OutOfStock", "available": 0}, {"observedGeneration": 2}):
            rendered = render(form, [offering(status=status)], now=NOON)
            assert not in_stock(rendered, form)
            assert (rendered.offerings, rendered.for_sale) == (1, 0)
            assert b"sales.fra1-small" in rendered.body

    def test_bytes_are_the_same_until_they_say_they_change_and_others_then(self, form: str) -> None:
        first = offering("fra1-a", status={"validUntil": "2026-11-24T12:05:00Z"})
        offerings = [first, offering("fra1-b"), offering("fra1-c", status=False)]
        now, seen = NOON, []
        while True:
            rendered = render(form, offerings, now=now)
            seen.append(rendered)
            if rendered.changes_at is None:
                break
            assert render(form, offerings, now=rendered.changes_at - SECOND).body == rendered.body
            now = rendered.changes_at
        assert [one.changes_at for one in seen] == [NOON + timedelta(minutes=5), END, None]
        assert len({one.body for one in seen}) == 3
        assert len({one.etag for one in seen}) == 3
        assert render(form, offerings, now=END + timedelta(days=365)).body == seen[-1].body

    def test_order_of_input_does_not_matter(self, form: str) -> None:
        offerings = [offering(name, namespace=space) for space in ("b", "a") for name in ("fra1-b", "fra1-a", "ams-z")]
        assert render(form, offerings, now=NOON) == render(form, offerings[::-1], now=NOON)

    def test_tag_is_that_of_the_content(self, form: str) -> None:
        one = render(form, [offering()], now=NOON)
        assert one.etag.startswith('"')
        assert one.etag.endswith('"')
        assert one.etag == render(form, [offering(resourceVersion="9")], now=NOON + SECOND).etag
        assert one.etag != render(form, [offering(spec={"cpu": 3})], now=NOON).etag
        assert one.etag != render(form, [], now=NOON).etag

    def test_nothing_is_shown_for_longer_than_it_holds(self, form: str) -> None:
        one = render(form, [offering()], now=NOON)
        assert one.max_age(now=NOON, most=60) == 60
        assert one.max_age(now=END - 5 * SECOND, most=60) == 5
        assert one.max_age(now=END - timedelta(milliseconds=900), most=60) == 0
        assert one.max_age(now=END + SECOND, most=60) == 0
        assert render(form, [], now=NOON).max_age(now=NOON, most=60) == 60

    def test_no_names_of_nodes_and_storages_go_out(self, form: str) -> None:
        body = render(form, [offering()], now=NOON).body.decode()
        assert "pve1" not in body
        assert "local-lvm" not in body


def test_marketplace_stops_selling_what_ended() -> None:
    """Rows that vanish stay on the market as they were: an upsert never deletes."""
    market = Marketplace()
    market.upsert(render("csv", [offering()], now=NOON).body)
    assert market.offerings["sales.fra1-small"]["stock_status"] == "in_stock"
    market.upsert(render("csv", [offering()], now=END).body)
    assert market.offerings["sales.fra1-small"]["stock_status"] == "out_of_stock"
