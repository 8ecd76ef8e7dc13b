"""Text of others in statuses: shown, but never as something else than it is."""

import pytest

from proxmox_offerings.resources import Condition, MissingPrivilege
from proxmox_offerings.resources.text import clean

HOSTILE = "pve1\x1b[2J\x1b[31m\r\nERROR\x00 \u202etxt.exe\u202c\u200b\x9b1m\u2028end"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pve1", "pve1"),
        ("Größe 5 µm – 東京", "Größe 5 µm – 東京"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("one\ntwo\tthree", "one two three"),
        ("\u202etxt.exe", "txt.exe"),
        ("x" * 128, "x" * 128),
        ("x" * 129, "x" * 127 + "…"),
        ("\x00\x07", ""),
    ],
)
def test_what_is_shown_is_printable_and_short(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_no_text_of_a_status_can_steer_a_terminal() -> None:
    """Whoever makes the status: the type of its texts cleans them."""
    lack = MissingPrivilege(path=HOSTILE, privilege=HOSTILE, effect=HOSTILE * 200)
    condition = Condition.parse(
        {
            "type": "Ready",
            "status": "False",
            "reason": "CallFailed",
            "message": HOSTILE,
            "lastTransitionTime": "2026-11-24T10:00:00Z",
        }
    )
    for text in (lack.path, lack.privilege, lack.effect, condition.message):
        assert text.isprintable()
        assert text.startswith("pve1")
        assert len(text) <= 4096
