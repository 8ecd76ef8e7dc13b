"""The software bill of materials of a release, as CycloneDX: the libraries in an environment, their licences, what needs what."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "proxmox-offerings"


class SBOMError(Exception):
    """It cannot be made. The message says why."""


def name(version: str) -> str:
    """The name of its file, by which scanners know the format."""
    return f"{NAME}-{version}.cdx.json"


def of(python: Path, *, project: Path, version: str, seconds: int) -> str:
    """That of the environment of `python`, for `version` of `project` (a pyproject.toml), made at `seconds` since 1970.

    Validated, and the same each time. Raises SBOMError.
    """
    command: list[str | Path] = [
        Path(sys.executable).parent / "cyclonedx-py",
        "environment",
        "--output-reproducible",
        "--validate",
    ]
    done = subprocess.run(
        [*command, "--pyproject", project, "--output-format", "JSON", python],
        check=False,
        env=os.environ | {"SOURCE_DATE_EPOCH": str(seconds)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SBOMError(f"cyclonedx-py: {done.stderr.strip()[-500:]}")
    bom: dict[str, Any] = json.loads(done.stdout)
    # pyproject.toml leaves the version to the package; with it, the release can be found in databases of vulnerabilities.
    bom["metadata"]["component"] |= {"version": version, "purl": f"pkg:pypi/{NAME}@{version}"}
    return json.dumps(bom, indent=2) + "\n"


def libraries(text: str) -> Mapping[str, str]:
    """Name to version of what it lists beside the program itself."""
    return {one["name"]: one["version"] for one in json.loads(text).get("components", []) if one["name"] != NAME}


def unlicensed(text: str) -> list[str]:
    """What it knows no licence of."""
    return [one["name"] for one in json.loads(text).get("components", []) if not one.get("licenses")]
