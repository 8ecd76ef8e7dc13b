"""Loose types are one value; nonsense is refused, never guessed."""

import math

import pytest

from proxmox_offerings.proxmox.parse.values import Nonsense, boolean, fields, integer, number, rows, text, units, words

SIZES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@pytest.mark.parametrize("told", [4, "4", 4.0, "4.0"])
@pytest.mark.reliability("T25")
def test_a_whole_number_is_one_in_any_type(told: object) -> None:
    """T25."""
    assert integer({"n": told}, "n") == 4


@pytest.mark.parametrize("row", [{}, {"n": None}, {"n": ""}])
def test_what_is_not_told_is_none_and_not_zero(row: dict[str, object]) -> None:
    assert integer(row, "n") is None
    assert number(row, "n") is None
    assert text(row, "n") is None


@pytest.mark.parametrize(
    "told", [-1, "-1", True, math.nan, math.inf, "NaN", "inf", 2**63, "1e30", "many", [], {}, "٤", "1_000", " 4"]
)
def test_what_can_be_no_amount_is_refused(told: object) -> None:
    with pytest.raises(Nonsense):
        integer({"n": told}, "n")


def test_a_refusal_does_not_show_the_value() -> None:
    with pytest.raises(Nonsense) as caught:
        integer({"n": "secret"}, "n")
    assert "secret" not in str(caught.value)


def test_half_a_thread_is_no_whole_number_but_a_number() -> None:
    assert number({"n": "1.5"}, "n") == 1.5
    with pytest.raises(Nonsense):
        integer({"n": 1.5}, "n")


@pytest.mark.parametrize(
    ("told", "truth"), [(1, True), ("1", True), (True, True), (0, False), ("0", False), ("", False)]
)
@pytest.mark.reliability("T25")
def test_a_boolean_is_one_in_any_type(told: object, truth: bool) -> None:
    """T25."""
    assert boolean({"b": told}, "b") is truth
    assert boolean({}, "b") is False


@pytest.mark.parametrize("told", [[], {}, "yes", 2, -1, [1]])
def test_what_is_neither_set_nor_not_set_is_refused(told: object) -> None:
    """Anything taken for true would make a guest a template, which takes no room, and a local storage a shared one."""
    with pytest.raises(Nonsense):
        boolean({"b": told}, "b")


def test_a_name_of_digits_may_come_as_a_number() -> None:
    assert text({"name": 123}, "name") == "123"
    with pytest.raises(Nonsense):
        text({"name": ["x"]}, "name")


def test_an_empty_perl_hash_may_come_as_a_list() -> None:
    assert fields([]) == {}
    with pytest.raises(Nonsense):
        fields(["x"])
    with pytest.raises(Nonsense):
        rows([1])


def test_lists_in_a_text_are_separated_by_any_of_three() -> None:
    assert words("a;b,c d") == ["a", "b", "c", "d"]
    assert words(None) == []


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("32G", 32 * 2**30),
        ("528K", 528 * 2**10),
        ("1T", 2**40),
        ("0.5G", 2**29),
        ("4194304", 4194304),
        ("32X", None),
        ("", None),
        ("nanG", None),
        ("-1G", None),
    ],
)
def test_sizes_have_binary_units(written: str, size: int | None) -> None:
    assert units(written, SIZES) == size
