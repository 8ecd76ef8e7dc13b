"""What is answered to whom: HTTP as visitors, caches and attackers see it."""

import asyncio
import gzip
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from proxmox_offerings.exports import FORMATS, Options, Provider
from proxmox_offerings.web import server as http
from proxmox_offerings.web.contents import Contents
from proxmox_offerings.web.frame import Look
from proxmox_offerings.web.offers import Reader
from support.storefront import TEMPLATE, Shelf, served

DETAILS = Look(title="Test Cloud", details=True)
PAGES = ("/", "/hosts/", "/hosts/shop/fra1")


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    shelf.host()
    shelf.offer("small", available=17)
    shelf.offer("large", available=2, stock="LowStock")
    return shelf


def at(server: http.CatalogueServer, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


async def get(web: aiohttp.ClientSession, url: str, **headers: str) -> tuple[aiohttp.ClientResponse, str]:
    async with web.get(url, headers=headers, allow_redirects=False) as response:
        body = await response.read()
        return response, (gzip.decompress(body) if response.headers.get("Content-Encoding") else body).decode()


async def raw(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_every_answer_has_the_strict_headers(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    async with served(shelf, look=DETAILS) as server:
        for path in (*PAGES, "/assets/page.css", "/assets/page.js", "/assets/icon.svg", "/nothing"):
            response, _ = await get(web, at(server, path))
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "aiohttp" not in response.headers["Server"]
            assert "Set-Cookie" not in response.headers
        await _refusals_have_them_too(web, server)


async def _refusals_have_them_too(web: aiohttp.ClientSession, server: http.CatalogueServer) -> None:
    async with web.post(at(server)) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert b"nosniff" in await raw(server.port, b"not http at all\r\n\r\n")


async def test_no_page_needs_what_the_policy_forbids(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    """No inline script or style, no handler in an attribute, nothing from elsewhere."""
    async with served(shelf, look=DETAILS) as server:
        for path in PAGES:
            _, page = await get(web, at(server, path))
            assert not re.search(r"<style|<script>|\son\w+=|\sstyle=|javascript:|https?://(?!www\.w3\.org)", page)


async def test_a_page_that_is_known_is_not_sent_again(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    async with served(shelf) as server:
        first, body = await get(web, at(server))
        again, nothing = await get(web, at(server), **{"If-None-Match": f'"other", {first.headers["ETag"]}'})
        assert (again.status, nothing) == (304, "")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert "Cache-Control" in again.headers
        strong = first.headers["ETag"].removeprefix("W/")
        assert (await get(web, at(server), **{"If-None-Match": strong}))[0].status == 304
        shelf.offer("small", available=16)
        other, changed = await get(web, at(server), **{"If-None-Match": first.headers["ETag"]})
        assert other.status == 200
        assert other.headers["ETag"] != first.headers["ETag"]
        assert body != changed
        assert ">16<" in changed


async def test_the_same_goods_make_the_same_page_on_each_replica(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    """Else each poll that meets another replica would be sent everything."""
    async with served(shelf) as one, served(shelf) as other:
        assert (await get(web, at(one)))[0].headers["ETag"] == (await get(web, at(other)))[0].headers["ETag"]


async def test_a_page_is_made_once_for_each_state(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    async with served(shelf) as server:
        for _ in range(5):
            await get(web, at(server))
        assert shelf.asked == 1
        shelf.offer("small", available=1)
        await asyncio.gather(*(get(web, at(server)) for _ in range(5)))
        assert shelf.asked == 2


async def test_caches_keep_nothing_beyond_its_end(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    def age(response: aiohttp.ClientResponse) -> int:
        found = re.fullmatch(r"public, max-age=(\d+), must-revalidate", response.headers["Cache-Control"])
        assert found
        return int(found[1])

    async with served(shelf) as server:
        assert age((await get(web, at(server)))[0]) == http.MOST_FRESH_SECONDS
        shelf.offer("small", seconds=4)
        assert age((await get(web, at(server)))[0]) <= 4


async def test_a_page_for_the_sellers_own_people_is_in_no_shared_cache(
    web: aiohttp.ClientSession, shelf: Shelf
) -> None:
    async with served(shelf, look=DETAILS) as server:
        assert (await get(web, at(server)))[0].headers["Cache-Control"].startswith("private")


async def test_what_has_ended_is_unknown_although_nothing_new_was_said(
    web: aiohttp.ClientSession, shelf: Shelf
) -> None:
    async with served(shelf, look=DETAILS) as server:
        _, page = await get(web, at(server))
        assert ">17<" in page
        first = (await get(web, at(server)))[0].headers["ETag"]
        shelf.clock.ahead = timedelta(seconds=601)
        response, page = await get(web, at(server), **{"If-None-Match": first})
        assert response.status == 200
        assert ">17<" not in page
        assert "2 unknown" in page
        assert "In stock</span>" not in page
        assert "memory runs out first" not in page
        _, host = await get(web, at(server, "/hosts/shop/fra1"))
        assert "committed" not in host
        assert "is not known" in host


async def test_what_is_said_of_another_spec_is_unknown(web: aiohttp.ClientSession) -> None:
    shelf = Shelf()
    shelf.offer("small", available=17, generation=2)
    async with served(shelf) as server:
        _, page = await get(web, at(server))
        assert ">17<" not in page
        assert "1 unknown" in page


async def test_without_script_a_page_reloads_as_soon_as_something_ends(web: aiohttp.ClientSession) -> None:
    shelf = Shelf()
    async with served(shelf) as server:
        for seconds, least, most in ((600, 30, 30), (20, 10, 21)):
            shelf.offer("small", seconds=seconds)
            _, page = await get(web, at(server))
            found = re.search(r'<noscript><meta http-equiv="refresh" content="(\d+)"></noscript>', page)
            assert found
            assert least <= int(found[1]) <= most


async def test_names_and_messages_of_others_are_text(web: aiohttp.ClientSession) -> None:
    hostile = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e"
    shelf = Shelf()
    node = {
        "name": hostile,
        "status": hostile,
        "cpuModel": hostile,
        "excluded": hostile,
        "gpus": [{"model": hostile, "total": 1}],
    }
    storage = {"name": hostile, "nodes": [hostile], "class": "nvme"}
    wrong = {
        "type": "Ready",
        "status": "False",
        "reason": "ConnectionFailed",
        "message": hostile,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    shelf.host(
        status={
            "nodes": [node],
            "storages": [storage],
            "conditions": [wrong],
            "proxmox": {"version": hostile, "clusterName": hostile, "quorate": True, "endpoint": hostile},
        }
    )
    shelf.offer(
        "small",
        spec={
            "displayName": hostile,
            "location": dict.fromkeys(("datacenter", "region", "city"), hostile),
            "gpu": {"count": 1, "models": [hostile]},
            "productType": "gpu",
        },
        status={
            "message": hostile,
            "nodes": [{"name": hostile, "available": 5}],
            "operatingSystems": [{"name": hostile, "template": 1}],
            "processor": {"models": [hostile], "brand": hostile},
            "storage": {"names": [hostile]},
            "gpu": {"name": hostile},
        },
    )
    async with served(shelf, look=Look(title=hostile, details=True)) as server:
        for path in (*PAGES, "/?q=%3Cscript%3E%22%27&gpu=%3Cscript%3E&country=%3C%22"):
            response, page = await get(web, at(server, path))
            assert response.status == 200
            assert "<img" not in page
            assert page.count("<script") == 1
            assert "\u202e" not in page, "a direction of writing would turn the rest of the line around"


async def test_the_public_page_shows_nothing_of_the_cluster(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    wrong = {
        "type": "Ready",
        "status": "False",
        "reason": "PrivilegesMissing",
        "message": "token offerings@pve!reader lacks VM.Audit",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    shelf.host(status={"conditions": [wrong]})
    shelf.offer(
        "dark", available=None, status={"message": "nobody can tell: pve1 shows no totals", "conditions": [wrong]}
    )
    async with served(shelf) as server:
        _, page = await get(web, at(server))
        assert "Small" in page
        for secret in (
            "pve1",
            "local-lvm",
            "VM.Audit",
            "reader",
            "endpoint",
            "secret",
            str(TEMPLATE),
            "shows no totals",
        ):
            assert secret not in page
        for path in PAGES[1:]:
            assert (await get(web, at(server, path)))[0].status == 404


async def test_no_page_shows_endpoints_or_tokens(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    async with served(shelf, look=DETAILS) as server:
        for path in PAGES:
            _, page = await get(web, at(server, path))
            assert "secret" not in page
            assert "VM.Audit" not in page


async def test_head_is_get_without_the_body(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    async with served(shelf) as server:
        for path in ("/", "/assets/page.css", "/nothing"):
            full, _ = await get(web, at(server, path))
            async with web.head(at(server, path)) as head:
                assert await head.read() == b""
                assert head.status == full.status
                assert {**head.headers, "Date": ""} == {**full.headers, "Date": ""}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
async def test_nothing_but_reading_is_permitted(shelf: Shelf, method: str) -> None:
    async with served(shelf) as server:
        answer = await raw(server.port, f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert re.match(rb"HTTP/1.[01] 40[05] ", answer)
        if b" 405 " in answer:
            assert b"Allow: GET, HEAD" in answer


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", id="a body"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", id="chunks"
        ),
        pytest.param(b"GET /?" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="a long line"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 5000 + b"\r\n\r\n", id="a long header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 200 + b"\r\n", id="many headers"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", id="TLS"),
    ],
)
async def test_a_request_has_bounds(shelf: Shelf, request_: bytes) -> None:
    """And none is quoted in the answer, nor is the connection kept."""
    async with served(shelf) as server:
        answer = await raw(server.port, request_)
        assert re.match(rb"HTTP/1.[01] 4\d\d ", answer)
        assert b"aaaa" not in answer


async def test_connections_have_a_number(shelf: Shelf) -> None:
    counted: Counter[str] = Counter()
    async with served(shelf, visited=lambda page, result: counted.update([f"{page} {result}"])) as server:
        open_ = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(http.MOST_CONNECTIONS)]
        try:
            assert (await raw(server.port, b"")).startswith(b"HTTP/1.1 503 ")
            assert counted == {"other 5xx": 1}
        finally:
            for _, writer in open_:
                writer.close()
        async with asyncio.timeout(10):
            while not (await raw(server.port, b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 200 "):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../server.py",
        "/assets/..%2fserver.py",
        "/assets/%2e%2e/server.py",
        "/assets//etc/passwd",
        "/assets/",
        "/assets/__init__.py",
        "/../../etc/passwd",
        "//evil.example/",
        "/hosts/../secret",
        "/hosts/shop/nobody",
        "/hosts/shop/fra1/",
        "/%00",
        "/index.html",
    ],
)
async def test_no_path_leads_anywhere_else(shelf: Shelf, path: str) -> None:
    async with served(shelf, look=DETAILS) as server:
        answer = await raw(
            server.port, f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode()
        )
        assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert b"evil" not in answer
        assert b"Location" not in answer


async def test_the_host_header_is_not_reflected(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    async with served(shelf, look=DETAILS) as server:
        for path in PAGES:
            response, page = await get(
                web, at(server, path), Host="evil.example", **{"X-Forwarded-Host": "evil.example"}
            )
            assert response.status == 200
            assert "evil" not in page
            assert "evil" not in str(response.headers)


async def test_a_page_of_elsewhere_cannot_read_the_one_on_this_machine(
    web: aiohttp.ClientSession, shelf: Shelf
) -> None:
    """A name of the attacker's that leads to 127.0.0.1 comes with that name."""
    async with served(shelf, only_for=frozenset({"127.0.0.1", "localhost", "[::1]"})) as server:
        for name, status in (
            ("127.0.0.1:80", 200),
            ("localhost", 200),
            ("[::1]:80", 200),
            ("[::1]", 200),
            ("evil.example:80", 421),
            ("", 421),
        ):
            response, page = await get(web, at(server), Host=name)
            assert response.status == status
            assert "evil" not in page


async def test_before_anything_is_known_nothing_is_said(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    """An empty catalogue would be a false one."""
    shelf.known = False
    async with served(shelf) as server:
        response, page = await get(web, at(server))
        assert response.status == 503
        assert "Retry-After" in response.headers
        assert response.headers["Cache-Control"] == "no-store"
        assert "Nothing is offered" not in page
        shelf.known = True
        assert (await get(web, at(server)))[0].status == 200


async def test_the_date_is_the_one_that_statements_end_by(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    """An open page takes its clock from there."""
    shelf.clock.ahead = timedelta(hours=5)
    async with served(shelf) as server:
        response, _ = await get(web, at(server))
        off = abs(parsedate_to_datetime(response.headers["Date"]) - shelf.clock.now())
        assert off < timedelta(seconds=10)


async def test_compressed_for_those_who_can_read_it(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    async with served(shelf) as server:
        plain, body = await get(web, at(server), **{"Accept-Encoding": "identity, gzip;q=0"})
        packed, same = await get(web, at(server), **{"Accept-Encoding": "br, gzip;q=0.8"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert body == same
        assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
        assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 2


async def test_assets_are_kept_for_ever_under_their_version_alone(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    async with served(shelf) as server:
        _, page = await get(web, at(server))
        references = re.findall(r'(?:href|src)="\./(assets/[^"]+)"', page)
        assert len(references) == 3
        for reference in references:
            kept, _ = await get(web, at(server, f"/{reference}"))
            assert "immutable" in kept.headers["Cache-Control"]
            old, _ = await get(web, at(server, f"/{reference[:-1]}"))
            assert old.status == 200, "an open page of the version before still finds its style"
            assert old.headers["Cache-Control"] == "no-cache"


async def test_large_catalogues_are_shown_in_pages(web: aiohttp.ClientSession) -> None:
    shelf = Shelf()
    for number in range(250):
        shelf.offer(f"t-{number}")
    async with served(shelf) as server:
        pages = [(await get(web, at(server, f"/?page={number}&q=t")))[1] for number in (1, 2, 3, 9)]
        counts = [page.count('<tbody id="offer.') for page in pages]
        assert counts == [100, 100, 50, 50]
        assert 'href="?q=t&amp;page=2" rel="next"' in pages[0]
        assert 'href="?q=t&amp;page=2" rel="prev"' in pages[2]
        assert all("250 of 250 offerings" in page for page in pages)


async def test_an_offering_of_a_newer_version_does_not_hide_the_others(
    web: aiohttp.ClientSession, shelf: Shelf
) -> None:
    shelf.offer("odd", spec={"cpu": "many"})
    shelf.offer("strange", status={"stock": "Plenty", "available": 1000})
    async with served(shelf) as server:
        _, page = await get(web, at(server))
        assert "fra1-small" in page
        assert "fra1-odd" not in page
        assert "fra1-strange" in page
        assert ">1000<" not in page
        assert "1 unknown" in page


async def test_many_who_ask_for_the_same_wait_for_one_answer(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    """After each change, everybody who has the page open asks at once."""
    async with served(shelf) as server:
        answers = await asyncio.gather(*(get(web, at(server)) for _ in range(80)))
        assert {response.status for response, _ in answers} == {200}
        assert shelf.asked == 1


async def test_who_asks_for_ever_new_pages_is_refused_and_others_are_served(
    web: aiohttp.ClientSession, shelf: Shelf
) -> None:
    async with served(shelf) as server:
        answers = await asyncio.gather(*(get(web, at(server, f"/?q={number}")) for number in range(80)))
        by_status = Counter(response.status for response, _ in answers)
        assert set(by_status) == {200, 503}
        assert all(response.headers["Retry-After"] for response, _ in answers if response.status == 503)
        assert (await get(web, at(server)))[0].status == 200


async def test_a_server_that_is_stopped_leaves_nothing_behind(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    """Neither while it makes a page for visitors who are gone."""
    before = asyncio.all_tasks()
    async with served(shelf) as server:
        for number in range(10):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"GET /?q={number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            writer.close()
        await get(web, at(server))
    assert {task.get_name() for task in asyncio.all_tasks() - before if "catalogue" in task.get_name()} == set()


EXPORTS = ("/catalogue.json", "/decent-cloud-offerings.csv", "/.well-known/decent-cloud-offerings.json")


@pytest.mark.parametrize("path", EXPORTS)
async def test_exports_are_served_as_pages_are(web: aiohttp.ClientSession, shelf: Shelf, path: str) -> None:
    """The same bytes as `export` writes, with everything that holds for a page."""
    look = Look(title="Test Cloud", website="https://cloud.example", support_email="help@cloud.example")
    async with served(shelf, look=look) as server:
        response, body = await get(web, at(server, path))
        form = next(form for form in FORMATS.values() if form.path == path)
        offers = [offer.resource for offer in Reader().read(shelf.contents()).offers]
        provider = Provider(name="Test Cloud", website="https://cloud.example", support_email="help@cloud.example")
        assert body == form.render(offers, now=shelf.clock.now(), options=Options(provider=provider)).body.decode()
        assert response.headers["Content-Type"] == form.content_type
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert (await get(web, at(server, path), **{"If-None-Match": response.headers["ETag"]}))[0].status == 304
        shelf.clock.ahead = timedelta(seconds=601)
        assert (await get(web, at(server, path), **{"If-None-Match": response.headers["ETag"]}))[0].status == 200


async def test_exports_say_in_stock_only_what_still_holds(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    async with served(shelf) as server:
        assert '"forSale": true' in (await get(web, at(server, EXPORTS[0])))[1]
        shelf.clock.ahead = timedelta(seconds=601)
        assert '"forSale": true' not in (await get(web, at(server, EXPORTS[0])))[1]


async def test_a_link_to_the_seller_cannot_be_a_script(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    look = Look(website="javascript:alert(1)", support_email='a@b.example?cc="<script>')
    async with served(shelf, look=look) as server:
        _, page = await get(web, at(server))
        assert "javascript:" not in page
        assert 'href="mailto:a@b.example%3Fcc%3D%22%3Cscript%3E"' in page


async def test_visits_are_counted_by_few_words_whatever_visitors_ask_for(
    web: aiohttp.ClientSession, shelf: Shelf
) -> None:
    counted: Counter[str] = Counter()
    async with served(shelf, visited=lambda page, result: counted.update([f"{page} {result}"])) as server:
        first, _ = await get(web, at(server))
        await get(web, at(server), **{"If-None-Match": first.headers["ETag"]})
        for path in (
            "/?q=x",
            "/catalogue.json",
            "/assets/page.css",
            "/assets/none",
            "/hosts/",
            "/hosts/a/b",
            "/x",
            "/y",
        ):
            await get(web, at(server, path))
        async with web.post(at(server)):
            pass
        await raw(server.port, b"not http at all\r\n\r\n")
    assert counted == {
        "offerings 2xx": 2,
        "offerings 3xx": 1,
        "offerings 4xx": 1,
        "export 2xx": 1,
        "asset 2xx": 1,
        "asset 4xx": 1,
        "hosts 4xx": 2,
        "other 4xx": 3,
    }


class Broken(Shelf):
    def contents(self) -> Contents:
        raise RuntimeError("there is a mistake")


async def test_visits_that_fail_are_counted_too(web: aiohttp.ClientSession, shelf: Shelf) -> None:
    """Those that whoever runs the page has to know of: nothing known yet, a mistake of ours."""
    counted: Counter[str] = Counter()
    broken = Broken()
    broken.host()
    shelf.known = False
    for source in (shelf, broken):
        async with served(source, visited=lambda page, result: counted.update([f"{page} {result}"])) as server:
            await get(web, at(server))
    assert counted == {"offerings 5xx": 2}


async def test_visitors_who_hang_up_are_counted_as_that_and_are_no_error(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    counted: Counter[str] = Counter()
    let_go = threading.Event()
    # Pages are made in threads: while the only one is taken, none is.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    holding = asyncio.create_task(asyncio.to_thread(let_go.wait, 60))
    async with (
        asyncio.timeout(60),
        served(shelf, visited=lambda page, result: counted.update([f"{page} {result}"])) as server,
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while not shelf.asked:
            await asyncio.sleep(0.01)
        writer.transport.abort()
        (connection,) = server._runner.server.connections
        while connection.transport is not None:
            await asyncio.sleep(0.01)
        let_go.set()
        while not counted:
            await asyncio.sleep(0.01)
    await holding
    assert counted == {"offerings cut": 1}
    assert "failed" not in capsys.readouterr().out, "anybody could fill the log"
