"""The catalogue page as people meet it, in a real Chromium."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from browser.visitor import PHONE, Visitor
from proxmox_offerings.web.server import CatalogueServer
from support.storefront import HELSINKI, Shelf

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

Visit = Callable[..., Awaitable[Visitor]]
PAGES = ("/", "/hosts/", "/hosts/shop/fra1")
expect.set_options(timeout=15_000)


def crowd(shelf: Shelf) -> None:
    """Enough of everything, with names as long as they may be."""
    shelf.offer(
        "gpu",
        host="hel1",
        spec={
            "productType": "gpu",
            "gpu": {"count": 8, "models": ["*A100*"]},
            "location": HELSINKI,
            "displayName": "Graphics-workstation-with-an-uncommonly-long-name-without-any-blank",
            "memory": "1536Gi",
            "price": {"currency": "EUR", "monthly": "123456789.9900", "setup": "10.00"},
        },
        status={"gpu": {"name": "NVIDIA-A100-SXM4-80GB-with-a-long-name-too-x", "memory": "80Gi"}},
    )
    shelf.offer("dark", available=None, status={"message": "nobody can tell: pve1 shows no totals"})
    shelf.offer("late", available=99, seconds=-1)


async def test_filters_work_without_script(visit: Visit) -> None:
    me = await visit(java_script_enabled=False)
    await me.page.get_by_label("Stock").select_option("available")
    await me.page.get_by_label("Search").fill("LARGE")
    await me.page.get_by_role("button", name="Apply").click()
    await expect(me.names()).to_have_text(["fra1-large"])
    assert "stock=available" in me.page.url
    assert await me.page.get_by_label("Stock").input_value() == "available"
    await me.page.get_by_role("link", name="Clear").click()
    await expect(me.names()).to_have_count(3)


async def test_details_open_without_script(visit: Visit) -> None:
    me = await visit(java_script_enabled=False)
    details = me.row("fra1-small").locator("details")
    await details.locator("summary").click()
    await expect(details.get_by_text("AMD EPYC 7443 24-Core Processor")).to_be_visible()


async def test_filters_act_while_one_types(visit: Visit) -> None:
    """Without leaving the page or the field, and told to those who do not see it; the URL can be passed on."""
    me = await visit()
    search = me.page.get_by_label("Search")
    await search.focus()
    await search.press_sequentially("small")
    await expect(me.names()).to_have_text(["fra1-small"])
    await expect(search).to_be_focused()
    await expect(me.page.locator("#news")).to_contain_text("1 of 3 offerings")
    await expect(me.page).to_have_url(re.compile(r"\?q=small$"))
    await search.fill("nothing like it")
    await expect(me.page.get_by_text("No offering is like that.")).to_be_visible()
    await search.fill("")
    await expect(me.names()).to_have_count(3)
    await me.page.get_by_label("Stock").select_option("OutOfStock")
    await expect(me.names()).to_have_text(["fra1-huge"])
    await me.page.reload()
    await expect(me.names()).to_have_text(["fra1-huge"])
    await expect(me.page.get_by_label("Stock")).to_have_value("OutOfStock")


async def test_everything_is_reached_by_keyboard(visit: Visit) -> None:
    me = await visit()
    await me.page.keyboard.press("Tab")
    skip = me.page.get_by_role("link", name="Skip to the offerings")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await me.page.keyboard.press("Enter")
    await expect(me.page.locator("main")).to_be_focused()
    seen = set()
    for _ in range(12):
        await me.page.keyboard.press("Tab")
        focused = me.page.locator(":focus")
        seen.add(await focused.evaluate("element => element.id || element.textContent"))
        assert await focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
        if await focused.evaluate("element => element.tagName") == "SUMMARY":
            break
    assert {"f-q", "f-stock", "f-type", "f-country", "f-sort"} <= seen
    await me.page.keyboard.press("Enter")
    await expect(me.page.locator(".more details[open]")).to_have_count(1)


async def test_nothing_is_wider_than_the_window(visit: Visit, shelf: Shelf) -> None:
    crowd(shelf)
    me = await visit(viewport=PHONE)
    for path in PAGES:
        await me.goes_to(path)
        await me.opens_all()
        for width in (320, 360, 768, 1000, 1280):
            await me.page.set_viewport_size({"width": width, "height": 740})
            assert await me.overflow() <= 0, f"{path} at {width}"


async def test_on_a_phone_what_is_for_sale_comes_first(visit: Visit) -> None:
    """Without script, filters are simply there."""
    me = await visit(viewport=PHONE)
    await expect(me.names().first).to_be_in_viewport()
    await expect(me.page.get_by_label("Stock")).to_be_hidden()
    await me.page.get_by_text("Filter and sort").click()
    await me.page.get_by_label("Stock").select_option("OutOfStock")
    await expect(me.names()).to_have_text(["fra1-huge"])
    await expect(me.page.get_by_label("Stock")).to_be_visible()
    plain = await visit(viewport=PHONE, java_script_enabled=False)
    await expect(plain.page.get_by_label("Stock")).to_be_visible()


async def test_light_and_dark_follow_the_visitor(visit: Visit) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        me = await visit(color_scheme=scheme)
        colour = await me.page.evaluate("getComputedStyle(document.body).backgroundColor")
        grounds[scheme] = sum(map(int, re.findall(r"\d+", colour)))
    assert grounds["light"] > 600
    assert grounds["dark"] < 150


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark", "viewport": PHONE}], ids=["desk", "dark phone"])
async def test_assistive_technology_finds_nothing_to_stumble_over(
    visit: Visit, shelf: Shelf, options: dict[str, Any]
) -> None:
    crowd(shelf)
    me = await visit(**options)
    for path in PAGES:
        await me.goes_to(path)
        await me.opens_all()
        found = await Axe().run(me.page)
        worst = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical", "moderate")]
        assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in worst] == [], path


async def test_an_open_page_follows_the_stock(visit: Visit, shelf: Shelf) -> None:
    """In its place: what is open stays open, the focus stays, and what changed is told."""
    me = await visit()
    row = me.row("fra1-small")
    await row.locator("summary").click()
    await expect(row.locator("summary")).to_be_focused()
    shelf.offer("small", available=3)
    await expect(row.locator(".units")).to_have_text("3 left")
    await expect(row.locator("details")).to_have_attribute("open", "")
    await expect(row.locator("summary")).to_be_focused()
    await expect(me.page.locator("#news")).to_contain_text("Small (fra1): in stock, 3 left")
    shelf.offer("tiny", available=1)
    await expect(me.names()).to_have_text(["fra1-huge", "fra1-large", "fra1-small", "fra1-tiny"])
    await expect(me.page.locator("#count")).to_have_text("4 offerings")
    shelf.remove("fra1-large")
    await expect(me.names()).to_have_text(["fra1-huge", "fra1-small", "fra1-tiny"])


async def test_an_empty_catalogue_fills_without_a_reload(visit: Visit, shelf: Shelf) -> None:
    shelf.offerings.clear()
    shelf.host()
    me = await visit()
    await expect(me.page.get_by_text("Nothing is offered yet.")).to_be_visible()
    shelf.offer("small", available=1)
    await expect(me.names()).to_have_text(["fra1-small"])


async def test_nothing_outlives_its_end_while_the_server_is_dead(
    visit: Visit, shelf: Shelf, server: CatalogueServer
) -> None:
    shelf.offer("small", available=717, seconds=300)
    me = await visit(clock=timedelta())
    row = me.row("fra1-small")
    await expect(row.locator(".units")).to_have_text("717 left")
    await _dies(me, server)
    await me.page.clock.fast_forward(280_000)
    await expect(row.locator("time").first).to_have_text("4 min ago")
    await expect(row.locator(".units")).to_have_text("717 left")
    await me.page.clock.fast_forward(21_000)
    await expect(row.locator(".pill")).to_have_text("Unknown")
    await expect(row).not_to_contain_text("717")  # which no time contains
    await expect(row).not_to_contain_text("memory runs out first")
    await expect(me.page.locator("#summary .claim")).to_have_count(0)
    await expect(me.row("fra1-large").locator(".units")).to_have_text("2 left")
    await expect(me.page.locator("#liveness")).to_contain_text("has not answered")
    await expect(me.page.locator("#news")).to_contain_text("Small (fra1): unknown")


async def _dies(me: Visitor, server: CatalogueServer) -> None:
    """The server, for good; its clock was heard before."""
    await expect(me.page.locator("#liveness")).to_contain_text("Up to date")
    me.unanswered = True
    await server.stop()


@pytest.mark.parametrize("hours", [-3, 3])
async def test_a_visitors_wrong_clock_changes_nothing(
    visit: Visit, shelf: Shelf, server: CatalogueServer, hours: int
) -> None:
    shelf.offer("small", available=17, seconds=300)
    me = await visit(clock=timedelta(hours=hours))
    row = me.row("fra1-small")
    await expect(row.locator("time").first).to_have_text(re.compile(r"^\d+ s ago$"))
    await expect(row.locator(".units")).to_have_text("17 left")
    await _dies(me, server)
    await me.page.clock.fast_forward(301_000)
    await expect(row.locator(".pill")).to_have_text("Unknown")
    await expect(me.row("fra1-large").locator(".pill")).to_have_text("Low stock")


async def test_figures_of_a_host_end_too(visit: Visit, shelf: Shelf, server: CatalogueServer) -> None:
    me = await visit("/hosts/shop/fra1", clock=timedelta())
    await expect(me.page.get_by_text("46 of 184 committed")).to_be_visible()
    await expect(me.page.get_by_text("12 too many")).to_be_visible()
    await _dies(me, server)
    await me.page.clock.fast_forward(601_000)
    await expect(me.page.get_by_text("how full it is now is not known")).to_be_visible()
    await expect(me.page.get_by_text("committed")).to_have_count(0)


async def test_a_host_tells_how_full_it_is_and_why_nothing_is_sold(visit: Visit, shelf: Shelf) -> None:
    shelf.host(status={"nodes": _nodes(46)})
    me = await visit()
    await me.page.get_by_role("link", name="Hosts").click()
    await me.page.get_by_role("link", name="fra1").click()
    await expect(me.page.get_by_text("138 left")).to_be_visible()
    await expect(me.page.get_by_text("Not sold: it is in maintenance.")).to_be_visible()
    shelf.host(status={"nodes": _nodes(184)})
    await expect(me.page.get_by_text("184 of 184 committed")).to_be_visible()


def _nodes(committed: int) -> list[dict[str, Any]]:
    cpu = {"capacity": "184", "committed": str(committed), "headroom": str(184 - committed)}
    return [
        {"name": "pve1", "status": "Online", "cpu": cpu},
        {"name": "pve2", "status": "Maintenance", "excluded": "Maintenance"},
    ]


async def test_names_that_are_markup_do_nothing(visit: Visit, shelf: Shelf) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    shelf.offer(
        "odd",
        spec={"displayName": hostile},
        status={"message": hostile, "operatingSystems": [{"name": hostile, "template": 1}]},
    )
    me = await visit()
    await expect(me.row("fra1-odd").locator(".name")).to_have_text(hostile)
    shelf.offer("odd", available=4, spec={"displayName": hostile})
    await expect(me.row("fra1-odd").locator(".units")).to_have_text("4 left")
    await expect(me.page.locator("img")).to_have_count(0)


async def test_paper_has_no_controls(visit: Visit) -> None:
    me = await visit()
    await me.page.emulate_media(media="print")
    for what in (".filters", "nav", ".skip", ".liveness"):
        await expect(me.page.locator(what).first).to_be_hidden()
    await expect(me.row("fra1-small").locator(".pill")).to_be_visible()


async def test_a_page_that_nobody_looks_at_asks_nothing_and_is_right_when_it_is_looked_at(
    visit: Visit, shelf: Shelf
) -> None:
    me = await visit()
    await expect(me.page.locator("#liveness")).to_contain_text("Up to date")
    asked: list[str] = []
    me.page.on("request", lambda request: asked.append(request.url))
    await me.page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    asked.clear()
    await me.page.wait_for_timeout(700)
    assert asked == []
    shelf.offer("small", available=9)
    await me.page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: false, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    await expect(me.row("fra1-small").locator(".units")).to_have_text("9 left")
