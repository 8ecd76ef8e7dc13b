"""What the manifests grant the operator: as much as it uses, and of Secrets no more than one at a time."""

from typing import Any

import yaml

from support.controlplane import ROOT


def rules() -> list[dict[str, Any]]:
    """The rules of all roles."""
    documents = yaml.safe_load_all((ROOT / "manifests" / "rbac.yaml").read_text(encoding="utf-8"))
    return [rule for document in documents for rule in document.get("rules", [])]


def test_secrets_can_only_be_got_by_name() -> None:
    """With list or watch, the operator would hold the Secrets of everybody."""
    assert [rule["verbs"] for rule in rules() if "secrets" in rule["resources"]] == [["get"]]


def test_events_can_only_be_created() -> None:
    """What others wrote of an object's past is theirs."""
    assert [rule["verbs"] for rule in rules() if "events" in rule["resources"]] == [["create"]]


def test_nothing_is_granted_wholesale() -> None:
    granted = {word for rule in rules() for words in rule.values() for word in words}
    assert "*" not in granted
    assert not granted & {"escalate", "bind", "impersonate"}
