"""What is sold: sizes, and what they cost."""

from typing import Annotated

from pydantic import Field

from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.rules import Rule
from proxmox_offerings.resources.scalars import Bool, Currency, Glob, Int, Money, PositiveBytes, Text, TierName
from proxmox_offerings.resources.selector import Selector
from proxmox_offerings.resources.words import Architecture, StorageClass, Virtualization


class TierGPU(Model):
    """Graphics cards handed to each unit: whole ones, or with `profile` parts of them (vGPUs).

    A whole card is sold if it has an IOMMU group that holds nothing but its own functions, hands out no virtual functions, and no guest's
    configuration names it, running or not. Integrated graphics and those of management controllers never are.
    """

    count: Annotated[Int, Field(ge=1, le=64)] = 1
    """Cards for each unit, all of one model; with `profile`, so many instances, all of one profile."""
    models: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=32)] = ("*",)
    """Which cards: patterns for the device's name or its "vendor:device" numbers, such as "*A100*" or "10de:20b5". `*` is any text,
    `?` one character, case does not matter.
    """
    profile: Glob | None = None
    """Sell mediated devices of this type instead of whole cards: its id or name as Proxmox shows it under "MDev Type", such as "nvidia-230" or
    "GRID T4-2Q", or a pattern like those of `models`. Sold where the driver counts what is left (kernel mdev framework: NVIDIA vGPU on cards
    without SR-IOV, Intel GVT-g). NVIDIA's drivers for kernel 6.8 and later, and virtual functions, tell no count: stock is Unknown there.
    Where a pattern matches several types of one card, those of which most units fit are counted.
    """


class Price(Model):
    """What one unit costs. Carried along for readers; it decides nothing here."""

    currency: Currency
    """ISO 4217 code, such as EUR."""
    monthly: Money
    """For a month, as a decimal number in quotes, such as "5.00"."""
    setup: Money = "0.00"
    """Once, at the beginning."""


class Tier(Model):
    """One size of guest that is sold. Each tier becomes an Offering named `<host>-<tier>`."""

    RULES = (
        Rule(
            cel="!has(self.gpu) || self.virtualization != 'LXC'",
            message="must be KVM for a tier with gpu: a container cannot be given a whole graphics card",
            holds=lambda tier: tier.gpu is None or tier.virtualization is not Virtualization.LXC,
            field=".virtualization",
        ),
    )

    name: TierName
    """Unique among the tiers: at most 20 lower-case letters, digits and '-'."""
    display_name: Text | None = None
    """The name that customers see. Left out: `name`."""
    virtualization: Virtualization = Virtualization.KVM
    """KVM: a virtual machine. LXC: a container."""
    architecture: Architecture = Architecture.AMD64
    """The processors that it runs on."""
    cpu: Annotated[Int, Field(ge=1, le=8192)]
    """vCPUs of each unit. A node with fewer threads carries none."""
    memory: PositiveBytes
    """Memory of each unit, such as 4Gi."""
    disk: PositiveBytes
    """Disk of each unit, such as 50Gi, on one storage."""
    storage_class: StorageClass | None = None
    """What the disk must lie on. Left out: any storage."""
    dedicated_cpu: Annotated[Bool, Field(alias="dedicatedCPU")] = False
    """One processor for each vCPU, whatever `allocation.cpu.percent` says. Units must be created with one of the tags of
    `allocation.cpu.dedicatedTags`; otherwise they are counted as sharing, and more is sold than there is.
    """
    gpu: TierGPU | None = None
    """Graphics cards of each unit, whole or by profile. Only with KVM."""
    nodes: Selector = Selector()
    """Nodes that carry this tier, among those that the host selects."""
    max_units: Annotated[Int, Field(ge=1, le=1_000_000)] | None = None
    """Never say that more than this many are available."""
    price: Price | None = None
    """What one unit costs. Left out: what `spec.pricing` makes of its size."""
