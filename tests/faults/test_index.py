"""That no fault is left without a test, nor without its row in docs/explanation/faults.md."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAULTS = [f"T{number}" for number in range(1, 38)]
"""The complaints of users about the like of us, from `T1` to `T37`; what each is says the page."""
PAGE = ROOT / "docs" / "explanation" / "faults.md"


def marked(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(fault, test) for each `@pytest.mark.reliability("T1", ...)`."""
    for test in ast.walk(tree):
        if not isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for mark in test.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.reliability":
                for argument in mark.args:
                    yield ast.literal_eval(argument), test.name


def test_each_fault_has_a_test_and_a_row() -> None:
    covered = defaultdict(set)
    for file in (ROOT / "tests").rglob("test_*.py"):
        for fault, name in marked(ast.parse(file.read_text(encoding="utf-8"))):
            covered[fault].add(name)
    assert set(FAULTS) == covered.keys()
    rows = re.findall(r"^\| (T\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == FAULTS


@pytest.mark.reliability("T37")
def test_no_privilege_is_asked_for_that_some_version_does_not_know() -> None:
    """PVE 9 took one away, and refuses to create a role with it: whoever follows our pages must not meet that."""
    files = [
        ROOT / "README.md",
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("manifests/**/*.yaml"),
        *ROOT.glob("crds/*.yaml"),
    ]
    code = [one for one in ROOT.glob("operator/**/*.py") if "simulator" not in one.parts]
    named = {
        privilege
        for file in [*files, *code]
        for privilege in re.findall(
            r"\b((?:VM|Sys|Datastore|SDN|Pool|Mapping)\.(?:[A-Z][A-Za-z]+\.?)+)", file.read_text(encoding="utf-8")
        )
    }
    in_all_versions = {"Sys.Audit", "VM.Audit", "Datastore.Audit", "SDN.Audit", "Pool.Audit"}
    assert {privilege.rstrip(".") for privilege in named} - in_all_versions <= {
        "Mapping.Audit"
    }  # told of from 8 on only
