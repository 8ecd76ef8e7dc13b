"""The workshop's own checks must find what they are there for; a check that finds nothing looks like a clean project."""

from pathlib import Path

import pytest
from tools import locks, strays

WORDS = {"/home/jane/", "index.example.test"}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("run /home/jane/project/test", ["/home/jane/"]),
        ("file:///home/jane/x", ["/home/jane/"]),
        ("--index-url https://index.example.test/simple", ["index.example.test"]),
        ("in /mnt/home/jane/x", []),
        ("my-index.example.test", []),
        ("/home/janet/", []),
    ],
)
def test_traces_of_a_machine_are_found(line: str, found: list[str]) -> None:
    assert strays.strays(line, WORDS) == found


def test_hosts_of_registries_are_known_without_any_setting() -> None:
    assert len(strays.registry_hosts()) >= 2


@pytest.mark.parametrize(
    ("requirement", "met"),
    [("a>=1,<2", True), ("A>=1", True), ("a>=2", False), ("b", False)],
)
def test_pin_outside_its_range_is_found(requirement: str, met: bool) -> None:
    assert (locks.unmet([requirement], {"a": "1.5"}, Path("run.txt")) == []) is met


@pytest.mark.parametrize(
    ("content", "clean"),
    [
        ("a==1 \\\n    --hash=sha256:00\nb==2 \\\n    --hash=sha256:11\n", True),
        ("a==1 \\\n    --hash=sha256:00\nb==2\n", False),
        ("--extra-index-url x\na==1 \\\n    --hash=sha256:00\n", False),
        ("a @ https://example.test/a.whl \\\n    --hash=sha256:00\n", False),
    ],
)
def test_lock_file_with_loose_ends_is_found(tmp_path: Path, content: str, clean: bool) -> None:
    path = tmp_path / "run.txt"
    path.write_text(content)
    assert (locks.loose_ends(path) == []) is clean
