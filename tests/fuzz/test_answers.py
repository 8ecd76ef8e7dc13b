"""Spoilt answers of Proxmox: no crash, no hang, and never more for sale than whole answers say (design: invariant 1).

What is promised: a value that is left out, broken, of another type, or told twice, anywhere in any answer, sells nothing more.
What cannot be: that a server which says something else, in good order and in all its answers, is found out.
`spoilers.SAYS_SOMETHING` lists where leaving out is saying: a guest that is not listed is taken for deleted (once its absence was told
twice, with the token's rights in place in between).
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from fuzz.clusters import TERMS, Sold, running, sold
from fuzz.spoilers import GONE, Spoiler, every_spoiler, says_something
from proxmox_offerings.proxmox.errors import ObservationError
from support.answers import INTERVAL, Answers, Told, Watcher, recorded
from support.effort import SEED, rounds

Record = Callable[[str, object], None]
RESOURCES = "/cluster/resources"


@dataclass(frozen=True, slots=True)
class Base:
    """A cluster whose answers are whole: these, every way to spoil one value of them, and what is for sale of it.

    `hiding` are the spoilers that say nothing, `vanishing` those that leave out a row of the fast loop.
    """

    answers: Answers
    spoilers: Sequence[Spoiler]
    hiding: Sequence[Spoiler]
    vanishing: Sequence[Spoiler]
    whole: Mapping[str, Sold]


@cache
def base(*, in_trouble: bool) -> Base:
    answers = asyncio.run(recorded(running(in_trouble=in_trouble)))
    spoilers = tuple(every_spoiler(answers))
    return Base(
        answers=answers,
        spoilers=spoilers,
        hiding=[spoiler for spoiler in spoilers if not says_something(spoiler)],
        vanishing=[one for one in spoilers if one.call == RESOURCES and len(one.place) == 1 and one.value is GONE],
        whole={terms: asyncio.run(sells([answers], terms))[-1] for terms in TERMS},
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """`before` seconds pass, then these answers are spoilt. `flaky`: only the first time that each is asked for."""

    before: float
    spoilers: tuple[Spoiler, ...]
    flaky: bool = False

    def told(self, answers: Answers) -> Answers:
        for spoiler in self.spoilers:
            answers = spoiler.spoil(answers)
        return answers


async def sells(turns: Sequence[Answers | tuple[float, Answers, Answers]], terms: str) -> list[Sold]:
    """What is sold after each turn: its answers, or the seconds before it, what is told first, and then."""
    told = Told({})
    watcher = Watcher(told, provisioned=terms == "provisioned")
    results = []
    try:
        for turn in turns:
            seconds, first, told.answers = turn if isinstance(turn, tuple) else (0.0, {}, turn)
            told.first = dict(first)
            watcher.now += seconds
            try:
                snapshot = await watcher.observe()
            except ObservationError:
                snapshot = None
            results.append(sold(snapshot, terms))
    finally:
        await watcher.aclose()
    return results


def claimed(result: Sold, whole: Sold) -> dict[str, tuple[int, int]]:
    """The tiers of which more is sold than there is."""
    return {tier: (whole[tier], units) for tier, units in result.items() if units > whole[tier]}


def check(one: Base, spoilers: Sequence[Spoiler], terms: str) -> None:
    """One turn of a new observer."""
    turn = Turn(0, tuple(spoilers))
    (result,) = asyncio.run(sells([turn.told(one.answers)], terms))
    honest = any(map(says_something, spoilers))
    assert honest or not claimed(result, one.whole[terms]), f"{terms}: {[*map(str, spoilers)]}"


def check_turns(one: Base, turns: Sequence[Turn], terms: str) -> None:
    """Turns of an observer that has seen all once: never more is sold, and when answers are whole again, as much as ever."""
    script: list[Any] = [(0.0, {}, one.answers)]
    for turn in turns:
        told = turn.told(one.answers)
        changed = {call: data for call, data in told.items() if data is not one.answers[call]}
        script.append((turn.before, changed, one.answers) if turn.flaky else (turn.before, {}, told))
    healed = [(INTERVAL + 1.0, {}, one.answers)] * 3
    results = asyncio.run(sells([*script, *healed], terms))
    shown = [(turn.before, turn.flaky, [*map(str, turn.spoilers)]) for turn in turns]
    for result in results:
        assert not claimed(result, one.whole[terms]), f"{terms}: {shown}"
    assert results[-1] == one.whole[terms], f"{terms}: {shown}"


def one_of(spoilers: Sequence[Spoiler]) -> st.SearchStrategy[Spoiler]:
    """By number: Hypothesis would look at each of the thousands, each time."""
    return st.integers(0, len(spoilers) - 1).map(lambda number: spoilers[number])


@st.composite
def spoilt(draw: st.DrawFn, *, most: int) -> tuple[Base, list[Spoiler]]:
    one = base(in_trouble=draw(st.booleans()))
    return one, draw(st.lists(one_of(one.spoilers), min_size=1, max_size=most))


@st.composite
def turns(draw: st.DrawFn) -> tuple[Base, list[Turn]]:
    one = base(in_trouble=draw(st.booleans()))
    before = st.sampled_from((15.0, 60.0, INTERVAL / 2, INTERVAL + 1.0, 2 * INTERVAL + 1.0))
    hiding, vanishing = one_of(one.hiding), one_of(one.vanishing)
    broken = st.builds(Turn, before, st.lists(hiding, max_size=3).map(tuple))
    flaky = st.builds(Turn, before, st.lists(hiding | vanishing, min_size=1, max_size=3).map(tuple), st.just(True))
    return one, draw(st.lists(broken | flaky, min_size=1, max_size=4))


terms_of_sale = st.sampled_from(sorted(TERMS))
usual = settings(derandomize=False, suppress_health_check=list(HealthCheck))
quick = settings(usual, derandomize=True)


@settings(quick, max_examples=200)
@given(spoilt(most=1), terms_of_sale)
def test_a_spoilt_value_sells_nothing_more(case: tuple[Base, list[Spoiler]], terms: str) -> None:
    check(*case, terms)


@settings(quick, max_examples=100)
@given(spoilt(most=5), terms_of_sale)
def test_several_spoilt_values_sell_nothing_more(case: tuple[Base, list[Spoiler]], terms: str) -> None:
    check(*case, terms)


@settings(quick, max_examples=40)
@given(turns(), terms_of_sale)
def test_turns_with_spoilt_answers_sell_nothing_more_and_leave_nothing_behind(
    case: tuple[Base, list[Turn]], terms: str
) -> None:
    check_turns(*case, terms)


def test_there_is_something_to_lose() -> None:
    """Else all of this could never fail."""
    assert min(base(in_trouble=False).whole["usual"].values()) > 0
    assert min(base(in_trouble=False).whole["provisioned"].values()) > 0
    assert max(base(in_trouble=True).whole["tight"].values()) > 0


def every_case() -> list[tuple[Base, Spoiler]]:
    """Every value of every answer, spoilt in every way, in the order of this run's seed."""
    cases = [
        (one, spoiler) for trouble in (False, True) for one in [base(in_trouble=trouble)] for spoiler in one.spoilers
    ]
    random.Random(SEED).shuffle(cases)
    return cases


@pytest.mark.long
def test_long_every_value_spoilt_in_every_way(record_property: Record) -> None:
    """All of them once, under terms that change from one to the next; as far as time allows, others each time."""
    cases = every_case()
    names = sorted(TERMS)
    done = 0
    for number in rounds():
        batch = cases[number * 200 % len(cases) :][:200]
        for one, spoiler in batch:
            check(one, [spoiler], names[(done + number * 200 // len(cases)) % len(names)])
            done += 1
    record_property("done", f"{done} spoilt answers on the whole path, of {len(cases)} different ones (SEED={SEED})")


@pytest.mark.long
def test_long_several_values_spoilt_over_several_turns(record_property: Record) -> None:
    done = 0
    for number in rounds():

        @seed(SEED + number)
        @settings(usual, max_examples=100)
        @given(st.tuples(st.just(check), spoilt(most=6)) | st.tuples(st.just(check_turns), turns()), terms_of_sale)
        def search(checked: Any, terms: str) -> None:
            check_it, case = checked
            check_it(*case, terms)

        search()
        done += 100
    record_property("done", f"{done} sequences of spoilt answers on the whole path (SEED={SEED})")
