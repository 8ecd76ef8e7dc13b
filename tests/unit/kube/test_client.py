"""Requests that cannot go astray, failures that have one meaning, and a token that shows nowhere."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proxmox_offerings.kube import errors
from proxmox_offerings.kube.client import IN_FLIGHT, KubeClient, connected, path_of
from proxmox_offerings.kube.offerings import Offerings
from proxmox_offerings.kube.secrets import Secrets
from proxmox_offerings.proxmox.errors import CredentialsMissing

TOKEN = "very-secret"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiServer:
    """Answers every request with `answer`; `calls` counts what the client told of."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.answer: Answer = self._ok
        self.seen: list[web.Request] = []
        self.calls: list[tuple[str, str, str]] = []
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self.server = TestServer(application)

    async def client(self, *, url: str | None = None, patience: float = 30) -> KubeClient:
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": url or str(self.server.make_url("/"))}}],
            "users": [{"name": "test", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path = self.directory / "kubeconfig"
        path.write_text(json.dumps(content), encoding="utf-8")
        return await KubeClient.connect(
            kubeconfig=str(path),
            counted=lambda *call: self.calls.append(call),
            client_timeout=aiohttp.ClientTimeout(total=patience),
        )

    def answers(self, body: Any, status: int = 200) -> None:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status)

        self.answer = answer

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        return await self.answer(request)

    async def _ok(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({})


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    served = ApiServer(tmp_path)
    await served.server.start_server()
    yield served
    await served.server.close()


@pytest.fixture
async def client(api: ApiServer) -> AsyncIterator[KubeClient]:
    connected = await api.client()
    yield connected
    await connected.aclose()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.Forbidden),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (422, errors.Refused),
        (429, errors.Unavailable),
        (500, errors.Unavailable),
        (503, errors.Unavailable),
    ],
)
async def test_each_status_has_one_meaning(
    api: ApiServer, client: KubeClient, status: int, kind: type[errors.KubeError]
) -> None:
    api.answers({"kind": "Status", "message": 'offerings "x" is so'}, status)
    with pytest.raises(errors.KubeError) as raised:
        await client.request("GET", "/apis/proxmox-offerings.io/v1alpha1/namespaces/default/offerings/x")
    assert (type(raised.value), raised.value.status) == (kind, status)
    assert str(raised.value) == 'offerings "x" is so'
    assert api.calls == [("GET", "offerings", str(status))]


async def test_an_answer_that_is_not_json_is_no_answer(api: ApiServer, client: KubeClient) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>")

    api.answer = page
    with pytest.raises(errors.Unavailable, match="not what was asked for"):
        await client.request("GET", "/api/v1/namespaces/default/secrets/x")


async def test_a_server_that_is_not_there(api: ApiServer) -> None:
    client = await api.client(url="http://127.0.0.1:1")
    with pytest.raises(errors.Unavailable) as raised:
        await client.request("PATCH", "/apis/proxmox-offerings.io/v1alpha1/namespaces/a/offerings/x/status", body={})
    assert TOKEN not in str(raised.value)
    assert api.calls == [("PATCH", "offerings/status", "error")]
    await client.aclose()


async def test_the_token_is_sent_and_asked_for_again_when_refused(api: ApiServer, client: KubeClient) -> None:
    """Tokens in files and of plugins expire while we run."""
    api.answers({"message": "expired"}, 401)
    with pytest.raises(errors.Forbidden) as raised:
        await client.request("GET", "/api/v1/namespaces/default/secrets/x")
    assert [request.headers["Authorization"] for request in api.seen] == [f"Bearer {TOKEN}"] * 2
    assert TOKEN not in str(raised.value) + repr(client)


