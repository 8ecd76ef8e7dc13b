"""Every field of ProxmoxHost.spec, and what somebody may try at it: a real API server and the models accept and refuse the same."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tools.kube.controlplane import ApiError

from proxmox_offerings.resources import InvalidResource, ProxmoxHost
from support.controlplane import Cluster
from support.fields import FIELDS, changed, is_about, schema_fields, values
from unit.resources.refused import MINIMAL

HOSTS = "/apis/proxmox-offerings.io/v1alpha1/namespaces/default/proxmoxhosts?dryRun=All&fieldValidation=Strict"
TRIED = [
    (field.path, value)
    for kind, schema in schema_fields().items()
    for field in [next(field for field in FIELDS if field.kind == kind)]
    for value in values(schema)
]


def test_api_server_and_models_agree_on_whatever_is_tried_and_name_the_field(control_plane: Cluster) -> None:
    """What only one of them takes would be applied and never served, or previewed and never applied."""

    def problem(tried: tuple[str, Any]) -> str | None:
        path, value = tried
        host = {**MINIMAL, "spec": changed(path, value)}
        try:
            ProxmoxHost.parse(host, strict=True)
            by_models = ""
        except InvalidResource as refused:
            by_models = str(refused)
        by_server = _refusal(control_plane, host)
        if bool(by_server) != bool(by_models):
            return f"{path} = {value!r:.40}: server {by_server!r:.300}, models {by_models!r:.300}"
        if by_server and not any(is_about(path, field) for field in by_server):
            return f"{path} = {value!r:.40}: the server blames {by_server}"
        return None

    assert len(TRIED) > 500
    with ThreadPoolExecutor(4) as pool:
        problems = [found for found in pool.map(problem, TRIED) if found]
    assert problems == []


def _refusal(cluster: Cluster, host: dict[str, Any]) -> list[str]:
    """The fields that the API server blames; none if it accepts."""
    try:
        cluster.api("POST", HOSTS, host)
    except ApiError as refused:
        status = json.loads(str(refused).partition(": ")[2])
        return [cause.get("field", "") for cause in status.get("details", {}).get("causes", [])] or [status["message"]]
    return []
