"""The JSON Schema of the catalogue, generated from its models.

`python -m proxmox_offerings.exports.schema FILE` writes it; with `--check` it only tells whether FILE is in step.
"""

import argparse
import inspect
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proxmox_offerings.exports.catalogue import SCHEMA_ID, Catalogue


def schema() -> str:
    """The schema (draft 2020-12) as JSON text."""
    made = Catalogue.model_json_schema(by_alias=True, mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return json.dumps(head | _plain(made), indent=2, ensure_ascii=False) + "\n"


def _plain(part: Any) -> Any:
    """Without Kubernetes' own keywords, nulls, which never appear, and titles, which say nothing; with descriptions in one line."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {
        key: _plain(value)
        for key, value in part.items()
        if not (key.startswith("x-kubernetes-") or (key == "title" and isinstance(value, str)))
    }
    if isinstance(text := kept.get("description"), str):
        kept["description"] = re.sub(r"\s+", " ", inspect.cleandoc(text))
    choices = [choice for choice in kept.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        kept = {key: value for key, value in kept.items() if (key, value) != ("default", None)}
        kept = choices[0] | kept
    return kept


def main(words: Sequence[str] | None = None) -> None:
    """Write the file, or with --check exit 1 if it is out of step."""
    arguments = argparse.ArgumentParser(prog="python -m proxmox_offerings.exports.schema", description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--check", action="store_true", help="write nothing, only compare")
    chosen = arguments.parse_args(words)
    stale = not chosen.file.is_file() or chosen.file.read_text(encoding="utf-8") != schema()
    if chosen.check and stale:
        sys.exit(f"out of step with the models, run `make crds`: {chosen.file}")
    if stale:
        chosen.file.write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
