"""Puts the site's pages together: those of docs/, those that live at the root for readers of the repository, and the files they link to.

Every page is written for both: on GitHub its links lead to files, in the site to pages. A linked file that is no page (a manifest, a
module) becomes one that shows it, so that the site is complete without the repository, and without a network.
"""

import posixpath
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs"
DECISIONS = "decisions.md"
ELSEWHERE = {
    "SECURITY.md": "explanation/security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "helm/proxmox-offerings/README.md": "reference/chart.md",
}
"""Pages that are not below docs/, and where they stand in the site."""
FRONT = {"README.md": "index.md", "docs": "index.md", "docs/design": DECISIONS}
"""What the site has another page for."""
FIRST_STEPS = ("Sell your own cluster", "how-to/sell-your-own-cluster.md")
"""The section of README.md that is a page of its own in the site."""
LANGUAGES = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".py": "python",
    ".json": "json",
    ".go": "go",
    ".sh": "sh",
    ".toml": "toml",
}
LINK = re.compile(r"(?P<before>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?P<target>[^)\s]+)(?P<after>\))")
LARGEST = 400_000


class SiteError(Exception):
    """The site cannot be built. The message says which page is at fault, and why."""


def assemble(target: Path) -> None:
    """Write all pages into `target`, which is made anew. Raises SiteError."""
    shutil.rmtree(target, ignore_errors=True)
    shown: set[str] = set()
    for path in sorted((ROOT / DOCS).rglob("*")):
        if path.is_file() and path.suffix != ".md":
            _copy(path, target / path.relative_to(ROOT / DOCS))
    for source, page in sources():
        if source in FRONT:
            continue
        text = (ROOT / source).read_text(encoding="utf-8")
        _write(target / page, rewritten(text, source=source, page=page, show=shown.add))
    title, page = FIRST_STEPS
    text = section((ROOT / "README.md").read_text(encoding="utf-8"), title)
    _write(target / page, rewritten(text, source="README.md", page=page, show=shown.add))
    (target / DECISIONS).write_text(decisions(), encoding="utf-8")
    while shown:
        name = shown.pop()
        path = target / file_page(name)
        if not path.exists():
            _write(path, _file(name, shown.add))


def sources() -> Iterator[tuple[str, str]]:
    """(path in the repository, page of the site) of every page."""
    for path in sorted((ROOT / DOCS).rglob("*.md")):
        yield path.relative_to(ROOT).as_posix(), path.relative_to(ROOT / DOCS).as_posix()
    yield from ELSEWHERE.items()
    yield "README.md", FIRST_STEPS[1]


def titles(kind: str) -> dict[str, str]:
    """Page -> title of all pages in the folder `kind` of docs/."""
    return {f"{kind}/{path.name}": title_of(path) for path in sorted((ROOT / DOCS / kind).glob("*.md"))}


def title_of(path: Path) -> str:
    """Its first heading. Raises SiteError."""
    found = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SiteError(f"{path.relative_to(ROOT)} has no title: begin it with a line '# …'")
    return found[1]


def rewritten(text: str, *, source: str, page: str, show: Callable[[str], None]) -> str:
    """The page with links that hold in the site. `show` is told of each file that needs a page of its own. Raises SiteError."""

    def link(found: re.Match[str]) -> str:
        target = found["target"]
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        path, hash_mark, anchor = target.partition("#")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        to = site_page(name, show=show) if (ROOT / name).exists() and not name.startswith("..") else None
        if to is None:
            raise SiteError(f"{source} links to {target}, which is not there")
        if name == "README.md" and anchor == slug(FIRST_STEPS[0]):
            to = FIRST_STEPS[1]
        relative = posixpath.relpath(to, posixpath.dirname(page) or ".")
        kept = hash_mark + anchor if name not in FRONT else ""
        return f"{found['before']}{relative}{kept}{found['after']}"

    return "".join(part if code else LINK.sub(link, part) for code, part in parts(text))


def section(text: str, title: str) -> str:
    """One section as a page. Raises SiteError."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise SiteError(f"README.md has no section '## {title}', which is a page of the site")
    return f"# {title}\n{found[1]}"


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def parts(text: str) -> Iterator[tuple[bool, str]]:
    """(whether it is code, text): blocks between fences are left alone."""
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = re.match(r"\s*(```+|~~~+)", line)
        inside = bool(fence)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        yield inside or bool(mark), line


def site_page(name: str, *, show: Callable[[str], None]) -> str:
    """Which page of the site shows the file or directory `name` of the repository."""
    if name in FRONT or name in ELSEWHERE:
        return FRONT.get(name) or ELSEWHERE[name]
    if f"{name}/README.md" in ELSEWHERE:
        return ELSEWHERE[f"{name}/README.md"]
    if name.startswith(f"{DOCS}/") and (ROOT / name).is_file():
        return name.removeprefix(f"{DOCS}/")
    show(name)
    return file_page(name)


def file_page(name: str) -> str:
    """The page for a file that is none; its name keeps it apart from all others."""
    return f"files/{name}/index.md" if (ROOT / name).is_dir() else f"files/{name}.md"


def decisions() -> str:
    """A page that lists the decisions: on GitHub the folder does that."""
    rows = "\n".join(f"- [{title}]({page})" for page, title in titles("design").items())
    return f"# Decisions\n\nWhat a later reader would otherwise undo, one page each: why, what else was considered, and the price.\n\n{rows}\n"


def _file(name: str, show: Callable[[str], None]) -> str:
    path = ROOT / name
    if path.is_dir():
        rows = []
        for inside in sorted(path.iterdir()):
            if inside.name.startswith((".", "__")):
                continue
            child = inside.relative_to(ROOT).as_posix()
            show(child)
            rows.append(f"- [{inside.name}]({posixpath.relpath(file_page(child), posixpath.dirname(file_page(name)))})")
        return f"# {name}\n\nThese files of the repository:\n\n" + "\n".join(rows) + "\n"
    text = path.read_text(encoding="utf-8")
    if len(text) > LARGEST:
        raise SiteError(f"{name} is linked to, and too large to be shown")
    fence = "`" * (3 + max(map(len, re.findall(r"`{3,}", text)), default=0))
    return f"# {name}\n\n{fence} {LANGUAGES.get(path.suffix, 'text')}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
