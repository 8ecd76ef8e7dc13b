"""How much of a cluster may be committed to guests."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import Field

from proxmox_offerings.resources.globs import glob_matches
from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.quantity import Quantity
from proxmox_offerings.resources.scalars import Bytes, CPUs, Glob, Int, Tag
from proxmox_offerings.resources.words import CPUUnit, StoppedGuests, StorageAccounting, UnlimitedContainers

CPUPercent = Annotated[Int, Field(ge=1, le=10_000)]
MemoryPercent = Annotated[Int, Field(ge=1, le=1_000)]
ReservedPercent = Annotated[Int, Field(ge=0, le=99)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=16)]


class CPUAllocation(Model):
    """How many vCPUs may be committed on a node: (its processors - `reserved`) x `percent` / 100."""

    unit: CPUUnit = CPUUnit.THREAD
    """What counts as one processor: Thread (what the operating system sees) or Core."""
    percent: CPUPercent = 400
    """How many vCPUs may be committed for 100 processors. 100 is no sharing, 400 is four vCPUs to a processor. 1 to 10000."""
    reserved: CPUs = Quantity.parse("0")
    """Processors of each node kept for the host itself, such as 2 or 500m. Subtracted before `percent`."""
    dedicated_tags: Tags = ("dedicated",)
    """Guests with one of these tags do not share processors: each of their vCPUs counts as a whole one, whatever the percent. Units
    of a tier with `dedicatedCPU: true` must be created with such a tag.
    """


class MemoryAllocation(Model):
    """How much memory may be committed on a node: (its memory - the larger of the two reserves) x `percent` / 100."""

    percent: MemoryPercent = 100
    """How much memory may be committed for 100 bytes. Above 100, guests may be promised memory that is not there. 1 to 1000."""
    reserved: Bytes = Quantity.parse("2Gi")
    """Memory of each node kept for the host itself (and for ZFS, Ceph and the like)."""
    reserved_percent: ReservedPercent = 0
    """The same as a share of the node's memory; the larger of the two holds. 0 to 99."""
    guest_overhead: Bytes = Quantity.parse("0")
    """What each virtual machine takes beside its configured memory, existing ones and new units alike."""


class StorageAllocation(Model):
    """How much of a storage may be sold."""

    reserved_percent: ReservedPercent = 10
    """Share of a storage's size that is never sold. 0 to 99."""
    accounting: StorageAccounting = StorageAccounting.FREE
    """Free: what is free now can be sold. Provisioned: in addition, the configured sizes of all volumes may not exceed `percent` of
    the storage, whatever thin provisioning has saved.
    """
    percent: MemoryPercent = 100
    """With `accounting: Provisioned`: how much may be promised for 100 bytes of the storage. 1 to 1000."""


class CPUAllocationOverride(Model):
    """What differs from `allocation.cpu`; what is left out does not."""

    unit: CPUUnit | None = None
    """Instead of `allocation.cpu.unit`."""
    percent: CPUPercent | None = None
    """Instead of `allocation.cpu.percent`."""
    reserved: CPUs | None = None
    """Instead of `allocation.cpu.reserved`."""
    dedicated_tags: Tags | None = None
    """Instead of `allocation.cpu.dedicatedTags`."""


class MemoryAllocationOverride(Model):
    """What differs from `allocation.memory`; what is left out does not."""

    percent: MemoryPercent | None = None
    """Instead of `allocation.memory.percent`."""
    reserved: Bytes | None = None
    """Instead of `allocation.memory.reserved`."""
    reserved_percent: ReservedPercent | None = None
    """Instead of `allocation.memory.reservedPercent`."""
    guest_overhead: Bytes | None = None
    """Instead of `allocation.memory.guestOverhead`."""


class AllocationOverride(Model):
    """Other terms for some nodes."""

    nodes: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=64)]
    """Names of the nodes; `*` is any text, `?` one character."""
    cpu: CPUAllocationOverride | None = None
    """What differs from `allocation.cpu`."""
    memory: MemoryAllocationOverride | None = None
    """What differs from `allocation.memory`."""


class Allocation(Model):
    """How much of the cluster may be committed to guests."""

    cpu: CPUAllocation = CPUAllocation()
    memory: MemoryAllocation = MemoryAllocation()
    storage: StorageAllocation = StorageAllocation()
    stopped_guests: StoppedGuests = StoppedGuests.COUNT
    """Count: a stopped guest keeps its processors and memory, for it may be started. Ignore: it does not."""
    unlimited_containers: UnlimitedContainers = UnlimitedContainers.IGNORE
    """What a container without a CPU limit counts: Ignore is nothing, CountAsNode is all processors of its node."""
    failover_nodes: Annotated[Int, Field(ge=0, le=2)] = 0
    """Sell only what still fits when any this many nodes are down and their guests run on the others. 0 to 2: every set of nodes is tried."""
    overrides: Annotated[tuple[AllocationOverride, ...], Field(max_length=32)] = ()
    """Other terms for some nodes. The first entry that matches a node holds; what it leaves out comes from above."""

    def cpu_for(self, node: str) -> CPUAllocation:
        """The terms for the processors of `node`."""
        return _overridden(self.cpu, self._override(node, lambda override: override.cpu))

    def memory_for(self, node: str) -> MemoryAllocation:
        """The terms for the memory of `node`."""
        return _overridden(self.memory, self._override(node, lambda override: override.memory))

    def _override(self, node: str, part: Callable[[AllocationOverride], Model | None]) -> Model | None:
        first = next((entry for entry in self.overrides if any(glob_matches(glob, node) for glob in entry.nodes)), None)
        return part(first) if first else None


_Terms = TypeVar("_Terms", CPUAllocation, MemoryAllocation)


def _overridden(terms: _Terms, override: Model | None) -> _Terms:
    if override is None:
        return terms
    return terms.model_copy(update={name: value for name, value in override if value is not None})
