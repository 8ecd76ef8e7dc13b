"""Pictures of the catalogue page for the documentation: `make screenshots`. The demo's simulated cluster, `preview --serve`, a real Chromium."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from playwright.sync_api import Browser, expect, sync_playwright

from tools.browser import NoBrowser, arguments, chromium
from tools.children import Children
from tools.demo import COMMAND, NAMESPACE, ROOT, sample

IMAGES = ROOT / "docs" / "images"
PATIENCE = 60.0
Found = TypeVar("Found")

SALES = (
    (
        "add-guest",
        "300",
        "--node",
        "pve1",
        "--cpu",
        "8",
        "--memory",
        "32Gi",
        "--disk",
        "50Gi",
        "--storage",
        "local-lvm",
        "--count",
        "3",
    ),
    (
        "add-guest",
        "320",
        "--node",
        "pve2",
        "--cpu",
        "4",
        "--memory",
        "24Gi",
        "--disk",
        "50Gi",
        "--storage",
        "local-lvm",
        "--count",
        "3",
    ),
    (
        "add-guest",
        "340",
        "--node",
        "pve3",
        "--cpu",
        "16",
        "--memory",
        "96Gi",
        "--disk",
        "50Gi",
        "--storage",
        "local-lvm",
        "--count",
        "3",
    ),
    ("set-maintenance", "pve2"),
)
"""What makes the cluster look like one that sells."""

PICTURES = (
    ("catalogue-light", "/", {"width": 1180, "height": 820}, "light"),
    ("catalogue-dark", "/", {"width": 1180, "height": 820}, "dark"),
    ("catalogue-phone", "/", {"width": 360, "height": 740}, "light"),
    ("catalogue-host", f"/hosts/{NAMESPACE}/fra1", {"width": 1180, "height": 820}, "light"),
)


def until(condition: Callable[[], Found], what: str) -> Found:
    """The first truthy value. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE:.0f} s for {what}")
        time.sleep(0.1)
    return found


def main() -> int:
    """The exit code."""
    try:
        program = chromium()
    except NoBrowser as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="proxmox-offerings-pictures-")))
        children = Children(directory)
        stack.callback(children.end_all)
        url = _serve(directory, children)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=arguments())
        stack.callback(browser.close)
        for name, path, size, scheme in PICTURES:
            _take(browser, f"{url}{path}", IMAGES / f"{name}.png", size=size, scheme=scheme)
    return 0


def _serve(directory: Path, children: Children) -> str:
    simulator = directory / "simulator"
    children.start(
        "simulator", [COMMAND, "simulate", "--preset", "demo", "--dir", simulator], cwd=directory, env=os.environ
    )
    until((simulator / "host.yaml").exists, "the simulator")
    for sale in SALES:
        subprocess.run([COMMAND, "simulate", "ctl", "--dir", simulator, *sale], check=True, capture_output=True)
    manifest = directory / "manifest.yaml"
    manifest.write_text(sample(simulator), encoding="utf-8")
    children.start("page", [COMMAND, "preview", "-f", manifest, "--serve"], cwd=directory, env=os.environ)
    log = children.log("page")
    printed = until(lambda: re.findall(r"^(http://\S+)/$", log.read_text(encoding="utf-8"), re.MULTILINE), "the page")
    return str(printed[0])


def _take(browser: Browser, url: str, picture: Path, *, size: dict[str, int], scheme: str) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]  # sizes are a TypedDict there
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#liveness")).to_contain_text("Up to date")
    page.screenshot(path=picture, animations="disabled")
    context.close()
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    sys.exit(main())
