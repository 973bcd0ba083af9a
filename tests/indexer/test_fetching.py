from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from indexer.errors import SourceError
from indexer.sources.fetching import Manners, PageStore, PassingFaultError, retry_after_s


def quick(**changes: float) -> Manners:
    return Manners("api", **{"per_second": 1e6, "first_wait_s": 0.001, "longest_wait_s": 0.05, **changes})  # type: ignore[arg-type]


def test_a_passing_fault_is_asked_again_and_another_goes_through() -> None:
    faults = iter([PassingFaultError("503"), PassingFaultError("429", after_s=0.03), None])

    def request() -> str:
        fault = next(faults)
        if fault:
            raise fault
        return "done"

    begun = time.monotonic()
    assert quick().ask("page 1", request) == "done"
    assert time.monotonic() - begun >= 0.03
    with pytest.raises(ZeroDivisionError):
        quick().ask("page 1", lambda: 1 // 0)


def test_an_api_that_stays_down_is_one_clear_line() -> None:
    calls = []

    def request() -> None:
        calls.append(1)
        raise PassingFaultError("HTTP 503")

    with pytest.raises(SourceError, match=r"^api: page 3 failed 6 times: HTTP 503\. What was fetched is kept"):
        quick().ask("page 3", request)
    assert len(calls) == 6


def test_a_wait_longer_than_allowed_is_not_waited_for() -> None:
    def request() -> None:
        raise PassingFaultError("HTTP 429", after_s=3600)

    begun = time.monotonic()
    with pytest.raises(SourceError, match="asks to wait 3600 s"):
        quick().ask("page 1", request)
    assert time.monotonic() - begun < 1


def test_the_pace_holds_over_requests() -> None:
    manners = quick(per_second=50)
    begun = time.monotonic()
    for _ in range(6):
        manners.ask("a page", lambda: None)
    assert time.monotonic() - begun >= 5 / 50


def test_retry_after_is_read_in_both_of_its_forms() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after_s({"Retry-After": "7"}) == 7
    assert 25 < (retry_after_s({"retry-after": later}) or 0) <= 30
    assert retry_after_s({"Retry-After": "soon"}) is None
    assert retry_after_s({}) is None


def test_a_store_goes_on_behind_its_last_whole_page(tmp_path: Path) -> None:
    store = PageStore.of(tmp_path, "pubmed", {"term": "lung"})
    assert (store.cursor, store.count, store.complete) == (None, 0, False)
    store.append([{"id": "1"}, {"id": "2"}], cursor={"start": 2}, last=False)
    (store.folder / "page-000002.part").write_text('{"count": 2')  # what a killed write leaves
    again = PageStore.of(tmp_path, "pubmed", {"term": "lung"})
    assert (again.cursor, again.count, again.complete) == ({"start": 2}, 2, False)
    again.append([{"id": "3", "title": "naïve"}], cursor=None, last=True)
    assert again.complete
    assert [record["id"] for record in again.records()] == ["1", "2", "3"]
    assert PageStore.of(tmp_path, "pubmed", {"term": "liver"}).count == 0


def test_a_damaged_page_is_said_with_what_to_do(tmp_path: Path) -> None:
    store = PageStore.of(tmp_path, "pubmed", {"term": "lung"})
    store.append([{"id": "1"}, {"id": "2"}], cursor=None, last=True)
    page = store.folder / "page-000001.jsonl"
    page.write_text(page.read_text().splitlines()[0] + "\n")
    with pytest.raises(SourceError, match="damaged"):
        list(store.records())
