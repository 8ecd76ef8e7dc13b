"""What is written, in which order, and what is not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from proxmox_offerings.catalogue.plan import PlannedOffering
from proxmox_offerings.controller import statements, wanted
from proxmox_offerings.controller.announcements import Change, announcements_of
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.publish import Outcome, Publisher
from proxmox_offerings.controller.statements import Rhythm
from proxmox_offerings.controller.wanted import Reading, Wanted
from proxmox_offerings.kube.errors import NotLeading, Refused
from proxmox_offerings.kube.objects import LiveObject, Ref
from proxmox_offerings.resources import Offering, Stock
from support.cluster import cluster, node, planned, tier
from unit.controller.fakes import FakeKube, live_host

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RHYTHM = Rhythm(interval=timedelta(seconds=60), validity=timedelta(seconds=600))
HOST = live_host()


def unobserved(offerings: Sequence[PlannedOffering]) -> tuple[PlannedOffering, ...]:
    """The same before the cluster was read."""
    nothing = statements.unknown(statements.NOT_OBSERVED)
    return tuple(replace(one, statement=nothing) for one in offerings)


def plans(*tiers: dict[str, Any], threads: int = 16, **spec: Any) -> tuple[PlannedOffering, ...]:
    return planned(cluster(nodes=[node(threads=threads)]), *(tiers or (tier("small", cpu=2),)), **spec).offerings


def seen(offerings: Sequence[PlannedOffering], *, live: Mapping[str, LiveObject]) -> Sequence[Wanted]:
    """What a reading at noon makes of what is `live`."""
    reading = Reading(at=NOON, confirmed=True, rhythm=RHYTHM)
    return wanted.seen(offerings, reading=reading, live=live, terms_changed=False, now=NOON)


class World:
    """A publisher over an API server in memory. `say` publishes what a reading at `at` would."""

    def __init__(self) -> None:
        self.kube = FakeKube()
        self.now = NOON
        self.changes: list[Change] = []
        self.restart()

    def restart(self) -> None:
        """Another process, which knows what is on the API server and nothing else."""
        self.live = LiveObjects()
        for there in self.kube.there.values():
            self.live.saw_offering(there)
        self.publisher = Publisher(
            hosts=self.kube, offerings=self.kube, live=self.live, now=lambda: self.now, changed=self.changes.append
        )

    async def say(
        self,
        offerings: Sequence[PlannedOffering],
        *,
        at: datetime = NOON,
        confirmed: bool = True,
        terms_changed: bool = False,
    ) -> list[tuple[str, str]]:
        """Returns what was written."""
        self.now = max(self.now, at)
        reading = Reading(at=at, confirmed=confirmed, rhythm=RHYTHM)
        there = self.live.offerings_of(HOST)
        _, written = await self.publish(
            wanted.seen(offerings, reading=reading, live=there, terms_changed=terms_changed, now=self.now)
        )
        return written

    async def say_nothing_new(
        self, explicit: Sequence[PlannedOffering] = (), *, now: datetime, keep: bool = False, changed: bool = False
    ) -> list[tuple[str, str]]:
        self.now = now
        there = self.live.offerings_of(HOST)
        _, written = await self.publish(
            wanted.unseen(explicit, keep_others=keep, live=there, terms_changed=changed, generation=2, now=now)
        )
        return written

    async def publish(self, offerings: Sequence[Wanted]) -> tuple[Outcome, list[tuple[str, str]]]:
        before = len(self.kube.writes)
        outcome = await self.publisher.offerings(HOST, offerings)
        return outcome, self.kube.writes[before:]

    def told(self) -> list[str]:
        """What Events would tell of all that was written since this was asked last."""
        changes, self.changes[:] = list(self.changes), []
        return [announcement.reason for change in changes for announcement in announcements_of(change)]

    def stock(self, name: str = "fra1-small") -> tuple[Stock, int | None]:
        status = statements.read_status(self.kube.there[name].status)
        assert status is not None
        return status.stock, status.available

    def hand(self, name: str = "fra1-small", **changes: Any) -> LiveObject:
        """Somebody else changes an Offering, and the watch tells."""
        changed = self.kube.put(replace(self.kube.there[name], **changes))
        assert self.live.saw_offering(changed) == {HOST.ref}
        return changed


@pytest.fixture
def world() -> World:
    return World()


async def test_a_new_offering_has_no_status_until_its_first_statement(world: World) -> None:
    assert await world.say(plans()) == [("apply", "fra1-small"), ("status", "fra1-small")]
    assert world.kube.history[0].status is None
    assert world.stock() == (Stock.IN_STOCK, 8)


async def test_nothing_is_sent_when_nothing_changed(world: World) -> None:
    await world.say(plans())
    for seconds in (0, 2, 4, 5):
        assert await world.say(plans(), at=NOON + timedelta(seconds=seconds)) == []


async def test_only_the_status_is_renewed(world: World) -> None:
    await world.say(plans())
    assert await world.say(plans(), at=NOON + timedelta(seconds=300)) == [("status", "fra1-small")]
    assert world.kube.there["fra1-small"].status["observedAt"] == "2026-11-24T12:05:00Z"


async def test_a_changed_number_is_sent_alone(world: World) -> None:
    await world.say(plans())
    assert await world.say(plans(threads=10), at=NOON + timedelta(seconds=60)) == [("status", "fra1-small")]
    assert world.stock() == (Stock.IN_STOCK, 5)


@pytest.mark.parametrize("change", [{"cpu": 4}, {"price": {"currency": "EUR", "monthly": "9.00"}}])
async def test_a_new_spec_never_stands_beside_a_number_for_the_old_one(world: World, change: dict[str, Any]) -> None:
    """Whoever reads between any two of our writes sees either the old pair, or no number, or the new pair."""
    await world.say(plans())
    old = world.kube.there["fra1-small"]
    written = await world.say(plans(tier("small", **{"cpu": 2} | change)), terms_changed=True)
    assert written == [("status", "fra1-small"), ("apply", "fra1-small"), ("status", "fra1-small")]
    for version in world.kube.history[world.kube.history.index(old) + 1 :]:
        claims = version.status["stock"] != "Unknown"
        assert not claims or version.status["observedGeneration"] == version.generation
        assert ("available" in version.status) is claims
    assert world.stock()[0] is Stock.IN_STOCK


FULL = {"threads": 1}


@pytest.mark.parametrize("unread_before", [True, False])
async def test_what_is_sold_out_at_first_sight_is_not_told_whether_it_could_be_read_at_once_or_not(
    world: World, unread_before: bool
) -> None:
    """Nobody could buy before, so nothing ended. How long the first reading takes does not decide that."""
    if unread_before:
        await world.say_nothing_new(unobserved(plans(**FULL)), now=NOON)
        assert world.stock() == (Stock.UNKNOWN, None)
    await world.say(plans(**FULL))
    assert world.stock() == (Stock.OUT_OF_STOCK, 0)
    assert world.told() == []
    await world.say(plans(), at=NOON + timedelta(seconds=60))
    assert world.told() == ["BackInStock"]


async def test_what_sold_out_while_it_could_not_be_read_is_told_by_whoever_reads_it_next(world: World) -> None:
    """Also after a restart on changed terms: that units were offered is written on the Offering, not remembered."""
    await world.say(plans())
    await world.say_nothing_new(plans(), now=NOON + timedelta(seconds=600))
    await world.say_nothing_new(unobserved(plans()), now=NOON + timedelta(seconds=700), changed=True)
    world.restart()
    assert world.told() == ["Expired"]
    await world.say(plans(**FULL), at=NOON + timedelta(seconds=800))
    assert world.told() == ["SoldOut"]
    assert "soldOut" not in world.kube.there["fra1-small"].status


async def test_a_sold_out_offering_whose_price_changes_is_not_told_as_sold_out_again(world: World) -> None:
    """Its statement is withdrawn for a moment, which is nobody's news."""
    await world.say(plans())
    await world.say(plans(**FULL), at=NOON + timedelta(seconds=60))
    assert world.told() == ["SoldOut"]
    dearer = tier("small", cpu=2, price={"currency": "EUR", "monthly": "9.00"})
    with capture_logs() as log:
        written = await world.say(plans(dearer, **FULL), at=NOON + timedelta(seconds=60), terms_changed=True)
    assert [what for what, _ in written] == ["status", "apply", "status"]
    assert [line for line in log if line["log_level"] != "debug"] == []
    assert world.told() == []
    await world.say(plans(dearer), at=NOON + timedelta(seconds=120))
    assert world.told() == ["BackInStock"]


