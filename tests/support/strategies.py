"""Random small clusters, units and terms, as `support.reference` describes them."""

from dataclasses import replace
from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st

from support.reference import Guest, Lab, Machine, NodeTerms, Store, Terms, Unit, View

NAMES = ("pve1", "pve2", "pve3", "pve4")
CLASSES = ("ssd", "hdd")

quick = settings(max_examples=100)


def seldom(draw: st.DrawFn, *, one_in: int) -> bool:
    return draw(st.integers(1, one_in)) == one_in


Theme = Literal["anything", "cards", "moves"]
"""What happens often: with "cards", they decide what fits; with "moves", guests come back from dead nodes or leave theirs."""


@st.composite
def machines(draw: st.DrawFn, name: str, theme: Theme = "anything") -> Machine:
    plenty = theme == "cards"
    return Machine(
        name=name,
        threads=16 if plenty else draw(st.integers(2, 16)),
        memory=24 if plenty else draw(st.integers(3, 24)),
        cards=draw(st.sampled_from(("a", "ab", "aab", "aabb") if plenty else ("", "", "a", "aa", "ab", "aab", "aabb"))),
        online=not seldom(draw, one_in=3 if theme == "moves" else 8),
    )


@st.composite
def guests(draw: st.DrawFn, vmid: int, homes: tuple[Machine, ...], theme: Theme = "anything") -> Guest:
    home = draw(st.sampled_from(homes))
    kind = draw(st.sampled_from(("qemu", "lxc")[: 1 if theme == "cards" else 2]))
    numbers = st.sets(st.integers(1, max(1, len(home.cards))), max_size=2)
    return Guest(
        vmid=vmid,
        node=home.name,
        # A container with as many cores as its node has threads would look unlimited.
        cpu=draw(st.integers(1, 4 if kind == "qemu" else min(4, home.threads - 1))),
        memory=draw(st.integers(1, 4)),
        kind=kind,
        running=draw(st.booleans()),
        template=seldom(draw, one_in=6),
        dedicated=seldom(draw, one_in=4),
        migrating=seldom(draw, one_in=8 if theme == "anything" else 3),
        ha=draw(st.booleans()),
        cards=frozenset(draw(numbers)) if home.cards and kind == "qemu" else frozenset(),
    )


@st.composite
def labs(draw: st.DrawFn) -> Lab:
    theme: Theme = draw(st.sampled_from(("anything", "anything", "cards", "moves")))
    homes = tuple(
        draw(machines(name, theme)) for name in NAMES[: draw(st.integers(1 if theme == "anything" else 2, 4))]
    )
    ample = theme != "anything"
    stores = []
    for number in range(draw(st.integers(1, 3))):
        views = tuple(
            View(
                name=f"store{number}{'abc'[view]}",
                free=draw(st.integers(30, 50) if ample else st.integers(0, 20)),
                storage_class=draw(st.sampled_from(CLASSES)),
                content=draw(st.sampled_from(("images,rootdir", "images,rootdir", "images", "rootdir"))),
            )
            for view in range(draw(st.sampled_from((1, 1, 2, 3))))
        )
        names = frozenset(home.name for home in homes)
        on = names if ample else draw(st.frozensets(st.sampled_from(sorted(names)), min_size=1))
        stores.append(Store(name=f"store{number}", nodes=on, shared=draw(st.booleans()), views=views))
    return Lab(
        machines=homes,
        guests=tuple(draw(guests(100 + number, homes, theme)) for number in range(draw(st.integers(0, 5)))),
        stores=tuple(stores),
    )


@st.composite
def units(draw: st.DrawFn) -> Unit:
    kind = draw(st.sampled_from(("qemu", "qemu", "lxc")))
    cards = draw(st.sampled_from((0, 0, 0, 1, 2))) if kind == "qemu" else 0
    return Unit(
        cpu=draw(st.integers(1, 3)),
        memory=draw(st.integers(1, 3)),
        disk=draw(st.integers(1, 4)),
        kind=kind,
        dedicated=seldom(draw, one_in=4),
        cards=cards,
        model=draw(st.sampled_from((None, "a", "b"))) if cards else None,
        storage_class=draw(st.sampled_from((None, None, *CLASSES))),
        nodes=draw(st.none() | st.none() | st.frozensets(st.sampled_from(NAMES), min_size=1)),
    )


node_terms = st.builds(
    NodeTerms,
    percent=st.sampled_from((50, 100, 150, 400)),
    reserved=st.integers(0, 2),
    overhead=st.sampled_from((0, 0, 1)),
)
terms = st.builds(
    Terms,
    usual=node_terms,
    other=node_terms,
    other_nodes=st.just(frozenset()) | st.frozensets(st.sampled_from(NAMES)),
    failover=st.sampled_from((0, 0, 0, 1, 2)),
    ignore_stopped=st.booleans(),
)
plain_terms = terms.map(lambda on: replace(on, failover=0))
"""Without failover: with it, where guests are re-hosted changes, and first fit is not monotonic."""


def _plain(lab: Lab) -> Lab:
    """With cards of one model, and guests that stay where they are."""
    return replace(
        lab,
        machines=tuple(replace(one, cards="a" * len(one.cards)) for one in lab.machines),
        guests=tuple(replace(one, dedicated=False, migrating=False, ha=False) for one in lab.guests),
    )


plain_labs = labs().map(_plain)
plain_units = units().map(
    lambda one: replace(one, kind="qemu", dedicated=False, model=None, storage_class=None, nodes=None)
)
even_terms = st.builds(
    Terms, usual=st.builds(NodeTerms, percent=st.sampled_from((50, 100, 200)), reserved=st.integers(0, 2))
)
"""For tests that turn amounts of a node into units themselves."""
