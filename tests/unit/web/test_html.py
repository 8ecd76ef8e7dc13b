"""Markup is made of text in one place, and safely."""

import pytest

from proxmox_offerings.web.html import Html, document, join, tag

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


def test_text_never_becomes_markup() -> None:
    made = tag("p", HOSTILE, [HOSTILE, tag("b", HOSTILE)], title=HOSTILE, data_name=HOSTILE).markup
    assert "<img" not in made
    assert made.count("<") == 4, "p, b and their ends"
    assert HOSTILE.count('"') == 1
    assert made.count('"') == 4 + 3, "those around two attributes, and in text, where they mean nothing"


def test_markup_cannot_be_joined_to_text_by_mistake() -> None:
    with pytest.raises(TypeError):
        _ = "<p>" + tag("b", "x")  # type: ignore[operator]
    assert join("<", tag("b", "x")) == Html("&lt;<b>x</b>")


def test_attributes_are_written_as_html_has_them() -> None:
    assert tag("input", class_="a", data_valid_until=3, hidden=True, checked=False, value=None).markup == (
        '<input class="a" data-valid-until="3" hidden>'
    )
    assert document(tag("html", None)) == "<!doctype html>\n<html></html>\n"
