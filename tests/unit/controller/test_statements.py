"""What an Offering may say and for how long: the two promises to readers, as tables."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxmox_offerings.controller import statements
from proxmox_offerings.controller.statements import Rhythm
from proxmox_offerings.resources import LimitingResource, OfferingNode, OfferingStatus, Stock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
VALIDITY = timedelta(seconds=600)
RHYTHM = Rhythm(interval=timedelta(seconds=60), validity=VALIDITY)
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
        pytest.param(-1, Stock.UNKNOWN, None, id="clock set back: nobody knows how old it is"),
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
    since_when = SAID.model_copy(update={"observed_at": None})
    assert statements.held(since_when, now=NOON).stock is Stock.UNKNOWN


def test_what_claims_nothing_has_no_end() -> None:
    never = statements.unknown(statements.NOT_OBSERVED)
    assert statements.ends(never) is None
    assert statements.held(never, now=NOON) == never


@pytest.mark.parametrize(
    ("said_at", "valid_until", "seen_at", "renewed"),
    [
        pytest.param(0, 600, 5, False, id="not twice with one refresh"),
        pytest.param(0, 600, 299, True, id="always at half, less the second to which times are cut"),
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
            rhythm=RHYTHM,
        )
        assert again is renewed


def said_over_time(name: str, *, readings: Iterable[datetime], rhythm: Rhythm) -> list[datetime]:
    """When one Offering whose content never changes is written, given when Proxmox was read."""
    moments: list[datetime] = []
    for reading in readings:
        seen_at = reading.replace(microsecond=0)
        said_at = moments[-1] if moments else None
        end = said_at + rhythm.validity if said_at else None
        is_spread = len(moments) > 1
        if statements.must_renew(
            name, said_at=said_at, valid_until=end, seen_at=reading, rhythm=rhythm, is_spread=is_spread
        ):
            moments.append(seen_at)
        left = moments[-1] + rhythm.validity - seen_at
        assert left >= rhythm.validity / 2, "after a good reading less than half of the validity was left"
    return moments


@settings(max_examples=300)
@given(
    name=NAMES,
    begin=st.floats(0, 600),
    first=st.floats(0.1, 1),
    intervals=st.sampled_from([(15, 60), (15, 600), (60, 600), (37, 600), (150, 600), (3600, 14400)]),
    late=st.lists(st.floats(0, 0.9), min_size=1, max_size=7),
)
def test_half_remains_after_each_good_reading_and_marks_are_half_a_validity_apart(
    name: str, begin: float, first: float, intervals: tuple[int, int], late: list[float]
) -> None:
    """But for the first, which is set at the Offering's own moment."""
    interval, validity = intervals
    rhythm = Rhythm(interval=timedelta(seconds=interval), validity=timedelta(seconds=validity))
    half = validity // 2
    count = 40 * half // interval
    readings = [NOON + timedelta(seconds=begin + n * interval + late[n % len(late)]) for n in range(count)]
    unlike_the_others = readings[0] - timedelta(seconds=1 + first * interval)
    moments = said_over_time(name, readings=[unlike_the_others, *readings], rhythm=rhythm)
    assert len(moments) <= count * interval / half + 3
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    assert all(gap >= half - 1 for gap in gaps[1:])


def test_many_offerings_written_at_once_spread_over_the_half() -> None:
    """10,000 Offerings at 600 s, all first written within one refresh: 33 writes a second, and never long many more."""
    written: Counter[int] = Counter()
    for number in range(500):
        readings = [NOON + timedelta(seconds=number * 60 / 500 + 60 * turn) for turn in range(30)]
        for tier in range(20):
            moments = said_over_time(f"host{number}-tier{tier}", readings=readings, rhythm=RHYTHM)
            written.update(int((moment - NOON).total_seconds()) for moment in moments[1:])
    tens = [sum(written[second] for second in range(begin, begin + 10)) / 10 for begin in range(360, 1800, 10)]
    assert 31 <= sum(tens) / len(tens) <= 35
    assert max(tens) <= 66


def test_times_and_conditions_are_no_content() -> None:
    later = statements.observed(SOLD, at=NOON + timedelta(minutes=1), validity=VALIDITY)
    assert statements.says_the_same(SAID, later)
    assert not statements.says_the_same(SAID, later.model_copy(update={"available": 16}))


def test_no_unknown_in_between_makes_forget_that_it_was_sold_out() -> None:
    """Whoever reads the last of them, after a restart or as another leader, must not offer below the restock threshold."""
    sold_out = OfferingStatus(stock=Stock.OUT_OF_STOCK, available=0)
    status: OfferingStatus = sold_out
    for unknown in (statements.unknown(statements.TERMS_CHANGED), statements.expired(sold_out)) * 2:
        status = statements.remembering(unknown, before=status)
        assert (status.stock, status.sold_out, statements.was_sold_out(status)) == (Stock.UNKNOWN, True, True)
    in_stock = statements.remembering(OfferingStatus(stock=Stock.IN_STOCK, available=3), before=status)
    assert (in_stock.sold_out, statements.was_sold_out(in_stock)) == (None, False)


def test_no_unknown_in_between_makes_forget_that_units_were_offered() -> None:
    """Or that nothing was known ever: whoever finds it sold out next tells of it in the one case, and not in the other."""
    in_stock = OfferingStatus(stock=Stock.LOW_STOCK, available=1)
    status: OfferingStatus | None = in_stock
    for unknown in (statements.unknown(statements.TERMS_CHANGED), statements.expired(in_stock)) * 2:
        status = statements.remembering(unknown, before=status)
        assert (status.sold_out, statements.was_in_stock(status), statements.was_sold_out(status)) == (
            False,
            True,
            False,
        )
    status = None
    for unknown in (statements.unknown(statements.NOT_OBSERVED), statements.unknown("not to be judged")):
        status = statements.remembering(unknown, before=status)
        assert (status.sold_out, statements.was_in_stock(status), statements.was_sold_out(status)) == (
            None,
            False,
            False,
        )
