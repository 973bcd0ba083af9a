"""A browser on the page: the server in a process of its own, Chromium, axe, and what every test of it does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
from playwright.sync_api import Browser, Page, expect

HERE = Path(__file__).parent
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
TABS = ("Describe", "Ask", "Search", "Rate", "Experiments", "Batch")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
Scheme = Literal["light", "dark"]
PATIENCE_MS = 120_000
"""How long something may take on a machine that does much else."""


@contextmanager
def served(data: Path, *given: str) -> Iterator[str]:
    """The address of a server with its data in that folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = data.with_suffix(".log")
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "page_server.py"), str(data), str(port), *given],
            stdout=told, stderr=told, env=os.environ | {"PYTHONPATH": str(HERE.parents[1])},
        )  # fmt: skip
    try:
        end = time.monotonic() + PATIENCE_MS / 1000
        while not _answers(port):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)  # pages may still be open in a browser
    said = log.read_text(errors="replace")
    assert "Traceback" not in said, said


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return True
    except OSError:
        return False


def opened(browser: Browser, address: str, viewport: Any = DESK, scheme: Scheme = "light", tab: str = "") -> Page:
    """The page, ready; what goes wrong in it is in `page.faults`, what it asked for in `page.asked`."""
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    faults: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.faults, page.asked = faults, asked  # type: ignore[attr-defined]
    page.goto(f"{address}/page/{tab and '#' + tab.lower()}")
    expect(page.get_by_role("tab")).to_have_count(len(TABS))
    if tab:
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    return page


def go_to(page: Page, tab: str) -> None:
    """Opens a tab."""
    page.get_by_role("tab", name=tab).click()
    expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    expect(page.locator(f"#ls-{tab.lower()}")).to_be_visible()


def drop(page: Page, zone: str, *files: Path) -> None:
    """Gives files to a drop zone, and waits until they are there."""
    page.set_input_files(f"#{zone} input[type=file]", list(files))
    expect(page.locator(f"#{zone} .ls-previews li")).to_have_count(len(files))


def axe(page: Page) -> list[str]:
    """What axe finds wrong, a line each."""
    page.evaluate(f"{AXE};0")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{v['impact']}: {v['id']}: {[node['html'][:120] for node in v['nodes']]}" for v in found]


def text(page: Page, selector: str) -> str:
    """What is written there."""
    return page.locator(selector).inner_text()
