"""Walking the generated schemas."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from proxmox_offerings.resources.crd import crds

Schema = dict[str, Any]
EXAMPLES = Path(__file__).parent / "examples"


@cache
def schemas() -> dict[str, Schema]:
    """Kind -> root of its schema."""
    definitions = [yaml.safe_load(text) for text in crds().values()]
    return {
        definition["spec"]["names"]["kind"]: definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for definition in definitions
    }


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema within `schema` with its path, such as `.spec.tiers[].name`."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Every path that `value` has a value at, in the same spelling."""
    yield path
    if isinstance(value, dict):
        for name, part in value.items():
            yield from paths(part, f"{path}.{name}")
    elif isinstance(value, list):
        for part in value:
            yield from paths(part, f"{path}[]")


def example(kind: str) -> dict[str, Any]:
    """An object of `kind` in which every field has a value."""
    return yaml.safe_load((EXAMPLES / f"{kind.lower()}.yaml").read_text())
