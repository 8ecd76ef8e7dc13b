"""Every word that may stand in a status is documented, and every documented word exists."""

import re
from pathlib import Path

from proxmox_offerings.capacity.rooms import LeftOut
from proxmox_offerings.controller.reasons import EventReason, HostReason, OfferingReason
from proxmox_offerings.proxmox import errors

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "conditions.md"


def words_of(heading: str) -> set[str]:
    """The first column of the tables below a heading, where it is one capitalised word."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", section, re.MULTILINE))


def test_the_reasons_of_a_host_are_documented() -> None:
    conditions = {"Ready", "Reachable", "Authorized", "Quorate", "TLSVerified", "Reconciling", "Stalled"}
    assert words_of("ProxmoxHost") == {reason.value for reason in HostReason} | conditions


def test_the_reasons_of_an_offering_are_documented() -> None:
    assert words_of("Offering") == {reason.value for reason in OfferingReason}


def test_what_events_tell_is_documented() -> None:
    """Each has a word of its own or that of a condition; problems of a host are told by their reasons, which the first row covers."""
    told = words_of("Events")
    assert {reason.value for reason in EventReason} <= told
    assert told <= {reason.value for kind in (EventReason, HostReason, OfferingReason) for reason in kind}


def test_why_a_node_is_left_out_is_documented() -> None:
    assert words_of("Why nothing is sold on a node") == {word.value for word in LeftOut}


def test_every_error_has_a_reason_of_the_documented_ones() -> None:
    """An error of observation ends up as a condition's reason as it is."""
    leaves = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ObservationError) and not kind.__subclasses__()
    ]
    assert len(leaves) > 5
    assert {kind.reason for kind in leaves} <= {reason.value for reason in HostReason}
