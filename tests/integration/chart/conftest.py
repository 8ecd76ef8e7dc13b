"""The chart, rendered by each supported Helm."""

from pathlib import Path

import pytest

from support.helm import VERSIONS, Helm


@pytest.fixture(params=VERSIONS)
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> Helm:
    return Helm(request.param, tmp_path)
