"""Single values, in all the types in which the server writes them."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LARGEST = 2**63 - 1
"""No count, size or time of the API is larger."""

Row = Mapping[str, Any]

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?(e[+]?[0-9]{1,2})?")
"""As Perl writes one; Python's own reading would also take "nan", "1_000" and digits of other scripts."""


class Nonsense(Exception):  # a condition, like the errors that are shown
    """An answer that cannot mean what it says; `str()` names what, never the value."""


def rows(data: object) -> Sequence[Row]:
    """A list of objects."""
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise Nonsense("it is not a list of objects")
    return data


def each_once(names: Iterable[object]) -> None:
    """Raises Nonsense where something is told twice: which of them holds, nobody knows."""
    listed = list(names)
    if len(set(listed)) < len(listed):
        raise Nonsense("it tells of one thing twice")


def fields(data: object) -> Row:
    """An object. An empty list is one too: Perl does not always know an empty hash from an empty list."""
    if isinstance(data, dict):
        return data
    if data == []:
        return {}
    raise Nonsense("it is not an object")


def number(row: Row, key: str) -> float | int | None:
    """A number that is not negative; None where the key is absent, null or empty."""
    value = row.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise Nonsense(f"{key} is not a number")
        value = int(value) if value.isdecimal() else float(value)
    if type(value) not in {int, float} or not 0 <= value <= LARGEST:  # bool is no number, NaN compares with nothing
        raise Nonsense(f"{key} is not a number that can be")
    return value


def integer(row: Row, key: str) -> int | None:
    """A whole number that is not negative; None where it is not told."""
    value = number(row, key)
    if isinstance(value, float):
        if not value.is_integer():
            raise Nonsense(f"{key} is not a whole number")
        return int(value)
    return value


def boolean(row: Row, key: str) -> bool:
    """Whether it is set: 1, "1" or true. What is absent is not."""
    value = row.get(key)
    if not can_be_truth(value):
        raise Nonsense(f"{key} is neither set nor not set")
    return truth(value)


def can_be_truth(value: object) -> bool:
    """Whether the server writes a boolean so: anything else could be taken for either."""
    return value in (None, False, True, "", "0", "1")


def truth(value: object) -> bool:
    """Whether a boolean is set, in any way in which the server writes it."""
    return value not in (None, False, "", "0")


def text(row: Row, key: str) -> str | None:
    """A text; None where it is absent or empty. A name of digits may come as a number."""
    value = row.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    raise Nonsense(f"{key} is not a text")


def required(row: Row, key: str) -> str:
    """A text that must be there."""
    value = text(row, key)
    if value is None:
        raise Nonsense(f"{key} is missing")
    return value


def words(value: str | None) -> list[str]:
    """The parts of a list in one text; the server separates by comma, semicolon or blank."""
    return (value or "").replace(";", " ").replace(",", " ").split()


def units(value: str, factors: Mapping[str, int]) -> int | None:
    """Bytes of "32G" or "528K"; a fraction of a byte counts as one. None where it is no size."""
    unit = value[-1:].upper()
    factor, digits = (factors[unit], value[:-1]) if unit in factors else (1, value)
    if not _NUMBER.fullmatch(digits):
        return None
    size = int(digits) * factor if digits.isdecimal() else math.ceil(float(digits) * factor)
    return size if size <= LARGEST else None
