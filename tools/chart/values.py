"""What `values.yaml` says of each value, for the schema and for people.

A comment right above a key describes it. A last line `@schema` in it holds JSON Schema for what the default does not tell;
where that names a `type` or `additionalProperties`, the value is described as a whole, else a mapping is described by its
keys. A line `== Title` begins a section. This is a convention of its own because the generators that exist are Go programs,
which linting would have to build first, and know either the schema or the README.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SECTION = "== "
SCHEMA = "@schema "
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


class UndescribedError(Exception):
    """A value without a comment, or whose comment is not understood. The message names it."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value, or a mapping of them.

    Attributes:
        path: its keys from the root.
        description: its comment, in one line.
        default: what it is if it is not set.
        schema: JSON Schema for what the default does not tell.
        section: the title of the section that it stands in.
        children: the values of a mapping that is described by its keys.
    """

    path: tuple[str, ...]
    description: str
    default: Any
    schema: dict[str, Any]
    section: str
    children: tuple["Value", ...]

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def leaves(self) -> list["Value"]:
        """What a user sets: itself, or the leaves of its children."""
        return [leaf for child in self.children for leaf in child.leaves()] if self.children else [self]


def read(path: Path) -> tuple[Value, ...]:
    """The values of the file, in its order. Raises UndescribedError."""
    return Reader(path.read_text(encoding="utf-8")).values()


class Reader:
    """Reads one file, comments included."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._root = yaml.compose(text)
        self._defaults = yaml.safe_load(text)

    def values(self) -> tuple[Value, ...]:
        return self._children(self._root, self._defaults, ())

    def _children(self, node: yaml.Node | None, defaults: dict[str, Any], path: tuple[str, ...]) -> tuple[Value, ...]:
        assert isinstance(node, yaml.MappingNode)
        return tuple(self._value(key, value, defaults[key.value], (*path, key.value)) for key, value in node.value)

    def _value(self, key: yaml.Node, node: yaml.Node, default: Any, path: tuple[str, ...]) -> Value:
        comment, schema = self._comment(key.start_mark.line, path)
        whole = not isinstance(default, dict) or not default or bool(schema.keys() & {"type", "additionalProperties"})
        if whole and not comment:
            raise UndescribedError(f"{'.'.join(path)} has no comment that says what it is")
        return Value(
            path=path,
            description=comment,
            default=default,
            schema=schema,
            section=self._section(key.start_mark.line),
            children=() if whole else self._children(node, default, path),
        )

    def _comment(self, line: int, path: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
        words: list[str] = []
        schema: dict[str, Any] = {}
        indent = self._lines[line][: len(self._lines[line]) - len(self._lines[line].lstrip())]
        for text in reversed(self._lines[:line]):
            if not text.startswith(f"{indent}#"):
                break
            said = text.strip().removeprefix("#").strip()
            if said.startswith(SCHEMA):
                try:
                    schema = json.loads(said.removeprefix(SCHEMA))
                except ValueError as problem:
                    raise UndescribedError(f"the @schema of {'.'.join(path)} is not JSON: {problem}") from None
            else:
                words.insert(0, said)
        return " ".join(words), schema

    def _section(self, line: int) -> str:
        titles = (text.removeprefix(f"# {SECTION}") for text in self._lines[:line] if text.startswith(f"# {SECTION}"))
        return list(titles)[-1]


def json_schema(values: tuple[Value, ...]) -> dict[str, Any]:
    """JSON Schema of the values, in which nothing else may be set."""
    properties = {value.path[0]: _schema(value) for value in values}
    # What a chart that depends on this one sets: `global` by Helm itself, `enabled` as its condition.
    properties["global"] = {"type": "object", "description": "Values of a parent chart; not used here."}
    properties["enabled"] = {"type": "boolean", "description": "The condition of a parent chart; not used here."}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Generated from values.yaml by `make chart`. Do not edit.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _schema(value: Value) -> dict[str, Any]:
    described: dict[str, Any] = {"type": TYPES[type(value.default)]}
    if value.description:
        described["description"] = value.description
    if value.children:
        described["properties"] = {child.path[-1]: _schema(child) for child in value.children}
        described["additionalProperties"] = False
    else:
        described["default"] = value.default
    return described | value.schema


def tables(values: tuple[Value, ...]) -> str:
    """Markdown: a table for each section, a row for each value that a user sets."""
    leaves = [leaf for value in values for leaf in value.leaves()]
    parts = []
    for section in dict.fromkeys(leaf.section for leaf in leaves):
        rows = [_row(leaf) for leaf in leaves if leaf.section == section]
        parts.append("\n".join([f"### {section}", "", "| value | default | |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _row(value: Value) -> str:
    cells = (f"`{value.name}`", f"`{_short(value.default)}`", value.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _short(default: Any) -> str:
    return yaml.safe_dump(default, default_flow_style=True, width=10_000, sort_keys=False).removesuffix("...\n").strip()
