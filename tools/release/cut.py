"""Makes the last changes before a release: `python -m tools.release.cut`. What is left, it says. Until the tag, it may be run again.

The changelog gets the section of the version, and its CustomResourceDefinitions and stored objects are kept for later ones to fit.
"""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tools import crd_compat
from tools.release import changelog
from tools.version import ROOT, VersionError, version

CHANGELOG = ROOT / "CHANGELOG.md"
EXAMPLES = ROOT / "tests" / "unit" / "resources" / "examples"
"""Objects in which every field has a value; a test holds that."""
NEXT = """\
{version} is cut. Look at the changes, then:

    git add tests/golden && git commit --all --message "Release {version}"
    make release-check && make dist
    git tag --annotate v{version} --message v{version}

and go on under the number of the next one: make version VERSION=...
"""


def freeze(release: str, *, released: Path = crd_compat.RELEASED) -> None:
    """Keep what `release` brings, in the place of what was kept of it in the making."""
    earlier = sorted(released.glob("v*"), key=lambda path: tuple(map(int, path.name[1:].split("."))))
    kept = released / f"v{release}"
    objects = kept / "objects"
    if not objects.exists() and earlier:
        shutil.copytree(earlier[-1] / "objects", objects)
    objects.mkdir(parents=True, exist_ok=True)
    for example in EXAMPLES.glob("*.yaml"):
        shutil.copyfile(example, objects / f"{example.stem}-full.yaml")
    shutil.rmtree(kept / "crds", ignore_errors=True)
    shutil.copytree(crd_compat.CRDS, kept / "crds")


def main() -> None:
    """Change the files."""
    try:
        present = version()
        text = CHANGELOG.read_text(encoding="utf-8")
        if is_tagged(present):
            sys.exit(f"error: {present} was released: go on under the next number by `make version VERSION=...`")
        if not changelog.is_cut(text, present):
            CHANGELOG.write_text(changelog.cut(text, present, datetime.now(UTC).date()), encoding="utf-8")
    except (VersionError, changelog.ChangelogError) as problem:
        sys.exit(f"error: {problem}")
    freeze(present)
    print(NEXT.format(version=present), end="")


def is_tagged(release: str) -> bool:
    """Whether git knows it as released."""
    tags = ["git", "-C", str(ROOT), "tag", "--list", f"v{release}"]
    return bool(subprocess.run(tags, check=True, stdout=subprocess.PIPE).stdout)


if __name__ == "__main__":
    main()
