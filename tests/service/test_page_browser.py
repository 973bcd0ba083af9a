"""The page in a browser: the main job of each tab, by pointer and by keyboard, at a desk and on a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

if find_spec("gradio") is None or find_spec("playwright") is None:
    pytest.skip("the page's tests need: pip install 'lumenscribe[serve,dev]'", allow_module_level=True)

from browsing import CHROMIUM, DESK, PATIENCE_MS, PHONE, TABS, Scheme, axe, drop, go_to, opened, served, text
from page_server import SENTENCES
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from evaluation.ratings.store import Store
from tests.evaluation.ratings.made_ratings import made_task

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}")
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service's folder, with rating tasks and something to report."""
    folder = tmp_path_factory.mktemp("page") / "data"
    (folder / "ratings").mkdir(parents=True)
    for kind in ("pairwise", "single"):
        made_task(folder / "ratings", kind, images=4)  # type: ignore[arg-type]
    (folder / "runs").mkdir()
    (folder / "runs" / "mine.json").write_text(json.dumps({"recipe": {"command": "x"}, "figures": {"a": 1.5}}))
    return folder


@pytest.fixture(scope="module")
def address(data: Path) -> Iterator[str]:
    with served(data) as at:
        yield at


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of the names that the canned service knows."""
    folder = tmp_path_factory.mktemp("files")
    picture = Image.fromarray(np.arange(64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3))
    for name in ("cell.png", "slow.png", "busy.png", "unsure.png", "cell.tiff"):
        picture.save(folder / name)
    (folder / "no_image.txt").write_text("nothing to see")
    return folder


def test_an_image_is_described_with_its_evidence_and_nothing_leaves_the_machine(
    browser: Browser, address: str, files: Path
) -> None:
    page = opened(browser, address)
    drop(page, "describe-image", files / "cell.png")
    page.click("#describe-go")
    expect(page.locator("#describe-status")).to_contain_text("Done: 3 sentences, 2 with evidence. 1 warning.")
    assert [text(page, f"#describe-result .ls-sentence >> nth={n}") for n in range(3)] == list(SENTENCES)
    assert page.locator(".ls-sentence.is-supported").count() == 2
    assert text(page, ".ls-unfound") == "not in the evidence"
    assert "copied from [1]" in text(page, ".ls-warnings")
    assert "not for commercial use" in text(page, ".ls-warnings")
    card = page.locator(".ls-card >> nth=0")
    for said in ("0.700", "Blood smear with red cells", "archive", "CC BY-NC 4.0", "A. Author"):
        assert said in card.inner_text()
    assert card.locator("a").get_attribute("href") == "https://example.org/1"
    assert card.locator("img").evaluate("image => image.naturalWidth") == 60

    page.locator(".ls-cite >> nth=0").focus()
    page.keyboard.press("Enter")  # a citation goes to its evidence, and Escape back
    expect(card).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".ls-cite >> nth=0")).to_be_focused()

    assert page.evaluate("window.hurt") is None, "a caption of the index did something"
    assert page.locator(".ls-card >> nth=1").locator("a").count() == 0, "an address that is a script can be followed"
    assert "somebody" not in page.content(), "a path of this machine is shown"
    assert axe(page) == []
    assert page.faults == []  # type: ignore[attr-defined]
    for tab in TABS:
        go_to(page, tab)
    page.wait_for_timeout(500)
    foreign = [url for url in page.asked if not url.startswith((address, "data:", "blob:"))]  # type: ignore[attr-defined]
    assert foreign == []
    assert len(page.asked) > 20, "requests were not recorded"  # type: ignore[attr-defined]


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_says_what_it_is_for_fits_and_is_accessible(
    browser: Browser, address: str, viewport: dict[str, int], scheme: Scheme
) -> None:
    page = opened(browser, address, viewport, scheme)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 22)"
    assert dark == (scheme == "dark")
    for tab in TABS:
        go_to(page, tab)
        expect(page.get_by_text("For research only.")).to_be_visible()
        assert axe(page) == [], tab
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], f"{tab} is too wide"


def test_text_is_shown_while_it_is_written_and_stopping_or_leaving_frees_the_place(
    browser: Browser, address: str, files: Path, data: Path
) -> None:
    def under_way(count: int) -> None:
        for _ in range(PATIENCE_MS // 100):
            if (data / "under_way").read_text() == str(count):
                return
            page.wait_for_timeout(100)
        raise AssertionError(f"{(data / 'under_way').read_text()} are under way")

    page = opened(browser, address)
    drop(page, "describe-image", files / "slow.png")
    page.click("#describe-go")
    expect(page.locator("#describe-result [aria-busy=true]")).to_contain_text("Blood smear")
    under_way(1)
    page.click("#describe-stop")
    expect(page.locator("#describe-status")).to_contain_text("Stopped.")
    under_way(0)
    page.click("#describe-go")
    expect(page.locator("#describe-result [aria-busy=true]")).to_contain_text("Blood smear")
    under_way(1)
    page.close()
    page = opened(browser, address)
    under_way(0)


def test_two_settings_are_compared_side_by_side(browser: Browser, address: str, files: Path) -> None:
    page = opened(browser, address)
    drop(page, "describe-image", files / "cell.tiff")
    page.check("#describe-compare input")
    page.get_by_label("Use evidence from the index B").uncheck()
    page.click("#describe-go")
    expect(page.locator("#describe-status")).to_contain_text("Setting B: Done: 3 sentences.")
    sides = page.locator(".ls-pair > section")
    assert sides.nth(0).locator(".ls-card").count() == 2
    assert sides.nth(1).locator(".ls-card").count() == 0
    assert "no evidence" in sides.nth(1).inner_text()
    left, right = (sides.nth(n).bounding_box() for n in (0, 1))
    assert left
    assert right
    assert left["x"] + left["width"] <= right["x"]
    assert left["y"] == right["y"]
    assert axe(page) == []


def test_what_cannot_be_done_is_said_and_a_withheld_description_is_not_shown(
    browser: Browser, address: str, files: Path
) -> None:
    page = opened(browser, address, PHONE)
    page.click("#describe-go")
    expect(page.get_by_role("alert")).to_contain_text("drop an image first")
    page.set_input_files("#describe-image input[type=file]", files / "no_image.txt")
    expect(page.locator("#describe-image [role=status]")).to_contain_text("no_image.txt")
    assert page.locator("#describe-image li").count() == 0
    drop(page, "describe-image", files / "busy.png")
    page.click("#describe-go")
    expect(page.get_by_role("alert")).to_contain_text("64 requests are waiting already")
    assert "Try again in 7 s" in text(page, "[role=alert]")
    drop(page, "describe-image", files / "unsure.png")
    page.click("#describe-go")
    expect(page.locator(".ls-withheld")).to_contain_text("No description. confidence 0.20 is below 0.50")
    assert "Lies." not in page.content()
    assert page.locator(".ls-card").count() == 2
    assert axe(page) == []


def test_questions_are_answered_and_earlier_answers_stay(browser: Browser, address: str, files: Path) -> None:
    page = opened(browser, address, tab="Ask")
    drop(page, "ask-images", files / "cell.png", files / "cell.tiff")
    for question in ("How many cells?", "Which stain?"):
        page.fill("#ask-question textarea", question)
        page.wait_for_timeout(300)
        page.click("#ask-go")
        expect(page.locator("#ask-result .ls-question >> nth=0")).to_have_text(question)
        expect(page.locator("#ask-status")).to_contain_text("Done")
    assert page.locator("#ask-result .ls-question").all_inner_texts() == ["Which stain?", "How many cells?"]
    expect(page.locator("#ask-result")).not_to_contain_text("goes on from 1 answers")
    page.check("#ask-on input")
    page.click("#ask-go")
    expect(page.locator("#ask-result .ls-question")).to_have_count(3)
    expect(page.locator("#ask-result")).to_contain_text("goes on from 2 answers")
    page.click('#ask-images button[aria-label="Remove cell.tiff"]')
    page.wait_for_timeout(300)
    page.click("#ask-go")
    expect(page.locator("#ask-result .ls-question")).to_have_count(4)
    expect(page.locator("#ask-result")).not_to_contain_text("goes on from 3 answers")
    assert axe(page) == []


def test_the_index_is_searched_by_words_and_by_image(browser: Browser, address: str, files: Path) -> None:
    page = opened(browser, address, tab="Search")
    page.fill("#search-words textarea", "blood smear")
    page.wait_for_timeout(300)
    page.keyboard.press("Enter")
    expect(page.locator("#search-result")).to_contain_text("By words blood smear")
    assert page.locator("#search-result h2").all_inner_texts() == [
        "Images nearest to “blood smear”",
        "Texts nearest to “blood smear”",
    ]
    page.fill("#search-words textarea", "")
    drop(page, "search-image", files / "cell.png")
    page.wait_for_timeout(300)
    page.click("#search-go")
    expect(page.locator("#search-result")).to_contain_text("By image cell.png")
    assert axe(page) == []


def test_pairs_are_rated_by_keyboard_alone(browser: Browser, address: str, data: Path) -> None:
    page = opened(browser, address, tab="Rate")
    page.locator("#rate-rater textarea, #rate-rater input").focus()
    page.keyboard.type("anna", delay=20)
    page.wait_for_timeout(300)
    page.keyboard.press("Enter")
    expect(page.locator("#rate-status")).to_contain_text("Item 1 of 4, 0 answered.")
    page.keyboard.press("Escape")
    page.locator("#rate-item h2").evaluate("heading => document.activeElement.blur()")
    for key, said in (("1", "Item 2 of 4, 1 answered."), ("3", "Item 3 of 4, 2 answered.")):
        page.keyboard.press(key)
        expect(page.locator("#rate-status")).to_contain_text(f"Kept. {said}")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#rate-status")).to_contain_text("Item 2 of 4, 2 answered.")
    assert "No difference" in text(page, ".ls-answer[aria-pressed=true]")
    page.keyboard.press("2")
    expect(page.locator("#rate-status")).to_contain_text("Changed. Item 3 of 4")
    assert axe(page) == []
    shown = page.content()
    assert "zebra-arm" not in shown
    assert "walrus-arm" not in shown
    with Store.open(data / "ratings" / "pairwise.sqlite") as store:
        kept = sorted((r.answer.preferred for r in store.ratings("anna")), key=str)
    assert len(kept) == 2
    assert "tie" not in kept


def test_single_texts_are_rated_by_keys_one_to_five(browser: Browser, address: str, data: Path) -> None:
    page = opened(browser, address, PHONE, tab="Rate")
    page.click("#rate-task input")
    page.get_by_role("option", name="single").click()
    page.fill("#rate-rater textarea, #rate-rater input", "bo")
    page.wait_for_timeout(300)
    page.click("#rate-begin")
    expect(page.locator("#rate-status")).to_contain_text("Item 1 of 8, 0 answered.")
    for key in "42":
        page.keyboard.press(key)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("5")  # completeness, once more
    page.keyboard.press("3")
    expect(page.locator("#rate-status")).to_contain_text("Kept. Item 2 of 8, 1 answered.")
    assert page.locator(".ls-scores input:checked").count() == 0, "the form before has left its answers"
    assert axe(page) == []
    with Store.open(data / "ratings" / "single.sqlite") as store:
        (kept,) = store.ratings("bo")
    assert list(kept.answer.scores.values()) == [4, 5, 3]


def test_reports_open_beside_their_names(browser: Browser, address: str) -> None:
    page = opened(browser, address, tab="Experiments")
    page.get_by_role("link", name="mine.json").click()
    report = page.frame_locator("iframe[name=ls-report]")
    expect(report.locator("h1")).to_contain_text("Benchmark mine")
    assert page.get_by_role("link", name="experiments.pocket_prompts").count() == 1
    page.get_by_role("link", name="experiments.pocket_prompts").click()
    expect(page.locator(".ls-report-bar")).to_contain_text("experiments.pocket_prompts")
    expect(report.locator("h1")).not_to_contain_text("Benchmark mine")
    assert page.faults == []  # type: ignore[attr-defined]


def test_a_batch_is_started_and_its_progress_is_shown(browser: Browser, address: str, files: Path, data: Path) -> None:
    page = opened(browser, address, tab="Batch")
    drop(page, "batch-files", files / "cell.png", files / "slow.png", files / "no_image.txt")
    page.click("#batch-go")
    expect(page.locator("#batch-status")).to_contain_text("Started: 3 images.")
    expect(page.locator("#batch-files li")).to_have_count(0)
    expect(page.locator(".ls-job .ls-state")).to_have_text("done")
    assert "2 described, 1 failed" in text(page, ".ls-job")
    assert page.get_by_role("progressbar").get_attribute("aria-valuenow") == "3"
    assert axe(page) == []
    with page.expect_download() as coming:
        page.get_by_role("link", name="Records").click()
    lines = Path(coming.value.path()).read_text().splitlines()
    assert {json.loads(line)["image"] for line in lines} == {"cell.png", "slow.png"}
    assert list((data / "tmp").iterdir()) == []


def test_with_keys_the_page_asks_for_one(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from service.keys import new_key

    secret, line = new_key("lab")
    monkeypatch.setenv("LUMENSCRIBE_KEYS", f"lab:{line.split('sha256: ')[1].rstrip('}')}")
    with served(tmp_path / "data") as address:
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/page/")
        expect(page).to_have_url(f"{address}/login")
        assert axe(page) == []
        page.get_by_label("Key").fill(secret)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("tab", name="Batch")).to_be_visible()
        page.get_by_role("tab", name="Batch").click()
        expect(page.locator("#batch-jobs")).to_contain_text("No jobs yet")
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(f"{address}/login")