async def test_requests_that_are_refused_together_ask_for_one_new_token(api: ApiServer, tmp_path: Path) -> None:
    """A plugin that signs somebody in must not be run by each of them."""
    runs = tmp_path / "runs"
    plugin = f"""echo >> {runs}; n=$(wc -l < {runs})
        echo '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {{"token": "'token-$n'"}}}}'"""
    await (await api.client()).aclose()
    path = tmp_path / "kubeconfig"
    content = json.loads(path.read_text())
    content["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": ["-c", plugin],
            "interactiveMode": "Never",
        }
    }
    path.write_text(json.dumps(content))

    async def only_the_second(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        accepted = request.headers["Authorization"] == "Bearer token-2"
        return web.json_response({}, status=200 if accepted else 401)

    api.answer = only_the_second
    async with connected(kubeconfig=str(path)) as client:
        await asyncio.gather(*(client.request("GET", "/api/v1/namespaces/default/secrets/x") for _ in range(8)))
    assert runs.read_text().count("\n") == 2


async def test_what_the_guard_forbids_is_not_sent_and_reading_is_not_its_business(
    api: ApiServer, client: KubeClient
) -> None:
    def forbid() -> None:
        raise errors.NotLeading("not leading")

    path = "/apis/proxmox-offerings.io/v1alpha1/namespaces/default/offerings/x"
    async with connected(kubeconfig=str(api.directory / "kubeconfig"), guard=forbid) as guarded:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with pytest.raises(errors.NotLeading):
                await guarded.request(method, path, body={})
        await guarded.request("GET", path)
    assert [request.method for request in api.seen] == ["GET"]


async def test_the_guard_is_asked_again_when_there_is_a_connection(api: ApiServer, client: KubeClient) -> None:
    """Waiting for one may take seconds, and whoever was paused there may not write any more."""
    path = "/apis/proxmox-offerings.io/v1alpha1/namespaces/default/offerings/x"
    may = [True]

    def guard() -> None:
        if not may.pop():
            raise errors.NotLeading("not leading")

    async with connected(kubeconfig=str(api.directory / "kubeconfig"), guard=guard) as guarded:
        for reused in (False, True):
            may[:] = [False, True]
            with pytest.raises(errors.NotLeading):
                await guarded.request("PATCH", path, body={})
            if not reused:
                await guarded.request("GET", path)
    assert [request.method for request in api.seen] == ["GET"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [429, 503])
async def test_what_the_api_server_puts_off_is_asked_again_when_it_says_whatever_it_is(
    api: ApiServer, client: KubeClient, method: str, status: int
) -> None:
    loop, came = asyncio.get_running_loop(), []

    async def once(_: web.Request) -> web.StreamResponse:
        came.append(loop.time())
        if len(came) == 1:
            return web.json_response({}, status=status, headers={"Retry-After": "0.2"})
        return web.json_response({"done": True})

    api.answer = once
    body = None if method == "GET" else {}
    assert await client.request(method, "/apis/x/v1/namespaces/default/things/x", body=body) == {"done": True}
    assert len(came) == 2
    assert came[1] - came[0] >= 0.2


async def test_what_is_put_off_for_longer_than_an_answer_may_take_is_not_waited_for(api: ApiServer) -> None:
    """Whoever asked tries again in their own time."""

    async def never(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"Retry-After": "0.6"})

    api.answer = never
    client = await api.client(patience=1.5)
    with pytest.raises(errors.Unavailable):
        await client.request("GET", "/apis/x/v1/namespaces/default/things/x")
    assert len(api.seen) == 3  # 0.6 s twice; a third time would be too long
    await client.aclose()


async def test_no_more_requests_are_in_flight_than_the_api_server_answers_well(
    api: ApiServer, client: KubeClient
) -> None:
    in_flight, peak, full = 0, 0, asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        nonlocal in_flight, peak
        in_flight += 1
        peak = max(peak, in_flight)
        if in_flight == IN_FLIGHT:
            full.set()
        await full.wait()
        await asyncio.sleep(0.01)
        in_flight -= 1
        return web.json_response({})

    api.answer = slow
    await asyncio.gather(*(client.request("GET", "/apis/x/v1/things") for _ in range(5 * IN_FLIGHT)))
    assert peak == IN_FLIGHT


async def test_a_list_is_read_a_page_at_a_time_until_it_ends(api: ApiServer, client: KubeClient) -> None:
    there = [offering(f"offer-{number}") for number in range(1201)]

    async def page(request: web.Request) -> web.StreamResponse:
        begin = int(request.query.get("continue", "0"))
        end = begin + int(request.query["limit"])
        rest = {"continue": str(end)} if end < len(there) else {}
        return web.json_response({"items": there[begin:end], "metadata": {"resourceVersion": "7", **rest}})

    api.answer = page
    found, version = await Offerings(client).list("default")
    assert [one.ref.name for one in found] == [f"offer-{number}" for number in range(1201)]
    assert version == 7
    assert [request.query.get("continue") or None for request in api.seen] == [None, "500", "1000"]


def offering(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1", "generation": 1}
    return {"apiVersion": "proxmox-offerings.io/v1alpha1", "kind": "Offering", "metadata": metadata, "spec": {}}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../secrets/x", "a?watch=1", "a%2fb", "a b"])
def test_a_name_cannot_leave_its_place_in_the_path(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        path_of(prefix="/api/v1", plural="secrets", namespace="default", name=name)


def secret(**data: str) -> dict[str, Any]:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


async def test_the_secret_is_read_by_name_and_a_last_newline_is_no_part_of_it(
    api: ApiServer, client: KubeClient
) -> None:
    api.answers(secret(tokenID="ops@pve!reader\n", tokenSecret="11111111\n"))
    token = await Secrets(client).token("shop", "fra1-token")
    assert (token.id, token.secret) == ("ops@pve!reader", "11111111")
    assert [(request.method, request.path) for request in api.seen] == [
        ("GET", "/api/v1/namespaces/shop/secrets/fra1-token")
    ]


@pytest.mark.parametrize(
    ("body", "status", "hint"),
    [
        pytest.param({"message": "no"}, 404, "create it with the keys tokenID and tokenSecret", id="no Secret"),
        pytest.param({"message": "no"}, 403, "grant its service account", id="no right"),
        pytest.param({}, 200, "tokenID", id="empty"),
        pytest.param(secret(tokenID="ops@pve!reader"), 200, "tokenSecret", id="one key"),
        pytest.param({"data": {"tokenID": "%%%"}}, 200, "tokenID", id="not base64"),
        pytest.param(secret(tokenID="root", tokenSecret="hidden-7"), 200, "user@realm!name", id="not a token's name"),
    ],
)
async def test_a_secret_that_cannot_be_used_is_told_with_what_to_do(
    api: ApiServer, client: KubeClient, body: dict[str, Any], status: int, hint: str
) -> None:
    api.answers(body, status)
    with pytest.raises(CredentialsMissing, match=hint) as raised:
        await Secrets(client).token("shop", "fra1-token")
    assert "hidden-7" not in str(raised.value)
