"""What was released: its CustomResourceDefinitions, and objects as they were stored by it. Never changed after the release."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tools.crd_compat import releases

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Release:
    """One release, by its directory in tests/golden."""

    directory: Path

    def __str__(self) -> str:
        return self.directory.name

    @property
    def crds(self) -> Path:
        """The folder of its CustomResourceDefinitions."""
        return self.directory / "crds"

    def schemas(self) -> dict[str, Object]:
        """Kind -> root of its schema."""
        definitions = [yaml.safe_load(file.read_text()) for file in self.crds.glob("*.yaml")]
        return {
            one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for one in definitions
        }

    def objects(self) -> dict[str, Object]:
        """File name -> object."""
        files = sorted((self.directory / "objects").glob("*.yaml"))
        return {file.stem: yaml.safe_load(file.read_text()) for file in files}


RELEASES = [Release(directory) for directory in releases()]
