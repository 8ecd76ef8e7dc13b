"""What `make release-check` is there for must not get past it. That all of it holds for this commit, CI runs the check itself for."""

import json
from pathlib import Path

import pytest
from tools.crd_compat import CRDS
from tools.release import sbom
from tools.release.check import NotReadyError, _same
from tools.release.cut import freeze
from tools.release.dist import checksums, may_be_replaced

from support.released import Release
from unit.resources.schemas import nodes, paths


@pytest.mark.parametrize(
    ("first", "second", "differ"),
    [
        ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, "b"),
        ({"a": "1", "b": "2"}, {"a": "1"}, "b"),
        ({"a": "1"}, {"a": "1", "c": ""}, "c"),
    ],
)
def test_files_that_depend_on_where_they_are_built_are_found(
    tmp_path: Path, first: dict[str, str], second: dict[str, str], differ: str
) -> None:
    for name, files in (("first", first), ("second", second)):
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_text(content)
    with pytest.raises(NotReadyError, match=f"these differ: {differ}$"):
        _same(tmp_path / "first", tmp_path / "second")
    assert _same(tmp_path / "first", tmp_path / "first").startswith("reproducible")


def test_a_directory_that_holds_something_else_is_not_replaced(tmp_path: Path) -> None:
    """A home directory, named by mistake."""
    assert may_be_replaced(tmp_path / "missing")
    assert may_be_replaced(tmp_path)
    (tmp_path / "letter").write_text("")
    assert not may_be_replaced(tmp_path)
    (tmp_path / "SHA256SUMS").write_text("")
    assert may_be_replaced(tmp_path)


def test_checksums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("")
    (tmp_path / "a").write_text("a\n")
    (tmp_path / "SHA256SUMS").write_text("of an earlier build")
    assert checksums(tmp_path) == (
        "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7  a\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"
    )


def test_a_library_without_a_licence_is_found() -> None:
    """Whoever takes the release into a product has to know all of them."""
    licensed = {"name": "kopf", "version": "1.45.2", "licenses": [{"license": {"id": "MIT"}}]}
    ours = {"name": "proxmox-offerings", "version": "0.1.0", "licenses": [{"license": {"id": "Apache-2.0"}}]}
    bill = json.dumps({"components": [licensed, {"name": "stranger", "version": "1"}, ours]})
    assert sbom.libraries(bill) == {"kopf": "1.45.2", "stranger": "1"}
    assert sbom.unlicensed(bill) == ["stranger"]


def test_a_release_keeps_its_definitions_and_an_object_with_every_field_of_them(tmp_path: Path) -> None:
    freeze("0.1.0", released=tmp_path)
    (tmp_path / "v0.1.0" / "objects" / "special.yaml").write_text("{}")
    freeze("0.2.0", released=tmp_path)
    kept = Release(tmp_path / "v0.2.0")
    assert {file.name for file in kept.crds.iterdir()} == {file.name for file in CRDS.glob("*.yaml")}
    objects = kept.objects()
    assert "special" in objects
    for kind, schema in kept.schemas().items():
        full = objects[f"{kind.lower()}-full"]
        assert {path for path, _ in nodes(schema)} - set(paths(full)) <= {".spec.tls.caBundle"}
