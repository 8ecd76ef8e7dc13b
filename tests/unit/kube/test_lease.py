"""The Lease on the wire: what others keep in it stays, and what is written names its version."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from proxmox_offerings.kube.client import connected
from proxmox_offerings.kube.lease import Claim, Lease, pod_namespace

CLAIM = Claim(
    holder="one",
    duration=15,
    transitions=2,
    acquired_at=datetime(2026, 11, 24, 12, tzinfo=UTC),
    renewed_at=datetime(2026, 11, 24, 12, 0, 0, 7, tzinfo=UTC),
)
THERE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "ours", "namespace": "ops", "resourceVersion": "41", "labels": {"team": "a"}},
    "spec": {"holderIdentity": "zero", "preferredHolder": "two", "renewTime": "2026-11-24T11:00:00.000000Z"},
}


async def test_a_write_changes_our_part_of_the_version_that_it_names(tmp_path: Path) -> None:
    seen: list[tuple[str, str, Any]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        seen.append((request.method, request.path, body))
        return web.json_response(body or THERE)

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handle)
    async with TestServer(application) as server:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "test",
                    "clusters": [{"name": "test", "cluster": {"server": str(server.make_url("/"))}}],
                    "users": [{"name": "test", "user": {}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                }
            ),
            encoding="utf-8",
        )
        async with connected(kubeconfig=str(kubeconfig)) as client:
            lease = Lease(client, namespace="ops", name="ours")
            before = await lease.read()
            assert before is not None
            assert (before.claim.holder, before.claim.duration, before.version) == ("zero", 0, "41")
            await lease.write(CLAIM, before=before)
    (method, path, body) = seen[-1]
    assert (method, path) == ("PUT", "/apis/coordination.k8s.io/v1/namespaces/ops/leases/ours")
    assert body["metadata"] == THERE["metadata"]
    assert body["spec"] == {
        "holderIdentity": "one",
        "leaseDurationSeconds": 15,
        "leaseTransitions": 2,
        "acquireTime": "2026-11-24T12:00:00.000000Z",
        "renewTime": "2026-11-24T12:00:00.000007Z",
        "preferredHolder": "two",
    }


def test_the_namespace_of_the_pod_is_known_in_a_pod_only(tmp_path: Path) -> None:
    file = tmp_path / "namespace"
    assert pod_namespace(file) is None
    file.write_text("ops\n", encoding="utf-8")
    assert pod_namespace(file) == "ops"
