"""The sentence for people that goes with a number."""

from collections.abc import Mapping

from proxmox_offerings.capacity.fit import Fit
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
}
RUNS_OUT = {
    LimitingResource.CPU: "CPU runs out first",
    LimitingResource.MEMORY: "memory runs out first",
    LimitingResource.DISK: "disk runs out first",
    LimitingResource.GPU: "GPUs run out first",
    LimitingResource.FAILOVER: "the rest is kept for failover",
    LimitingResource.MAX_UNITS: "maxUnits allows no more",
}
USED_UP = {
    LimitingResource.CPU: "CPU is used up",
    LimitingResource.MEMORY: "memory is used up",
    LimitingResource.DISK: "disk is used up",
    LimitingResource.GPU: "no GPU is free",
}


def message_of(fit: Fit, statement: Statement, *, policy: StockPolicy) -> str:
    """One sentence: how many fit and where, or why none does, and which nodes could not be judged."""
    blind = _nodes(fit.blind)
    if fit.available is None:
        return f"nobody can tell: {blind}"
    parts = [_number(fit, statement, policy=policy)]
    if blind:
        parts.append(f"not counted: {blind}")
    return "; ".join(parts)


def _number(fit: Fit, statement: Statement, *, policy: StockPolicy) -> str:
    if fit.available:
        where = listed([f"{node.available} on {clean(node.name)}" for node in fit.nodes if node.available])
        limit = RUNS_OUT.get(fit.limiting) if fit.limiting else None
        fits = f"{fit.available} {'fits' if fit.available == 1 else 'fit'}: {where}" + (f"; {limit}" if limit else "")
        if statement.available == 0:
            return f"sold out until {policy.restock_threshold} fit again ({fits})"
        return fits
    if fit.limiting is LimitingResource.FAILOVER:
        guest = f"guest {fit.homeless} would find no room" if fit.homeless else "the rest is kept for failover"
        return f"none fits: if nodes go down, {guest}" if fit.homeless else f"none fits: {guest}"
    if fit.limiting is LimitingResource.NODES or fit.limiting is None:
        reasons = {name: reason for name, reason in fit.left_out.items() if reason != "NotSelected"}
        return f"none fits: {_nodes(reasons)}" if reasons else "none fits: no node of the cluster is selected"
    where = listed([clean(node.name) for node in fit.nodes])
    return f"none fits: {USED_UP[fit.limiting]} on {where}"


def _nodes(reasons: Mapping[str, str]) -> str:
    return listed([f"{clean(name)} {REASONS[reason]}" for name, reason in reasons.items()])
