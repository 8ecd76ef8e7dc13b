"""How long kopf's session goes on trying, and how often; what it lets through to kopf, and how it notices that kopf asks no more."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from yarl import URL

from proxmox_offerings.controller.contact import Contact
from proxmox_offerings.controller.live import LiveObjects
from proxmox_offerings.controller.streams import Patience, Streams
from proxmox_offerings.kube.client import KubeClient
from proxmox_offerings.kube.objects import LiveObject
from unit.controller.virtual_time import elapsed, run

ROOT = "https://api.example.net/apis"
GROUP = f"{ROOT}/proxmox-offerings.io/v1alpha1"
WATCH = f"{GROUP}/offerings?watch=true"
OBJECT = {
    "metadata": {"name": "fra1-small", "namespace": "default", "uid": "1", "resourceVersion": "7"},
    "spec": {"hostRef": {"name": "fra1"}},
}
LIST = {"metadata": {"resourceVersion": "9"}, "items": [OBJECT]}
GROUPS = {
    "groups": [
        {"name": "apps"},
        {
            "name": "proxmox-offerings.io",
            "versions": [{"version": "v1alpha1"}],
            "preferredVersion": {"version": "v1alpha1"},
        },
    ]
}
RESOURCES = {
    "resources": [
        {"name": name, "kind": kind, "singularName": "", "namespaced": True}
        for name, kind in (("proxmoxhosts", "ProxmoxHost"), ("offerings", "Offering"))
    ]
}
Server = Callable[[Any], Awaitable[Any]]


class Client:
    """Who has a token, or else a certificate, and nothing else."""

    def __init__(self, token: str | None = "1111") -> None:
        self._token = token

    async def authorization(self) -> str | None:
        return f"Bearer {self._token}" if self._token else None

    async def renew(self, *, refused: str | None) -> None:
        assert refused == await self.authorization()


class Kopf:
    """Asks as kopf does. `moments` are those of the attempts that its session makes of it."""

    def __init__(self, client: Client | None = None, *, live: LiveObjects | None = None) -> None:
        self.contact = Contact(clock=elapsed)
        self.abandoned: list[tuple[float, str]] = []
        self.moments: list[float] = []
        self.streams = Streams(
            client=cast("KubeClient", client or Client()),
            contact=self.contact,
            namespaces=(None,),
            ear=live or LiveObjects(),
            relisted=lambda: None,
            abandoned=lambda what: self.abandoned.append((elapsed(), what)),
            patience=Patience(),
        )

    async def get(self, url: str, server: Server) -> Any:
        async def counted(request: Any) -> Any:
            self.moments.append(elapsed())
            return await server(request)

        request = SimpleNamespace(url=URL(url), headers={})
        return await self.streams(cast("aiohttp.ClientRequest", request), counted)


def answer(
    request: Any, content: Any = b"", *, status: int = 200, headers: dict[str, str] | None = None
) -> SimpleNamespace:
    """As aiohttp gives it."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    async def read() -> bytes:
        return body

    chunks = [body]

    async def readany() -> bytes:
        return chunks.pop() if chunks else b""

    stream = SimpleNamespace(readany=readany, read=read)
    return SimpleNamespace(
        status=status, read=read, headers=headers or {}, content=stream, url=request.url, close=lambda: None
    )


def test_an_api_server_that_is_away_for_ten_minutes_is_asked_without_end_and_not_hammered() -> None:
    async def main() -> tuple[Kopf, float]:
        kopf = Kopf()
        lost = 0.0

        async def server(request: Any) -> Any:
            nonlocal lost
            lost = kopf.contact.lost_seconds
            if elapsed() < 600:
                raise aiohttp.ClientConnectionError
            return answer(request)

        assert (await kopf.get(WATCH, server)).status == 200
        return kopf, lost

    kopf, lost = run(main())
    gaps = [later - earlier for earlier, later in pairwise(kopf.moments)]
    assert 600 <= kopf.moments[-1] <= 610
    assert lost >= 600
    assert 60 <= len(kopf.moments) <= 90
    assert max(gaps) <= 10
    assert len(set(gaps[8:])) == len(gaps[8:]), "in step with others"


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("7", 7, 7), pytest.param("3600", 10, 10, id="an hour is longer than anybody waits"), ("tomorrow", 0, 1)],
)
def test_retry_after_is_respected_within_reason(asked: str, least: float, most: float) -> None:
    async def main() -> list[float]:
        kopf = Kopf()

        async def server(request: Any) -> Any:
            busy = len(kopf.moments) == 1
            return answer(request, status=429, headers={"Retry-After": asked}) if busy else answer(request)

        await kopf.get(WATCH, server)
        return kopf.moments

    first, second = run(main())
    assert least <= second - first <= most


@pytest.mark.parametrize("token", ["1111", None])
def test_connection_whose_certificate_was_refused_is_not_used_again(token: str | None) -> None:
    """Else a certificate that was replaced would never be shown. A token needs no other connection."""

    async def main() -> list[bool]:
        kopf = Kopf(Client(token))
        closes: list[bool] = []

        async def server(request: Any) -> Any:
            closes.append(request.headers.get("Connection") == "close")
            return answer(request, status=401 if len(closes) == 1 else 200)

        await kopf.get(WATCH, server)
        return closes

    assert run(main()) == [False, token is None]


