"""What tiers without a price of their own cost: rules by amount, from which `catalogue.pricing` reckons.

Prices are decimal numbers in texts, never floats: 0.1 + 0.2 is no price. What has no price is not free, and a tier that needs it gets none.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from proxmox_offerings.resources.model import Model
from proxmox_offerings.resources.rules import Rule
from proxmox_offerings.resources.scalars import Currency, Glob, Int, Money, Rate, Step
from proxmox_offerings.resources.words import StorageClass


class VCPUPrices(Model):
    """What one vCPU costs for a month."""

    shared: Rate | None = None
    """Of tiers that share processors, as a decimal number in quotes, such as "1.50"."""
    dedicated: Rate | None = None
    """Of tiers with `dedicatedCPU`, such as "6.00"."""


class DiskPrice(Model):
    """What a GiB of disk costs on storage of one class."""

    class_: Annotated[StorageClass | None, Field(alias="class")] = None
    """The tier's `storageClass`. Left out: any other, and none."""
    price: Rate
    """Of one GiB for a month, as a decimal number in quotes, such as "0.05"."""


class GPUPrice(Model):
    """What a graphics card costs, whole or by profile."""

    models: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=32)] = ("*",)
    """Which cards: patterns that take in those of the tier's `gpu.models`. "*A100*" takes in "*A100*" and "*A100 PCIe 80GB*". Case does not matter.
    Cards of derived tiers are known by "vendor:device" and by name.
    """
    profile: Glob | None = None
    """For tiers that sell instances of a profile: a pattern that takes in their `gpu.profile`. Left out: whole cards only."""
    price: Rate
    """Of one card or instance for a month, as a decimal number in quotes, such as "450.00"."""


class Rounding(Model):
    """How a price is rounded, always up: to the next amount that is `ending` above a multiple of `step`."""

    RULES = (
        Rule(
            # The default {} is checked before its own defaults are filled in; what is no amount is told at its field.
            cel="!has(self.ending) || !has(self.step) || !isQuantity(self.ending) || !isQuantity(self.step) "
            "|| !self.step.matches('[1-9]') || quantity(self.ending).isLessThan(quantity(self.step))",
            message='must be less than step: {step: "1", ending: "0.99"} rounds up to 4.99, 5.99, and so on',
            holds=lambda rounding: Decimal(rounding.ending) < Decimal(rounding.step),
            field=".ending",
        ),
    )

    step: Step = "0.01"
    """Such as "0.01" (to the cent), "0.05", "1", or with `ending` "0.99" to 4.99, 5.99 and so on. "0.0001": not rounded."""
    ending: Money = "0"
    """What the last part of each price is; less than `step`."""


class Pricing(Model):
    """Prices for tiers that have none of their own: amounts x prices + `base`, then `marginPercent` on top, then rounded up.

    What is left out here is not free, but without a price: a tier that needs it has none, and `status.unpriced` says why. "0" is free.
    """

    currency: Currency
    """ISO 4217 code, such as EUR."""
    base: Rate = "0"
    """For each unit and month, whatever its size, as a decimal number in quotes."""
    per_vcpu: Annotated[VCPUPrices, Field(alias="perVCPU")] = VCPUPrices()
    per_gib_memory: Annotated[Rate | None, Field(alias="perGiBMemory")] = None
    """For one GiB of memory for a month, as a decimal number in quotes, such as "0.80"."""
    per_gib_disk: Annotated[tuple[DiskPrice, ...], Field(alias="perGiBDisk", max_length=16)] = ()
    """For one GiB of disk, by the tier's `storageClass`. The first that matches holds."""
    per_gpu: Annotated[tuple[GPUPrice, ...], Field(alias="perGPU", max_length=64)] = ()
    """For each graphics card. The first that takes in all cards of a tier holds; put the dearer and more particular ones first."""
    setup: Money = "0.00"
    """Once, at the beginning, for each unit. Taken as it is, without margin."""
    margin_percent: Annotated[Int, Field(ge=0, le=10_000)] = 0
    """On top of the sum. 0 to 10000."""
    rounding: Rounding = Rounding()
