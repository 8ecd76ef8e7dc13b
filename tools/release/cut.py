"""Makes the last changes before a release: `python -m tools.release.cut`. What is left, it says.

The changelog gets the section of the version, and its CustomResourceDefinitions and stored objects are kept for later ones to fit.
"""

import shutil
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
        text = changelog.cut(CHANGELOG.read_text(encoding="utf-8"), present, datetime.now(UTC).date())
    except (VersionError, changelog.ChangelogError) as problem:
        sys.exit(f"error: {problem}")
    freeze(present)
    CHANGELOG.write_text(text, encoding="utf-8")
    print(NEXT.format(version=present), end="")


if __name__ == "__main__":
    main()