@pytest.mark.parametrize(
    ("url", "right", "wrong"),
    [
        pytest.param(ROOT, GROUPS, wrong, id=f"groups: {json.dumps(wrong)[:50]}")
        for wrong in ([], {}, {"groups": None}, {"groups": ["a"]}, {"groups": [{"name": "proxmox-offerings.io"}]})
    ]
    + [
        pytest.param(GROUP, RESOURCES, wrong, id=f"resources: {json.dumps(wrong)[:50]}")
        for wrong in (None, {"resources": 7}, {"resources": [{"name": "offerings"}, {"name": "proxmoxhosts"}]})
    ]
    + [
        pytest.param(f"{GROUP}/offerings", LIST, wrong, id=f"list: {json.dumps(wrong)[:50]}")
        for wrong in (
            [],
            "busy",
            {"items": []},
            LIST | {"items": None},
            LIST | {"items": [{}]},
            LIST | {"items": [{"metadata": {}}]},
            LIST | {"items": [OBJECT | {"spec": ["x"]}]},
            LIST | {"metadata": {"resourceVersion": "new"}},
        )
    ],
)
def test_json_of_another_shape_is_not_for_kopf(url: str, right: Any, wrong: Any) -> None:
    """It would end with a stack trace."""

    async def main() -> Kopf:
        kopf = Kopf()

        async def server(request: Any) -> Any:
            return answer(request, wrong if len(kopf.moments) < 3 else right)

        assert json.loads(await (await kopf.get(url, server)).content.read()) == right
        return kopf

    assert len(run(main()).moments) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"type": "ADDED"},
        {"type": "ADDED", "object": []},
        {"type": "MODIFIED", "object": {"metadata": {"name": "x"}}},
        {"type": "BOOKMARK", "object": {"metadata": {}}},
        {"type": "ERROR", "object": "no"},
        {"type": "RENAMED", "object": OBJECT},
    ],
    ids=json.dumps,
)
def test_line_that_is_no_event_ends_the_watch_in_good_order(wrong: Any) -> None:
    """What came before it is told; then kopf lists again."""

    async def main() -> list[Any]:
        async def server(request: Any) -> Any:
            lines = ({"type": "ADDED", "object": OBJECT}, wrong, {"type": "DELETED", "object": OBJECT})
            return answer(request, b"\n".join(json.dumps(line).encode() for line in lines) + b"\n")

        watch = await Kopf().get(WATCH, server)
        return [json.loads(line) async for line in watch.content.iter_chunked(1)]

    first, last = run(main())
    assert first == {"type": "ADDED", "object": OBJECT}
    assert (last["type"], last["object"]["code"]) == ("ERROR", 410)


def test_kopf_is_told_what_is_news_and_no_echo_of_our_own_writes() -> None:
    def version(number: int, name: str = "fra1-small") -> dict[str, Any]:
        return OBJECT | {"metadata": OBJECT["metadata"] | {"name": name, "resourceVersion": str(number)}}

    echoes = [{"type": kind, "object": version(number)} for kind in ("ADDED", "MODIFIED") for number in (6, 7)]
    news = [
        {"type": "MODIFIED", "object": version(8)},
        {"type": "ADDED", "object": version(7, "fra1-large")},
        {"type": "DELETED", "object": version(7)},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}},
    ]

    async def main() -> list[Any]:
        live = LiveObjects()
        live.saw_offering(LiveObject.of(OBJECT))
        live.saw_host(LiveObject.of(version(99, "fra1-large")))  # of a name that an Offering has, too

        async def server(request: Any) -> Any:
            return answer(request, b"".join(json.dumps(line).encode() + b"\n" for line in echoes + news))

        watch = await Kopf(live=live).get(WATCH, server)
        return [json.loads(line) async for line in watch.content.iter_chunked(1)]

    assert run(main()) == news


def test_kopf_lists_what_is_news() -> None:
    """It would look at each of ten thousand objects that were listed right before, and remember them."""
    newer = {"metadata": OBJECT["metadata"] | {"name": "fra1-large", "resourceVersion": "8"}}

    async def main() -> Any:
        live = LiveObjects()
        live.saw_offering(LiveObject.of(OBJECT))

        async def server(request: Any) -> Any:
            return answer(request, {"kind": "OfferingList"} | LIST | {"items": [OBJECT, newer]})

        return json.loads(await (await Kopf(live=live).get(f"{GROUP}/offerings", server)).content.read())

    assert run(main()) == {"kind": "OfferingList"} | LIST | {"items": [newer]}


@pytest.mark.parametrize("url", [f"{GROUP}/offerings", WATCH])
def test_kind_that_nobody_goes_on_to_watch_is_noticed(url: str) -> None:
    async def main() -> None:
        kopf = Kopf()

        async def server(request: Any) -> Any:
            return answer(request, b"" if "watch" in request.url.query else LIST)

        for _ in range(3):
            whole = await kopf.get(url, server)
            if "watch" in url:
                assert [line async for line in whole.content.iter_chunked(1)] == []
            await asyncio.sleep(200)
        assert kopf.abandoned == []
        await asyncio.sleep(200)
        assert [what for _, what in kopf.abandoned] == ["watch of offerings"]

    run(main())


def test_kind_that_is_asked_for_in_vain_is_not_abandoned() -> None:
    """As long as kopf waits for an answer it is there."""

    async def main() -> None:
        kopf = Kopf()

        async def server(request: Any) -> Any:
            if elapsed() < 3600:
                raise aiohttp.ClientConnectionError
            return answer(request)

        await kopf.get(WATCH, server)
        assert kopf.abandoned == []

    run(main())


def test_watch_that_somebody_gave_up_while_it_was_called_is_noticed() -> None:
    async def main() -> None:
        kopf = Kopf()

        async def server(_: Any) -> Any:
            raise aiohttp.ClientConnectionError

        asking = asyncio.create_task(kopf.get(WATCH, server))
        await asyncio.sleep(600)
        asking.cancel()
        await asyncio.sleep(301)
        assert [what for _, what in kopf.abandoned] == ["watch of offerings"]

    run(main())
