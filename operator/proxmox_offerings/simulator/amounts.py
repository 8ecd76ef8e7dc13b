"""Sizes as people write them in the simulator's files: "256Gi", "3.84T", or plain bytes."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator

_FACTORS = {
    "": 1,
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
}  # fmt: skip
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(k|[KMGTP]i|[MGTP]|)")


def size(value: object) -> int:
    """Bytes of "512Mi", "3.84T" or 4096. Raises ValueError with a sentence for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError("a size cannot be negative")
        return value
    found = _AMOUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('a size is a number of bytes, or a number with a unit such as "64Gi" or "3.84T"')
    return int(Decimal(found[1]) * _FACTORS[found[2]])


Size = Annotated[int, BeforeValidator(size)]
