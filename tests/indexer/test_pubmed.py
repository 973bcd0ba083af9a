"""Searches of PubMed, over real HTTP, against a server that answers as NCBI's E-utilities do (see pubmed_makers)."""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from index_makers import WordCounter
from pubmed_makers import RETRACTED, FakeNcbi, article, article_set, efetch_error, esearch_answer, linked

import configs
from indexer import IndexConfig, Passage, SourceError, SourceFailure, load_config
from indexer.sources import open_source
from indexer.sources.context import SourceContext
from indexer.sources.fetching import Manners
from indexer.sources.pubmed import PubmedSource
from indexer.sources.pubmed_plan import Part, Plan
from tests.web_server import Answer, Asked, WebServer, web_server

KEY, EMAIL = "0123456789abcdefSECRET", "someone+lungs@example.org"
DAY = date(2020, 5, 17)
CONTEXT = SourceContext(WordCounter())


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCBI_EMAIL", EMAIL)
    monkeypatch.setenv("NCBI_API_KEY", KEY)
    monkeypatch.setattr("indexer.sources.pubmed.PAGE_RECORDS", 2)
    # Biopython's pause between requests, so that the tests need not wait for it.
    monkeypatch.setattr("Bio.Entrez.time", SimpleNamespace(time=time.time, sleep=lambda _: None))


@pytest.fixture
def ncbi() -> Iterator[tuple[FakeNcbi, WebServer]]:
    fake = FakeNcbi(dict.fromkeys(range(101, 106), DAY))
    with web_server(fake) as server:
        yield fake, server


def source(server: WebServer, folder: Path, *, attempts: int = 4, **changes: Any) -> PubmedSource:
    data = {"kind": "pubmed", "term": "lung", "fetched": str(folder), "url": f"{server.url}/eutils", **changes}
    config = IndexConfig.model_validate({"out": "x", "sources": [data]}).sources[0]
    assert isinstance(open_source(config, CONTEXT), PubmedSource)
    manners = Manners("PubMed", 1e6, attempts=attempts, first_wait_s=0.001, longest_wait_s=0.05)
    return PubmedSource(config, CONTEXT, manners)  # type: ignore[arg-type]


def pmids(found: PubmedSource) -> list[int]:
    return [int(item.source_id) for item in found if isinstance(item, Passage)]


def windows(server: WebServer) -> list[tuple[str, str, str]]:
    """What was asked, in order: the history and window of pages, "search" and the dates of searches."""
    names = {"efetch": ("WebEnv", "retstart", "retmax"), "esearch": ("", "mindate", "maxdate")}
    asked = [(one.path.rsplit("/", 1)[1].removesuffix(".fcgi"), one.fields) for one in server.asked]
    return [
        (fields.get(names[kind][0], "search"), fields.get(names[kind][1], ""), fields.get(names[kind][2], ""))
        for kind, fields in asked
    ]


def test_the_requests_and_what_they_bring(ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path) -> None:
    fake, server = ncbi
    fake.make = lambda pmid: article(pmid, ids=f'<ArticleId IdType="pmc">PMC{pmid}</ArticleId>')
    found = source(server, tmp_path)
    assert len(found) == 5
    items = list(found)
    assert [item.id for item in items] == [f"{pmid}#0" for pmid in (105, 104, 103, 102, 101)]
    first = items[0]
    assert isinstance(first, Passage)
    assert (first.source, first.source_id, first.article, first.year) == ("pubmed", "105", "PMC105", 2001)
    assert first.url == "https://pubmed.ncbi.nlm.nih.gov/105/"
    who = {"tool": "lumenscribe", "email": EMAIL, "api_key": KEY, "db": "pubmed", "retmode": "xml"}
    page = {**who, "WebEnv": "MCID_1", "query_key": "1"}
    assert [(one.method, one.path, one.fields) for one in server.asked] == [
        ("GET", "/eutils/esearch.fcgi", {**who, "term": "lung", "usehistory": "y", "retmax": "0"}),
        ("GET", "/eutils/efetch.fcgi", {**page, "retstart": "0", "retmax": "2"}),
        ("GET", "/eutils/efetch.fcgi", {**page, "retstart": "2", "retmax": "2"}),
        ("GET", "/eutils/efetch.fcgi", {**page, "retstart": "4", "retmax": "1"}),
    ]