async def test_what_is_in_stock_and_becomes_too_large_is_told_as_sold_out(world: World) -> None:
    await world.say(plans())
    written = await world.say(plans(tier("small", cpu=64)), terms_changed=True)
    assert [what for what, _ in written] == ["status", "apply", "status"]
    assert world.told() == ["SoldOut"]


async def test_a_label_is_repaired_without_withdrawing(world: World) -> None:
    await world.say(plans())
    world.hand(labels={"proxmox-offerings.io/host": "fra1"})
    assert await world.say(plans()) == [("apply", "fra1-small")]


async def test_a_lost_owner_is_repaired_and_the_offering_is_still_found(world: World) -> None:
    await world.say(plans())
    world.hand(owner=None)
    assert world.live.offerings_of(HOST) == {}
    assert await world.say(plans()) == [("apply", "fra1-small")]
    assert set(world.live.offerings_of(HOST)) == {"fra1-small"}


async def test_a_surplus_offering_is_deleted_and_a_stranger_is_not(world: World) -> None:
    await world.say(plans(tier("small", cpu=2), tier("big", cpu=8)))
    stranger = replace(world.kube.there["fra1-big"], ref=Ref("default", "fra1-other"), uid="other", owner=None)
    world.live.saw_offering(world.kube.put(stranger))
    assert await world.say(plans()) == [("delete", "fra1-big")]


