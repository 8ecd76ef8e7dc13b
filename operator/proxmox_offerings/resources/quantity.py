"""Amounts as Kubernetes writes them ("4Gi", "500m", "1.5", "2e3"), exact.

The official client has a parser too, but importing it takes a second, and the command line needs this module alone.
Grammar: k8s.io/apimachinery/pkg/api/resource/quantity.go. Exponents have at most two digits here, so that no short
text becomes a huge number.
"""

import math
import re
from fractions import Fraction
from typing import Any, Final, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_FORM: Final = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:(?P<unit>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]{1,2}))?"
)
_LONGEST: Final = 32
PATTERN: Final = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$"
"""The same grammar for JSON schemas."""


class Quantity:
    """An exact amount, and how it was written. Immutable; equal when the amounts are, however written.

    In spec and status it appears as text or as a whole number; it is always written back as text.
    """

    __slots__ = ("_text", "_value")
    _text: str
    _value: Fraction

    def __init__(self, text: str, value: Fraction) -> None:
        object.__setattr__(self, "_text", text)
        object.__setattr__(self, "_value", value)

    @classmethod
    def parse(cls, written: str | int) -> Self:
        """Read `written`; raises ValueError if it is no quantity."""
        text = str(written)
        form = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
        if form is None or isinstance(written, bool | float):
            raise ValueError("must be an amount such as 4Gi, 50G, 2 or 500m")
        return cls(text, Fraction(form["number"]) * _scale(form["unit"] or "", int(form["exponent"] or 0)))

    @classmethod
    def of_bytes(cls, amount: int) -> Self:
        """`amount` in the largest binary unit that divides it: 4294967296 is "4Gi", 1000 is "1000"."""
        unit, count = "", amount
        for larger in _BINARY:
            if count == 0 or count % 1024:
                break
            unit, count = larger, count // 1024
        return cls(f"{count}{unit}", Fraction(amount))

    @classmethod
    def of_milli(cls, thousandths: int) -> Self:
        """`thousandths` as units where whole ("2"), else as thousandths ("1500m")."""
        whole, rest = divmod(thousandths, 1000)
        return cls(f"{thousandths}m" if rest else str(whole), Fraction(thousandths, 1000))

    @property
    def bytes(self) -> int:
        """The amount in whole units, rounded up."""
        return math.ceil(self._value)

    @property
    def milli(self) -> int:
        """The amount in thousandths, rounded up."""
        return math.ceil(self._value * 1000)

    @property
    def value(self) -> Fraction:
        """The amount, exact."""
        return self._value

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Quantity({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Quantity) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Quantity is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._text, self._value)

    @classmethod
    def _validate(cls, value: Any) -> Self:
        if isinstance(value, cls):
            return value
        try:
            return cls.parse(value)
        except ValueError as problem:
            raise PydanticCustomError("quantity", "{problem}", {"problem": str(problem)}) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": PATTERN,
            "maxLength": _LONGEST,
        }


def _scale(unit: str, exponent: int) -> Fraction:
    if unit in _BINARY:
        return Fraction(1024 ** (_BINARY.index(unit) + 1))
    return Fraction(10) ** (_DECIMAL[unit] + exponent)