def test_years_are_part_of_the_term_and_long_terms_are_posted(ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path) -> None:
    _, server = ncbi
    for first, last, wanted in ((2010, 2015, "2010:2015"), (2010, None, "2010:3000"), (None, 2015, "1000:2015")):
        server.asked.clear()
        pmids(source(server, tmp_path, from_year=first, to_year=last))
        assert server.asked[0].fields["term"] == f"(lung) AND {wanted}[pdat]"
    server.asked.clear()
    long = " OR ".join(f"lung{number}" for number in range(150))
    pmids(source(server, tmp_path, term=long))
    assert (server.asked[0].method, server.asked[0].fields["term"]) == ("POST", long)


@pytest.mark.parametrize(("key", "per_second"), [(KEY, 10), ("", 3)])
def test_the_pace_is_ncbis(
    ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, per_second: int
) -> None:
    fake, server = ncbi
    monkeypatch.setenv("NCBI_API_KEY", key)
    config = source(server, tmp_path)._config
    assert len(pmids(PubmedSource(config, CONTEXT))) == 5
    assert min(later - before for before, later in itertools.pairwise(fake.at)) > 0.93 / per_second
    assert ("api_key" in server.asked[0].fields) == bool(key)


def test_a_killed_fetch_goes_on_where_it_stopped(ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path) -> None:
    fake, server = ncbi
    code = (
        "from indexer.config.pubmed import PubmedConfig; from indexer.sources.pubmed import PubmedSource\n"
        "from indexer import load_embedder; from indexer.sources.context import SourceContext\n"
        "import indexer.sources.pubmed as module; module.PAGE_RECORDS = 2\n"
        f"len(PubmedSource(PubmedConfig(kind='pubmed', term='lung', fetched={str(tmp_path)!r}, "
        f"url='{server.url}/eutils'), SourceContext(load_embedder('minilm'))))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=configs.ROOT.parent)

    def kill(_: Asked) -> Answer:
        process.kill()
        process.wait()
        return Answer(status=503)

    fake.faults.extend([None, None, kill])
    assert process.wait(60) < 0
    assert [window[1:] for window in windows(server)] == [("", ""), ("0", "2"), ("2", "2")]
    server.asked.clear()
    assert pmids(source(server, tmp_path)) == [105, 104, 103, 102, 101]
    assert windows(server) == [("MCID_1", "2", "2"), ("MCID_1", "4", "1")]  # NCBI still has the search


def test_what_is_fetched_is_not_asked_for_again(
    ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, server = ncbi
    fake.make = lambda pmid: article(pmid, mesh=("Pneumothorax",))
    once = pmids(source(server, tmp_path))
    server.asked.clear()
    monkeypatch.delenv("NCBI_EMAIL")
    assert pmids(source(server, tmp_path)) == once
    text = next(item.text for item in source(server, tmp_path, mesh=True) if isinstance(item, Passage))
    assert text.endswith("MeSH terms: Pneumothorax.")
    assert server.asked == []
    with pytest.raises(SourceError, match="Set the environment variable NCBI_EMAIL"):
        pmids(source(server, tmp_path, term="liver"))


def test_a_forgotten_search_is_made_again_and_a_change_said(
    ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake, server = ncbi
    fake.faults.extend([None, None, Answer(status=500)])
    with pytest.raises(SourceError, match=r"the records 3 to 4 failed 1 times: HTTP 500\. What was fetched is kept"):
        len(source(server, tmp_path, attempts=1))
    fake.histories.clear()  # NCBI keeps a search for some hours
    fake.histories["other"] = []
    fake.records[106] = DAY  # in front of all others: what was at 1 is at 2 now
    server.asked.clear()
    assert pmids(source(server, tmp_path)) == [105, 104, 103, 102, 101]
    assert windows(server) == [
        ("MCID_1", "2", "2"),
        ("search", "", ""),
        ("MCID_2", "2", "2"),
        ("MCID_2", "4", "2"),
    ]
    assert "counts 6 records now and counted 5 when the fetch of them began, of which 2 are fetched" in caplog.text


def test_a_search_that_is_always_forgotten_is_an_error(ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path) -> None:
    fake, server = ncbi
    server.answer = lambda asked: (
        fake(asked) if "esearch" in asked.path else efetch_error("Cannot retrieve history data. query_key: 1")
    )
    with pytest.raises(SourceError, match="NCBI loses its searches: Cannot retrieve history data"):
        len(source(server, tmp_path))
    assert len(server.asked) == 6


def test_a_page_that_changes_gives_nothing_twice_and_what_is_lost_is_said(
    ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake, server = ncbi
    repeated = Answer(article_set(article(104), article(103), article(103)), content_type="text/xml")
    fake.faults.extend([None, None, repeated])
    assert pmids(source(server, tmp_path)) == [105, 104, 103, 101]
    assert "NCBI counted 5 records and gave 4" in caplog.text


FAULTS = {
    "too many requests": Answer(b'{"error":"API rate limit exceeded","count":"11"}', 429),
    "too many, and when to come again": Answer(status=429, headers={"Retry-After": "0"}),
    "server error": Answer(b"<html><title>WWW Error 500 Diagnostic</title></html>", 500, "text/html"),
    "unavailable": Answer(status=503),
    "cut connection": Answer(article_set(article(105), article(104)), content_type="text/xml", cut=300),
    "no answer at all": Answer(b"x", cut=0),
    "cut XML": Answer(article_set(article(105))[:-60], content_type="text/xml"),
    "malformed XML": Answer(article_set("<PubmedArticle><x></PubmedArticle>"), content_type="text/xml"),
    "error in a 200": efetch_error("NCBI C++ Exception: Error: UNK_MODULE(CException::eInvalid)"),
    # https://github.com/AlexsLemonade/refinebio/issues/1390
    "search error in a 200": esearch_answer("<ERROR>Search Backend failed: Unable to open connection</ERROR>"),
    "web page in a 200": Answer(b"<!DOCTYPE html><html>Maintenance</html>", content_type="text/html"),
    # https://github.com/biocommons/bioutils/issues/16
    "rate limit in a 200": Answer(b'{"error":"API rate limit exceeded","api-key":"x"}', content_type="text/plain"),
    "text that is no UTF-8": Answer(b"\xff\xfe\xfa", content_type="text/plain"),
    "nothing in a 200": Answer(b"", content_type="text/xml"),
    "a page without records": Answer(article_set(), content_type="text/xml"),
}


@pytest.mark.parametrize("at", [0, 1, 2], ids=["search", "first page", "second page"])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_that_pass(ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path, fault: str, at: int) -> None:
    fake, server = ncbi
    fake.faults.extend([None] * at + [FAULTS[fault]] * 2)
    assert pmids(source(server, tmp_path)) == [105, 104, 103, 102, 101]
    sent = [(one.path, one.fields) for one in server.asked]
    assert len(sent) == 6
    assert sent[at] == sent[at + 1] == sent[at + 2]


def test_retry_after_is_obeyed_and_a_long_one_said(ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path) -> None:
    fake, server = ncbi
    fake.faults.append(Answer(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(SourceError, match=r"^PubMed: the search asks to wait 3600 s: HTTP 429\."):
        len(source(server, tmp_path))
    fake.faults.append(Answer(status=429, headers={"Retry-After": "1"}))
    found = source(server, tmp_path)
    found._manners = Manners("PubMed", 1e6, first_wait_s=0.001)
    assert len(found) == 5
    assert fake.at[2] - fake.at[1] >= 1


def test_an_empty_result_is_said_and_not_kept(ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path) -> None:
    fake, server = ncbi
    there, fake.records = fake.records, {}
    for _ in range(2):
        with pytest.raises(SourceError, match=r"^PubMed: no record matches lung\."):
            len(source(server, tmp_path))
    assert windows(server) == [("search", "", "")] * 2
    fake.records = there
    assert len(source(server, tmp_path)) == 5


def test_records_without_an_abstract_or_a_pmid(
    ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake, server = ncbi
    fake.make = lambda pmid: article("" if pmid == 102 else pmid, *([None] if pmid == 104 else []))
    found = source(server, tmp_path)
    items = list(found)
    assert len(found) == len(items) == 4
    assert [item for item in items if isinstance(item, SourceFailure)] == [
        SourceFailure("pubmed", "records 3 on", "it has no PMID")
    ]
    assert "1 of 5 records have no abstract and are left out" in caplog.text


def test_retracted_articles_are_left_out_or_marked_and_not_fetched_again_for_it(
    ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path
) -> None:
    fake, server = ncbi
    cited = linked(("RetractionIn", "Lung. 2012;3:4"))
    fake.make = lambda pmid: article(pmid, **({"types": RETRACTED, "after": cited} if pmid == 103 else {}))
    found = source(server, tmp_path)
    items = list(found)
    assert len(found) == len(items) == 5
    assert items[2] == SourceFailure("pubmed", "103", "retracted: Lung. 2012;3:4")
    assert pmids(found) == [105, 104, 102, 101]
    asked = len(server.asked)
    marked = source(server, tmp_path, retracted="mark")
    titles = [item.title for item in marked if isinstance(item, Passage)]
    assert titles == [f"{'Retracted: ' if n == 2 else ''}Air in the pleural space." for n in range(5)]
    assert len(server.asked) == asked


def test_pages_that_do_not_say_what_was_retracted_are_refused(ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path) -> None:
    _, server = ncbi
    assert len(source(server, tmp_path)) == 5
    for page in tmp_path.glob("*/page-*.jsonl"):
        page.write_text(page.read_text().replace(', "standing": null', ""))
    with pytest.raises(SourceError, match=r"not note what was retracted\. Delete the folder and run again$"):
        list(source(server, tmp_path))


def test_a_limit_is_kept_to_and_said(
    ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, server = ncbi
    assert pmids(source(server, tmp_path, limit=3)) == [105, 104, 103]
    assert [window[1:] for window in windows(server)] == [("", ""), ("0", "2"), ("2", "1")]
    assert "3 of 5 records fetched: the limit" in caplog.text


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.sources.pubmed.MOST_PAGED", 4)


@pytest.mark.usefixtures("small_window")
def test_more_than_can_be_paged_through_is_parted_by_days_and_then_by_pmid(tmp_path: Path) -> None:
    many = {pmid: date(1975, 1, 1) + timedelta(days=997 * pmid) for pmid in range(1, 12)}
    many |= dict.fromkeys(range(40_000_000, 40_000_011), DAY)  # a day that is too large by itself
    fake = FakeNcbi(many, most=4)
    with web_server(fake) as server:
        found = pmids(source(server, tmp_path))
        asked = [one.fields for one in server.asked]
    assert sorted(found) == sorted(many)
    days = [many[pmid] for pmid in found]
    assert days == sorted(days, reverse=True)
    pages = [fields for fields in asked if "retstart" in fields]
    assert max(int(fields["retstart"]) + int(fields["retmax"]) for fields in pages) <= 4
    searches = [fields for fields in asked if "term" in fields]
    assert "mindate" not in searches[0]
    assert all(fields["datetype"] == "edat" for fields in searches[1:])
    by_pmid = [fields for fields in searches if "[UID]" in fields["term"]]
    assert {(fields["mindate"], fields["maxdate"]) for fields in by_pmid} == {("2020/05/17", "2020/05/17")}
    assert by_pmid[0]["term"] == "(lung) AND 500000001:999999999[UID]"
    assert len(searches) < 120


@pytest.mark.usefixtures("small_window")
def test_a_stopped_fetch_goes_on_within_its_parts(tmp_path: Path) -> None:
    many = {pmid: date(2001, 1, 1) + timedelta(days=pmid) for pmid in range(1, 30)}
    served: list[int] = []

    def make(pmid: int) -> str:
        served.append(pmid)
        return article(pmid)

    fake = FakeNcbi(many, most=4, make=make)
    with web_server(fake) as server:
        stops = 0
        while True:
            fake.faults.clear()
            pages = [0]

            def stop(asked: Asked, pages: list[int] = pages) -> Answer | None:
                pages[0] += "retstart" in asked.fields
                return Answer(status=503) if pages[0] > 3 else None

            fake.faults.extend([stop] * 200)
            try:
                found = pmids(source(server, tmp_path, attempts=1))
                break
            except SourceError:
                stops += 1
    assert sorted(found) == sorted(many)
    assert stops > 3
    assert sorted(served) == sorted(many)  # nothing twice


@pytest.mark.usefixtures("small_window")
def test_a_limit_within_the_window_needs_no_parts(tmp_path: Path) -> None:
    fake = FakeNcbi(dict.fromkeys(range(1, 30), DAY), most=4)
    with web_server(fake) as server:
        assert pmids(source(server, tmp_path, limit=4)) == [29, 28, 27, 26]
        assert len(server.asked) == 3
        assert pmids(source(server, tmp_path, limit=6)) == [29, 28, 27, 26, 25, 24]


def test_parts_cover_what_they_part() -> None:
    newer, older = Part().halves(today=date(2026, 3, 1))
    assert newer.days is not None
    assert older.days is not None
    assert newer.days[1] == date(2026, 3, 2)
    assert newer.days[0] - older.days[1] == timedelta(days=1)
    high, low = Part((DAY, DAY)).halves()
    assert (high.pmids, low.pmids) == ((500_000_001, 999_999_999), (1, 500_000_000))
    plan = Plan([high, older], left=7, start=2, counted=9)
    assert Plan.from_cursor(plan.to_cursor()) == plan


def test_a_refused_key_is_one_line_and_secrets_stay_where_they_are(
    ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from Bio import Entrez

    before = (Entrez.email, Entrez.api_key, Entrez.tool, Entrez.max_tries, Entrez.urlopen)  # type: ignore[attr-defined]
    caplog.set_level(logging.DEBUG)
    fake, server = ncbi
    quoted = "someone%2Blungs%40example.org"
    said = [
        # NCBI quotes a key that it refuses: https://www.ncbi.nlm.nih.gov/books/NBK25497/#chapter2.API_Keys
        Answer(f'{{"error":"API key invalid","api-key":"{KEY}","type":"invalid"}}'.encode(), 400),
        Answer(f"<html>bad request {KEY} {EMAIL} {quoted}</html>".encode(), 414, "text/html"),
        efetch_error(f"Unable to read {KEY} for {EMAIL}"),
        esearch_answer(f"<ERROR>Bad {KEY} {quoted}</ERROR>"),
    ]
    messages = []
    for answer in said:
        fake.faults.extend([answer] * 4)
        with pytest.raises(SourceError) as caught:
            len(source(server, tmp_path))
        fake.faults.clear()
        messages.append(str(caught.value))
        error: BaseException | None = caught.value
        while error is not None:
            assert not any(secret in f"{error!r}{error}" for secret in (KEY, EMAIL, quoted))
            error = error.__cause__
    assert messages[0] == "PubMed: NCBI does not accept the key in NCBI_API_KEY. Correct it, or unset it"
    assert "HTTP 414: <html>bad request ... ... ...</html>" in messages[1]
    assert all("\n" not in message for message in messages)
    assert len(source(server, tmp_path)) == 5
    kept = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(secret in kept + caplog.text for secret in (KEY, EMAIL, quoted))
    now = (Entrez.email, Entrez.api_key, Entrez.tool, Entrez.max_tries, Entrez.urlopen)  # type: ignore[attr-defined]
    assert now == before


def test_pages_of_something_else_are_said(ncbi: tuple[FakeNcbi, WebServer], tmp_path: Path) -> None:
    _, server = ncbi
    assert len(source(server, tmp_path)) == 5
    page = next(tmp_path.glob("*/page-000001.jsonl"))
    page.write_text(page.read_text().replace('"mesh"', '"mash"'))
    with pytest.raises(SourceError, match="not pages of PubMed"):
        list(source(server, tmp_path))


def test_configs() -> None:
    assert load_config("pubmed_search").sources[0].holds == "passages"
    assert load_config("pubmed_baseline").sources[0].holds == "passages"
    for wrong, message in (
        ({"term": " "}, "sources.0.pubmed.term"),
        ({"term": "lung", "from_year": 2011, "to_year": 2010}, "from_year is after to_year"),
        ({"term": "lung", "url": "file:///etc"}, "url"),
        ({"term": "lung", "limt": 3}, "did you mean 'limit'"),
        ({"term": "lung", "retracted": "keep"}, "sources.0.pubmed.retracted"),
    ):
        with pytest.raises(configs.ConfigError, match=message):
            configs.parse(IndexConfig, {"out": "x", "sources": [{"kind": "pubmed", **wrong}]}, "mine.yaml")


def test_biopython_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, indexer.sources; sys.exit('Bio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=configs.ROOT.parent, check=False).returncode == 0
