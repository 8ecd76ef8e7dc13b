"""CHANGELOG.md, in the manner of Keep a Changelog: what is not released yet stands first, under `## [Unreleased]`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tools.version import FORM, numbers

UNRELEASED = "Unreleased"
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
TITLE = re.compile(r"\[(?P<name>[^\]]+)\](?: - (?P<day>\d{4}-\d{2}-\d{2}))?")


class ChangelogError(Exception):
    """It is not in order. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Section:
    """What one version brought."""

    day: date | None
    entries: str


def sections(text: str) -> Mapping[str, Section]:
    """By version, the unreleased one included, newest first. Raises ChangelogError."""
    parts = HEADING.split(text)[1:]
    found: dict[str, Section] = {}
    for title, entries in zip(parts[::2], parts[1::2], strict=True):
        read = TITLE.fullmatch(title.strip())
        if read is None or (read["name"] == UNRELEASED) != (read["day"] is None):
            raise ChangelogError(f"the heading {title!r} is neither [{UNRELEASED}] nor [1.2.3] - 2026-11-28")
        if read["name"] in found:
            raise ChangelogError(f"there are two sections for {read['name']}")
        found[read["name"]] = Section(_day(read["day"]), entries.strip())
    released = [name for name in found if name != UNRELEASED]
    if list(found)[:1] != [UNRELEASED] or not all(FORM.fullmatch(name) for name in released):
        raise ChangelogError(f"[{UNRELEASED}] stands first, then one section for each version")
    if released != sorted(released, key=numbers, reverse=True):
        raise ChangelogError("versions stand newest first")
    return found


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ChangelogError(f"{text} is no day") from None


def is_cut(text: str, version: str) -> bool:
    """Whether `version` has its section, so that nothing may change before it is released; else it is in the making.

    Raises ChangelogError where neither can be.
    """
    found = sections(text)
    unreleased = found[UNRELEASED].entries
    newest = next((name for name in found if name != UNRELEASED), None)
    if newest is not None and numbers(newest) > numbers(version):
        raise ChangelogError(f"the version is {version}, but {newest} was released: run `make version VERSION=...`")
    if version not in found:
        if not unreleased and newest is None:
            raise ChangelogError(f"[{UNRELEASED}] is empty: say what {version} brings to those who use it")
        return False
    if not found[version].entries:
        raise ChangelogError(f"the section of {version} is empty")
    if unreleased:
        raise ChangelogError(f"{version} has its section, and more is [{UNRELEASED}]: run `make version VERSION=...`")
    return True


def cut(text: str, version: str, day: date) -> str:
    """The changelog with what was unreleased as the section of `version`. Raises ChangelogError."""
    if is_cut(text, version):
        raise ChangelogError(f"{version} has its section already")
    if not sections(text)[UNRELEASED].entries:
        raise ChangelogError(f"[{UNRELEASED}] is empty: say what {version} brings to those who use it")
    return text.replace(f"## [{UNRELEASED}]\n", f"## [{UNRELEASED}]\n\n## [{version}] - {day.isoformat()}\n", 1)
