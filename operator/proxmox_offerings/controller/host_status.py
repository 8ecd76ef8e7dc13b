"""What the status of a ProxmoxHost says: what was observed, carried over while nothing new is known, and the conditions. Pure."""

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from proxmox_offerings.catalogue.observed import counts_of, missing_of
from proxmox_offerings.controller import conditions, statements
from proxmox_offerings.controller.problems import Problem
from proxmox_offerings.controller.reasons import HostReason
from proxmox_offerings.kube.objects import LiveObject
from proxmox_offerings.kube.packed import Packed
from proxmox_offerings.resources import InvalidResource, OfferingStatus, ProxmoxHostStatus, TierStatus


def read_host_status(host: LiveObject) -> ProxmoxHostStatus:
    """The status as the API server keeps it, without conditions of others; empty if there is none, or none that we would write."""
    status = _read_packed(host.status) if isinstance(host.status, Packed) else _read(host.status or {})
    ours = tuple(condition for condition in status.conditions if condition.type in conditions.OF_HOSTS)
    return status if len(ours) == len(status.conditions) else status.model_copy(update={"conditions": ours})


def _read(written: Mapping[str, Any]) -> ProxmoxHostStatus:
    try:
        return ProxmoxHostStatus.parse(written)
    except InvalidResource:
        return ProxmoxHostStatus()


_read_packed = functools.lru_cache(maxsize=64)(_read)
"""A reconcile asks several times what its host said before."""


def failed(
    host: LiveObject, *, problem: Problem, insecure: bool, said: Mapping[str, OfferingStatus], now: datetime
) -> ProxmoxHostStatus:
    """The status while nothing new is known: what was observed stays, with its times."""
    before = read_host_status(host)
    status = _with_problem(before, problem).model_copy(update=_sums(host, said))
    return _with_conditions(host, before, status, problem=problem, insecure=insecure, now=now)


def refreshed(
    host: LiveObject,
    *,
    observed: ProxmoxHostStatus,
    at: datetime,
    next_at: datetime,
    rhythm: statements.Rhythm,
    problem: Problem | None,
    insecure: bool,
    said: Mapping[str, OfferingStatus],
    now: datetime,
    is_spread: bool = False,
) -> ProxmoxHostStatus:
    """The status after Proxmox was read at `at`. Its times move only when something else does, or when they are to be renewed.

    `is_spread`: as of statements.must_renew.
    """
    before = read_host_status(host)
    seen = _with_conditions(
        host,
        before,
        _with_problem(observed, problem).model_copy(update=_sums(host, said)),
        problem=problem,
        insecure=insecure,
        now=now,
    )
    said_at = before.last_refresh_time
    times = {"last_refresh_time": said_at, "next_refresh_time": before.next_refresh_time}
    renew = statements.must_renew(
        str(host.ref),
        said_at=said_at,
        valid_until=said_at + rhythm.validity if said_at else None,
        seen_at=at,
        rhythm=rhythm,
        is_spread=is_spread,
    )
    if not renew and seen.model_copy(update=times) == before:
        return before
    update = {"last_refresh_time": at.replace(microsecond=0), "next_refresh_time": next_at.replace(microsecond=0)}
    return seen.model_copy(update=update)


def _sums(host: LiveObject, said: Mapping[str, OfferingStatus]) -> dict[str, object]:
    """What its Offerings say, by tier, always in the same order; and how many say so."""
    prefix = f"{host.ref.name}-"
    tiers = tuple(
        TierStatus(name=name.removeprefix(prefix), stock=status.stock, message=status.message)
        for name, status in sorted(said.items())
    )
    return {"offerings": counts_of(status.stock for status in said.values()), "tiers": tiers}


def terms_changed(host: LiveObject) -> bool:
    """Whether its spec changed since its Offerings were written: what they say was said on other terms."""
    return read_host_status(host).observed_generation != host.generation


def _with_problem(status: ProxmoxHostStatus, problem: Problem | None) -> ProxmoxHostStatus:
    """What was observed earlier, with the facts that the problem itself is."""
    if problem is None:
        return status
    update: dict[str, object] = {}
    if problem.missing:
        update["missing_privileges"] = missing_of(problem.missing)
    if problem.reason == HostReason.NOT_QUORATE and status.proxmox is not None:
        update["proxmox"] = status.proxmox.model_copy(update={"quorate": False})
    return status.model_copy(update=update)


def _with_conditions(
    host: LiveObject,
    before: ProxmoxHostStatus,
    status: ProxmoxHostStatus,
    *,
    problem: Problem | None,
    insecure: bool,
    now: datetime,
) -> ProxmoxHostStatus:
    findings = conditions.of_host(problem, insecure=insecure)
    settled = conditions.settle(findings, before=before.conditions, generation=host.generation, now=now)
    return status.model_copy(update={"observed_generation": host.generation, "conditions": settled})
