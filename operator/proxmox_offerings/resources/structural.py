"""From pydantic's JSON schema to what the API server calls a structural schema.

The API server wants every type spelled out in place: no references, no alternatives with null, no titles. It takes
descriptions, bounds, defaults and rules from the models, so that they are stated once.
"""

import inspect
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from proxmox_offerings.resources.model import Model

Schema = dict[str, Any]

_COPIED: Final = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
)
_TRANSLATED: Final = ("title", "properties", "required", "items", "anyOf", "$defs")


def structural_schema(model: type[Model], *, without: Collection[str] = ()) -> Schema:
    """The structural schema of `model`, by wire names, but for the top fields in `without`. Raises TypeError for what it cannot say."""
    written = model.model_json_schema(by_alias=True)
    written["properties"] = {name: part for name, part in written["properties"].items() if name not in without}
    return _structural(written, written.get("$defs", {}))


def _structural(written: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    written = _in_place(written, definitions)
    unsayable = written.keys() - {*_COPIED, *_TRANSLATED}
    if unsayable:
        raise TypeError(f"a structural schema cannot say {sorted(unsayable)}")
    schema: Schema = {key: written[key] for key in _COPIED if key in written}
    if "description" in schema:
        schema["description"] = _unwrapped(schema["description"])
    if schema.get("type") == "array":
        schema.setdefault("x-kubernetes-list-type", "atomic")
        schema["items"] = _structural(written["items"], definitions)
    if schema.get("type") == "object":
        schema |= {"required": written["required"]} if "required" in written else {}
        schema["properties"] = {name: _structural(part, definitions) for name, part in written["properties"].items()}
    return _with_default(schema)


def _in_place(written: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Replace a reference, or the one alternative that is not null, by what it stands for; what is said beside it wins."""
    rest = dict(written)
    if "$ref" in rest:
        return _in_place(definitions[rest.pop("$ref").removeprefix("#/$defs/")] | rest, definitions)
    if "x-kubernetes-int-or-string" in rest or "anyOf" not in rest:
        return rest
    choices = [choice for choice in rest.pop("anyOf") if choice.get("type") != "null"]
    if len(choices) == 1:
        return _in_place(choices[0] | rest, definitions)
    if sorted(str(choice.get("type")) for choice in choices) == ["integer", "string"]:
        bounds = {key: value for choice in choices for key, value in choice.items() if key != "type"}
        return {"x-kubernetes-int-or-string": True} | bounds | rest
    raise TypeError(f"a structural schema knows no alternatives: {choices}")


def _with_default(schema: Schema) -> Schema:
    """Keep the defaults that teach something; an object's default is {}, so that the API server fills in those of its fields."""
    if schema.get("default") in (None, []):
        schema.pop("default", None)
    elif schema.get("type") == "object":
        schema["default"] = {}
        if not any("default" in part for part in schema["properties"].values()):
            del schema["default"]
    return schema


def _unwrapped(text: str) -> str:
    """Lines are broken for the editor, paragraphs for the reader."""
    return "\n\n".join(re.sub(r"\s+", " ", paragraph) for paragraph in inspect.cleandoc(text).split("\n\n"))