async def test_an_offering_that_vanished_unheard_is_made_anew(world: World) -> None:
    await world.say(plans())
    del world.kube.there["fra1-small"]
    written = await world.say(plans(), at=NOON + timedelta(seconds=300))
    assert written == [("status", "fra1-small"), ("apply", "fra1-small"), ("status", "fra1-small")]
    assert world.stock() == (Stock.IN_STOCK, 8)


async def test_one_refused_write_keeps_no_other_from_being_written(world: World) -> None:
    world.kube.refused["fra1-small"] = Refused("invalid", status=422)
    offerings = plans(tier("small", cpu=2), tier("big", cpu=8))
    reading = Reading(at=NOON, confirmed=True, rhythm=RHYTHM)
    outcome, _ = await world.publish(wanted.seen(offerings, reading=reading, live={}, terms_changed=False, now=NOON))
    assert [str(failure) for failure in outcome.failures] == ["invalid"]
    assert set(outcome.said) == {"fra1-big"}


async def test_a_version_that_was_not_heard_of_is_not_overwritten(world: World) -> None:
    """Somebody was faster, perhaps another leader: that is neither a failure nor done."""
    await world.say(plans())
    theirs = world.kube.put(replace(world.kube.there["fra1-small"], labels={"listed": "yes"}))
    outcome, _ = await world.publish(seen(plans(threads=10), live=world.live.offerings_of(HOST)))
    assert (outcome.failures, outcome.complete) == ([], False)
    assert world.kube.there["fra1-small"] == theirs
    world.live.saw_offering(theirs)
    assert await world.say(plans(threads=10)) == [("apply", "fra1-small"), ("status", "fra1-small")]
    assert world.stock() == (Stock.IN_STOCK, 5)


async def test_a_watch_that_tells_before_the_answer_does_gives_nothing_more_to_do(world: World) -> None:
    told: list[bool] = []
    world.kube.told = lambda seen: told.append(world.live.hears(Offering.PLURAL, seen))
    outcome, _ = await world.publish(seen(plans(), live={}))
    assert outcome.complete
    assert told == [True, True]


async def test_what_somebody_writes_right_after_us_is_looked_at_again(world: World) -> None:
    """The watch tells of it before we hear that ours was written."""

    def by_another(stored: LiveObject) -> None:
        world.live.hears(Offering.PLURAL, stored)
        if stored.status is not None and stored.owner is not None:
            world.kube.put(replace(stored, owner=None, labels={}))

    world.kube.told = by_another
    outcome, _ = await world.publish(seen(plans(), live={}))
    assert (outcome.failures, outcome.complete) == ([], False)
    world.kube.told = lambda _: None
    assert await world.say(plans()) == [("apply", "fra1-small")]


async def test_an_offering_that_another_one_created_is_not_taken_for_a_new_one(world: World) -> None:
    await world.say(plans())
    theirs = world.kube.there["fra1-small"]
    world.live.offering_gone(theirs)
    outcome, _ = await world.publish(seen(plans(), live={}))
    assert not outcome.complete
    assert world.kube.there["fra1-small"] == theirs


async def test_a_surplus_offering_that_changed_meanwhile_is_not_deleted_yet(world: World) -> None:
    await world.say(plans(tier("small", cpu=2), tier("big", cpu=8)))
    world.kube.put(replace(world.kube.there["fra1-big"], labels={"listed": "yes"}))
    outcome, _ = await world.publish(
        wanted.seen(
            plans(),
            reading=Reading(at=NOON, confirmed=True, rhythm=RHYTHM),
            live=world.live.offerings_of(HOST),
            terms_changed=False,
            now=NOON,
        )
    )
    assert not outcome.complete
    assert set(world.kube.there) == {"fra1-small", "fra1-big"}


async def test_who_does_not_lead_publishes_nothing_and_calls_it_no_failure(world: World) -> None:
    world.kube.refused["fra1-small"] = NotLeading("not leading")
    with pytest.raises(NotLeading):
        await world.say(plans())


async def test_while_nothing_new_is_known_nothing_is_written_until_the_end(world: World) -> None:
    explicit = plans()
    await world.say(explicit)
    assert await world.say_nothing_new(explicit, now=NOON + timedelta(seconds=599)) == []
    assert await world.say_nothing_new(explicit, now=NOON + timedelta(seconds=600)) == [("status", "fra1-small")]
    assert world.stock() == (Stock.UNKNOWN, None)
    assert world.kube.there["fra1-small"].status["conditions"][0]["reason"] == "Expired"
    assert await world.say_nothing_new(explicit, now=NOON + timedelta(days=1)) == []


