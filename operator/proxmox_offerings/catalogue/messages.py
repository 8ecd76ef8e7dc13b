"""The sentence for people that goes with a number."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from proxmox_offerings.capacity.fit import RESOURCES, Fit, NodeFit
from proxmox_offerings.capacity.flow import UNLIMITED
from proxmox_offerings.catalogue.stock import Statement
from proxmox_offerings.catalogue.text import clean, listed
from proxmox_offerings.resources import LimitingResource, StockPolicy

REASONS = {
    "Offline": "is offline",
    "Maintenance": "is in maintenance",
    "NoBridge": "lacks the bridge",
    "Unknown": "has not reported for a while",
    "Unreadable": "shows no totals",
    "BridgesUnread": "did not show its bridges",
    "UncountableGuest": "has a guest whose size is not known",
    "Architecture": "has another architecture",
    "NoHardwareVirtualization": "has no hardware virtualization",
    "HardwareUnread": "did not show its hardware",
    "StoragesUnread": "did not show its storages",
    "GpusUnread": "did not show which GPUs are free",
    "ProfilesUncounted": "does not tell how many vGPUs are left",
}
RUNS_OUT = {
    LimitingResource.CPU: "CPU runs out first",
    LimitingResource.MEMORY: "memory runs out first",
    LimitingResource.DISK: "disk runs out first",
    LimitingResource.GPU: "GPUs run out first",
    LimitingResource.MAX_UNITS: "maxUnits allows no more",
}
USED_UP = {
    LimitingResource.CPU: "CPU is used up",
    LimitingResource.MEMORY: "memory is used up",
    LimitingResource.DISK: "disk is used up",
    LimitingResource.GPU: "no GPU is free",
}
TOO_SMALL = {
    LimitingResource.CPU: "has too little CPU for one",
    LimitingResource.MEMORY: "has too little memory for one",
    LimitingResource.GPU: "lacks such GPUs",
    LimitingResource.DISK: "has no storage for it",
}
NAMES = {
    LimitingResource.CPU: "CPU",
    LimitingResource.MEMORY: "memory",
    LimitingResource.DISK: "disk",
    LimitingResource.GPU: "GPUs",
}
PASSING = frozenset({"Offline", "Maintenance", "NoBridge"})
"""Why nodes are left out that might well be counted another day; what a node was never meant for is no news."""


def message_of(fit: Fit, statement: Statement, *, policy: StockPolicy) -> str:
    """One sentence: how many fit, where, and what runs out first; or what is used up, and what is left beside it; and which nodes were
    not counted. No amounts that change all the time.
    """
    if fit.available is None:
        return f"nobody can tell: {_nodes(fit.blind)}"
    parts = [_number(fit, statement, policy=policy)]
    passing = {name: reason for name, reason in fit.left_out.items() if reason in PASSING}
    not_counted = fit.blind if fit.limiting is LimitingResource.NODES else {**passing, **fit.blind}
    if not_counted:
        parts.append(f"not counted: {_nodes(dict(sorted(not_counted.items())))}")
    return "; ".join(parts)


def _number(fit: Fit, statement: Statement, *, policy: StockPolicy) -> str:
    if not fit.available:
        return f"none fits: {_why_none(fit)}"
    where = listed([f"{node.available} on {clean(node.name)}" for node in fit.nodes if node.available])
    full = _used_up(fit, [node for node in fit.nodes if not node.available and node.name in fit.carriers])
    fits = "; ".join(
        filter(None, [f"{fit.available} {'fits' if fit.available == 1 else 'fit'}: {where}", runs_out(fit), full])
    )
    if statement.available == 0:
        return f"sold out until {policy.restock_threshold} fit again ({fits})"
    return fits


def runs_out(fit: Fit) -> str | None:
    """What keeps `available` from being larger, where some fit."""
    if fit.limiting is LimitingResource.FAILOVER:
        return f"the rest is kept {_in_case(fit)}"
    return RUNS_OUT.get(fit.limiting) if fit.limiting else None


def _why_none(fit: Fit) -> str:
    if fit.limiting is LimitingResource.FAILOVER:
        if fit.layout is None:
            return f"guest {fit.homeless} of a node that is down finds no room on the others"
        if fit.homeless:
            return f"if nodes go down, guest {fit.homeless} would find no room"
        return f"all that is left is kept {_in_case(fit)}"
    if fit.limiting is LimitingResource.NODES or fit.limiting is None:
        reasons = {name: reason for name, reason in fit.left_out.items() if reason != "NotSelected"}
        return _nodes(reasons) if reasons else "no node of the cluster is selected"
    if fit.carriers:
        return _used_up(fit, [node for node in fit.nodes if node.name in fit.carriers])
    return listed([f"{clean(name)} {TOO_SMALL[resource]}" for name, resource in fit.unfit.items()])


def _in_case(fit: Fit) -> str:
    down = [clean(name) for name in fit.kept.down] if fit.kept is not None else []
    if not down:
        return "for failover, which leaves no node"
    return f"in case {listed(down)} {'goes' if len(down) == 1 else 'go'} down"


def _used_up(fit: Fit, nodes: Sequence[NodeFit]) -> str:
    """What is used up on which of the nodes, and what of the rest they have for at least one more unit."""
    alike: dict[tuple[LimitingResource, tuple[LimitingResource, ...]], list[str]] = defaultdict(list)
    for node in nodes:
        if fit.layout is None or node.limiting is None:
            continue
        lacking = fit.layout.lacking(node.name, node.available)
        without_gpu = fit.layout.case.units[node.name][0] == UNLIMITED
        beside = tuple(
            one for one in RESOURCES if one not in lacking and not (without_gpu and one is LimitingResource.GPU)
        )
        alike[node.limiting, beside].append(clean(node.name))
    return "; ".join(
        f"{USED_UP[limiting]} on {listed(names)}"
        + (
            f", where {listed([NAMES[one] for one in beside])} {'is' if len(beside) == 1 else 'are'} left"
            if beside
            else ""
        )
        for (limiting, beside), names in alike.items()
    )


def _nodes(reasons: Mapping[str, str]) -> str:
    return listed([f"{clean(name)} {REASONS[reason]}" for name, reason in reasons.items()])
