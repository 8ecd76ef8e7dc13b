"""How a price came about, in one line for a terminal."""

from fractions import Fraction

from proxmox_offerings.catalogue.pricing import FEWEST_DECIMALS, Part, Reckoning
from proxmox_offerings.resources import Rounding

MOST_DECIMALS = 6


def in_words(reckoning: Reckoning) -> str | None:
    """ "2 vCPU x 1.50 + 4 GiB of memory x 0.80 + base 1.00 = 7.20; + 20 % = 8.64; rounded up to x.99: 8.99 EUR a month"; None without any price."""
    price = reckoning.price
    if price is None:
        return f"none: {'; '.join(reckoning.lacking)}" if reckoning.lacking else None
    told = f"{price.monthly} {price.currency} a month" + (f", {price.setup} once" if Fraction(price.setup) else "")
    if reckoning.kept:
        return f"{told}, as it was when its cards were seen last"
    if reckoning.rounding is None:
        return f"{told}, the tier's own"
    steps = [f"{' + '.join(map(_part, reckoning.parts))} = {amount(reckoning.sum)}"]
    if reckoning.margin_percent:
        steps.append(f"+ {reckoning.margin_percent} % = {amount(reckoning.with_margin)}")
    return "; ".join([*steps, f"{_rounding(reckoning.rounding)}: {told}"])


def amount(value: Fraction, *, fewest: int = FEWEST_DECIMALS) -> str:
    """A number with at least `fewest` decimals; "~" where it has more than six."""
    scaled = value * 10**MOST_DECIMALS
    whole, rest = divmod(round(scaled), 10**MOST_DECIMALS)
    decimals = f"{rest:0{MOST_DECIMALS}}".rstrip("0").ljust(fewest, "0")
    return f"{'' if scaled.denominator == 1 else '~'}{whole}{'.' if decimals else ''}{decimals}"


def _part(part: Part) -> str:
    if part.amount is None:
        return f"{part.what} {amount(part.each)}"
    return f"{amount(part.amount, fewest=0)} {part.what} x {amount(part.each)}"


def _rounding(rounding: Rounding) -> str:
    step, ending = Fraction(rounding.step), Fraction(rounding.ending)
    if not ending:
        return f"rounded up to {amount(step)}"
    if step == 1:
        return f"rounded up to x{amount(ending).removeprefix('0')}"
    return f"rounded up to {amount(ending)} above a multiple of {amount(step)}"
