"""What a ProxmoxHost tells about its cluster.

Names that Proxmox gives are cut, not refused, when they are longer than the schema allows: a status must get through.
"""

from typing import Annotated

from pydantic import Field, GetJsonSchemaHandler, computed_field
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from proxmox_offerings.resources.conditions import Condition
from proxmox_offerings.resources.lists import Keyed
from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.quantity import Quantity
from proxmox_offerings.resources.scalars import Bool, Int, Sentence, Time, Word
from proxmox_offerings.resources.words import Stock, StorageClass

Count = Annotated[Int, Field(ge=0)]
Words = tuple[Word, ...]


class ProxmoxFacts(Model):
    """The cluster as a whole."""

    version: Word
    """Version of Proxmox VE on the node that answered, such as 9.1.2."""
    cluster_name: Word | None = None
    """Name of the cluster; absent for a standalone node."""
    quorate: Bool
    """Whether a majority of the nodes agree. Without it nothing new is said."""
    endpoint: Word
    """The endpoint that answered last."""


class NodeCPU(Model):
    """vCPUs of a node, under the host's allocation. Thousandths as 1500m."""

    capacity: Quantity
    """vCPUs that may be committed."""
    committed: Quantity
    """vCPUs that guests are configured with."""
    headroom: Quantity
    """What is left; negative if more is committed than may be."""


class NodeMemory(Model):
    """Memory of a node, under the host's allocation."""

    capacity: Quantity
    """Memory that may be committed."""
    committed: Quantity
    """Memory that guests are configured with."""
    headroom: Quantity
    """What is left; negative if more is committed than may be."""


class NodeGPU(Model):
    """The cards of one model in a node."""

    model: Word
    """The device's name, or its vendor:device numbers."""
    total: Count
    """Cards that could be sold when free."""
    free: Count | None = None
    """Cards that no guest's configuration names; absent if that could not be read."""


class NodeGPUProfile(Model):
    """One type of mediated device (vGPU) that the node's cards of one model hand out."""

    profile: Word
    """Its id, such as nvidia-230."""
    model: Word
    """The card's name, or its vendor:device numbers."""
    name: Word | None = None
    """Its name, such as GRID T4-1Q."""
    free: Count | None = None
    """Instances that can still be had, those of stopped guests apart; absent if that could not be read."""


class NodeStatus(Model):
    """A node as it was seen."""

    name: Word
    """Its name in the cluster."""
    status: Word
    """Online, Offline, Unknown or Maintenance."""
    cpu_model: Word | None = None
    """Its processors' name."""
    sockets: Count | None = None
    """Its processors."""
    cores: Count | None = None
    """Cores of all processors together."""
    threads: Count | None = None
    """Threads of all processors together."""
    memory: Quantity | None = None
    """Its memory."""
    excluded: Word | None = None
    """Why nothing is sold on it, in a documented word; absent if it is eligible."""
    cpu: NodeCPU | None = None
    """vCPUs under the host's allocation; absent if unknown."""
    memory_allocation: NodeMemory | None = None
    """Memory under the host's allocation; absent if unknown."""
    bridges: Words | None = None
    """Its active bridges and SDN vnets, of thousands the first by name; absent if unreadable."""
    gpus: Annotated[tuple[NodeGPU, ...], Keyed("model")] | None = None
    """Its graphics cards by model; absent if unreadable."""
    gpu_profiles: Annotated[tuple[NodeGPUProfile, ...], Keyed("profile", "model")] = ()
    """What its graphics cards hand out in parts, where that is counted."""


class StorageStatus(Model):
    """A storage as it was seen: one row for each id and class. Sizes are summed over `nodes`; a shared storage counts once."""

    name: Word
    """The storage's id."""
    class_: Annotated[StorageClass, Field(alias="class")] = StorageClass.UNKNOWN
    """What it is made of."""
    shared: Bool = False
    """Whether all nodes see the same bytes."""
    backing: Word | None = None
    """What it draws on: storages of one backing share their bytes."""
    total: Quantity | None = None
    """Its size; absent if unreadable."""
    available: Quantity | None = None
    """What is free; absent if unreadable."""
    nodes: Words = ()
    """Nodes that can use it, of thousands the first by name."""


class MissingPrivilege(Model):
    """A privilege that the token lacks."""

    path: Word
    """Where it is missing, such as /vms."""
    privilege: Word
    """Its name, such as VM.Audit."""
    effect: Sentence
    """What cannot be seen without it."""


class UnpricedTier(Model):
    """A tier for which `spec.pricing` gives no price."""

    tier: Word
    """Its name."""
    reason: Sentence
    """What is missing."""


class TierStatus(Model):
    """What the Offering of one tier says, for people who look at the host. Sell by Offerings alone: they say until when they hold."""

    name: Word
    """Name of the tier."""
    stock: Stock
    """Its stock."""
    message: Sentence | None = None
    """How many units fit and why not more, or why that is not known."""


class OfferingCounts(Model):
    """How many Offerings there are, by stock."""

    total: Count
    """All of them."""
    in_stock: Count
    """With stock InStock."""
    low_stock: Count
    """With stock LowStock."""
    out_of_stock: Count
    """With stock OutOfStock."""
    unknown: Count
    """With stock Unknown."""


class ProxmoxHostStatus(Model):
    """What was observed. Written by the operator alone."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = super().__get_pydantic_json_schema__(schema, handler)
        summary = {"type": "string", "description": "Nodes that can be sold, of all nodes, such as 2/3."}
        handler.resolve_ref_schema(described)["properties"]["nodeSummary"] = summary
        return described

    observed_generation: Annotated[Int, Field(ge=-1)] = -1
    """The generation of the spec that this was said about. -1: nobody looked at it yet, so that whoever waits does not take what is new
    for what is fine.
    """
    conditions: Annotated[tuple[Condition, ...], Keyed("type")] = ()
    """Ready sums up. Reachable, Authorized, Quorate and TLSVerified are facts; Reconciling and Stalled are there only while
    something is wrong.
    """
    last_refresh_time: Time | None = None
    """When capacity was last read."""
    next_refresh_time: Time | None = None
    """When it will be read next."""
    proxmox: ProxmoxFacts | None = None
    """The cluster as a whole."""
    nodes: Annotated[tuple[NodeStatus, ...], Keyed("name")] = ()
    """Every node of the cluster, sold or not."""
    storages: Annotated[tuple[StorageStatus, ...], Keyed("name", "class")] = ()
    """Every selected storage, of more than 500 the first by name."""
    missing_privileges: Annotated[tuple[MissingPrivilege, ...], Keyed("path", "privilege")] = ()
    """What the token should be allowed to see, and is not."""
    offerings: OfferingCounts | None = None
    """How many Offerings there are, by stock."""
    tiers: Annotated[tuple[TierStatus, ...], Keyed("name")] = ()
    """What the Offering of each tier says, and why."""
    unpriced: Annotated[tuple[UnpricedTier, ...], Keyed("tier")] = ()
    """Tiers that `spec.pricing` has no price for. They are offered without one."""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def node_summary(self) -> str | None:
        """`nodes` for the column of `kubectl get`, which cannot count; None if there are none."""
        return f"{sum(node.excluded is None for node in self.nodes)}/{len(self.nodes)}" if self.nodes else None
