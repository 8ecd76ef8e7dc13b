"""Writes what the chart has from elsewhere: `python -m tools.chart.generate`, with `--check` only compares.

- the templates of the CustomResourceDefinitions, from the models;
- `values.schema.json` and the tables of `README.md`, from `values.yaml`.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from proxmox_offerings.resources.crd import crds
from tools.chart.values import UndescribedError, json_schema, read, tables

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "proxmox-offerings"
BEGIN, END = "<!-- values: written by `make chart` -->\n", "<!-- end of values -->\n"

METADATA = """\
  {{- $annotations := dict }}
  {{- if .Values.crds.keep }}{{ $annotations = dict "helm.sh/resource-policy" "keep" }}{{ end }}
  {{- include "proxmox-offerings.metadata" (list . "cluster" (dict) $annotations) | trim | nindent 2 }}
"""


def generated() -> dict[Path, str]:
    """What each file has to hold."""
    values = read(CHART / "values.yaml")
    readme = CHART / "README.md"
    files = {
        CHART / "values.schema.json": json.dumps(json_schema(values), indent=2, ensure_ascii=False) + "\n",
        readme: with_tables(readme.read_text(encoding="utf-8"), tables(values)),
    }
    for name, text in crds().items():
        plural = name.removesuffix(".yaml").rpartition("_")[2]
        files[CHART / "templates" / f"crd-{plural}.yaml"] = crd_template(text)
    return files


def crd_template(definition: str) -> str:
    """The definition as a template, with the chart's labels and annotations."""
    if "{{" in definition:
        raise ValueError("a description in the CustomResourceDefinitions holds {{, which Helm takes for a template")
    name = re.search(r"^metadata:\n  name: \S+\n", definition, re.MULTILINE)
    if name is None:
        raise ValueError("the CustomResourceDefinition has no name where it was expected")
    return (
        "{{- if .Values.crds.enabled }}\n"
        f"{definition[: name.end()]}{METADATA}{definition[name.end() :]}"
        "{{- end }}\n"
    )


def with_tables(readme: str, written: str) -> str:
    """The README with the tables in their place."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the chart's README.md lacks the line {BEGIN if not begin else END}")
    return f"{before}{BEGIN}\n{written}\n\n{END}{after}"


def settle(files: Mapping[Path, str], *, check: bool, remedy: str) -> None:
    """Write the files that differ, or exit naming them."""
    stale = {
        path: text for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    if check and stale:
        sys.exit(f"out of step, run `{remedy}`: " + ", ".join(str(path.relative_to(ROOT)) for path in stale))
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main() -> None:
    """Write, or compare."""
    arguments = argparse.ArgumentParser(prog="python -m tools.chart.generate", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing, only compare")
    chosen = arguments.parse_args()
    try:
        settle(generated(), check=chosen.check, remedy="make chart")
    except UndescribedError as problem:
        sys.exit(f"values.yaml: {problem}")


if __name__ == "__main__":
    main()
