"""A release without a word to its users, or with two, must not be possible."""

from datetime import date

import pytest
from tools.release.changelog import ChangelogError, cut, is_cut, sections
from tools.version import ROOT, version

DAY = date(2026, 11, 28)
MAKING = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- a thing\n"
CUT = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-28\n\n### Added\n\n- a thing\n\n## [0.1.0] - 2026-11-01\n\n- all\n"


def test_the_changelog_of_this_checkout_is_in_order() -> None:
    is_cut((ROOT / "CHANGELOG.md").read_text(), version())


def test_cutting_moves_what_is_unreleased_below_the_version() -> None:
    text = cut(MAKING, "0.1.0", DAY)
    assert sections(text)["Unreleased"].entries == ""
    assert sections(text)["0.1.0"].day == DAY
    assert sections(text)["0.1.0"].entries == "### Added\n\n- a thing"
    assert (is_cut(MAKING, "0.1.0"), is_cut(text, "0.1.0")) == (False, True)


@pytest.mark.parametrize(
    ("text", "number", "said"),
    [
        ("## [Unreleased]\n", "0.1.0", "is empty"),
        ("## [Unreleased]\n\n## [0.1.0] - 2026-11-28\n", "0.1.0", "0.1.0 is empty"),
        (CUT.replace("[Unreleased]\n", "[Unreleased]\n\n- more\n"), "0.2.0", "make version"),
        (CUT, "0.1.5", "0.2.0 was released"),
        ("## [0.1.0] - 2026-11-28\n\n- all\n", "0.1.0", "stands first"),
        (MAKING + "\n## 0.1.0\n\n- all\n", "0.2.0", "heading '0.1.0'"),
        (MAKING + "\n## [0.1.0]\n\n- all\n", "0.2.0", "heading"),
        (MAKING + "\n## [0.1.0] - 2026-13-01\n\n- all\n", "0.2.0", "no day"),
        (CUT.replace("0.2.0", "0.1.0"), "0.1.0", "two sections"),
        (CUT.replace("0.2.0", "0.0.9"), "0.2.0", "newest first"),
    ],
)
def test_what_is_not_in_order_is_told(text: str, number: str, said: str) -> None:
    with pytest.raises(ChangelogError, match=said):
        is_cut(text, number)


def test_after_a_release_there_may_be_nothing_new_yet_but_no_release_of_that() -> None:
    assert not is_cut(CUT, "0.3.0")
    with pytest.raises(ChangelogError, match="is empty"):
        cut(CUT, "0.3.0", DAY)


def test_what_is_cut_is_not_cut_again() -> None:
    with pytest.raises(ChangelogError, match="already"):
        cut(CUT, "0.2.0", DAY)
