"""What an operating system is called, read from how people name and tag their templates: "ubuntu-24.04-tpl", "win2k22", "jammy", `debian` and `12`.

Where nothing can be read with confidence, nothing is said: the template's own name is better than a wrong guess.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

SEPARATOR = "[-_. ]?"
FILLERS = (
    "base|cloud|cloudimg|cloudimage|core|default|desktop|ga|generic|genericcloud|image|linux|live|lts|minimal|netinst|nocloud|os|server"
    "|standard|template|tmpl|tpl|vm"
)
"""What people write between a system's name and its version."""
NO_VERSIONS = re.compile(r"x86[-_]64|amd64|x64|arm64|aarch64|i[36]86|qcow2|[0-9]{5,}")
"""Digits that are no version: architectures, formats, dates."""

MAJOR = r"([0-9]{1,2})(?:\.[0-9]+)*"
MAJOR_MINOR = r"([0-9]{1,4}(?:\.[0-9]{1,4})?)"
NONE = ""
"""Of a system that has no versions, only a state of today."""


@dataclass(frozen=True, slots=True)
class Family:
    """A system: how it is spelled, and how its versions are (the groups of `version`, joined by dots)."""

    title: str
    spelled: str
    version: str = MAJOR_MINOR


FAMILIES = (
    Family("AlmaLinux", "alma(?:linux)?"),
    Family("Alpine", "alpine", r"(3)[-_.]?([0-9]{1,2})"),
    Family("Amazon Linux", "amazon[-_. ]?linux|amzn|al(?=20)"),
    Family("Arch Linux", "arch(?:linux)?", NONE),
    Family("CentOS Stream", "centos[-_. ]?stream|centos(?=[-_. ]?[0-9]+[-_. ]?s(?:tream)?(?![a-z]))"),
    Family("CentOS", "centos"),
    Family("Debian", "debian|deb(?=[-_. ]?[0-9])", MAJOR),
    Family("Devuan", "devuan"),
    Family("Fedora CoreOS", "fedora[-_. ]?coreos|fcos", NONE),
    Family("Fedora", "fedora", MAJOR),
    Family("Flatcar", "flatcar", NONE),
    Family("FreeBSD", "freebsd", r"([0-9]{1,2})(?:[-_.]([0-9]))?"),
    Family("Gentoo", "gentoo", NONE),
    Family("Kali Linux", "kali(?:[-_. ]?linux)?"),
    Family("Linux Mint", "(?:linux[-_. ]?)?mint"),
    Family("NetBSD", "netbsd"),
    Family("NixOS", "nixos"),
    Family("OpenBSD", "openbsd", r"([0-9])[-_.]?([0-9])"),
    Family("openSUSE Leap", "(?:opensuse[-_. ]?)?leap|opensuse(?=[-_. ]?(?:1[56]|42))"),
    Family("openSUSE Tumbleweed", "(?:opensuse[-_. ]?)?tumbleweed", NONE),
    Family("openSUSE", "opensuse", NONE),
    Family("OPNsense", "opnsense"),
    Family("Oracle Linux", "oracle(?:[-_. ]?linux)?|ol(?=[6-9])"),
    Family("pfSense", "pfsense"),
    Family("Red Hat Enterprise Linux", "rhel|red[-_. ]?hat"),
    Family("Rocky Linux", "rocky(?:[-_. ]?linux)?"),
    Family("SUSE Linux Enterprise", "sles?", r"([0-9]{2})(?:[-_. ]?(sp[0-9]))?"),
    Family("Talos", "talos"),
    Family("Ubuntu", "ubuntu", r"([0-9]{2})(?:[-_.]?(04|10))?"),
    Family("VyOS", "vyos"),
    Family(
        "Windows Server", "(?:windows|win|w)[-_. ]?(?:server|srv)|ws(?=2)|(?:windows|win|w)(?=[-_. ]?2(?:0[0-9]{2}|k))"
    ),
    Family("Windows", "windows|win(?=[-_. ]?(?:7|8|10|11)(?![0-9]))|w(?=1[01](?![0-9]))", r"(7|8\.1|8|10|11)"),
)
WINDOWS_SERVER = re.compile(r"(?:20|2k)([0-9]{1,2})(?:[-_. ]?(r2))?(?![0-9])")

