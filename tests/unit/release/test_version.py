"""One place says which version this is; a file that names another one is found."""

import shutil
from pathlib import Path

import pytest
from tools.version import FOLLOWERS, ROOT, SOURCE, VersionError, out_of_step, set_version, version

from proxmox_offerings import __version__


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What names the version in this one."""
    for name in (SOURCE, *FOLLOWERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def test_this_checkout_is_of_one_version() -> None:
    assert version() == __version__
    assert out_of_step() == {}


def test_nothing_else_is_named_as_the_version() -> None:
    """A file that is not in the list would keep the old number for ever."""
    known = {ROOT / name for name in (SOURCE, *FOLLOWERS)}
    shipped = [ROOT / "Dockerfile", *(ROOT / "helm").rglob("*"), *(ROOT / "manifests").glob("**/kustomization.yaml")]
    assert [path for path in shipped if path.is_file() and path not in known and __version__ in path.read_text()] == []


def test_all_follow_a_new_version(checkout: Path) -> None:
    set_version("7.8.9", checkout)
    stale = out_of_step(checkout)
    assert set(stale) == {checkout / name for name in FOLLOWERS}
    for path, content in stale.items():
        path.write_text(content)
    assert out_of_step(checkout) == {}
    assert 'appVersion: "7.8.9"' in (checkout / "helm/proxmox-offerings/Chart.yaml").read_text()


@pytest.mark.parametrize("wrong", ["1", "1.2", "v1.2.3", "1.2.3rc1", "1.2.3-rc.1", "01.2.3", "0.0.1"])
def test_what_python_and_helm_do_not_both_take_is_no_version(checkout: Path, wrong: str) -> None:
    with pytest.raises(VersionError):
        set_version(wrong, checkout)
    assert version(checkout) == __version__


def test_a_file_that_names_no_version_any_more_is_told(checkout: Path) -> None:
    (checkout / "manifests/kustomization.yaml").write_text("newTag: latest\n")
    with pytest.raises(VersionError, match=r"manifests/kustomization\.yaml"):
        out_of_step(checkout)
