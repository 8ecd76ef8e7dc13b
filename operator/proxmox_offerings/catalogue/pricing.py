"""What one unit of a tier costs: its own price, or what the ProxmoxHost's rules make of its size. Exact: fractions, never floats.

A price follows from the ProxmoxHost alone, as all of an Offering's spec does: from the classes and patterns that the tier names, never from what
was found. So nothing is guessed: where the rules do not say what a part costs, or say it in two ways, there is no price, and a sentence why.
Only derived tiers, which follow from the hardware, are priced by what their cards are called.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from proxmox_offerings.resources import GPUPrice, Price, Pricing, Rounding, StorageClass, Tier, TierGPU, glob_matches
from proxmox_offerings.resources.globs import glob_covers

GIB = 2**30
FEWEST_DECIMALS = 2
MOST_DECIMALS = 4
TOO_MUCH = 10**12

exact = lru_cache(maxsize=1024)(Fraction)
"""What a price that is written is; the same few are read for every tier of every plan."""

CardNames = Mapping[str, frozenset[str]]
""" "vendor:device" -> what such cards are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """So much of something at such a price; `amount` None: once, whatever the size."""

    what: str
    amount: Fraction | None
    each: Fraction

    @property
    def costs(self) -> Fraction:
        """Both multiplied."""
        return self.each if self.amount is None else self.amount * self.each


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """How the price of a tier came about: the sum of `parts`, `margin_percent` on top, rounded up.

    `price` None: there is none, and `lacking` says why, if rules were to give one. No `parts`: it is the tier's own, or `kept` from before.
    """

    price: Price | None = None
    parts: tuple[Part, ...] = ()
    margin_percent: int = 0
    rounding: Rounding | None = None
    lacking: tuple[str, ...] = ()
    kept: bool = False

    @property
    def sum(self) -> Fraction:
        """What the parts cost together."""
        return sum((part.costs for part in self.parts), Fraction())

    @property
    def with_margin(self) -> Fraction:
        """The same with the margin."""
        return self.sum * (100 + self.margin_percent) / 100


def reckon_derived(tier: Tier, pricing: Pricing | None, *, names: CardNames, before: Price | None) -> Reckoning:
    """The price of a derived tier; `before` is the one that its Offering has.

    While nothing shows a card of the tier, nobody knows what it is called. Then it keeps its price: none can be sold, and whoever lists it must
    learn that, not that it has no price.
    """
    made = reckon(tier, pricing, names=names)
    unseen = tier.gpu is not None and names.keys().isdisjoint(tier.gpu.models)
    return Reckoning(price=before, kept=True) if made.lacking and unseen and before is not None else made


def reckon(tier: Tier, pricing: Pricing | None, *, names: CardNames | None = None) -> Reckoning:
    """The price of `tier`. `names` are those of the cards of derived tiers."""
    if tier.price is not None or pricing is None:
        return Reckoning(price=tier.price)
    parts = tuple(_parts(tier, pricing, names or {}))
    lacking = tuple(part for part in parts if isinstance(part, str))
    if lacking:
        return Reckoning(lacking=lacking)
    made = Reckoning(
        parts=tuple(part for part in parts if isinstance(part, Part)),
        margin_percent=pricing.margin_percent,
        rounding=pricing.rounding,
    )
    monthly = rounded_up(made.with_margin, pricing.rounding)
    if monthly >= TOO_MUCH:
        return Reckoning(lacking=(f"it would be {TOO_MUCH} {pricing.currency} a month or more",))
    return replace(made, price=Price(currency=pricing.currency, monthly=written(monthly), setup=pricing.setup))


def rounded_up(amount: Fraction, rounding: Rounding) -> Fraction:
    """The smallest `ending` above a multiple of `step` that is not below `amount`."""
    step, ending = exact(rounding.step), exact(rounding.ending)
    return math.ceil((amount - ending) / step) * step + ending


def written(amount: Fraction) -> str:
    """An amount of at most four decimals as a price is written: with two, or as many as it takes."""
    whole, rest = divmod(amount * 10**MOST_DECIMALS, 10**MOST_DECIMALS)
    decimals = f"{int(rest):0{MOST_DECIMALS}}".rstrip("0").ljust(FEWEST_DECIMALS, "0")
    return f"{whole}.{decimals}"


