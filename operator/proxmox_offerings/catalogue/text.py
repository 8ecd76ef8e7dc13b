"""Names and amounts in our own sentences."""

from fractions import Fraction
from typing import Final

from proxmox_offerings.resources.text import clean

__all__ = ["clean", "in_binary_units", "listed"]

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def in_binary_units(size: Fraction | int) -> tuple[Fraction, str]:
    """Bytes, not negative, in the largest unit of which there is one. Exact: which way to round depends on what is claimed."""
    value, unit = Fraction(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return value, _UNITS[unit]


def listed(names: list[str], *, most: int = 5) -> str:
    """ "a", "a and b", "a, b and c", or the first `most` and how many more."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
