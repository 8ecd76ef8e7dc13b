"""Nodes as seen: whether each can take guests, its hardware, bridges and cards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from proxmox_offerings.inventory.cards import cards_of, slot_of
from proxmox_offerings.inventory.device_uses import UnknownMapping, mark_taken, needs_of, uses_of
from proxmox_offerings.inventory.gathered import Configs, Fast, NodeReading, Remembered, Slow
from proxmox_offerings.inventory.privileges import bridges_may_be_hidden
from proxmox_offerings.inventory.profiles import (
    busy_slots,
    counted_functions,
    profiles_of,
    running_machines,
    uncounted_cards,
)
from proxmox_offerings.inventory.snapshot import Card, Node, NodeState, Profile
from proxmox_offerings.proxmox.answers import GuestConfig, GuestRow, ManagerStatus, NodeRow

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Proxmox' names and Kubernetes' names. `host-arch` exists from 9.2 on; absent means x86_64 (proxmox-api.md 2.1)."""

BRIDGES = frozenset({"bridge", "OVSBridge", "vnet"})


def state_of(row: NodeRow, *, manager: ManagerStatus, online: Mapping[str, bool]) -> NodeState:
    """The row's status wins over what its guests and storages still say; any of three signals means maintenance (proxmox-api.md 2.7)."""
    if row.status == "offline" or online.get(row.name) is False:
        return NodeState.OFFLINE
    signals = (row.hastate, manager.node_status.get(row.name), manager.lrm_mode.get(row.name))
    if "maintenance" in signals:
        return NodeState.MAINTENANCE
    return NodeState.ONLINE if row.status == "online" else NodeState.UNKNOWN


def nodes_of(*, fast: Fast, slow: Slow, configs: Configs, guests_of: Mapping[str, list[GuestRow]]) -> dict[str, Node]:
    """All nodes by name, in the order of their names."""
    bridges_hidden = bridges_may_be_hidden(slow.permissions, slow.version)
    nodes = {}
    for row in sorted(fast.resources.nodes, key=lambda row: row.name):
        reading = slow.nodes.get(row.name, NodeReading())
        status = reading.status
        graphics = _graphics(row.name, reading, slow=slow, configs=configs, guests=guests_of.get(row.name, ()))
        nodes[row.name] = Node(
            name=row.name,
            state=state_of(row, manager=fast.manager, online=fast.cluster.online),
            architecture=ARCHITECTURES.get(row.host_arch or "x86_64", row.host_arch or "unknown"),
            threads=row.maxcpu,
            cores=status.cores if status else None,
            sockets=status.sockets if status else None,
            memory=row.maxmem,
            cpu_model=status.model if status else None,
            hvm=status.hvm if status else None,
            bridges=None
            if reading.interfaces is None
            else frozenset(i.name for i in reading.interfaces if i.active and i.type in BRIDGES),
            cards=graphics.cards,
            cards_blind=graphics.cards_blind,
            profiles=graphics.profiles,
            profiles_blind=graphics.profiles_blind,
            uncounted=graphics.uncounted,
            bridges_hidden=bridges_hidden,
        )
    return nodes


def has_cards(reading: NodeReading) -> bool:
    """Whether anything in this node's PCI list could be sold, so that its guests' configurations must be read."""
    pci = reading.pci or ()
    return any(card.unsellable is None for card in cards_of(pci)) or bool(counted_functions(pci))


def card_needs_of(
    *,
    nodes: Mapping[str, Node],
    slow: Slow,
    configs: Configs,
    guests_of: Mapping[str, list[GuestRow]],
    remembered: Remembered,
) -> dict[int, Mapping[str, int] | None]:
    """What each guest would need of cards on any other node, by vmid; guests that need none are left out, None: nobody can tell.

    Guests of a node that does not answer are judged by what they needed when it last did.
    """
    needs: dict[int, Mapping[str, int] | None] = {}
    for name, guests in guests_of.items():
        pci = slow.nodes.get(name, NodeReading()).pci
        cards = None if pci is None else cards_of(pci)
        functions = counted_functions(pci or ())
        node = nodes.get(name)
        answers = node is not None and node.state in {NodeState.ONLINE, NodeState.MAINTENANCE}
        if cards is not None and all(card.unsellable for card in cards) and not functions:
            continue
        for guest in guests:
            read = configs.get(guest.vmid)
            if guest.kind != "qemu" or (read is not None and not any(config.hostpci for config in read)):
                continue
            needed = None
            if read is not None and cards is not None:
                needed = needs_of(cards, functions, node=name, configs=read, mappings=slow.mappings)
            if needed is None and not answers:
                needed = remembered.card_needs.get(guest.vmid)
            if needed is None or needed:
                needs[guest.vmid] = needed
    return needs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graphics:
    """What a Node tells of its cards."""

    cards: tuple[Card, ...] | None
    cards_blind: str | None = None
    profiles: tuple[Profile, ...] = ()
    profiles_blind: str | None = None
    uncounted: tuple[Card, ...] = ()


def _graphics(
    node: str, reading: NodeReading, *, slow: Slow, configs: Configs, guests: Iterable[GuestRow]
) -> _Graphics:
    if reading.pci is None:
        why = reading.pci_failure or "its PCI devices were not read yet"
        return _Graphics(cards=None, cards_blind=why, profiles_blind=why)
    cards, functions = cards_of(reading.pci), counted_functions(reading.pci)
    seen = _Graphics(cards=cards, uncounted=uncounted_cards(reading.pci))
    whole = any(card.unsellable is None for card in cards)
    if not whole and not functions:
        return seen

    def blind(why: str) -> _Graphics:
        return replace(seen, cards_blind=why if whole else None, profiles_blind=why if functions else None)

    machines = [guest for guest in guests if guest.kind == "qemu"]
    read: dict[int, tuple[GuestConfig, ...]] = {}
    for guest in machines:
        config = configs.get(guest.vmid)
        if config is None:
            return blind(f"the configuration of guest {guest.vmid} could not be read")
        read[guest.vmid] = config
    if any(function.address not in reading.mdevs for function in functions):
        return blind("its mediated devices could not be read")
    try:
        uses = uses_of(read, node=node, mappings=slow.mappings)
    except UnknownMapping:
        return blind("a guest uses a PCI mapping that could not be read or has no entries")
    return replace(
        seen,
        cards=mark_taken(
            cards,
            uses=uses,
            listed={slot_of(device.address) for device in reading.pci},
            busy=busy_slots(reading.mdevs),
        ),
        profiles=profiles_of(functions, mdevs=reading.mdevs, running=running_machines(machines), uses=uses),
    )
