"""The page over the embedded model: it shows what the API answers, and where the model looks.

With SHOTS=docs in the environment the screenshots of the documentation are written there.
"""

from __future__ import annotations

import io
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

if find_spec("gradio") is None or find_spec("playwright") is None:
    pytest.skip("the page's tests need: pip install 'lumenscribe[serve,dev]'", allow_module_level=True)

from browsing import CHROMIUM, DESK, PATIENCE_MS, PHONE, drop, opened, served, text
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}")
SHOTS = os.environ.get("SHOTS")


def shoot(page: Page, name: str, whole: bool = False) -> None:
    """A screenshot in few colours, where they are asked for."""
    if SHOTS:
        picture = Image.open(io.BytesIO(page.screenshot(full_page=whole)))
        picture.convert("RGB").quantize(128).save(Path(SHOTS) / f"service-{name}.png", optimize=True)


def test_the_page_shows_what_the_api_answers_and_where_the_model_looks(tmp_path: Path, demo: Path) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    with served(tmp_path / "data", "real") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        record: dict[str, Any] = httpx.post(
            f"{address}/caption", files={"image": (demo / "smear.png").read_bytes()}, timeout=PATIENCE_MS / 1000
        ).json()
        for name, viewport, scheme in (("describe", DESK, "light"), ("phone", PHONE, "dark")):
            page = opened(browser, address, viewport, scheme)  # type: ignore[arg-type]
            drop(page, "describe-image", demo / "smear.png")
            page.click("#describe-go")
            expect(page.locator("#describe-status")).to_contain_text("Done")
            said = page.locator("#describe-result .ls-sentence").all_inner_texts()
            assert said == [sentence["text"] for sentence in record["sentences"]]
            cites = page.locator("#describe-result .ls-cite").all_inner_texts()
            assert cites == [str(number) for sentence in record["sentences"] for number in sentence["citations"]]
            assert page.locator("#describe-result .ls-card img").count() == len(record["evidence"])
            shoot(page, name, whole=True)
        page.click("#look-what input")
        page.get_by_role("option").nth(1).click()
        page.click("#look-go")
        expect(page.locator("#look-status")).to_contain_text("Done. It looks most at")
        assert text(page, ".ls-looked strong") == record["sentences"][0]["text"]
        assert page.locator(".ls-looked img").evaluate("image => image.naturalWidth") == 480
        page.locator("#describe-look").scroll_into_view_if_needed()
        shoot(page, "looking")
        page = opened(browser, address, DESK, tab="Search")
        page.fill("#search-words textarea", "blood smear")
        page.wait_for_timeout(300)
        page.click("#search-go")
        expect(page.locator("#search-status")).to_contain_text("found.")
        shoot(page, "search")
        browser.close()
