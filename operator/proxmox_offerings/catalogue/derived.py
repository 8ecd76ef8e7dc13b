"""Tiers for a host that names none: from hardware alone, so that they do not come and go with load. Rules: capacity.md 7.

An Offering of a derived tier stays as long as the ProxmoxHost does, even when no node could carry it any more: a node that died, or is being
repaired, must not make Offerings vanish (design.md, invariant 2).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from proxmox_offerings.capacity.allocation import POINTS
from proxmox_offerings.capacity.rooms import LeftOut, Room, Rooms
from proxmox_offerings.catalogue.hardware import card_name
from proxmox_offerings.inventory.snapshot import Card
from proxmox_offerings.resources import Architecture, OfferingSpec, Quantity, Tier, TierGPU

GIB = 2**30
DISK_PER_VCPU = 25 * GIB
STD_MEMORY_PER_VCPU = 2 * GIB
MEM_MEMORY_PER_VCPU = 8 * GIB
GPU_MEMORY_PER_VCPU = 4 * GIB
MOST_VCPUS_PER_CARD = 16
CARDS = (1, 2, 4, 8)
LONGEST_NAME = 20
DERIVED = re.compile(r"(?:std|mem)-[0-9]+|gpu-.+-[0-9]+")
VENDOR_WORDS = frozenset({"geforce", "tesla", "instinct", "radeon", "quadro", "nvidia", "amd", "intel", "pro"})


def derived_tiers(rooms: Rooms, *, existing: Iterable[OfferingSpec]) -> tuple[Tier, ...]:
    """The tiers that the selected nodes' hardware suggests, and those that were derived before (`existing`: the host's Offerings)."""
    # Where cores are sold, a node of which only threads are known yet would suggest sizes that it never has.
    nodes = [
        room
        for room in rooms.rooms.values()
        if room.left_out not in {LeftOut.NOT_SELECTED, LeftOut.UNREADABLE} and room.node.threads
    ]
    architectures = {room.node.architecture for room in nodes}
    architecture = Architecture.ARM64 if architectures == {Architecture.ARM64} else Architecture.AMD64
    fitting = [room for room in nodes if room.node.architecture == architecture]
    tiers = {
        tier.name: tier
        for tier in (
            *_doubling("std", STD_MEMORY_PER_VCPU, fitting, architecture),
            *_doubling("mem", MEM_MEMORY_PER_VCPU, [room for room in fitting if _rich_in_memory(room)], architecture),
            *_gpu_tiers(fitting, architecture),
        )
    }
    for spec in existing:
        if spec.tier not in tiers and DERIVED.fullmatch(spec.tier):
            tiers[spec.tier] = _as_tier(spec)
    return tuple(
        sorted(
            tiers.values(), key=lambda tier: (tier.gpu is not None, tier.name.rpartition("-")[0], tier.cpu, tier.name)
        )
    )


def _doubling(kind: str, memory: int, rooms: Sequence[Room], architecture: Architecture) -> Iterator[Tier]:
    """1, 2, 4, ... vCPUs while some node could carry one when empty."""
    vcpus = 1
    while any(_carries(room, vcpus, vcpus * memory) for room in rooms):
        yield Tier(
            name=f"{kind}-{vcpus}",
            architecture=architecture,
            cpu=vcpus,
            memory=Quantity.of_bytes(vcpus * memory),
            disk=Quantity.of_bytes(vcpus * DISK_PER_VCPU),
        )
        vcpus *= 2


def _carries(room: Room, vcpus: int, memory: int) -> bool:
    return (
        vcpus <= (room.node.threads or 0)
        and vcpus * POINTS <= room.cpu.capacity
        and memory <= (room.node.memory or 0)
        and memory + room.overhead <= room.memory.capacity
    )


def _rich_in_memory(room: Room) -> bool:
    """Whether each vCPU that the node offers could have 8 GiB."""
    return room.memory.capacity * POINTS >= room.cpu.capacity * MEM_MEMORY_PER_VCPU


def _gpu_tiers(rooms: Sequence[Room], architecture: Architecture) -> Iterator[Tier]:
    """For each model, 1, 2, 4 and 8 cards up to the most on one node, each card with its share of the smallest node that has any."""
    on: dict[str, list[tuple[Room, int]]] = defaultdict(list)
    cards: dict[str, Card] = {}
    for room in rooms:
        whole = [card for card in room.node.cards or () if card.unsellable is None]
        cards.update((card.model, card) for card in whole)
        for model, count in Counter(card.model for card in whole).items():
            on[model].append((room, count))
    slugs = _slugs(cards.values())
    for model in sorted(on):
        shares = [_share(room, sum(card.unsellable is None for card in room.node.cards or ())) for room, _ in on[model]]
        vcpus = min(vcpus for vcpus, _ in shares)
        memory = min(memory for _, memory in shares)
        if vcpus == 0 or memory == 0:
            continue
        for count in CARDS:
            if count <= max(cards_there for _, cards_there in on[model]):
                yield Tier(
                    name=f"gpu-{slugs[model]}-{count}",
                    architecture=architecture,
                    cpu=vcpus * count,
                    memory=Quantity.of_bytes(memory * count),
                    disk=Quantity.of_bytes(vcpus * count * DISK_PER_VCPU),
                    gpu=TierGPU(count=count, models=(model,)),
                )


def _share(room: Room, cards: int) -> tuple[int, int]:
    """vCPUs (a power of two) and whole GiB of memory for one card, if all cards of the node were sold."""
    threads = min(room.node.threads or 0, room.cpu.capacity // POINTS) // cards
    vcpus = min(MOST_VCPUS_PER_CARD, 1 << (threads.bit_length() - 1)) if threads else 0
    each = room.memory.capacity // cards - room.overhead
    return vcpus, min(vcpus * GPU_MEMORY_PER_VCPU, max(0, each) // GIB * GIB)


def _slugs(cards: Iterable[Card]) -> dict[str, str]:
    """Model -> a word for names, short enough for a tier's; models whose words would be the same go by their numbers."""
    longest = LONGEST_NAME - len("gpu-") - len("-8")
    slugs = {}
    for card in cards:
        words = [
            word
            for word in re.findall(r"[a-z0-9]+", card_name(card.name, card.model).lower())
            if word not in VENDOR_WORDS
        ]
        slugs[card.model] = (
            "-".join(words)[:longest].strip("-") if card.name and words else card.model.replace(":", "-")
        )
    shared = Counter(slugs.values())
    return {model: slug if shared[slug] == 1 else model.replace(":", "-") for model, slug in slugs.items()}


def _as_tier(spec: OfferingSpec) -> Tier:
    return Tier(
        name=spec.tier,
        virtualization=spec.virtualization,
        architecture=spec.architecture,
        cpu=spec.cpu,
        memory=spec.memory,
        disk=spec.disk,
        gpu=spec.gpu,
    )
