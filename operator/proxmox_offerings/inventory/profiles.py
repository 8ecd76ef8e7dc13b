"""Mediated devices (vGPUs): how many more of each type a node's cards hand out to guests.

A driver of the kernel's mdev framework tells for each type how many more instances it would make now. That is no count where a virtual function is
asked, which can hand out one of anything its card still has memory for, as its brothers do; and NVIDIA's own interface of kernel 6.8 and later
tells 1 whatever is left (libpve-common SysFSTools.pm, qemu-server PCI/Mdev.pm). These are named as uncounted, and no number is made of them.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from proxmox_offerings.inventory.cards import card_of, is_graphics, slot_of, virtual_functions
from proxmox_offerings.inventory.device_uses import MdevUse, Uses
from proxmox_offerings.inventory.gathered import MdevReading
from proxmox_offerings.inventory.snapshot import Card, Profile
from proxmox_offerings.proxmox.answers import GuestRow, MdevType, PciDevice

NOT_RUNNING = frozenset({"stopped", "unknown"})


def counted_functions(devices: Sequence[PciDevice]) -> tuple[PciDevice, ...]:
    """The functions whose mediated devices can be counted, once they are asked."""
    handing_out = [one for one in devices if _hands_out(one) and not one.nvidia]
    if not handing_out:
        return ()
    virtual, listed = virtual_functions(devices), Counter(one.address for one in devices)
    return tuple(one for one in handing_out if one.address not in virtual and listed[one.address] == 1)


def uncounted_cards(devices: Sequence[PciDevice]) -> tuple[Card, ...]:
    """The models that hand out mediated devices in a way that nobody can count, one card of each."""
    counted = counted_functions(devices)
    cards = [card_of(one, unsellable="VirtualFunctions") for one in devices if _hands_out(one) and one not in counted]
    return tuple({card.model: card for card in reversed(cards)}.values())


def running_machines(guests: Iterable[GuestRow]) -> frozenset[int]:
    """The guests that have their devices now."""
    return frozenset(guest.vmid for guest in guests if guest.kind == "qemu" and guest.status not in NOT_RUNNING)


def busy_slots(mdevs: Mapping[str, MdevReading]) -> frozenset[str]:
    """The slots that have handed out something, whoever has it: less is available than an empty card would give."""
    return frozenset(
        slot_of(address)
        for address, reading in mdevs.items()
        if any(told.most is not None and told.available < told.most for told in reading.types)
    )


def profiles_of(
    functions: Sequence[PciDevice], *, mdevs: Mapping[str, MdevReading], running: Collection[int], uses: Uses
) -> tuple[Profile, ...]:
    """What the functions (all of them read) hand out, by model and type. `running` are the guests that run now.

    What a guest took before the functions were asked, `available` has lost already; what it will take when it starts is taken off here. Where that
    is uncertain (a guest started or stopped in between), it is taken off. A card that is or may be passed whole hands out nothing, and none of one
    type while a guest that waits may take another: cards of NVIDIA give one type at a time.
    """
    of_model: dict[str, list[_Function]] = defaultdict(list)
    for device in functions:
        reading, slot = mdevs[device.address], slot_of(device.address)
        waiting = {use: _waiting(use, reading, running) for use in uses.mdevs if slot in use.slots}
        of_model[f"{device.vendor}:{device.device}"].append(
            _Function(device=device, reading=reading, waiting=waiting, whole=slot in uses.whole)
        )
    return tuple(
        _profile(model, own, told)
        for model, own in sorted(of_model.items())
        for _, told in sorted({told.type: told for one in own for told in one.reading.types}.items())
    )


class _Function:
    """One function with the guests that name it: how many instances each may still take that `available` does not know of."""

    def __init__(self, *, device: PciDevice, reading: MdevReading, waiting: Mapping[MdevUse, int], whole: bool) -> None:
        self.device = device
        self.reading = reading
        self.waiting = waiting
        self._whole = whole

    def left(self, kind: str) -> int:
        """Instances of the type after those that are named on this function alone."""
        if self._whole or any(count and use.type != kind for use, count in self.waiting.items()):
            return 0
        available = sum(told.available for told in self.reading.types if told.type == kind)
        return max(0, available - sum(count for use, count in self.waiting.items() if len(use.slots) == 1))

    def most(self, kind: str) -> int | None:
        return next((told.most for told in self.reading.types if told.type == kind), 0)


def _profile(model: str, functions: Sequence[_Function], told: MdevType) -> Profile:
    kind = told.type
    named = {use for one in functions for use in one.waiting if use.type == kind}
    left = {one.device.address: one.left(kind) for one in functions}
    # A mapping of several functions takes from one of them, and it is not told from which.
    elsewhere: dict[MdevUse, int] = {}
    for one in functions:
        if left[one.device.address]:
            for use, count in one.waiting.items():
                if use.type == kind and len(use.slots) > 1:
                    elsewhere[use] = max(count, elsewhere.get(use, 0))
    free = max(0, sum(left.values()) - sum(elsewhere.values()))
    taken = sum(use.most for use in named)
    most = [one.most(kind) for one in functions]
    total = free + taken
    if None not in most:
        total = sum(count or 0 for count in most)
        free = min(free, max(0, total - taken))
    return Profile(
        model=model,
        card=functions[0].device.device_name,
        type=kind,
        name=told.name,
        memory=told.memory,
        free=free,
        total=total,
    )


def _waiting(use: MdevUse, reading: MdevReading, running: Collection[int]) -> int:
    seen = use.vmid in reading.running and use.vmid in running
    return use.most - use.least if seen else use.most


def _hands_out(function: PciDevice) -> bool:
    return function.mdev and is_graphics(function)
