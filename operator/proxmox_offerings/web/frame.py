"""What all pages have in common: head, navigation, and how they refer to each other."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from proxmox_offerings.exports import FORMATS
from proxmox_offerings.web.assets import reference
from proxmox_offerings.web.html import Child, Html, document, join, tag

RELOAD_SECONDS: Final = 30
"""How often a page without script reloads itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What whoever serves the page decides: `details` shows nodes, hosts and reasons, which are for the seller's own people."""

    title: str = "Catalogue"
    website: str | None = None
    support_email: str | None = None
    details: bool = False
    poll_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a page is made, and until when what it says stays as it is."""

    now: datetime
    soonest_end: datetime | None

    @property
    def reload_seconds(self) -> int:
        """For a page without script: in its rhythm, or as soon as something on it ends."""
        if self.soonest_end is None:
            return RELOAD_SECONDS
        return min(RELOAD_SECONDS, max(1, int((self.soonest_end - self.now).total_seconds()) + 1))


def page(
    *main: Child, title: str, here: str, up: str, look: Look, moment: Moment, skip: str = "Skip to the offerings"
) -> str:
    """A whole page. `here`: which entry of the navigation it is; `up`: the way to the root, "./" or "../../"."""
    root = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", f"{title} · {look.title}"),
            tag("link", rel="icon", type="image/svg+xml", href=up + reference("icon.svg")),
            tag("link", rel="stylesheet", href=up + reference("page.css")),
            tag("script", src=up + reference("page.js"), defer=True),
            tag("noscript", tag("meta", http_equiv="refresh", content=moment.reload_seconds)),
        ),
        tag(
            "body",
            tag("a", skip, href="#main", class_="skip"),
            tag(
                "header",
                tag("a", LOGO, tag("span", look.title), href=up, class_="brand"),
                _navigation(here, up, look),
                class_="top",
            ),
            tag("main", *main, id="main", tabindex=-1, data_poll=str(round(look.poll_seconds * 1000))),
            tag(
                "footer",
                _liveness(),
                _elsewhere(up, look),
            ),
            tag("p", role="status", id="news", class_="unseen"),
        ),
        lang="en",
    )
    return document(root)


def _navigation(here: str, up: str, look: Look) -> Html | None:
    if not look.details:
        return None
    entries = (("Offerings", up), ("Hosts", f"{up}hosts/"))
    links = [tag("a", name, href=href, aria_current="page" if name == here else None) for name, href in entries]
    return tag("nav", *links, aria_label="Pages")


def _liveness() -> Html:
    return tag(
        "p",
        tag("span", class_="pulse", aria_hidden="true"),
        tag("span", "Reload the page to see what is new.", id="liveness"),
        class_="liveness",
    )


def _elsewhere(up: str, look: Look) -> Html:
    """The same as data, and who sells it."""
    links = [
        tag("a", "JSON", href=up + FORMATS["json"].path.removeprefix("/")),
        tag("a", "CSV", href=up + FORMATS["csv"].path.removeprefix("/")),
    ]
    if look.website and look.website.startswith(("https://", "http://")):
        links.append(tag("a", "Website", href=look.website, rel="noopener"))
    if look.support_email:
        links.append(tag("a", look.support_email, href=f"mailto:{quote(look.support_email, safe='@')}"))
    return tag("ul", *(tag("li", link) for link in links), class_="inline", aria_label="Elsewhere")


LOGO: Final = tag(
    "svg",
    tag("rect", x="2", y="3", width="20", height="5", rx="1.5"),
    tag("rect", x="2", y="10", width="14", height="5", rx="1.5"),
    tag("rect", x="2", y="17", width="8", height="5", rx="1.5"),
    viewBox="0 0 24 24",
    aria_hidden="true",
    class_="logo",
)


def bar(part: float, *, level: str) -> Html:
    """How full something is, from 0 to 1; for the eye alone, its figures stand beside it."""
    width = f"{min(max(part, 0.0), 1.0) * 100:.1f}"
    return tag(
        "svg",
        tag("rect", class_="track", width="100", height="8"),
        tag("rect", class_=f"fill {level}", width=width, height="8"),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
        class_="bar",
    )


def facts(*rows: tuple[str, Child]) -> Html:
    """A list of names and values; what has no value is left out."""
    shown = ((name, value) for name, value in rows if value not in (None, "", ()))
    return tag("dl", (join(tag("dt", name), tag("dd", value)) for name, value in shown), class_="facts")
