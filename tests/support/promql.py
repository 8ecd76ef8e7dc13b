"""What PromQL expressions ask for, and promtool."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tools.promtool import build

__all__ = ["Selector", "build", "grouped_by", "selectors"]


class Selector(NamedTuple):
    """One choice of series: `name{label="value",…}`, with (label, operator, value) for each condition."""

    name: str
    conditions: tuple[tuple[str, str, str], ...]


def selectors(expression: str) -> Iterator[Selector]:
    """All of an expression whose metrics have their braces, as ours always do."""
    for name, inside in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression):
        yield Selector(name, tuple(re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', inside)))


def grouped_by(expression: str) -> set[str]:
    """The labels that stand in `by (…)` or `on (…)`, but for the one of buckets."""
    lists = re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",")} - {"le"}
