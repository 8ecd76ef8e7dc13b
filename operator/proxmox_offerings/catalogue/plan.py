"""The Offerings that should exist for one ProxmoxHost, and what they should say: a pure function of the host and a Snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass

from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.resources import OfferingSpec, OfferingStatus, ProxmoxHost, ProxmoxHostStatus, Stock


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOffering:
    """One Offering as it should be.

    `statement` is the status without observedGeneration, observedAt, validUntil and conditions: those belong to the moment of writing.
    """

    name: str
    tier: str
    labels: Mapping[str, str]
    spec: OfferingSpec
    statement: OfferingStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All Offerings of a host in the order of their tiers, and the part of the host's status that was observed (no times, no conditions)."""

    offerings: tuple[PlannedOffering, ...]
    observed: ProxmoxHostStatus


def plan(*, host: ProxmoxHost, snapshot: Snapshot, past: Mapping[str, Stock]) -> Plan:
    """What `snapshot` lets `host` sell. `past` is each Offering's last published stock by name (restockThreshold needs it)."""
    raise NotImplementedError


def unobserved(*, host: ProxmoxHost) -> tuple[PlannedOffering, ...]:
    """The Offerings that follow from the host alone (its explicit tiers), all with stock Unknown: for when nothing could be observed.

    Derived tiers follow from the hardware, so without an observation there are none: what exists of them stays.
    """
    raise NotImplementedError
