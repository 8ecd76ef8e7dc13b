"""What customers are told about the machines that can carry a tier."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from proxmox_offerings.capacity.gpus import card_matches, profile_matches
from proxmox_offerings.catalogue.text import clean, listed
from proxmox_offerings.catalogue.vram import memory_of
from proxmox_offerings.inventory.snapshot import Node
from proxmox_offerings.resources import OfferingGPU, Processor, Quantity, Tier

BRANDS = {"amd": "AMD", "intel": "Intel", "ampere": "Ampere", "neoverse": "Arm", "cortex": "Arm", "apple": "Apple"}
MARKS = re.compile(r"\((R|TM|C)\)", re.IGNORECASE)
CLOCK = re.compile(r"@\s*([0-9]+(?:\.[0-9]+)?)\s*GHz", re.IGNORECASE)


def processor_of(nodes: Sequence[Node]) -> Processor | None:
    """The processors of the nodes; None where no model is known.

    The clock is the slowest that the models' names tell: what `cpuinfo` says of it changes from call to call (peers.md 2.3).
    """
    models = {node.cpu_model for node in nodes if node.cpu_model}
    if not models:
        return None
    brands = {_brand(model) for model in models}
    clocks = [round(float(match[1]) * 1000) for match in map(CLOCK.search, models) if match]
    largest = max(nodes, key=lambda node: (node.threads or 0, node.cores or 0))
    return Processor(
        brand=brands.pop() if len(brands) == 1 else None,
        models=tuple(sorted({clean(MARKS.sub("", model)) for model in models})),
        cores=largest.cores,
        threads=largest.threads,
        speed_mhz=min(clocks) if clocks else None,
    )


def gpu_of(tier: Tier, nodes: Iterable[Node]) -> OfferingGPU | None:
    """What a unit gets of the nodes' cards; where several kinds serve, all their names, and their memory only if it is known to be the same."""
    found: dict[str, set[int | None]] = defaultdict(set)
    for node in nodes:
        for card in node.cards or ():
            if card.unsellable is None and card_matches(tier, card):
                found[card_name(card.name, card.model)].add(memory_of(card.model))
        for profile in node.profiles:
            if profile_matches(tier, profile):
                found[clean(profile.name or profile.type)].add(profile.memory)
    if not found:
        return None
    sizes = set().union(*found.values())
    size = sizes.pop() if len(sizes) == 1 else None
    return OfferingGPU(
        name=clean(listed(sorted(found)).replace(" and ", " or ")),
        memory=None if size is None else Quantity.of_bytes(size),
    )


def card_name(name: str | None, model: str) -> str:
    """The name for people: what the device database has in brackets ("GA100 [A100 PCIe 80GB]"), or its name, or the card's numbers."""
    if not name:
        return model
    inner = re.search(r"\[([^\]]+)\]", name)
    return clean(inner[1] if inner else name)


def _brand(model: str) -> str | None:
    lowered = model.lower()
    return next((brand for word, brand in BRANDS.items() if word in lowered), None)
