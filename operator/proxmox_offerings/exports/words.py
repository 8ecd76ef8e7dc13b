"""Amounts and texts of Offerings as other programs, and people's spreadsheets, take them."""

import re
from decimal import Decimal

from proxmox_offerings.resources.text import clean

GIB = 2**30
MIB = 2**20
LONGEST_TEXT = 256
_BEGINS_FORMULA = re.compile(r"(^|[;,|])\s*(?:[=+\-@＝＋－＠]\s*)+")


def identifier(namespace: str | None, name: str) -> str:
    """What an Offering is called outside: the same for as long as it exists, and of no other. Neither part holds a dot."""
    return f"{namespace or 'default'}.{name}"


def text(written: str) -> str:
    """Printable, and nothing that a spreadsheet would take for a formula, whatever it splits cells at: "=1+1" becomes "1+1"."""
    return _BEGINS_FORMULA.sub(lambda match: match[1] and f"{match[1]} ", clean(written, most=LONGEST_TEXT)).strip()


def gigabytes(amount: int) -> str:
    """Bytes as decent-cloud reads sizes: "4 GB" are 4 GiB; what is no whole GiB is in MB (MiB), rounded down."""
    return f"{amount // GIB} GB" if amount % GIB == 0 else f"{amount // MIB} MB"


def in_gib(amount: int) -> Decimal:
    """Bytes in GiB with at most three decimals, rounded down."""
    return (Decimal(amount * 1000 // GIB) / 1000).normalize() + 0


def gigahertz(megahertz: int) -> str:
    """2450 is "2.45 GHz"."""
    whole, rest = divmod(megahertz, 1000)
    return f"{whole}{f'.{rest:03}'.rstrip('0') if rest else ''} GHz"


def degrees(written: str) -> str:
    """A coordinate without a "+"."""
    return written.removeprefix("+")
