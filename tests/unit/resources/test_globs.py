"""Patterns decide which nodes are sold: nothing but `*` and `?` may have a meaning, and none may take long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxmox_offerings.resources import InvalidResource, Selector, glob_matches
from proxmox_offerings.resources.globs import glob_covers


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*", "", True),
        ("pve?", "pve1", True),
        ("pve?", "pve", False),
        ("pve?", "pve12", False),
        ("pve", "pve1", False),
        ("PVE*", "pve1", False),
        ("*A100*", "GA100 [A100 PCIe 80GB]", True),
        ("GA102 [GeForce RTX 3090]", "GA102 [GeForce RTX 3090]", True),
        ("[ab]", "a", False),
        ("a.c", "abc", False),
        ("a*", "a\nb", True),
        ("**a**", "a", True),
        ("a", "a\n", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_only_star_and_question_mark_are_special(pattern: str, text: str, *, matches: bool) -> None:
    assert glob_matches(pattern, text) is matches


@given(st.text())
def test_text_without_specials_matches_itself_alone(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert glob_matches(plain, plain)
    assert not glob_matches(plain, plain + "x")


def test_case_matters_unless_told_otherwise() -> None:
    assert not glob_matches("*a100*", "GA100")
    assert glob_matches("*a100*", "GA100", ignore_case=True)


@pytest.mark.timeout(5)
def test_pattern_of_many_stars_does_not_hang() -> None:
    """A ProxmoxHost's author must not be able to hold up the operator with `*a*a*a*a…`."""
    assert not glob_matches("*a" * 60 + "b", "a" * 256)
    assert not glob_matches("*?" * 60 + "b", "a" * 256)


def by_definition(pattern: str, text: str) -> bool:
    """What a pattern means, spelled out: slow and plainly right."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return by_definition(pattern[1:], text) or (bool(text) and by_definition(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and by_definition(pattern[1:], text[1:])


@given(st.text("ab*?.", max_size=8), st.text("ab.", max_size=8))
def test_quick_matching_means_the_same_as_the_definition(pattern: str, text: str) -> None:
    assert glob_matches(pattern, text) is by_definition(pattern, text)


def test_excluding_wins_over_including() -> None:
    selector = Selector(include=("pve*", "big"), exclude=("pve9", "*-old"))
    assert [name for name in ("pve1", "pve9", "big", "pve2-old", "other") if selector.matches(name)] == ["pve1", "big"]


def test_no_selection_takes_all_and_an_empty_one_is_refused() -> None:
    """An empty list could mean all or nothing; guessing wrong sells nodes that were not to be sold."""
    assert Selector().matches("anything")
    with pytest.raises(InvalidResource, match=r"^include: must have at least 1 item"):
        Selector.parse({"include": []})


@pytest.mark.parametrize(
    ("wider", "narrower", "covers"),
    [
        ("*", "*", True),
        ("*A100*", "*A100*", True),
        ("*a100*", "*A100 80GB*", True),
        ("*A100 80GB*", "*A100*", False),
        ("*A100*", "*", False),
        ("A?00", "A100", True),
        ("A?00", "A*00", False),
        ("?", "*", False),
        ("?", "?", True),
        ("?*", "*", False),
        ("*", "\0", True),
        ("A100", "a100", True),
        ("10de:*", "10de:20b?", True),
        ("[*]", "[A100]", True),
    ],
)
def test_one_pattern_within_another(wider: str, narrower: str, *, covers: bool) -> None:
    assert glob_covers(wider, narrower, ignore_case=True) is covers


SHORT = st.text("aB*?", min_size=1, max_size=5)


@given(wider=SHORT, narrower=SHORT, text=st.text("aAbB", max_size=6))
def test_what_is_said_to_be_within_is(wider: str, narrower: str, text: str) -> None:
    """A card that matches the tier but not the price's pattern would go for the price of another."""
    if glob_covers(wider, narrower) and glob_matches(narrower, text):
        assert glob_matches(wider, text)
