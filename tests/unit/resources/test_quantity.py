"""Amounts must be read as Kubernetes reads them, exactly, and rounded so that nobody is promised more than there is."""

import copy
import math
import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxmox_offerings.resources import Quantity

MULTIPLES = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": 1} | {
    unit + binary: (1024 if binary else 1000) ** (power + 1)
    for power, unit in enumerate("KMGTPE")
    for binary in ("", "i")
    if unit + binary != "K"
}
MULTIPLES["k"] = 1000
amounts = st.integers(-(2**70), 2**70)


@pytest.mark.parametrize(
    ("written", "in_bytes", "in_milli"),
    [
        ("4Gi", 4 * 2**30, 4 * 2**30 * 1000),
        ("1.5Gi", 3 * 2**29, 3 * 2**29 * 1000),
        ("50G", 50 * 10**9, 50 * 10**12),
        ("1k", 1000, 10**6),
        ("2e3", 2000, 2 * 10**6),
        ("2E-3", 1, 2),
        ("1E", 10**18, 10**21),
        ("1Ei", 2**60, 2**60 * 1000),
        ("500m", 1, 500),
        ("-500m", 0, -500),
        ("1u", 1, 1),
        ("-1n", 0, 0),
        (".5", 1, 500),
        ("5.", 5, 5000),
        ("+3", 3, 3000),
        ("-0", 0, 0),
        (7, 7, 7000),
        (-7, -7, -7000),
    ],
)
def test_forms_that_kubernetes_knows(written: str | int, in_bytes: int, in_milli: int) -> None:
    quantity = Quantity.parse(written)
    assert (quantity.bytes, quantity.milli, str(quantity)) == (in_bytes, in_milli, str(written))


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "4 Gi",
        "4GB",
        "4gi",
        "4K",
        "Gi",
        ".",
        "-",
        "1e",
        "1e100",
        "1e-100",
        "0x10",
        "1,5",
        "٣",
        "4Gi\n",
        "1" * 33,
        "1ee3",
        "1eGi",
        "NaN",
        "inf",
    ],
)
def test_anything_else_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="such as 4Gi"):
        Quantity.parse(written)


@pytest.mark.parametrize("written", [True, 1.5, None, [1]])
def test_values_that_only_look_like_amounts_are_refused(written: object) -> None:
    """True is an int to Python, and 1.5 was rounded by whoever read the file."""
    with pytest.raises(ValueError, match="such as 4Gi"):
        Quantity.parse(written)  # type: ignore[arg-type]


@given(st.integers(0, 10**15), st.integers(0, 999), st.sampled_from(sorted(MULTIPLES)), st.sampled_from(["", "-", "+"]))
def test_reading_is_exact_and_rounding_is_up(whole: int, thousandths: int, unit: str, sign: str) -> None:
    exact = (-1 if sign == "-" else 1) * (whole + Fraction(thousandths, 1000)) * MULTIPLES[unit]
    quantity = Quantity.parse(f"{sign}{whole}.{thousandths:03}{unit}")
    assert quantity.value == exact
    assert quantity.bytes == math.ceil(exact)
    assert quantity.milli == math.ceil(exact * 1000)


@given(amounts)
def test_bytes_survive_being_written(amount: int) -> None:
    quantity = Quantity.of_bytes(amount)
    assert Quantity.parse(str(quantity)) == quantity == Quantity.parse(amount)
    assert quantity.bytes == amount


@given(amounts)
def test_thousandths_survive_being_written(thousandths: int) -> None:
    quantity = Quantity.of_milli(thousandths)
    assert Quantity.parse(str(quantity)) == quantity
    assert quantity.milli == thousandths


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1, "1"),
        (1023, "1023"),
        (1024, "1Ki"),
        (1536, "1536"),
        (2**32, "4Gi"),
        (-1024, "-1Ki"),
        (2**70, "1024Ei"),
        (50 * 10**9, "48828125Ki"),
    ],
)
def test_bytes_are_written_in_the_largest_unit_that_divides_them(amount: int, text: str) -> None:
    assert str(Quantity.of_bytes(amount)) == text


@pytest.mark.parametrize(
    ("thousandths", "text"), [(0, "0"), (1500, "1500m"), (2000, "2"), (-500, "-500m"), (-2000, "-2"), (1, "1m")]
)
def test_thousandths_are_written_whole_where_they_are(thousandths: int, text: str) -> None:
    assert str(Quantity.of_milli(thousandths)) == text


def test_equal_amounts_are_equal_however_written() -> None:
    """A spec that writes 1024Mi for 1Gi has not changed."""
    assert Quantity.parse("1Gi") == Quantity.parse("1024Mi") == Quantity.parse(2**30)
    assert len({Quantity.parse("1000m"), Quantity.parse("1"), Quantity.parse(1)}) == 1
    assert Quantity.parse("1") != 1
    assert Quantity.parse("1") != Quantity.parse("1001m")


def test_a_quantity_cannot_be_changed_but_copied() -> None:
    quantity = Quantity.parse("4Gi")
    with pytest.raises(AttributeError):
        quantity._value = Fraction(8)
    for twin in (copy.deepcopy(quantity), pickle.loads(pickle.dumps(quantity))):
        assert (twin, str(twin)) == (quantity, "4Gi")
