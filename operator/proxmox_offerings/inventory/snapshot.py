"""What was seen of one cluster, normalised: plain values, no clock, no I/O, no policy.

A Snapshot holds facts only; what they are worth under a ProxmoxHost's terms is `capacity`'s business. `None` means "could not be seen", which
is never the same as "none" or "zero".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from proxmox_offerings.proxmox.answers import GuestConfig, GuestRow
from proxmox_offerings.proxmox.errors import MissingPrivilege


class NodeState(StrEnum):
    """Whether a node can take guests now, by its row and the three maintenance signals."""

    ONLINE = "Online"
    OFFLINE = "Offline"
    UNKNOWN = "Unknown"
    MAINTENANCE = "Maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A graphics card: all functions of one PCI slot.

    `slot` is "0000:17:00". `model` is "vendor:device" ("10de:20b5"), `name` the device database's, None where it has none.
    `unsellable` is a reason word (NoIommu, SharedIommuGroup, VirtualFunctions, Contradictory) or None. `taken`: a guest's configuration
    names it.
    """

    slot: str
    model: str
    name: str | None
    unsellable: str | None
    taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One type of mediated device (vGPU), such as "nvidia-230", that a node's cards of one model hand out.

    `model` and `card` are the cards' numbers and name, `name` the type's ("GRID T4-1Q"), `memory` bytes of one instance, where told.
    `free`: how many more guests' configurations can have; `total`: on cards without guests, as far as anybody tells.
    """

    model: str
    card: str | None
    type: str
    name: str | None
    memory: int | None
    free: int
    total: int

    @property
    def key(self) -> str:
        """Its name among the things that guests need of cards: whole cards go by their model, "10de:1eb8", and this is "10de:1eb8/nvidia-230"."""
        return f"{self.model}/{self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node as seen: `threads`, `cores` (0 where the platform does not tell), `sockets`, `memory` bytes.

    `bridges` (active Linux and OVS bridges and SDN vnets) and `cards` are None where they could not be read; with `bridges_hidden` there
    may be more bridges than the token is shown;
    `cards_blind` tells why: which call failed, or that guests' configurations could not be read, so that no card is known to be free.
    `profiles_blind` tells the same of `profiles`; `uncounted` are cards that hand out mediated devices in a way that nobody can count.
    """

    name: str
    state: NodeState
    architecture: str
    threads: int | None
    cores: int | None
    sockets: int | None
    memory: int | None
    cpu_model: str | None
    hvm: bool | None
    bridges: frozenset[str] | None
    cards: tuple[Card, ...] | None
    cards_blind: str | None = None
    profiles: tuple[Profile, ...] = ()
    profiles_blind: str | None = None
    uncounted: tuple[Card, ...] = ()
    bridges_hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePlace:
    """One storage id on one node.

    `usable`: available, enabled and active there; else `unusable` says why in a word. `avail` and `total` are bytes; `avail` None: never
    read, so not for sale.
    `backing` names the bytes that it draws on: equal names, same bytes. `derived_class` is nvme, ssd, hdd, network or unknown.
    """

    storage: str
    node: str
    plugin: str
    content: frozenset[str]
    shared: bool
    unusable: str | None
    avail: int | None
    total: int | None
    backing: str
    derived_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Something to install from: a guest marked as template (`vmid`), a container template or an import image (`volid`).

    `nodes`: where it can be used. `kind` is qemu or lxc: what kind of guest it makes.
    """

    kind: str
    name: str
    vmid: int | None
    volid: str | None
    tags: tuple[str, ...]
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole cluster at one moment. `nodes` by name; `guests` without templates, by the name of the node that lists them.

    `configs` holds the configurations that were asked for: vmid -> configuration, or None where it could not be read.
    `last_known` are the rows of guests now without a size, as they were when last seen. `provisioned`: bytes configured on each backing,
    None where some configuration that counts there could not be read.
    `card_needs`: vmid -> the cards by model that the guest needs wherever it runs, None where nobody can tell; guests without are left out.
    `ha_targets`: vmid -> the node to which HA is moving the guest.
    """

    observed_at: datetime
    version: str
    cluster_name: str | None
    endpoint: str
    nodes: Mapping[str, Node]
    guests: Mapping[str, Sequence[GuestRow]]
    configs: Mapping[int, tuple[GuestConfig, ...] | None]
    last_known: Mapping[int, GuestRow]
    storages: tuple[StoragePlace, ...]
    provisioned: Mapping[str, int | None]
    templates: tuple[Template, ...]
    missing_privileges: tuple[MissingPrivilege, ...]
    card_needs: Mapping[int, Mapping[str, int] | None] = field(default_factory=dict)
    ha_targets: Mapping[int, str] = field(default_factory=dict)
