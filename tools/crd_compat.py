"""Checks that CustomResourceDefinitions can take the place of those of a release: `python -m tools.crd_compat [BASELINE...]`.

What is stored, what people wrote into files, and what programs read by a released schema has to work with the present one. So a change may add and
widen; what takes something away, or asks for more, is told. `tests/golden/v*/crds` hold what was released. A finding that is none, such as a rule
that was reworded, is written with its reason into `accepted.yaml` beside them. Why not crdify: docs/design/v1alpha1-only-grows.md.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
CRDS = ROOT / "crds"
RELEASED = ROOT / "tests" / "golden"
ACCEPTED = "accepted.yaml"

Schema = Mapping[str, Any]

LOWER_BOUNDS = ("minimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS = ("maximum", "maxLength", "maxItems", "maxProperties")
ONLY_RELAXED = ("pattern", "multipleOf", "not")
"""What may go, but neither come nor change."""
KEPT = (
    "type",
    "format",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
)
"""What readers, stored objects and field managers count on as it is."""
PROSE = ("description", "title", "example", "externalDocs")
JUDGED = {*LOWER_BOUNDS, *UPPER_BOUNDS, *ONLY_RELAXED, *KEPT, *PROSE} | {
    "properties",
    "items",
    "required",
    "enum",
    "default",
    "nullable",
    "additionalProperties",
    "x-kubernetes-validations",
}
WRITTEN_BY_THE_OPERATOR = {"ProxmoxHost": (".status",), "Offering": (".spec", ".status")}
"""What people only read: there, a field that may be missing breaks as much as one that must be there breaks writers."""
NAMES = ("kind", "listKind", "plural", "singular")


def incompatible(old: Schema, new: Schema) -> list[str]:
    """A sentence for each thing in which the definition `new` breaks what `old` promised."""
    kind = old["spec"]["names"]["kind"]
    return [f"{kind}{finding}" for finding in _definition(old["spec"], new["spec"])]


def _definition(old: Schema, new: Schema) -> Iterator[str]:
    for key in ("group", "scope"):
        yield from _same(f": {key}", old[key], new[key])
    for key in NAMES:
        yield from _same(f": {key}", old["names"].get(key), new["names"].get(key))
    for key in ("shortNames", "categories"):
        yield from (f": {key} lost {name}" for name in _lost(old["names"].get(key, []), new["names"].get(key, [])))
    versions = {version["name"]: version for version in new["versions"]}
    operators = WRITTEN_BY_THE_OPERATOR.get(old["names"]["kind"], ())
    for version in old["versions"]:
        name = version["name"]
        if name not in versions or (version["served"] and not versions[name]["served"]):
            yield f": version {name} is gone; objects are stored in it, and files name it"
        else:
            yield from _version(version, versions[name], operators)


def _version(old: Schema, new: Schema, operators: tuple[str, ...]) -> Iterator[str]:
    yield from (
        f": subresource {name} is gone" for name in _lost(old.get("subresources", {}), new.get("subresources", {}))
    )
    paths = [[field["jsonPath"] for field in version.get("selectableFields", [])] for version in (old, new)]
    yield from (f": nothing can be selected by {path} any more" for path in _lost(*paths))
    columns = {column["name"]: column for column in new.get("additionalPrinterColumns", [])}
    for column in old.get("additionalPrinterColumns", []):
        now = columns.get(column["name"])
        if now is None or now.get("priority", 0) > column.get("priority", 0):
            yield f": the column {column['name']} is gone or hidden"
        else:
            yield from (
                f": the column {column['name']} shows something else"
                for key in ("jsonPath", "type")
                if column[key] != now[key]
            )
    schemas = (version["schema"]["openAPIV3Schema"] for version in (old, new))
    yield from _schema(*schemas, path="", operators=operators)


def _schema(old: Schema, new: Schema, *, path: str, operators: tuple[str, ...]) -> Iterator[str]:
    """What is worse in the schema at `path` and below."""
    for key in KEPT:
        yield from _same(f"{path}: {key}", old.get(key), new.get(key))
    for key in ONLY_RELAXED:
        if new.get(key) not in (None, old.get(key)):
            yield f"{path}: {key} is {new[key]!r} now, was {old.get(key)!r}"
    yield from _bounds(old, new, path)
    yield from _values(old, new, path)
    yield from _presence(old, new, path, is_read=path.startswith(operators))
    rules = [{rule["rule"] for rule in schema.get("x-kubernetes-validations", [])} for schema in (old, new)]
    yield from (f"{path}: a new rule: {rule}" for rule in sorted(rules[1] - rules[0]))
    for key in sorted((old.keys() | new.keys()) - JUDGED):
        yield from _same(f"{path}: {key}", old.get(key), new.get(key))
    for name, part in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from _schema(part, new["properties"][name], path=f"{path}.{name}", operators=operators)
        else:
            yield f"{path}.{name} is gone; stored values are dropped, and files that name it are refused"
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        was, now = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _schema(was, now, path=f"{path}{mark}", operators=operators)
        else:
            yield from _same(f"{path}: {key}", was, now)


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for keys, up in ((LOWER_BOUNDS, 1), (UPPER_BOUNDS, -1)):
        for key in keys:
            was, now = old.get(key), new.get(key)
            if now is not None and (was is None or (now - was) * up > 0):
                yield f"{path}: {key} is {now} now, was {'not set' if was is None else was}"


def _values(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if "enum" in new:
        gone = _lost(old["enum"], new["enum"]) if "enum" in old else ["everything else"]
        yield from (f"{path}: {value} is no possible value any more" for value in gone)
    was, now = old.get("default"), new.get("default")
    if was != now and not (was is None and now == {}):  # {} alone says nothing: it lets new fields inside have defaults
        yield f"{path}: the default is {now!r} now, was {was!r}: objects that say nothing would mean something else"
    if old.get("nullable") and not new.get("nullable"):
        yield f"{path}: null is no possible value any more"


def _presence(old: Schema, new: Schema, path: str, *, is_read: bool) -> Iterator[str]:
    was, now = old.get("required", []), new.get("required", [])
    yield from (f"{path}.{name} must be set now" for name in _lost(now, was))
    if is_read:
        yield from (f"{path}.{name} may be missing now, and readers count on it" for name in _lost(was, now))


def _same(what: str, was: object, now: object) -> Iterator[str]:
    if was != now:
        yield f"{what} is {now!r} now, was {was!r}"


def _lost(was: Any, now: Any) -> list[Any]:
    return [one for one in was if one not in now]


def problems(baseline: Path, present: Path = CRDS) -> list[str]:
    """What `present` breaks of a release, `baseline` being its directory, and what was accepted in vain."""
    found: list[str] = []
    for file in sorted((baseline / "crds").glob("*.yaml")):
        now = present / file.name
        found += (
            incompatible(_read(file), _read(now)) if now.is_file() else [f"{file.name} is gone, and its kind with it"]
        )
    accepted: dict[str, str] = (_read(baseline / ACCEPTED) if (baseline / ACCEPTED).is_file() else None) or {}
    in_vain = [f"{ACCEPTED} names what is not found: {finding}" for finding in accepted if finding not in found]
    return [finding for finding in found if not accepted.get(finding)] + in_vain


def releases() -> list[Path]:
    """The directories of what was released, each named after its version."""
    return sorted(RELEASED.glob("v*"))


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def main() -> None:
    """Compare with each release; exit with a sentence for each thing that would break."""
    arguments = argparse.ArgumentParser(prog="python -m tools.crd_compat", description=__doc__)
    arguments.add_argument("baseline", nargs="*", type=Path, help="directories of releases (default: tests/golden/v*)")
    baselines = arguments.parse_args().baseline or releases()
    if found := [f"{baseline.name}: {problem}" for baseline in baselines for problem in problems(baseline)]:
        remedy = f"v1alpha1 only grows: see docs/design/v1alpha1-only-grows.md. What is no break after all belongs into {ACCEPTED}, with the reason."
        sys.exit("\n".join(["crds/ cannot take the place of what was released:", *found, remedy]))


if __name__ == "__main__":
    main()
