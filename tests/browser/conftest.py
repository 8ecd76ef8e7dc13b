"""One Chromium for the session, and visitors in it."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from tools.browser import NoBrowser, arguments, chromium

from browser.visitor import DESK, Visitor
from proxmox_offerings.web.frame import Look
from proxmox_offerings.web.server import CatalogueServer
from support.storefront import Shelf, served

QUICK = Look(title="Test Cloud", details=True, poll_seconds=0.2)
PATIENCE = 15_000
"""Milliseconds that a condition may take on a busy machine."""

Visit = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    try:
        program = chromium()
    except NoBrowser as problem:
        if os.environ.get("CI"):
            pytest.fail(f"the page cannot be tested: {problem}")
        pytest.skip(str(problem))
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=arguments())
        yield started
        await started.close()


@pytest.fixture
def shelf() -> Shelf:
    """Three Offerings and their host."""
    shelf = Shelf()
    shelf.host()
    shelf.offer("small", available=17)
    shelf.offer("large", available=2, stock="LowStock")
    shelf.offer("huge", available=0)
    return shelf


@pytest_asyncio.fixture(loop_scope="session")
async def server(shelf: Shelf) -> AsyncIterator[CatalogueServer]:
    async with served(shelf, look=QUICK) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, server: CatalogueServer) -> AsyncIterator[Visit]:
    """Opens a page as somebody new, with options of a browser's context; at the end, nothing must have gone wrong.

    `clock`: how much that of the visitor's machine is ahead; then tests can let time pass there (`page.clock.fast_forward`).
    """
    visitors: list[Visitor] = []
    async with AsyncExitStack() as stack:

        async def come(path: str = "/", *, clock: timedelta | None = None, **options: Any) -> Visitor:
            context = await browser.new_context(**{"viewport": DESK, **options})
            stack.push_async_callback(context.close)
            if clock is not None:
                await context.clock.install(time=datetime.now(UTC) + clock)
            context.set_default_timeout(PATIENCE)
            visitor = Visitor(context=context, page=await context.new_page(), port=server.port)
            visitor.watch()
            visitors.append(visitor)
            await visitor.goes_to(path)
            return visitor

        yield come
    assert [problem for visitor in visitors for problem in visitor.problems] == []
