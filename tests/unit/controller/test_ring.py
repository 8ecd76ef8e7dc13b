"""Who owns which host: agreed by all, evenly, and moved no further than must be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxmox_offerings.controller import ring
from proxmox_offerings.kube.objects import Ref

PLACES = [423, 877, 608]
FIRST = [1, 2, 5, 7, 10, 14]
VIEWS = st.frozensets(st.integers(0, ring.MOST_MEMBERS - 1), min_size=1)


@given(VIEWS)
def test_each_bucket_belongs_to_exactly_one_of_those_that_are_alive(view: frozenset[int]) -> None:
    shares = [ring.share_of(member, view) for member in view]
    assert ring.union(shares) == ring.ALL
    assert sum(map(len, shares)) == ring.BUCKETS


@given(VIEWS, st.integers(0, ring.MOST_MEMBERS - 1))
def test_who_comes_takes_and_who_goes_leaves_nothing_but_its_own(view: frozenset[int], other: int) -> None:
    more = view | {other}
    for member in view - {other}:
        assert ring.share_of(member, more) == ring.share_of(member, view) - ring.share_of(other, more)


@pytest.mark.parametrize("members", [2, 4, 8, 16])
def test_five_hundred_hosts_are_divided_evenly(members: int) -> None:
    view = frozenset(range(members))
    owners = [ring.bucket_of(Ref(f"shop-{number % 7}", f"host-{number}")) for number in range(500)]
    counts = [sum(bucket in ring.share_of(member, view) for bucket in owners) for member in view]
    mean = 500 / members
    assert sum(counts) == 500
    assert max(counts) <= mean + 3.5 * mean**0.5
    assert min(counts) >= mean - 3.5 * mean**0.5


def test_where_a_host_belongs_is_the_same_in_each_version() -> None:
    """Two versions that divide otherwise would work on the same host during an upgrade: change the format with the rule."""
    assert [ring.bucket_of(Ref("shop", name)) for name in ("fra1", "ams1", "waw1")] == PLACES
    assert sorted(ring.share_of(1, frozenset({0, 1, 2})))[:6] == FIRST
    assert ring.written(frozenset({2, 0, 11})) == "1024/0,2,11"


@given(VIEWS)
def test_a_view_is_read_as_it_was_written(view: frozenset[int]) -> None:
    assert ring.read(ring.written(view)) == view


@pytest.mark.parametrize(
    "text", [None, "", "1024/", "512/0,1", "1024/0,x", "1024/0,16", "1024/-1", "1024/0,,1", "0,1", 7, "1024/٣"]
)
def test_what_is_no_view_is_taken_for_none(text: object) -> None:
    assert ring.read(text) is None
