"""The rules of kstatus themselves, so that what is tested with them is tested with the right ones."""

from typing import Any

import pytest

from support.kstatus import kstatus


def resource(*, observed: int | None = 2, deleted: bool = False, **conditions: str) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [{"type": kind, "status": told} for kind, told in conditions.items()]}
    if observed is not None:
        status["observedGeneration"] = observed
    return {"metadata": {"generation": 2} | ({"deletionTimestamp": "now"} if deleted else {}), "status": status}


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        pytest.param(
            {"metadata": {"generation": 1}}, "Current", id="no status at all: why ours has one from the start"
        ),
        pytest.param(resource(), "Current", id="no conditions"),
        pytest.param(resource(Ready="True"), "Current", id="ready"),
        pytest.param(resource(Ready="False"), "InProgress", id="not ready"),
        pytest.param(resource(Ready="Unknown"), "InProgress", id="not known whether ready"),
        pytest.param(resource(Ready="True", observed=1), "InProgress", id="ready for an older spec"),
        pytest.param(resource(Ready="True", observed=-1), "InProgress", id="never seen"),
        pytest.param(resource(Ready="True", observed=None), "Current", id="which spec is not told"),
        pytest.param(resource(Ready="False", Stalled="True"), "Failed", id="stalled"),
        pytest.param(resource(Ready="False", Stalled="True", observed=1), "InProgress", id="stalled for an older spec"),
        pytest.param(resource(Ready="False", Stalled="True", Reconciling="True"), "InProgress", id="both"),
        pytest.param(resource(Ready="True", Stalled="False", Reconciling="False"), "Current", id="told to be fine"),
        pytest.param(resource(Ready="False", Stalled="True", deleted=True), "Terminating", id="deleted"),
    ],
)
def test_the_first_rule_that_applies_decides(seen: dict[str, Any], verdict: str) -> None:
    assert kstatus(seen) == verdict
