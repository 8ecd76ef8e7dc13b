"""What has to be taken out where nothing foreign may stay."""

from typing import Any

import pytest

from proxmox_offerings.kube.apply import without_foreign


@pytest.mark.parametrize(
    ("live", "wanted", "patch"),
    [
        pytest.param({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2}}, {}, id="equal"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"b": None}, id="a field too many"),
        pytest.param({"b": {"c": 2, "d": 3}}, {"b": {"c": 2}}, {"b": {"d": None}}, id="deep inside"),
        pytest.param({"b": {"c": 2}}, {}, {"b": None}, id="a whole branch"),
        pytest.param({"l": [1, 2]}, {"l": [1]}, {"l": [1]}, id="an item too many"),
        pytest.param({"a": 1}, {"a": 2, "b": 3}, {}, id="other values and new fields are what apply is for"),
    ],
)
def test_only_what_is_not_wanted(live: dict[str, Any], wanted: dict[str, Any], patch: dict[str, Any]) -> None:
    assert without_foreign(live, wanted) == patch
