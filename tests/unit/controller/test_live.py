"""What is known of Kubernetes: late and lost events do no harm."""

import itertools
from dataclasses import replace

import pytest

from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.kube.objects import LiveObject, Owner, Ref
from proxmox_offerings.resources import Offering, ProxmoxHost
from unit.controller.fakes import live_host

HOST = live_host(version=10)
OFFERING = LiveObject(
    ref=Ref("default", "fra1-small"),
    uid="offering-uid",
    version=20,
    generation=1,
    deleting=False,
    labels={},
    owner=Owner(kind="ProxmoxHost", name="fra1", uid="host-uid"),
    spec={"hostRef": {"name": "fra1"}},
    status=None,
)


def known(*objects: LiveObject) -> LiveObjects:
    live = LiveObjects()
    for one in objects:
        if one.owner:
            live.saw_offering(one)
        else:
            live.saw_host(one)
    return live


def test_our_own_write_is_no_news_when_the_watch_tells_of_it() -> None:
    live = known(HOST)
    assert live.saw_offering(OFFERING) == {HOST.ref}
    assert live.saw_offering(OFFERING) == set()


def test_a_late_event_undoes_nothing() -> None:
    live = known(HOST, OFFERING)
    assert live.saw_offering(replace(OFFERING, version=19, spec={})) == set()
    assert live.offering(OFFERING.ref) == OFFERING


def test_only_a_changed_spec_of_a_host_is_to_be_acted_on() -> None:
    """Its status is ours, and written all the time."""
    live = known(HOST)
    assert not live.saw_host(replace(HOST, version=11, status={}))
    assert live.saw_host(replace(HOST, version=12, generation=2))
    assert live.saw_host(replace(HOST, version=13, generation=2, deleting=True))
    assert live.saw_host(replace(HOST, version=14, generation=1, uid="another"))


def test_the_deletion_of_a_namesake_is_not_ours() -> None:
    """An object deleted and made anew has another uid; the event of the old one's end may come late."""
    live = known(HOST, OFFERING)
    assert live.offering_gone(replace(OFFERING, uid="older")) == set()
    assert not live.host_gone(replace(HOST, uid="older"))
    assert live.offerings_of(HOST) == {"fra1-small": OFFERING}


def test_offerings_of_an_earlier_host_of_that_name_are_not_ones_of_this() -> None:
    """The garbage collector has them; deleting or keeping them is not up to us."""
    assert known(HOST, OFFERING).offerings_of(replace(HOST, uid="newer")) == {}


def test_a_host_hears_of_the_offering_that_is_taken_from_it() -> None:
    live = known(HOST, OFFERING)
    taken = replace(OFFERING, version=21, owner=Owner(kind="ProxmoxHost", name="ber1", uid="other"))
    assert live.saw_offering(taken) == {HOST.ref, Ref("default", "ber1")}
    assert live.offerings_of(HOST) == {}


def test_a_list_finds_what_was_deleted_unheard() -> None:
    live = known(HOST, OFFERING)
    assert live.offerings_listed([], namespace=None, version=30) == {HOST.ref}
    assert live.hosts_listed([], namespace=None, version=30) == {HOST.ref}
    assert (live.host(HOST.ref), live.offering(OFFERING.ref)) == (None, None)


def test_a_list_does_not_undo_what_is_newer_or_elsewhere() -> None:
    live = known(HOST, OFFERING)
    assert live.offerings_listed([], namespace=None, version=19) == set()
    assert live.offerings_listed([], namespace="other", version=30) == set()
    assert live.offering(OFFERING.ref) == OFFERING


def test_a_list_tells_of_what_is_new() -> None:
    live = known(HOST)
    assert live.offerings_listed([OFFERING], namespace=None, version=30) == {HOST.ref}
    assert live.offerings_listed([OFFERING], namespace=None, version=31) == set()