async def test_an_old_reading_renews_nothing_and_revives_nothing(world: World) -> None:
    """The plan of the last snapshot is at hand during an outage, but a statement ends when it said it would."""
    await world.say(plans())
    later = NOON + timedelta(seconds=5)
    await world.say(plans(), at=later)
    world.now = NOON + timedelta(seconds=599)
    assert await world.say(plans(), at=later, confirmed=False) == []
    world.now = NOON + timedelta(seconds=600)
    assert await world.say(plans(), at=later, confirmed=False) == [("status", "fra1-small")]
    assert world.stock() == (Stock.UNKNOWN, None)
    assert await world.say(plans(), at=later, confirmed=False) == []


async def test_an_old_reading_serves_for_what_is_missing(world: World) -> None:
    await world.say(plans())
    await world.say(plans(tier("small", cpu=2), tier("new", cpu=4)), confirmed=False, terms_changed=True)
    assert world.stock("fra1-new") == (Stock.IN_STOCK, 4)
    assert world.kube.there["fra1-new"].status["validUntil"] == "2026-11-24T12:10:00Z"


async def test_other_terms_end_a_statement_at_once_when_nothing_is_known(world: World) -> None:
    """And the claim goes before the spec changes."""
    await world.say(plans(tier("small", cpu=2), tier("big", cpu=8)))
    unobserved = tuple(
        replace(offering, statement=statements.unknown("not yet")) for offering in plans(tier("small", cpu=4))
    )
    written = await world.say_nothing_new(unobserved, now=NOON, changed=True)
    assert sorted(written) == sorted(
        [("status", "fra1-small"), ("apply", "fra1-small"), ("status", "fra1-small"), ("delete", "fra1-big")]
    )
    assert world.stock() == (Stock.UNKNOWN, None)


async def test_of_derived_tiers_nothing_is_deleted_while_nothing_is_known(world: World) -> None:
    await world.say(plans(tier("std-1", cpu=1), tier("std-2", cpu=2)))
    assert await world.say_nothing_new(now=NOON, keep=True) == []
    await world.say_nothing_new(now=NOON, keep=True, changed=True)
    assert set(world.kube.there) == {"fra1-std-1", "fra1-std-2"}
    assert world.stock("fra1-std-1") == (Stock.UNKNOWN, None)


async def test_the_moment_of_a_transition_stays_while_the_condition_does(world: World) -> None:
    def since() -> str:
        return world.kube.there["fra1-small"].status["conditions"][0]["lastTransitionTime"]

    await world.say(plans())
    await world.say(plans(threads=10), at=NOON + timedelta(seconds=60))
    assert since() == "2026-11-24T12:00:00Z"
    await world.say_nothing_new(plans(threads=10), now=NOON + timedelta(seconds=3600))
    assert since() == "2026-11-24T13:00:00Z"


async def test_what_was_written_at_a_moment_of_its_own_is_not_marked_early(world: World) -> None:
    """The one early mark moves an Offering apart from those that were written with it; any other would cost a write for nothing."""
    await world.say(plans())
    at = NOON + timedelta(seconds=290)
    reading = Reading(at=at, confirmed=True, rhythm=RHYTHM)
    there = world.live.offerings_of(HOST)
    for spread, renewed in ((set[str](), True), ({"fra1-small"}, False)):
        (one,) = wanted.seen(plans(), reading=reading, live=there, terms_changed=False, now=at, spread=spread)
        assert (one.is_spread, one.status.observed_at == at) == (True, renewed)


async def test_a_cluster_changes_at_a_moment_of_its_own_and_whoever_edits_many_hosts_does_not(world: World) -> None:
    def is_spread(*, confirmed: bool = True, **given: Any) -> bool:
        reading = Reading(at=at, confirmed=confirmed, rhythm=RHYTHM)
        there = world.live.offerings_of(HOST)
        (one,) = wanted.seen(plans(threads=10), reading=reading, live=there, now=at, **given)
        return one.is_spread

    at = NOON
    assert not is_spread(terms_changed=False), "after a start many are written at once"
    await world.say(plans())
    at = NOON + timedelta(seconds=60)
    assert is_spread(terms_changed=False)
    for confirmed in (True, False):
        assert not is_spread(terms_changed=True, spread={"fra1-small"}, confirmed=confirmed)
    await world.say_nothing_new(plans(threads=10), now=NOON + timedelta(seconds=3600))
    at = NOON + timedelta(seconds=3660)
    assert not is_spread(terms_changed=False, spread={"fra1-small"}), "an outage ends for many at once"
