"""Somebody who visits a page in a real browser, and notices what must not happen on any: errors, and requests to elsewhere."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Locator, Page, Request

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


@dataclass(kw_only=True)
class Visitor:
    """`problems` must be empty at the end; `unanswered`: a dead server is part of the story."""

    context: BrowserContext
    page: Page
    port: int
    problems: list[str] = field(default_factory=list)
    unanswered: bool = False

    def watch(self) -> None:
        """Notice everything from now on."""
        self.page.on("console", lambda told: self._complain(told.type, told.text))
        self.page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        self.page.on("request", self._asked)

    async def goes_to(self, path: str = "/") -> None:
        """Opens a page, and has seen it answer its first poll."""
        await self.page.goto(f"http://127.0.0.1:{self.port}{path}")

    def row(self, name: str) -> Locator:
        """The rows of an Offering."""
        return self.page.locator(f'[id="offer.shop.{name}"]')

    def names(self) -> Locator:
        """The names of all Offerings that are shown."""
        return self.page.locator("tbody th .below bdi")

    async def opens_all(self) -> None:
        """Opens all details."""
        closed = self.page.locator("details:not([open]) > summary")
        while await closed.count():
            await closed.first.click()

    async def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        found = await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return int(found)

    def _complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not (self.unanswered and "Failed to load resource" in text):
            self.problems.append(f"{kind}: {text}")

    def _asked(self, request: Request) -> None:
        where = urlsplit(request.url)
        if (where.hostname, where.port) != ("127.0.0.1", self.port):
            self.problems.append(f"asked for {request.url}")
