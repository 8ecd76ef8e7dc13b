"""The answer to "do 10 small and 4 large fit at the same time?" for one ProxmoxHost: in sentences, and as plain values for programs."""

from collections.abc import Iterable, Mapping
from typing import Any

from proxmox_offerings.capacity.allocation import POINTS
from proxmox_offerings.capacity.mix import Alone, Mix, NoArrangement, Reason, Verdict, mix_of
from proxmox_offerings.catalogue.count import Count
from proxmox_offerings.catalogue.messages import REASONS, message_of
from proxmox_offerings.catalogue.stock import stock_of
from proxmox_offerings.catalogue.text import clean, listed
from proxmox_offerings.resources import LimitingResource, Tier

GIB = 2**30


class UnknownTier(Exception):
    """The host has no tier of that name."""

    def __init__(self, *, tier: str, existing: list[str]) -> None:
        super().__init__(
            f"there is no tier {tier}; there {'is' if len(existing) == 1 else 'are'} {listed(existing, most=40)}"
            if existing
            else f"there is no tier {tier}, nor any other"
        )


def answer(counted: Count, wanted: Mapping[str, int]) -> dict[str, Any]:
    """Plain values for JSON: whether the units fit at the same time and where each goes. Raises UnknownTier.

    `reasons` say why they do not fit, `part` how much of it does; `placement` holds all units, or that part, as nodes and storages are now;
    `proven`: that the verdict, and that no more than these fit
    when tiers are served in the order of asking, was proven. `storages` are ids of one backing, any of which will do.
    """
    tiers = {tier.name: tier for tier in counted.tiers}
    fits = {tier.name: fit for tier, fit in zip(counted.tiers, counted.fits, strict=True)}
    check_tiers(counted.tiers, wanted)
    mix = mix_of(wanted, tiers=tiers, fits=fits, housing=counted.housing)
    fitting = mix.fitting
    return {
        "host": counted.host.metadata.name,
        "verdict": mix.verdict.value,
        "message": _message(mix),
        "reasons": [_reason(reason, counted) for reason in mix.reasons],
        "part": None if mix.verdict is Verdict.FITS else _part(mix),
        "observedAt": counted.snapshot.observed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "tiers": [{"tier": name, "wanted": count, "placed": fitting[name]} for name, count in wanted.items()],
        "proven": mix.most and mix.verdict in {Verdict.FITS, Verdict.DOES_NOT_FIT},
        "placement": [
            {
                "node": clean(node),
                "tier": tier,
                "units": units,
                "storages": [clean(name) for name in fits[tier].disks.names[backing]],
            }
            for tier, node, backing, units in sorted(
                mix.placed, key=lambda one: (one[1], list(wanted).index(one[0]), one[2])
            )
        ],
        "notCounted": [{"node": clean(node), "reason": reason} for node, reason in sorted(mix.blind.items())],
    }


def check_tiers(tiers: Iterable[Tier], wanted: Iterable[str]) -> None:
    """Raises UnknownTier where one that is wanted does not exist."""
    existing = [tier.name for tier in tiers]
    for name in wanted:
        if name not in existing:
            raise UnknownTier(tier=name, existing=existing)


def _message(mix: Mix) -> str:
    several = sum(mix.wanted.values()) > 1
    units = _units(mix.wanted)
    together = " at the same time" if several else ""
    blind = listed([f"{clean(name)} {REASONS[reason]}" for name, reason in sorted(mix.blind.items())])
    without = f"; not counted: {blind}" if blind else ""
    match mix.verdict:
        case Verdict.FITS:
            return f"{units} {'fit' if several else 'fits'}{together}{without}"
        case Verdict.DOES_NOT_FIT:
            return f"{units} {'do' if several else 'does'} not fit{together}{without}"
        case Verdict.CANNOT_TELL:
            return (
                f"nobody can tell whether {units} fit{together}: {blind}, and without that they were not found to fit"
            )
        case Verdict.UNDECIDED:
            return f"undecided whether {units} fit{together}: within the effort, neither an arrangement nor a proof that there is none was found"


def _part(mix: Mix) -> str:
    part = {name: count for name, count in mix.fitting.items() if count}
    if not part:
        return "none of them fits" if mix.most else "none of them was found to fit"
    fits = f"{_units(part)} {'fit' if sum(part.values()) > 1 else 'fits'}"
    order = f" when {next(iter(mix.wanted))} is served first" if len(mix.wanted) > 1 else ""
    return f"{fits}{order}, and no more" if mix.most else f"at least {fits}{order}"


def _reason(reason: Reason, counted: Count) -> str:
    if isinstance(reason, Alone):
        policy = counted.host.spec.stock
        said = stock_of(reason.fit.available, policy=policy, past=None)
        return f"{reason.tier} alone: {message_of(reason.fit, said, policy=policy)}"
    down = (
        f" when {listed([clean(name) for name in reason.down])} {'is' if len(reason.down) == 1 else 'are'} down"
        if reason.down
        else ""
    )
    if isinstance(reason, NoArrangement):
        return f"there may be enough in total, but every arrangement leaves some unit without a place{down}"
    wanted, left = _amounts(reason.resource, reason.wanted, reason.left)
    verb = "want" if len(reason.tiers) > 1 else "wants"
    return f"{listed(list(reason.tiers))} {verb} {wanted}, and the nodes that can carry them have {left} left{down}"


def _amounts(resource: LimitingResource, wanted: int, left: int) -> tuple[str, str]:
    """Rounded so that what is too little never looks enough."""
    if resource is LimitingResource.GPU:
        return f"{wanted} GPUs", str(left)
    unit, name = (POINTS, "vCPUs") if resource is LimitingResource.CPU else (GIB, f"GiB of {resource.value}")
    more, less = -(-wanted * 10 // unit), left * 10 // unit
    return f"{_tenths(more)} {name}", _tenths(less)


def _tenths(amount: int) -> str:
    whole, tenths = divmod(amount, 10)
    return f"{whole}.{tenths}" if tenths else str(whole)


def _units(counts: Mapping[str, int]) -> str:
    return listed([f"{count} {name}" for name, count in counts.items()], most=40)
