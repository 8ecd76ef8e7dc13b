"""What an Offering may say and for how long: the two promises to readers, as tables."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxmox_offerings.controller import statements
from proxmox_offerings.resources import LimitingResource, OfferingNode, OfferingStatus, Stock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
VALIDITY = timedelta(seconds=600)
SOLD = OfferingStatus(
    stock=Stock.IN_STOCK,
    available=17,
    limiting_resource=LimitingResource.MEMORY,
    message="17 fit",
    nodes=(OfferingNode(name="pve1", available=17),),
)
SAID = statements.observed(SOLD, at=NOON, validity=VALIDITY)
NAMES = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=60)


def test_a_statement_ends_when_its_validity_is_over() -> None:
    assert (SAID.observed_at, SAID.valid_until) == (NOON, NOON + VALIDITY)


@pytest.mark.parametrize(
    ("seconds", "stock", "available"),
    [
        (0, Stock.IN_STOCK, 17),
        (599, Stock.IN_STOCK, 17),
        (600, Stock.UNKNOWN, None),
        (86400, Stock.UNKNOWN, None),
        pytest.param(-3600, Stock.IN_STOCK, 17, id="clock set back"),
    ],
)
def test_unconfirmed_it_stays_until_then_and_claims_nothing_afterwards(
    seconds: int, stock: Stock, available: int | None
) -> None:
    held = statements.held(SAID, now=NOON + timedelta(seconds=seconds))
    assert (held.stock, held.available) == (stock, available)
    if stock is Stock.UNKNOWN:
        assert (held.nodes, held.limiting_resource) == ((), None)
        assert statements.was_expired(held)
        assert statements.ends(held) is None
        assert statements.held(held, now=NOON + timedelta(days=9)) == held


def test_a_claim_without_an_end_has_ended() -> None:
    """Nobody of ours writes such a thing; whoever did must not be believed for ever."""
    assert statements.held(SOLD, now=NOON).stock is Stock.UNKNOWN


def test_what_claims_nothing_has_no_end() -> None:
    never = statements.unknown(statements.NOT_OBSERVED)
    assert statements.ends(never) is None
    assert statements.held(never, now=NOON) == never


@pytest.mark.parametrize(
    ("said_at", "valid_until", "seen_at", "renewed"),
    [
        pytest.param(0, 600, 149, False, id="never before a quarter"),
        pytest.param(0, 600, 300, True, id="always at half"),
        pytest.param(0, 600, 7200, True, id="clock set forward"),
        pytest.param(0, 600, -1, True, id="clock set back: the end would be too far away"),
        pytest.param(0, 900, 60, True, id="validity was shortened"),
        pytest.param(0, 300, 60, True, id="validity was lengthened"),
        pytest.param(None, None, 60, True, id="never said"),
        pytest.param(0, None, 60, True, id="no end"),
    ],
)
def test_when_content_that_did_not_change_is_written_again(
    said_at: int | None, valid_until: int | None, seen_at: int, renewed: bool
) -> None:
    def moment(seconds: int | None) -> datetime | None:
        return None if seconds is None else NOON + timedelta(seconds=seconds)

    for name in (f"fra1-tier{number}" for number in range(50)):
        again = statements.must_renew(
            name,
            said_at=moment(said_at),
            valid_until=moment(valid_until),
            seen_at=NOON + timedelta(seconds=seen_at),
            validity=VALIDITY,
        )
        assert again is renewed


def said_over_time(name: str, *, begin: int, interval: int, validity: int, jitter: list[float]) -> list[float]:
    """When one Offering is written over a day of good readings, `interval` seconds apart (give or take), from `begin` on."""
    moments: list[float] = []
    said_at: datetime | None = None
    for poll in range(86_400 // interval):
        seen_at = (NOON + timedelta(seconds=begin + poll * interval + jitter[poll % len(jitter)])).replace(
            microsecond=0
        )
        end = said_at + timedelta(seconds=validity) if said_at else None
        if statements.must_renew(
            name, said_at=said_at, valid_until=end, seen_at=seen_at, validity=timedelta(seconds=validity)
        ):
            said_at = seen_at
            moments.append(seen_at.timestamp())
        assert said_at is not None
        left = said_at + timedelta(seconds=validity) - seen_at
        assert left >= timedelta(seconds=validity) / 2, "after a good reading less than half of the validity was left"
    return moments


@settings(max_examples=25, deadline=None)
@given(
    name=NAMES,
    begin=st.integers(0, 600),
    interval=st.sampled_from([15, 37, 60, 150]),
    jitter=st.lists(st.floats(0, 1), min_size=1, max_size=7),
)
def test_half_remains_after_each_good_reading_and_writes_are_bounded(
    name: str, begin: int, interval: int, jitter: list[float]
) -> None:
    """One write for each half of the validity; the first two may come earlier, never before a quarter."""
    moments = said_over_time(name, begin=begin, interval=interval, validity=600, jitter=jitter)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(gap >= 149 for gap in gaps)
    assert len(moments) <= 86_400 / 300 + 3


def test_many_offerings_written_at_once_spread_over_the_half() -> None:
    """10,000 Offerings at 600 s: 33 writes a second on average, and no second with many more, though all were first written in the same."""
    written: Counter[int] = Counter()
    for name in (f"host{number % 500}-tier{number // 500}" for number in range(10_000)):
        second = 0
        while second < 1800:
            said_at = NOON + timedelta(seconds=second)
            second += math.ceil(statements.mark(name, said_at=said_at, validity=VALIDITY).total_seconds())
            written[second] += 1
    settled = [written[second] for second in range(900, 1800)]
    assert max(settled) <= 60
    assert 30 <= sum(settled) / len(settled) <= 36
    assert max(written[second] for second in range(900)) <= 150


def test_counts_are_by_stock() -> None:
    sold_out = OfferingStatus(stock=Stock.OUT_OF_STOCK, available=0)
    low = OfferingStatus(stock=Stock.LOW_STOCK, available=1)
    counted = statements.counts([SAID, SAID, low, sold_out, statements.unknown("?")])
    assert counted.to_wire() == {"total": 5, "inStock": 2, "lowStock": 1, "outOfStock": 1, "unknown": 1}


def test_times_and_conditions_are_no_content() -> None:
    later = statements.observed(SOLD, at=NOON + timedelta(minutes=1), validity=VALIDITY)
    assert statements.says_the_same(SAID, later)
    assert not statements.says_the_same(SAID, later.model_copy(update={"available": 16}))
