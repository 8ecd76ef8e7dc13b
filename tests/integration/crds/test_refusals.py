"""A real API server must refuse each bad ProxmoxHost, with a message that names the field and says what is right."""

import json
from typing import Any

import pytest
from tools.kube.controlplane import ApiError

from proxmox_offerings.resources import InvalidResource, ProxmoxHost
from support.controlplane import Cluster
from unit.resources.refused import AT_THE_LIMITS, BORDER_CASES, REFUSED, Refused, border_host, changed, says, selling
from unit.resources.schemas import example

HOSTS = "/apis/proxmox-offerings.io/v1alpha1/namespaces/default/proxmoxhosts?dryRun=All&fieldValidation=Strict"


def refusal_of(cluster: Cluster, host: dict[str, Any]) -> dict[str, Any]:
    """The Status that the API server answers with."""
    with pytest.raises(ApiError) as refused:
        cluster.api("POST", HOSTS, host)
    _, _, body = str(refused.value).partition(": ")
    return json.loads(body)


@pytest.mark.parametrize("refusal", [pytest.param(refusal, id=refusal.name) for refusal in REFUSED])
def test_bad_host_is_refused_in_words_that_help(control_plane: Cluster, refusal: Refused) -> None:
    status = refusal_of(control_plane, refusal.host)
    assert status["reason"] == "Invalid", status["message"]
    causes = [(cause.get("field"), cause["message"]) for cause in status["details"]["causes"]]
    assert any(says(refusal, field, message) for field, message in causes), causes


def test_typo_is_not_silently_a_default(control_plane: Cluster) -> None:
    status = refusal_of(control_plane, changed(**{"allocation.cpu.precent": 100}))
    assert 'unknown field "spec.allocation.cpu.precent"' in status["message"]


def test_server_side_apply_refuses_two_tiers_of_one_name(control_plane: Cluster) -> None:
    """Applied that way, a list-map with equal keys fails before any rule is asked."""
    host = json.dumps(selling({}, {"cpu": 4}))
    applied = control_plane.kubectl_run(
        "apply", "--server-side", "--dry-run=server", "-f", "-", input=host, check=False
    )
    assert applied.returncode == 1
    assert '.spec.tiers: duplicate entries for key [name="small"]' in applied.stderr


def test_kubectl_shows_the_words(control_plane: Cluster) -> None:
    bad = json.dumps(changed(endpoints=["http://pve1.example.net"], validitySeconds=100))
    applied = control_plane.kubectl_run("apply", "-f", "-", input=bad, check=False)
    assert applied.returncode == 1
    assert "spec.endpoints[0]: " in applied.stderr
    assert "must begin with https://" in applied.stderr
    assert "spec.validitySeconds: " in applied.stderr
    assert "must be at least 4 x refreshIntervalSeconds" in applied.stderr


def test_limits_themselves_are_allowed(control_plane: Cluster) -> None:
    assert control_plane.api("POST", HOSTS, AT_THE_LIMITS)["metadata"]["name"] == "a" * 42


def accepted_by_server(cluster: Cluster, host: dict[str, Any]) -> bool:
    try:
        cluster.api("POST", HOSTS, host)
    except ApiError as refused:
        if refused.status != 422:
            raise
        return False
    return True


def accepted_by_models(host: dict[str, Any]) -> bool:
    try:
        ProxmoxHost.parse(host, strict=True)
    except InvalidResource:
        return False
    return True


@pytest.mark.parametrize("field", BORDER_CASES)
def test_server_and_models_judge_alike(control_plane: Cluster, field: str) -> None:
    """Each rule is written in CEL and in Python: a file that `preview` takes must not be refused when applied, nor the reverse."""
    verdicts = {}
    for value in BORDER_CASES[field]:
        host = border_host(field, value)
        verdicts[repr(value)] = (accepted_by_server(control_plane, host), accepted_by_models(host))
    assert {value: verdict for value, verdict in verdicts.items() if verdict[0] != verdict[1]} == {}
    assert {server for server, _ in verdicts.values()} == {True, False}, "both sides of the border are asked"


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"stock": "InStock"}, "must be at least 1 while stock is InStock or LowStock"),
        ({"stock": "LowStock", "available": 0}, "must be at least 1 while stock is InStock or LowStock"),
        ({"stock": "Unknown", "available": 5}, "must be absent while stock is Unknown"),
        ({"available": 5}, "must be absent while stock is Unknown"),
        ({"stock": "Plenty"}, "InStock"),
        ({"stock": "InStock", "available": -1}, "greater than or equal to 0"),
    ],
)
def test_claim_of_stock_that_contradicts_itself_is_refused(
    control_plane: Cluster, namespace: str, claim: dict[str, Any], words: str
) -> None:
    """Not even a defective operator can publish it."""
    offerings = f"/apis/proxmox-offerings.io/v1alpha1/namespaces/{namespace}/offerings"
    offering = control_plane.api(
        "POST", offerings, {key: value for key, value in example("Offering").items() if key != "status"}
    )
    with pytest.raises(ApiError) as refused:
        control_plane.api("PUT", f"{offerings}/{offering['metadata']['name']}/status", offering | {"status": claim})
    assert refused.value.status == 422
    assert words in str(refused.value)
