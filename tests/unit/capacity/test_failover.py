"""That housing many guests at a time gives what housing them one by one would: held against first fit written down as the rule reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain, combinations
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from proxmox_offerings.capacity.disks import DiskUse, disks_for, shelves_of
from proxmox_offerings.capacity.failover import Homeless, Housing, Left, housing_of
from proxmox_offerings.capacity.fit import fit_of
from proxmox_offerings.capacity.gpus import devices_left
from proxmox_offerings.capacity.rooms import Resident, Rooms, rooms_of
from proxmox_offerings.inventory.snapshot import Snapshot
from proxmox_offerings.resources import Allocation as Policy
from proxmox_offerings.resources import ProxmoxHostSpec
from support.cluster import cards, cluster, config, function, guest, host, node, offer, storage, tier

NAMES = ("pve1", "pve2", "pve3", "pve4")
THREADS = 16
HARDWARE: Mapping[str, Any] = {
    "plain": (),
    "cards": cards(6),
    "two models": (*cards(3), *(function(f"0000:0{bus}:00.0", device="26b9", group=bus) for bus in (4, 5, 6))),
    "unread": None,
}
GUESTS: tuple[Mapping[str, Any], ...] = (
    {"cpu": 1, "memory": "1Gi"},
    {"cpu": 1, "memory": "1Gi", "kind": "lxc"},
    {"cpu": 1, "memory": "1Gi", "tags": ("dedicated",)},
    {"cpu": 1, "memory": "1Gi", "tags": ("customer",), "status": "stopped"},
    {"cpu": 2, "memory": "1Gi"},
    {"cpu": 1, "memory": "2Gi"},
    {"cpu": 2, "memory": "2Gi", "tags": ("dedicated",)},
    {"cpu": 1.5, "memory": "2Gi", "kind": "lxc"},
    {"cpu": 0, "memory": "2Gi", "kind": "lxc"},
    {"cpu": 4, "memory": "5Gi"},
    {"cpu": 1, "memory": "2Gi", "lock": "migrate"},
    {"cpu": THREADS, "memory": "1Gi", "kind": "lxc"},
    {"cpu": THREADS, "memory": 0, "kind": "lxc"},
)
"""Few sizes, so that many guests are alike, and many ways of being different in spite of the same size."""
READ = (*[config()] * 16, config("06:00"), config("03:00", "02:00"))
LIMITS = (config(), config(cores=3), None)
UNREAD = (*READ, None, config("mapping=gone"))

Lab = tuple[ProxmoxHostSpec, Snapshot]


def tiers() -> list[dict[str, Any]]:
    return [
        tier("shared", disk="4Gi"),
        tier("threads", dedicatedCPU=True, nodes={"include": ["pve1", "pve2", "pve3"]}),
        tier("card", gpu={"count": 1}),
    ]


@st.composite
def labs(draw: st.DrawFn) -> Lab:
    names = NAMES[: draw(st.sampled_from((4, 4, 4, 3, 3, 2, 1)))]
    down = draw(st.sampled_from((None, None, names[-1])))
    hardware = draw(st.sampled_from((("plain",), ("cards", "two models"), tuple(HARDWARE))))
    nodes = [
        node(
            name,
            threads=draw(st.sampled_from((THREADS, THREADS, 40))),
            memory=draw(st.sampled_from(("32Gi", "64Gi", "128Gi"))),
            pci=HARDWARE[draw(st.sampled_from(hardware))],
            status="offline" if name == down else "online",
        )
        for name in names
    ]
    some = st.tuples(
        st.sampled_from(names),
        st.sampled_from(GUESTS),
        st.sampled_from((1, 1, 2, 4)),
        st.sampled_from(draw(st.sampled_from((READ, READ, UNREAD)))),
        st.sampled_from(LIMITS),
    )
    guests: list[Any] = []
    configs = {}
    for home, what, count, read, limit in draw(st.lists(some, min_size=draw(st.sampled_from((0, 12))), max_size=20)):
        for _ in range(count):
            vmid = 100 + (37 * len(guests)) % 211  # neither the order of the rows nor that of their sizes
            guests.append(guest(vmid, home, hastate="started" if home == down else None, **what))
            configs[vmid] = limit if what.get("kind") == "lxc" else read
    allocation = {
        "cpu": {"percent": draw(st.sampled_from((200, 400, 800)))},
        "memory": {
            "percent": draw(st.sampled_from((100, 150))),
            "guestOverhead": draw(st.sampled_from(("0", "256Mi"))),
        },
        "unlimitedContainers": draw(st.sampled_from(("Ignore", "CountAsNode"))),
        "failoverNodes": draw(st.sampled_from((0, 1, 1, 1, 2, 2))),
        "overrides": draw(
            st.sampled_from(
                (
                    [],
                    [{"nodes": ["pve1"], "cpu": {"percent": 300}}],
                    [{"nodes": ["pve2"], "memory": {"guestOverhead": "1Gi"}}],
                    [{"nodes": ["pve2", "pve3"], "cpu": {"unit": "Core"}}],
                    [{"nodes": ["pve1", "pve2"], "cpu": {"dedicatedTags": ["customer"]}}],
                )
            )
        ),
    }
    seen = cluster(
        nodes=nodes,
        guests=guests,
        configs=configs,
        storages=[storage("ceph", "rbd", avail="90Gi"), storage("local-lvm", avail="40Gi")],
    )
    return host(*tiers(), allocation=allocation).spec, seen.snapshot()


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What each eligible node has left: `now`, and on those that are up for each set of nodes that may go down; or who has no room."""

    now: Mapping[str, Left]
    homeless: int | None = None
    after: tuple[Mapping[str, Left], ...] = ()
    at_risk: int | None = None

    @classmethod
    def of(cls, rooms: Rooms, policy: Policy) -> "Expected":
        now = {name: Left.of(room) for name, room in rooms.eligible.items()}
        if not now:
            return cls(now=now)
        try:
            now = first_fit(rooms.returning, now, rooms=rooms, policy=policy)
        except Homeless as problem:
            return cls(now=now, homeless=problem.vmid)
        k = policy.failover_nodes
        if k >= len(now):
            return cls(now=now, at_risk=0)
        after = []
        for down in combinations(now, k) if k else ():
            up = {name: left for name, left in now.items() if name not in down}
            lost = chain.from_iterable(rooms.residents(name) for name in down)
            try:
                after.append(first_fit(lost, up, rooms=rooms, policy=policy))
            except Homeless as problem:
                return cls(now=now, at_risk=problem.vmid)
        return cls(now=now, after=tuple(after))


