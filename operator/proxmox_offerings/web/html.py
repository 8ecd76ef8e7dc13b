"""HTML that is escaped by construction: text becomes markup nowhere but here.

`str` is text and is escaped; `Html` is markup and is not. Nothing else turns one into the other, and `Html` is no `str`, so that joining or
formatting the two by mistake is an error of types instead of a hole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Final

VOID: Final = frozenset({"meta", "link", "input", "br"})
"""Elements without content. (Those of SVG are none: in HTML they need their end tags.)"""


@dataclass(frozen=True, slots=True)
class Html:
    """Markup."""

    markup: str


Child = Html | str | int | None | Iterable["Child"]
"""What may stand in an element; None stands for nothing."""
Attribute = str | int | bool | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """An element. Names of attributes are written `class_`, `data_key`; None and False leave one out, True is one without a value."""
    head = f"<{name}{''.join(map(_attribute, attributes.items()))}>"
    if name in VOID:
        return Html(head)
    return Html(f"{head}{''.join(map(_child, children))}</{name}>")


def join(*children: Child) -> Html:
    """One after another."""
    return Html("".join(map(_child, children)))


def document(root: Html) -> str:
    """A whole page."""
    return f"<!doctype html>\n{root.markup}\n"


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child.markup
    if isinstance(child, str | int):
        return escape(_printable(str(child)), quote=False)
    return "".join(map(_child, child))


def _attribute(attribute: tuple[str, Attribute]) -> str:
    name, value = attribute
    name = name.removesuffix("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(_printable(str(value)))}"'


def _printable(text: str) -> str:
    """Without control characters and directions of writing, which change what is around them."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " * letter.isspace() for letter in text)
