"""The documentation's site: its links hold on GitHub and in the site, no page is lost, and nothing is fetched from elsewhere."""

import re
from pathlib import Path

import pytest
from tools.site.build import fetched, navigation
from tools.site.pages import ELSEWHERE, ROOT, SiteError, file_page, parts, rewritten, sources

from proxmox_offerings.controller.reasons import HostReason, OfferingReason

DOCS = ROOT / "docs"


def moved(text: str, *, source: str, page: str) -> tuple[str, list[str]]:
    shown: list[str] = []
    return rewritten(text, source=source, page=page, show=shown.append), shown


@pytest.mark.parametrize(
    ("link", "becomes"),
    [
        ("[a](../reference/metrics.md#x)", "[a](../reference/metrics.md#x)"),
        ("[a](../../SECURITY.md#where-it-connects-to)", "[a](../explanation/security.md#where-it-connects-to)"),
        ("[a](../../helm/proxmox-offerings)", "[a](../reference/chart.md)"),
        ("[a](../../README.md#try-it)", "[a](../index.md)"),
        ("[a](../../README.md#sell-your-own-cluster)", "[a](sell-your-own-cluster.md)"),
        ("[a](../design/)", "[a](../decisions.md)"),
        ("[`a`](../../tools/rootfs.py)", "[`a`](../files/tools/rootfs.py.md)"),
        ("[a](../../manifests/samples)", "[a](../files/manifests/samples/index.md)"),
        ("![a](../images/failover.svg)", "![a](../images/failover.svg)"),
        ("[a](https://example.net/x) [b](#here)", "[a](https://example.net/x) [b](#here)"),
        ("```sh\n[a](no-link-but-code.md)\n```\n", "```sh\n[a](no-link-but-code.md)\n```\n"),
    ],
)
def test_links_of_the_repository_lead_to_pages_of_the_site(link: str, becomes: str) -> None:
    assert moved(link, source="docs/how-to/image.md", page="how-to/image.md")[0] == becomes


def test_a_page_from_the_root_links_from_where_it_stands_in_the_site() -> None:
    text, shown = moved("[a](docs/reference/cli.md) [b](crds)", source="SECURITY.md", page=ELSEWHERE["SECURITY.md"])
    assert text == "[a](../reference/cli.md) [b](../files/crds/index.md)"
    assert shown == ["crds"]


@pytest.mark.parametrize("target", ["gone.md", "../../../../etc/passwd", "../../no/such/file.yaml"])
def test_a_link_to_nothing_stops_the_build_and_names_the_page(target: str) -> None:
    with pytest.raises(SiteError, match=f"docs/how-to/image.md links to {re.escape(target)}"):
        moved(f"[a]({target})", source="docs/how-to/image.md", page="how-to/image.md")


def test_a_page_in_no_navigation_stops_the_build_and_says_what_to_do() -> None:
    listed = [page for _, page in sources()]
    assert navigation(listed) == listed
    with pytest.raises(SiteError, match=r"docs/how-to/image\.md\. Add a line to tools/site/site\.yaml"):
        navigation([page for page in listed if page != "how-to/image.md"])
    with pytest.raises(SiteError, match=r"not there: how-to/dreams\.md"):
        navigation([*listed, "how-to/dreams.md"])


def test_what_a_browser_would_fetch_from_elsewhere_is_found() -> None:
    page = '<link href="//fonts.example.net/a.css"><a href="https://example.org/">x</a><script src=https://cdn.example.com/y.js></script>'
    assert fetched(page) == ["cdn.example.com/y.js", "fonts.example.net/a.css"]


def test_pictures_are_complete_in_themselves() -> None:
    """As an image an SVG may fetch nothing; who cannot see it is told what it shows."""
    pictures = sorted((DOCS / "images").glob("*.svg"))
    assert len(pictures) >= 5
    for picture in pictures:
        text = picture.read_text(encoding="utf-8")
        assert not re.search(r'(?:href|src|url)\s*[=(]\s*"?(?:https?:)?//', text), picture.name
        assert "<title" in text and "<desc" in text and "prefers-color-scheme:dark" in text  # noqa: PT018


def test_every_picture_is_shown_with_words_for_those_who_do_not_see_it() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))
    for picture in (DOCS / "images").glob("*.svg"):
        assert re.search(rf"!\[[^\]]{{20,}}\]\((?:\.\./)?images/{picture.name}\)", shown), picture.name


def test_every_reason_has_its_section_or_row_in_troubleshooting() -> None:
    page = (DOCS / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    assert headings == set(HostReason) - {HostReason.OBSERVED}
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert set(OfferingReason) - {OfferingReason.OBSERVED} <= rows


def test_file_pages_never_stand_where_a_page_of_docs_does() -> None:
    assert all(file_page(name).startswith("files/") for name in ("docs/index.md", "crds", "Makefile"))
    assert not (DOCS / "files").exists()


def test_code_is_told_from_text() -> None:
    text = "a\n````text\n```\nb\n```\n````\nc\n"
    assert [line for code, line in parts(text) if not code] == ["a\n", "c\n"]


def test_the_tutorial_is_followed_in_order_and_to_the_letter() -> None:
    from tools.tutorial import differs, steps  # noqa: PLC0415

    page = Path(DOCS / "tutorial" / "first-offerings.md").read_text(encoding="utf-8")
    all_steps = list(steps(page))
    assert [step.terminal for step in all_steps if step.terminal] == ["kubernetes", "proxmox", "operator"]
    assert [step.ends for step in all_steps if step.ends] == ["operator"]
    typed = [command.text for step in all_steps for command in step.commands]
    assert len(typed) == len(re.findall(r"^\$ ", page, re.MULTILINE)) > 15
    assert not differs(("NAME  AGE", "a     3s"), "NAME AGE\na  12m5s\n")
    assert not differs(("…", "b"), "x\ny\nb\n")
    assert differs(("a 1",), "a 2\n")
    assert differs(("a",), "a\nb\n")
    assert differs(("a", "b"), "b\n")