def _parts(tier: Tier, pricing: Pricing, names: CardNames) -> Iterator[Part | str]:
    """What a unit is made of, and in the place of each part without a price what is missing."""
    kind = "dedicated" if tier.dedicated_cpu else "shared"
    of_vcpu = pricing.per_vcpu.dedicated if tier.dedicated_cpu else pricing.per_vcpu.shared
    what = "dedicated vCPU" if tier.dedicated_cpu else "vCPU"
    yield _part(what, Fraction(tier.cpu), of_vcpu, f"spec.pricing.perVCPU.{kind} is missing")
    memory = Fraction(tier.memory.bytes, GIB)
    yield _part("GiB of memory", memory, pricing.per_gib_memory, "spec.pricing.perGiBMemory is missing")
    yield _disk(tier, pricing)
    if tier.gpu is not None:
        of_gpu = _gpu_price(tier.gpu, pricing.per_gpu, names)
        yield of_gpu if isinstance(of_gpu, str) else Part(what="GPU", amount=Fraction(tier.gpu.count), each=of_gpu)
    if exact(pricing.base):
        yield Part(what="base", amount=None, each=exact(pricing.base))


def _part(what: str, amount: Fraction, price: str | None, missing: str) -> Part | str:
    return missing if price is None else Part(what=what, amount=amount, each=exact(price))


def _disk(tier: Tier, pricing: Pricing) -> Part | str:
    wanted = tier.storage_class
    price = next((rule.price for rule in pricing.per_gib_disk if rule.class_ in (wanted, None)), None)
    missing = (
        f"spec.pricing.perGiBDisk has no entry for class {wanted}, nor one without class"
        if wanted is not None
        else "spec.pricing.perGiBDisk has no entry without class, which a tier without storageClass needs"
    )
    what = "GiB of disk" if wanted in (None, StorageClass.UNKNOWN) else f"GiB of {wanted} disk"
    return _part(what, Fraction(tier.disk.bytes, GIB), price, missing)


def _gpu_price(gpu: TierGPU, rules: tuple[GPUPrice, ...], names: CardNames) -> Fraction | str:
    """What each card or instance costs, or why nobody can say: all that the tier's patterns take must cost the same."""
    found = [_price_of_cards(pattern, gpu.profile, rules, names.get(pattern, frozenset())) for pattern in gpu.models]
    problem = next((price for price in found if isinstance(price, str)), None)
    if problem is not None:
        return problem
    prices = {price for price in found if isinstance(price, Fraction)}
    return prices.pop() if len(prices) == 1 else f"spec.pricing.perGPU has different prices for {', '.join(gpu.models)}"


def _price_of_cards(
    pattern: str, profile: str | None, rules: tuple[GPUPrice, ...], names: frozenset[str]
) -> Fraction | str:
    of_some: set[Fraction] = set()
    for rule in rules:
        if (rule.profile is None) != (profile is None):
            continue
        if _takes_all(rule, pattern, names) and _covers(rule.profile, profile):
            each = exact(rule.price)
            return each if of_some <= {each} else f"spec.pricing.perGPU has different prices for cards of {pattern}"
        if _takes_some(rule, pattern, names) and (_covers(rule.profile, profile) or _covers(profile, rule.profile)):
            of_some.add(exact(rule.price))
    cards = f"cards of {pattern}" + (f" ({', '.join(sorted(names))})" if names else "")
    kind = cards if profile is None else f"{profile} on {cards}"
    return f"spec.pricing.perGPU has no entry for all {kind}"


def _takes_all(rule: GPUPrice, pattern: str, names: frozenset[str]) -> bool:
    by_pattern = any(glob_covers(model, pattern, ignore_case=True) for model in rule.models)
    return by_pattern or (bool(names) and all(_names(rule, name) for name in names))


def _takes_some(rule: GPUPrice, pattern: str, names: frozenset[str]) -> bool:
    by_pattern = any(glob_covers(pattern, model, ignore_case=True) for model in rule.models)
    return by_pattern or any(_names(rule, name) for name in names)


def _names(rule: GPUPrice, name: str) -> bool:
    return any(glob_matches(model, name, ignore_case=True) for model in rule.models)


def _covers(wider: str | None, narrower: str | None) -> bool:
    return wider is None or narrower is None or glob_covers(wider, narrower, ignore_case=True)
