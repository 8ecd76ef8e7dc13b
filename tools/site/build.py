"""Builds the documentation's site: `python -m tools.site.build`, with `--serve` shows it and follows changes.

A broken link or anchor is an error, and so is a page of docs/ that is in no navigation.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.site.pages import DECISIONS, DOCS, ROOT, SiteError, assemble, sources, titles

CONFIG = Path(__file__).resolve().parent / "site.yaml"
SITE = ROOT / "build" / "site"
ZENSICAL = Path(sys.prefix) / "bin" / "zensical"
SECONDS = 0.5


def prepare() -> Path:
    """Write pages and configuration; the latter's path. Raises SiteError."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["nav"] = navigation(config["nav"])
    assemble(SITE / "pages")
    written = SITE / "mkdocs.yml"
    written.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return written


def navigation(nav: list[Any]) -> list[Any]:
    """With the decisions in their place. Raises SiteError if a page is missing."""
    listed = set(_pages_in(nav))
    there = {page for _, page in sources()}
    missing = sorted(there - listed - titles("design").keys())
    if missing:
        names = ", ".join(f"{DOCS}/{page}" for page in missing)
        raise SiteError(f"in no navigation: {names}. Add a line to {CONFIG.relative_to(ROOT)}, below its kind")
    gone = sorted(listed - there - {DECISIONS})
    if gone:
        raise SiteError(f"{CONFIG.relative_to(ROOT)} lists pages that are not there: {', '.join(gone)}")
    return nav


def _pages_in(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for inside in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages_in(inside)


def run(*arguments: str) -> int:
    """Zensical's exit code. Its own trace after `--strict` found something says nothing to anybody."""
    command = [str(ZENSICAL), *arguments]
    done = subprocess.run(
        command, cwd=SITE, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    if done.returncode:
        print(done.stdout + done.stderr.partition("Traceback")[0], file=sys.stderr)
    return done.returncode


def build() -> int:
    """0 if all is well."""
    prepare()
    shutil.rmtree(SITE / "html", ignore_errors=True)
    code = run("build", "--strict", "--clean", "--config-file", "mkdocs.yml")
    for path in (SITE / "html").rglob("*.html"):
        elsewhere = fetched(path.read_text(encoding="utf-8"))
        if elsewhere:
            raise SiteError(f"{path.relative_to(SITE)} makes a reader's browser fetch {', '.join(elsewhere)}")
    return code


def fetched(page: str) -> list[str]:
    """What a browser would fetch from elsewhere to show the page: nobody needs to know who reads this, or when."""
    loads = re.findall(
        r"<(?:script|link|img|iframe|source|object)\b[^>]*?\b(?:src|href|data|srcset)=\"?(?:https?:)?//([^\" >]+)", page
    )
    return sorted(set(loads))


def serve(address: str) -> int:
    """Until interrupted."""
    prepare()
    stop = threading.Event()
    follower = threading.Thread(target=_follow, args=(stop,), daemon=True)
    follower.start()
    try:
        return subprocess.run(
            [ZENSICAL, "serve", "--config-file", "mkdocs.yml", "--dev-addr", address], cwd=SITE, check=False
        ).returncode
    except KeyboardInterrupt:
        return 0
    finally:
        stop.set()


def _follow(stop: threading.Event) -> None:
    """Put the pages together again when one of them changes."""
    seen = _changed_at()
    while not stop.wait(SECONDS):
        now = _changed_at()
        if now != seen:
            seen = now
            try:
                prepare()
            except SiteError as problem:
                print(f"error: {problem}", file=sys.stderr)


def _changed_at() -> float:
    return max((ROOT / source).stat().st_mtime for source, _ in sources())


def main() -> int:
    """The exit code."""
    arguments = argparse.ArgumentParser(prog="python -m tools.site.build", description=__doc__)
    arguments.add_argument(
        "--serve", metavar="ADDRESS", nargs="?", const="127.0.0.1:8000", help="show it, and follow changes"
    )
    arguments.add_argument("--quiet", action="store_true", help="say nothing if all is well")
    chosen = arguments.parse_args()
    SITE.mkdir(parents=True, exist_ok=True)
    try:
        if chosen.serve:
            return serve(chosen.serve)
        code = build()
    except SiteError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    if code == 0 and not chosen.quiet:
        print(f"The documentation is in {(SITE / 'html').relative_to(ROOT)}; `make docs-serve` shows it.")
    return code


if __name__ == "__main__":
    sys.exit(main())