CODE_NAMES = {
    "Debian": {"stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14"},
    "Ubuntu": {
        "xenial": "16.04",
        "bionic": "18.04",
        "focal": "20.04",
        "jammy": "22.04",
        "noble": "24.04",
        "oracular": "24.10",
        "plucky": "25.04",
        "questing": "25.10",
    },
}
"""Releases that people call by name; from what their projects announced."""

_SPELLED = tuple((family, re.compile(rf"(?<![a-z0-9])(?:{family.spelled})(?![a-z])")) for family in FAMILIES)
_CODE_NAMES = tuple(
    (title, version, re.compile(rf"(?<![a-z]){word}(?![a-z])"))
    for title, words in CODE_NAMES.items()
    for word, version in words.items()
)
_BETWEEN = re.compile(rf"(?:{SEPARATOR}(?:{FILLERS})(?![a-z]))*{SEPARATOR}v?")
_TURNKEY = re.compile(r"turnkey-([a-z0-9-]+)")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text tells: a system, and its version where that is told too (or where it has none)."""

    family: Family
    version: str | None

    @property
    def whole(self) -> bool:
        return self.version is not None or self.family.version == NONE

    @property
    def title(self) -> str:
        return f"{self.family.title} {self.version}" if self.version else self.family.title


@lru_cache(maxsize=4096)
def readable_name(name: str, *, tags: tuple[str, ...] = ()) -> str | None:
    """ "Debian 12" of "debian-12-standard_12.7-1_amd64.tar.zst", or of any name with the tags `debian` and `12`; None where nothing is read.

    The name counts first; tags add what it does not tell.
    """
    found = _read(name)
    if found is None or not found.whole:
        found = _with_tags(found, sorted(tags))
    if found is None:
        return None
    turnkey = _TURNKEY.search(name.lower())
    return f"{found.title} (TurnKey {turnkey[1].strip('-')})" if turnkey else found.title


def _read(text: str) -> Reading | None:
    """The system named first; of several that begin there, the one with the longest name."""
    plain = NO_VERSIONS.sub("", text.lower())
    named = [
        (match.start(), -match.end(), family, match.end())
        for family, spelled in _SPELLED
        if (match := spelled.search(plain))
    ]
    if named:
        _, _, family, end = min(named, key=lambda one: one[:2])
        return Reading(family, _version(family, plain, end) or _code_version(family.title, plain))
    for title, version, word in _CODE_NAMES:
        if word.search(plain):
            return Reading(_family(title), version)
    return None


def _version(family: Family, plain: str, end: int) -> str | None:
    between = _BETWEEN.match(plain, end)
    assert between is not None  # noqa: S101 - it matches nothing, too
    if family.title == "Windows Server":
        year = WINDOWS_SERVER.match(plain, between.end())
        return f"20{int(year[1]):02d}{' R2' if year[2] else ''}" if year else None
    if family.version == NONE:
        return None
    told = re.compile(rf"{family.version}(?![0-9])").match(plain, between.end())
    if told is None:
        return None
    parts = [part for part in told.groups() if part]
    return " ".join(parts).upper() if parts[-1].startswith("sp") else ".".join(parts)


def _code_version(title: str, plain: str) -> str | None:
    return next((version for of, version, word in _CODE_NAMES if of == title and word.search(plain)), None)


def _with_tags(found: Reading | None, tags: Iterable[str]) -> Reading | None:
    """What is told together with the tags: of one that names the system too, else of a number that stands alone."""
    tags = tuple(tags)
    for reading in filter(None, map(_read, tags)):
        if found is None or (found.family == reading.family and not found.whole):
            found = reading
    if found is None or found.whole:
        return found
    versions = {version for tag in tags if (version := _version(found.family, tag.lower(), 0)) is not None}
    codes = {version for tag in tags if (version := _code_version(found.family.title, tag.lower())) is not None}
    told = versions or codes
    return Reading(found.family, told.pop()) if len(told) == 1 else found


def _family(title: str) -> Family:
    return next(family for family in FAMILIES if family.title == title)