def test_whoever_keeps_what_was_made_of_a_host_hears_of_every_change() -> None:
    """Of the host, of an Offering that it has, had or gets, and of their ends; and of no other host's."""
    live, other = known(HOST), replace(HOST, ref=Ref("default", "fra2"), uid="other-uid")
    live.saw_host(other)
    seen = [(live.revision_of(HOST.ref), live.revision_of(other.ref))]
    moved = Owner(kind="ProxmoxHost", name="fra2", uid="other-uid")
    for change in (
        lambda: live.saw_host(replace(HOST, version=11)),
        lambda: live.saw_offering(OFFERING),
        lambda: live.saw_offering(replace(OFFERING, version=21, owner=moved)),
        lambda: live.offering_gone(replace(OFFERING, version=21, owner=moved)),
        lambda: live.host_gone(replace(HOST, version=11)),
        lambda: live.saw_host(replace(HOST, version=12)),
    ):
        change()
        seen.append((live.revision_of(HOST.ref), live.revision_of(other.ref)))
    ours, others = zip(*seen, strict=True)
    assert [before != after for before, after in itertools.pairwise(ours)] == [True, True, True, False, True, True]
    assert [before != after for before, after in itertools.pairwise(others)] == [False, False, True, True, False, False]
    assert len(set(ours)) == 6


def test_a_watch_that_tells_of_our_write_before_its_answer_does_tells_no_news() -> None:
    live = known(HOST, OFFERING)
    with live.writing(OFFERING.ref) as writing:
        assert live.hears(Offering.PLURAL, replace(OFFERING, version=21))
        live.wrote(replace(OFFERING, version=21))
    assert not writing.overtaken
    assert not live.hears(Offering.PLURAL, replace(OFFERING, version=22)), "somebody else's, later"


@pytest.mark.parametrize("written", [21, None])
def test_what_somebody_else_wrote_while_we_did_is_noticed_when_we_are_done(written: int | None) -> None:
    """After our write, or before it, which was refused then."""
    live = known(HOST, OFFERING)
    with live.writing(OFFERING.ref) as writing:
        live.hears(Offering.PLURAL, replace(OFFERING, version=22, labels={"by": "somebody"}))
        if written is not None:
            live.wrote(replace(OFFERING, version=written))
    assert writing.overtaken
    there = live.offering(OFFERING.ref)
    assert there is not None
    assert there.labels == {"by": "somebody"}


def test_an_offering_that_is_given_to_another_host_while_we_write_is_news_to_both() -> None:
    live = known(HOST, OFFERING)
    taken = replace(OFFERING, version=21, owner=Owner(kind="ProxmoxHost", name="ber1", uid="other"))
    with live.writing(OFFERING.ref):
        assert not live.hears(Offering.PLURAL, taken)
    assert live.saw_offering(taken) == {HOST.ref, Ref("default", "ber1")}


def test_hosts_are_news_when_they_are_new_or_changed_or_deleted_and_not_when_only_their_status_is() -> None:
    live = known(HOST)
    status = replace(HOST, version=11, status={"ready": 1})
    assert live.hears(ProxmoxHost.PLURAL, status)
    assert live.host(HOST.ref) == status
    for news in (replace(HOST, version=12, generation=2), replace(HOST, version=12, deleting=True)):
        assert not live.hears(ProxmoxHost.PLURAL, news)
        assert live.host(HOST.ref) == status, "kopf will tell"
    assert not live.hears(ProxmoxHost.PLURAL, replace(HOST, ref=Ref("default", "ber1"), uid="another"))


def test_what_others_work_on_is_taken_note_of_and_no_more() -> None:
    live = LiveObjects(acts_on=lambda _: False)
    assert live.hears(ProxmoxHost.PLURAL, HOST)
    assert live.hears(Offering.PLURAL, OFFERING)
    assert live.hears(Offering.PLURAL, replace(OFFERING, version=21))
    assert live.offerings_of(HOST) == {"fra1-small": replace(OFFERING, version=21)}
