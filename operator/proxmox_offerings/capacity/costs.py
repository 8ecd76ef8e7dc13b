"""What a guest is configured with, and so takes of its node, whether it runs or not. Rules: capacity.md 2."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from proxmox_offerings.capacity.allocation import POINTS
from proxmox_offerings.proxmox.answers import GuestConfig, GuestRow
from proxmox_offerings.resources import UnlimitedContainers

DEFAULT_MEMORY = 512 * 2**20
"""What a guest without `memory` in its configuration gets: 512 MiB (qemu-server and pve-container defaults)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A guest's size before any node's policy: `vcpus` exact, None for an unlimited container; `memory` bytes, without overhead."""

    vcpus: Fraction | int | None
    memory: int


def size_of(
    guest: GuestRow, *, node_maxcpu: int | None, configs: tuple[GuestConfig, ...] | None, last_known: GuestRow | None
) -> Size | None:
    """The guest's size; None where nobody told it (an `unknown` guest whose configuration could not be read and that was never seen
    before).

    `node_maxcpu` is that of the guest's own node: a container whose `maxcpu` equals it has no limit, or one of just that size
    (pve-container LXC.pm vmstatus), and its configuration decides which.
    """
    maxcpu, maxmem = guest.maxcpu, guest.maxmem
    if maxcpu is None or maxmem is None:
        if configs:
            return _configured(guest, configs)
        if last_known is None or last_known.maxcpu is None or last_known.maxmem is None:
            return None
        maxcpu, maxmem = last_known.maxcpu, last_known.maxmem
    if guest.kind == "lxc" and maxcpu == node_maxcpu:
        return Size(vcpus=_container_limit(configs) if configs else None, memory=maxmem)
    return Size(vcpus=int(maxcpu) if maxcpu == int(maxcpu) else Fraction(str(maxcpu)), memory=maxmem)


def points_of(
    size: Size,
    *,
    dedicated: bool,
    percent: int,
    unit_total: int,
    unlimited: UnlimitedContainers,
    limit_read: bool,
) -> int:
    """What the guest costs on a node of `unit_total` threads or cores. A limit that could not be read counts as the whole node."""
    vcpus = size.vcpus
    if vcpus is None:
        if limit_read and unlimited is UnlimitedContainers.IGNORE:
            return 0
        vcpus = unit_total
    return ceil(vcpus * points_of_vcpu(dedicated=dedicated, percent=percent))


def points_of_vcpu(*, dedicated: bool, percent: int) -> int:
    """A shared vCPU costs 100 points; a dedicated one takes a thread (or core) of its own whatever the percent."""
    return max(POINTS, percent) if dedicated else POINTS


def is_dedicated(guest: GuestRow, dedicated_tags: frozenset[str]) -> bool:
    return bool(guest.tags) and not dedicated_tags.isdisjoint(guest.tags)


def _configured(guest: GuestRow, configs: tuple[GuestConfig, ...]) -> Size:
    memory = max(config.memory or DEFAULT_MEMORY for config in configs)
    if guest.kind == "lxc":
        return Size(vcpus=_container_limit(configs), memory=memory)
    return Size(vcpus=max(config.cores or 1 for config in configs), memory=memory)


def _container_limit(configs: tuple[GuestConfig, ...]) -> Fraction | int | None:
    """The smaller of cores and cpulimit; None without either: unlimited."""
    limits: list[Fraction | int] = []
    for config in configs:
        own = [Fraction(str(limit)) for limit in (config.cores, config.cpulimit) if limit]
        if not own:
            return None
        limits.append(min(own))
    return max(limits)
