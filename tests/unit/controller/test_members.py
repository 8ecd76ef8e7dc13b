"""At no instant two processes may both write for one host, whatever happens to them; and before long somebody does for each."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxmox_offerings.controller import members, ring
from proxmox_offerings.controller.acting import acting_for
from proxmox_offerings.controller.members import TOGETHER, Member
from proxmox_offerings.controller.ring import Share
from proxmox_offerings.kube.errors import NotLeading
from proxmox_offerings.kube.objects import Ref
from support.effort import rounds
from unit.controller.processes import GROUP, Network, Process, World


class Twice(AssertionError):
    """Two processes may write for one host."""


@contextmanager
def world(seed: int = 0) -> Iterator[World]:
    """Watched at every moment."""
    there = World(seed)

    def watch() -> None:
        taken: Share = frozenset()
        for process in there.processes:
            if share := process.share:
                if share & taken:
                    raise Twice(f"{process.name} and another one after {there.now - 1000:.2f} s")
                taken = taken | share if taken else share

    there.watch = watch
    try:
        yield there
    finally:
        there.close()


def until(there: World, condition: Any, *, within: float) -> float:
    """Returns how long that took."""
    began = there.now
    while not condition():
        there.run(0.05)
        assert there.now - began <= within, "never"
    return there.now - began


def all_owned(there: World) -> bool:
    return ring.union(process.share for process in there.processes) == ring.ALL


def settled(there: World, number: int) -> bool:
    return all_owned(there) and sum(bool(process.share) for process in there.processes) == number


def start(there: World, number: int) -> list[Process]:
    processes = [Process(world=there, name=f"replica-{index}") for index in range(number)]
    until(there, lambda: settled(there, number), within=5)
    return processes


def test_the_first_one_works_on_all_at_once() -> None:
    with world() as there:
        one = Process(world=there, name="one")
        assert until(there, lambda: one.share == ring.ALL, within=1) < 0.2
        assert there.leases[GROUP].claim.holder == TOGETHER
        there.run(100)
        assert one.share == ring.ALL
        assert one.connection.requests < 100 * (1.4 + 0.75 + 0.75)


def test_four_share_evenly_and_each_knows() -> None:
    with world() as there:
        processes = start(there, 4)
        assert all(200 < len(process.share) < 312 for process in processes)
        assert all(process.working == process.share for process in processes)


@pytest.mark.parametrize("seed", range(6))
def test_what_a_killed_member_had_is_without_an_owner_for_less_than_eighteen_seconds(seed: int) -> None:
    with world() as there:
        processes = start(there, 3)
        there.run(10 + seed / 3)
        kept = [process.share for process in processes[1:]]
        processes[0].kill()
        took = until(there, lambda: settled(there, 2), within=18)
        assert took > 12
        for before, process in zip(kept, processes[1:], strict=True):
            assert before <= process.share, "moved what need not move"
        assert there.leases[f"{GROUP}-0"].claim.holder == "", "who comes next would wait for the dead"


@pytest.mark.parametrize("settling", [0.0, 0.5])
def test_who_ends_well_hands_over_within_two_seconds_and_only_after_its_work(settling: float) -> None:
    with world() as there:
        processes = start(there, 3)
        processes[0].settling = settling
        there.run(7)
        processes[0].stop()
        assert until(there, lambda: settled(there, 2), within=20) <= 1.3 + settling
        assert not processes[0].working


def test_after_the_last_one_the_next_one_begins_at_once_and_one_that_leads_alone_when_the_lease_runs_out() -> None:
    with world() as there:
        (one,) = start(there, 1)
        one.stop()
        there.run(1)
        two = Process(world=there, name="two")
        assert until(there, lambda: two.share == ring.ALL, within=5) < 0.2
        two.stop()
        three = Process(world=there, name="three", leads=True)
        assert until(there, lambda: three.share == ring.ALL, within=20) < 16.5


def test_who_joins_gets_its_share_within_three_seconds_and_moves_nothing_else() -> None:
    with world() as there:
        processes = start(there, 3)
        before = [process.share for process in processes]
        fourth = Process(world=there, name="fourth")
        took = until(there, lambda: settled(there, 4), within=20)
        assert took <= 3
        for had, process in zip(before, processes, strict=True):
            assert process.share == had - fourth.share


def test_who_was_paused_may_write_nothing_when_it_goes_on() -> None:
    with world() as there:
        processes = start(there, 2)
        processes[0].paused = True
        until(there, lambda: processes[1].share == ring.ALL, within=18)
        processes[0].paused = False
        assert not processes[0].share
        assert until(there, lambda: settled(there, 2), within=5) < 3


def test_a_write_is_asked_for_its_host_and_refused_without_one() -> None:
    with world() as there:
        one, two = start(there, 2)
        host = next(ref for number in range(99) if ring.bucket_of(ref := Ref("shop", f"h{number}")) in one.share)

        def may(process: Process, ref: Ref | None) -> bool:
            def ask() -> Share:
                with acting_for(ref):
                    try:
                        process.member.require()
                    except NotLeading:
                        return frozenset()
                return ring.ALL

            return bool(process._in_loop(ask))

        assert [may(process, ref) for process in (one, two) for ref in (host, None)] == [True, False, False, False]


def test_one_that_leads_alone_and_members_never_work_at_the_same_time() -> None:
    """As in an upgrade from one way to the other, and back."""
    with world() as there:
        old = Process(world=there, name="old", leads=True)
        until(there, lambda: old.share == ring.ALL, within=1)
        new = Process(world=there, name="new")
        there.run(30)
        assert (old.share, new.share) == (ring.ALL, frozenset())
        old.stop()
        assert until(there, lambda: new.share == ring.ALL, within=5) <= 1.5
        back = Process(world=there, name="back", leads=True)
        there.run(60)
        assert (new.share, back.share) == (ring.ALL, frozenset())
        new.kill()
        assert until(there, lambda: back.share == ring.ALL, within=30) < 17


def test_a_seventeenth_stands_by_until_there_is_room() -> None:
    with world() as there:
        for number in range(ring.MOST_MEMBERS):
            Process(world=there, name=f"replica-{number}")
        until(there, lambda: settled(there, ring.MOST_MEMBERS), within=30)
        more = Process(world=there, name="one-more")
        there.run(20)
        assert not more.share
        there.processes[3].stop()
        assert until(there, lambda: settled(there, ring.MOST_MEMBERS), within=30) < 5


def test_a_member_of_which_nobody_knows_what_it_claims_is_left_everything() -> None:
    """A later version, perhaps, that divides otherwise."""
    with world() as there:
        (one,) = start(there, 1)
        other = Process(world=there, name="other")
        until(there, lambda: settled(there, 2), within=5)
        lease = there.leases[f"{GROUP}-1"]
        other.paused = True
        there.write(f"{GROUP}-1", lease.claim, lease, {members.VIEW: "4096/0,1"})
        there.run(1.5)
        assert not one.share
        assert until(there, lambda: one.share == ring.ALL, within=20) > 12


def test_a_lease_that_is_deleted_or_taken_stops_its_member_and_hands_nothing_over_too_early() -> None:
    with world() as there:
        processes = start(there, 3)
        del there.leases[f"{GROUP}-0"]
        there.run(1.2)
        until(there, lambda: settled(there, 3), within=30)
        lease = there.leases[f"{GROUP}-1"]
        there.write(f"{GROUP}-1", lease.claim.__class__(**{**_fields(lease.claim), "holder": "somebody"}), lease, {})
        until(there, lambda: settled(there, 3), within=30)
        del there.leases[GROUP]
        until(there, lambda: not all_owned(there), within=2)
        until(there, lambda: settled(there, 3), within=30)
        assert all(process.runs for process in processes)


def test_leases_that_lost_their_label_are_neither_waited_for_for_ever_nor_in_the_way() -> None:
    with world() as there:
        old = Process(world=there, name="old", leads=True)
        until(there, lambda: old.share, within=1)
        old.kill()
        dead = there.leases[GROUP].claim
        there.write(f"{GROUP}-0", dead, None, {})
        one = Process(world=there, name="one")
        assert until(there, lambda: one.share == ring.ALL, within=40) < 17
        assert there.leases[f"{GROUP}-1"].claim.holder == "one"


def _fields(claim: Any) -> dict[str, Any]:
    return {name: getattr(claim, name) for name in claim.__slots__}


FATES = ["start", "lead", "stop", "kill", "pause", "resume", "cut", "slow", "loses", "heals", "clock"]
Fate = tuple[str, int, float]


def live_through(fates: list[Fate], seed: int, *, new_member: Any = Member) -> None:
    """Let it all happen to half a dozen processes; raises Twice where two could write, AssertionError where nobody does in the end."""
    with world(seed) as there:
        rng = there.random
        names = iter(range(10_000))

        def begin(*, leads: bool = False) -> None:
            process = Process(
                world=there, name=f"replica-{next(names)}", leads=leads, network=Network(), new_member=new_member
            )
            process.settling = rng.choice([0.0, 0.0, 0.3, 4.0])

        begin()
        begin()
        for fate, which, seconds in fates:
            alive = [process for process in there.processes if not process.dead]
            if fate in ("start", "lead") and len(alive) < 7:
                begin(leads=fate == "lead")
            elif alive:
                suffer(alive[which % len(alive)], fate, rng)
            there.run(seconds)
        for process in there.processes:
            process.paused = False
            suffer(process, "heals", rng)
        if all(process.dead or process.ending for process in there.processes):
            begin()
        until(there, lambda: all_owned(there), within=60)
        there.run(20)
        until(there, lambda: all_owned(there), within=5)  # a request that was given up long ago may arrive at last


def suffer(process: Process, fate: str, rng: random.Random) -> None:
    network = process.network
    if fate == "stop":
        process.stop()
    elif fate == "kill":
        process.kill()
    elif fate in ("pause", "resume"):
        process.paused = fate == "pause"
    elif fate == "cut":
        network.lost = lambda: (True, True)
    elif fate == "loses":
        network.lost = lambda: (rng.random() < 0.2, rng.random() < 0.3)
    elif fate == "slow":
        network.delays = lambda: (rng.choice([0.01, 1.0, 4.0, 30.0]), rng.choice([0.01, 0.5, 3.0]))
    elif fate == "heals":
        network.delays, network.lost = lambda: (0.01, 0.01), lambda: (False, False)
    elif fate == "clock":
        step = timedelta(seconds=rng.uniform(-1e6, 1e6))
        process.clock = lambda: step


HISTORIES = st.lists(
    st.tuples(st.sampled_from([*FATES, "pause", "resume", "start"]), st.integers(0, 6), st.floats(0.0, 20.0)),
    max_size=14,
)


@given(HISTORIES, st.integers(0, 2**16))
@settings(max_examples=25)
def test_whatever_happens_no_two_may_write_for_one_host_and_in_the_end_somebody_does(
    fates: list[Fate], seed: int
) -> None:
    live_through(fates, seed)


@pytest.mark.long
def test_whatever_happens_for_long_no_two_may_write_for_one_host() -> None:
    for seed in rounds():
        live_through(random_fates(random.Random(seed), most=40), seed)


def random_fates(rng: random.Random, *, most: int = 14) -> list[Fate]:
    kinds = [*FATES, "pause", "resume", "start"]
    return [(rng.choice(kinds), rng.randrange(7), rng.choice([0.3, 2.0, 9.0, 16.0])) for _ in range(most)]


class Careless(Member):
    """Works on what it claims, whatever others claim."""

    def _claims_of_others(self, began: float, number: int) -> Share:
        return frozenset()


class Greedy(Member):
    """Publishes what it lets go before it has let go."""

    async def _set(self, settle: Any, share: Share) -> None:
        if share > self._share or not share or not self._share:
            await super()._set(settle, share)


class Confident(Member):
    """Believes in its share however long it was paused."""

    @property
    def share(self) -> Share:
        return self._share


class Hasty(Member):
    """Takes others for dead before they do so themselves."""

    def _is_alive(self, name: str, began: float) -> bool:
        return super()._is_alive(name, began + 9)


@pytest.mark.parametrize("careless", [Careless, Greedy, Confident, Hasty])
def test_each_of_the_rules_is_needed(careless: type[Member]) -> None:
    """Without it two may write for one host, and this test sees it: so the others can fail."""

    def search() -> None:
        for seed in range(60):
            live_through(random_fates(random.Random(seed)), seed, new_member=careless)

    with pytest.raises(Twice):
        search()
