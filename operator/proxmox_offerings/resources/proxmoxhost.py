"""The ProxmoxHost: how to reach a Proxmox VE cluster, and on what terms to sell it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from proxmox_offerings.resources.allocation import Allocation
from proxmox_offerings.resources.connection import TLS, CredentialsSecretRef
from proxmox_offerings.resources.group import API_VERSION
from proxmox_offerings.resources.lists import Keyed
from proxmox_offerings.resources.location import Location
from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.pricing import Pricing
from proxmox_offerings.resources.proxmoxhost_status import ProxmoxHostStatus
from proxmox_offerings.resources.resource import Resource
from proxmox_offerings.resources.rules import Rule
from proxmox_offerings.resources.scalars import DNS_LABEL, Bool, Bridge, Endpoint, Glob, Int, Name, Tag, is_dns_label
from proxmox_offerings.resources.selector import Selector
from proxmox_offerings.resources.tiers import Tier
from proxmox_offerings.resources.words import StorageClass


class StorageRule(Model):
    """What is known about some storages better than it can be derived."""

    RULES = (
        Rule(
            cel="has(self.class) || (has(self.backing) && self.backing != '')",
            message="must say a class, a backing or both",
            holds=lambda rule: rule.class_ is not None or bool(rule.backing),
        ),
    )

    match: Glob
    """Names of the storages; `*` is any text, `?` one character."""
    class_: Annotated[StorageClass | None, Field(alias="class")] = None
    """What they are made of. Left out: derived from the disks behind them."""
    backing: Annotated[str, Field(max_length=128)] | None = None
    """Storages of one backing draw on the same bytes, which are then sold once; local storages have a backing on each node. Left
    out or empty: derived from how they are defined. File systems that are free alike are taken for one: name a backing for
    each to keep them apart.
    """


class OperatingSystemMatch(Model):
    """Which templates. Exactly one of the three."""

    RULES = (
        Rule(
            cel="(has(self.name) ? 1 : 0) + (has(self.tag) ? 1 : 0) + (has(self.vmid) ? 1 : 0) == 1",
            message="exactly one of name, tag and vmid must be set",
            holds=lambda match: sum(value is not None for value in (match.name, match.tag, match.vmid)) == 1,
        ),
    )

    name: Glob | None = None
    """By the template's name; `*` is any text, `?` one character."""
    tag: Tag | None = None
    """By a tag of the template."""
    vmid: Annotated[Int, Field(ge=100, le=999_999_999)] | None = None
    """By the template's number."""


class OperatingSystemRule(Model):
    """Templates that are offered as an operating system."""

    match: OperatingSystemMatch
    name: Name
    """What customers read, such as "Debian 12"."""


class StockPolicy(Model):
    """When an Offering is called low, and when a sold-out one is offered again."""

    low_threshold: Annotated[Int, Field(ge=0, le=10_000)] = 2
    """This many units or fewer (but at least one) are `LowStock`. 0: never."""
    restock_threshold: Annotated[Int, Field(ge=1, le=10_000)] = 1
    """After `OutOfStock`, units are offered again only once this many fit, so that an offer does not flicker."""


class ProxmoxHostSpec(Model):
    """How to reach the cluster, and on what terms to sell it."""

    RULES = (
        Rule(
            cel="self.validitySeconds >= 4 * self.refreshIntervalSeconds",
            message="must be at least 4 x refreshIntervalSeconds, so that a missed refresh does not end an offer",
            holds=lambda spec: spec.validity_seconds >= 4 * spec.refresh_interval_seconds,
            field=".validitySeconds",
        ),
        Rule(
            cel="!has(self.tiers) || self.tiers.all(tier, self.tiers.exists_one(other, other.name == tier.name))",
            message="names must be unique: each tier becomes the Offering <host>-<name>",
            holds=lambda spec: len({tier.name for tier in spec.tiers}) == len(spec.tiers),
            field=".tiers",
        ),
        Rule(
            cel="!has(self.tiers) || self.tiers.all(tier, !has(tier.maxUnits) || tier.maxUnits >= self.stock.restockThreshold)",
            message="restockThreshold must not be above maxUnits of a tier: once sold out, that tier would never be offered again",
            holds=lambda spec: all(
                tier.max_units is None or tier.max_units >= spec.stock.restock_threshold for tier in spec.tiers
            ),
            field=".stock",
        ),
    )

    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1, max_length=16)]
    """Nodes of one cluster (or one standalone node) as https://host:port, tried in order. 1 to 16; https only; no user-info, path
    or query.
    """
    credentials_secret_ref: CredentialsSecretRef
    tls: TLS = TLS()
    refresh_interval_seconds: Annotated[Int, Field(ge=15, le=3600)] = 60
    """How often capacity is read. 15 to 3600."""
    inventory_interval_seconds: Annotated[Int, Field(ge=60, le=86_400)] = 600
    """How often hardware, templates and storage configuration are read. 60 to 86400."""
    validity_seconds: Annotated[Int, Field(ge=60, le=86_400)] = 600
    """How long a statement may be trusted after Proxmox was read. At least 4 x refreshIntervalSeconds; up to 86400."""
    suspend: Bool = False
    """Read nothing and say nothing new. What was said ends with its validUntil."""
    location: Location = Location()
    nodes: Selector = Selector()
    """Nodes that are sold, by name."""
    storages: Selector = Selector()
    """Storages that are sold, by name."""
    bridge: Bridge | None = None
    """A node without this active bridge (or SDN vnet) is not sold. Left out: networks do not matter."""
    allocation: Allocation = Allocation()
    storage_rules: Annotated[tuple[StorageRule, ...], Field(max_length=64)] = ()
    """What storages are made of and which share their bytes, where that cannot be derived. The first match holds."""
    operating_systems: Annotated[tuple[OperatingSystemRule, ...], Field(max_length=128)] = ()
    """What templates are called as operating systems. The first match holds; others are called what their names and tags tell."""
    stock: StockPolicy = StockPolicy()
    tiers: Annotated[tuple[Tier, ...], Field(max_length=64), Keyed("name")] = ()
    """What is sold; each becomes an Offering. Left out or empty: derived from the hardware."""
    pricing: Pricing | None = None
    """What tiers without a price of their own cost. Left out: such tiers have no price."""


class ProxmoxHost(Resource):
    """A Proxmox VE cluster (or standalone node) whose free capacity is offered: how to reach it, and on what terms to sell it.

    The operator only reads from Proxmox. It writes one Offering for each tier.
    """

    KIND: ClassVar[str] = "ProxmoxHost"
    PLURAL: ClassVar[str] = "proxmoxhosts"
    RULES = (
        Rule(
            cel=f"self.metadata.name.size() <= 42 && self.metadata.name.matches('^({DNS_LABEL})$')",
            message="must be at most 42 lower-case letters, digits and '-', beginning and ending with a letter or digit, "
            "so that <host>-<tier> can name an Offering and be a label",
            field=".metadata.name",
            holds=lambda host: len(host.metadata.name) <= 42 and is_dns_label(host.metadata.name),
        ),
    )

    api_version: Literal["proxmox-offerings.io/v1alpha1"] = API_VERSION
    kind: Literal["ProxmoxHost"] = "ProxmoxHost"
    spec: ProxmoxHostSpec
    """How to reach the cluster, and on what terms to sell it."""
    status: ProxmoxHostStatus = ProxmoxHostStatus()
    """What was observed."""