def first_fit(
    guests: Iterable[Resident], left: Mapping[str, Left], *, rooms: Rooms, policy: Policy
) -> Mapping[str, Left]:
    """As the rule reads: one guest after the other, each on the first node that has room for it. Raises Homeless."""
    left = dict(left)
    for one in sorted(guests, key=lambda guest: guest.order):
        for name, (cpu, memory, free) in left.items():
            points, size = rooms.rooms[name].points_of(one, policy), rooms.rooms[name].memory_of(one)
            lacks_cards = any(count > free.get(model, 0) for model, count in (one.cards or {}).items())
            if points <= cpu and size <= memory and not lacks_cards:
                left[name] = Left(cpu - points, memory - size, devices_left(free, one.cards))
                break
        else:
            raise Homeless(one.guest.vmid)
        if one.cards is None:
            left = {name: own._replace(cards={}) for name, own in left.items()}
    return left


def as_expected(housing: Housing) -> Expected:
    now = {name: Left.of(room) for name, room in housing.now.items()}
    after = tuple({name: Left.of(room) for name, room in rest.of(housing.now).items()} for rest in housing.after)
    return Expected(now=now, homeless=housing.homeless, after=after, at_risk=housing.at_risk)


thorough = settings(max_examples=250)


@thorough
@given(labs())
def test_many_at_a_time_are_housed_as_one_by_one(lab: Lab) -> None:
    spec, snapshot = lab
    rooms = rooms_of(spec, snapshot)
    assert as_expected(housing_of(rooms, spec.allocation)) == Expected.of(rooms, spec.allocation)


@thorough
@given(labs())
def test_available_is_the_least_that_fits_on_any_of_the_rests(lab: Lab) -> None:
    """Each rest looked at as a cluster of its own."""
    spec, snapshot = lab
    rooms, shelves = rooms_of(spec, snapshot), shelves_of(spec, snapshot)
    expected = Expected.of(rooms, spec.allocation)
    assume(expected.after)
    for one in spec.tiers or ():
        disks = disks_for(DiskUse.of(one), shelves)
        least = min(
            fit_of(one, rooms=rest, housing=Housing(now=rest.rooms), disks=disks).available or 0
            for rest in (
                replace(rooms, rooms={name: own.to(rooms.rooms[name]) for name, own in left.items()})
                for left in (expected.now, *expected.after)
            )
        )
        said = fit_of(one, rooms=rooms, housing=housing_of(rooms, spec.allocation), disks=disks)
        assert (said.available or 0) == least


def test_guest_that_finds_no_room_is_named_although_others_like_it_did() -> None:
    """pve1 and pve2 have room for two each of the five that pve3 loses."""
    guests = [guest(100 + number, "pve3", memory="5Gi") for number in (4, 2, 0, 3, 1)]
    nodes = [node("pve1", memory="10Gi"), node("pve2", memory="10Gi"), node("pve3", memory="25Gi")]
    said = offer(cluster(nodes=nodes, guests=guests), allocation={"failoverNodes": 1}).statement
    assert said.message == "none fits: if nodes go down, guest 104 would find no room"
