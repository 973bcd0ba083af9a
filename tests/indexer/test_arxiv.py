"""arXiv over real HTTP: what is asked, what becomes of the answers, and what happens when it goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from api_makers import ATTEMPTS, PASSING, kill_in_the_middle, quick
from arxiv_server import ATOM, REFUSAL, Papers, entry, feed
from index_makers import WordCounter

import configs
from indexer import IndexConfig, Passage, SourceError, SourceFailure, load_config
from indexer.config.web import ArxivConfig
from indexer.sources import open_source
from indexer.sources.arxiv_search import MANNERS, ArxivSource, search_query
from indexer.sources.context import SourceContext
from tests.web_server import Answer, Asked, WebServer, web_server


@contextmanager
def arxiv_with(*entries: str) -> Iterator[tuple[WebServer, Papers]]:
    papers = Papers(*entries)
    with web_server(papers) as server:
        yield server, papers


def source(server: WebServer, folder: Path, **more: Any) -> ArxivSource:
    config = {"kind": "arxiv", "query": "all:lung", "url": f"{server.url}/api/query", "fetched": str(folder), **more}
    return ArxivSource(ArxivConfig.model_validate(config), SourceContext(WordCounter()), quick("arXiv"))


UNREADABLE = "its entry cannot be read: no id, or a date missing or wrong, here or beside it"


def numbered(count: int) -> list[str]:
    return [entry(f"2101.{number:05d}v1") for number in range(count)]


def starts(server: WebServer) -> list[int]:
    return [int(asked.fields["start"]) for asked in server.asked]


def found(items: ArxivSource) -> list[str]:
    return [item.id for item in items]


def test_a_paper_becomes_a_passage_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    extra = (
        "<arxiv:comment>15 pages</arxiv:comment><arxiv:journal_ref>J. Lungs\n 12 (2022) 1-15</arxiv:journal_ref>"
        '<arxiv:doi>10.1234/lung.1</arxiv:doi><link rel="related" href="https://doi.org/10.1234/lung.1" title="doi"/>'
    )
    paper = entry("2101.00001v3", title="Air &\n  lungs", summary="  A pneumothorax\nis air.  ", extra=extra)
    with arxiv_with(paper) as (server, _):
        items = source(server, tmp_path)
        assert len(items) == 1
        assert list(items) == [
            Passage(
                id="2101.00001#0",
                text="A pneumothorax is air.",
                source="arxiv",
                source_id="2101.00001",
                title="Air & lungs",
                license="see url",
                attribution="Ada Lovelace, Bo Chén, arXiv:2101.00001v3, J. Lungs 12 (2022) 1-15, doi:10.1234/lung.1",
                url="https://arxiv.org/abs/2101.00001v3",
                year=2021,
            )
        ]


def test_the_requests_are_those_of_the_manual(tmp_path: Path) -> None:
    more = {"categories": ["eess.IV", "q-bio.*"], "from_year": 2019, "to_year": 2021, "order": "newest"}
    with arxiv_with(*numbered(5)) as (server, _):
        assert len(list(source(server, tmp_path, page_size=2, limit=5, **more))) == 5
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", "/api/query")] * 3
    assert [(asked.fields["start"], asked.fields["max_results"]) for asked in server.asked] == [
        ("0", "2"),
        ("2", "2"),
        ("4", "1"),
    ]
    asked = server.asked[0]
    assert asked.fields["search_query"] == (
        "(all:lung) AND (cat:eess.IV OR cat:q-bio.*) AND submittedDate:[201901010000 TO 202112312359]"
    )
    assert (asked.fields["sortBy"], asked.fields["sortOrder"]) == ("submittedDate", "descending")
    assert "arxiv.py/" in asked.headers["user-agent"]
    assert asked.headers["user-agent"].startswith("Lumenscribe-bot/")


def test_parts_of_a_query_may_be_left_out() -> None:
    def query(**more: Any) -> str:
        return search_query(ArxivConfig.model_validate({"kind": "arxiv", **more}))

    assert query(query="ti:a OR ti:b") == "(ti:a OR ti:b)"
    assert query(categories=["cs.CV"]) == "(cat:cs.CV)"
    assert query(categories=["cs.CV"], from_year=2020).endswith("submittedDate:[202001010000 TO 210012312359]")
    assert query(categories=["cs.CV"], to_year=2020).endswith("submittedDate:[199101010000 TO 202012312359]")


def test_no_more_is_fetched_than_the_limit(tmp_path: Path) -> None:
    with arxiv_with(*numbered(9)) as (server, _):
        assert len(source(server, tmp_path, page_size=3, limit=4)) == 4
    assert [(asked.fields["start"], asked.fields["max_results"]) for asked in server.asked] == [("0", "3"), ("3", "1")]


def test_versions_are_folded_and_the_newest_wins(tmp_path: Path) -> None:
    papers = [
        entry("2101.00001v1", summary="First."),
        entry("hep-th/9901001v2"),
        entry("2101.00001v10", summary="Tenth."),
        entry("2101.00001v3", summary="Third."),
        entry("hep-th/9901001v2"),
    ]
    with arxiv_with(*papers) as (server, _):
        items = [item for item in source(server, tmp_path, page_size=2) if isinstance(item, Passage)]
    assert [(item.id, item.text) for item in items] == [
        ("hep-th/9901001#0", "We look at lungs."),
        ("2101.00001#0", "Tenth."),
    ]
    assert items[1].url == "https://arxiv.org/abs/2101.00001v10"


@pytest.mark.parametrize(
    ("comment", "summary", "withdrawn"),
    [
        ("This paper has been withdrawn by the author due to an error", "We look.", True),
        ("Withdrawn", "We look.", True),
        ("10 pages; submission withdrawn by arXiv administrators", "We look.", True),
        ("", "This paper has been withdrawn by the authors.", True),
        ("10 pages, 2 figures", "The drug was withdrawn from the market. The paper says why.", False),
        ("Supersedes an article. The withdrawn drug is named", "We look.", False),
    ],
)
def test_withdrawn_papers_are_noted_and_are_no_evidence(
    tmp_path: Path, comment: str, summary: str, withdrawn: bool
) -> None:
    extra = f"<arxiv:comment>{comment}</arxiv:comment>" if comment else ""
    with arxiv_with(entry("2101.00001v2", summary=summary, extra=extra)) as (server, _):
        (item,) = source(server, tmp_path)
    assert isinstance(item, SourceFailure) == withdrawn
    if isinstance(item, SourceFailure):
        assert item.id == "2101.00001"
        assert item.reason.startswith("withdrawn: ")


def test_bad_entries_are_failures_and_the_others_stay(tmp_path: Path) -> None:
    no_date = entry("2101.00002v1").replace("<published>2021-03-25T17:42:32Z</published>", "")
    no_id = entry("x").replace("<id>http://arxiv.org/abs/x</id>", "")
    papers = [entry("2101.00001v1"), no_date, entry("2101.00003v1", summary=" "), no_id, entry("2101.00004v1"), no_id]
    with arxiv_with(*papers) as (server, _):
        items = list(source(server, tmp_path, page_size=2))
    assert [item.id for item in items if isinstance(item, Passage)] == ["2101.00001#0", "2101.00004#0"]
    assert {(item.id, item.reason) for item in items if isinstance(item, SourceFailure)} == {
        ("http://arxiv.org/abs/2101.00002v1", UNREADABLE),
        ("2101.00003", "has no abstract"),
        ("result 3", UNREADABLE),
        ("result 5", UNREADABLE),
    }
    assert starts(server) == [0, 2, 4]


def test_a_date_that_is_none_costs_its_page_and_not_the_fetch(tmp_path: Path) -> None:
    papers = [*numbered(2), entry("2102.00001v1").replace("2021-03-25T", "2021-33-25T"), entry("2102.00002v1")]
    with arxiv_with(*papers, entry("2103.00001v1")) as (server, _):
        items = list(source(server, tmp_path, page_size=2))
    assert [item.id for item in items if isinstance(item, Passage)] == ["2101.00000#0", "2101.00001#0", "2103.00001#0"]
    assert [(item.id, item.reason) for item in items if isinstance(item, SourceFailure)] == [
        ("http://arxiv.org/abs/2102.00001v1", UNREADABLE),
        ("http://arxiv.org/abs/2102.00002v1", UNREADABLE),
    ]


@pytest.mark.parametrize(
    "fault",
    [
        *PASSING,
        Answer(feed(numbered(1), 4).body[:-300], 200, ATOM),  # whole for HTTP, cut for XML
        Answer(feed(numbered(1), 4).body, 200, ATOM, cut=500),
        Answer(b"<html><body>Maintenance<br></body></html>", 200, "text/html"),
        Answer(b"<html><body>Maintenance</body></html>", 200, "text/html"),
        Answer(b"", 200, ATOM),
        feed([], 4),
    ],
    ids=lambda answer: f"{answer.status}-{len(answer.body)}-{answer.cut}",
)
@pytest.mark.parametrize("at", [0, 2])
def test_faults_that_pass_are_asked_again(tmp_path: Path, fault: Answer, at: int) -> None:
    papers = Papers(*numbered(4))
    faults = [fault, fault]

    def answer(asked: Asked) -> Answer:
        return faults.pop() if faults and asked.fields["start"] == str(at) else papers(asked)

    with web_server(answer) as server:
        assert found(source(server, tmp_path, page_size=2)) == [f"2101.{number:05d}#0" for number in range(4)]
    assert starts(server) == sorted([0, 2, at, at])


def test_an_empty_page_that_stays_empty_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    """The fault behind arxiv's UnexpectedEmptyPageError: https://github.com/lukasschwab/arxiv.py/issues/43"""
    papers = Papers(*numbered(4))

    def answer(asked: Asked) -> Answer:
        return papers(asked) if asked.fields["start"] == "0" else feed([], 0, 2)

    with web_server(answer) as server:
        with pytest.raises(SourceError, match=rf"results from 2 failed {ATTEMPTS} times: an empty page, though .* 4 r"):
            len(source(server, tmp_path, page_size=2))
        server.answer = papers
        assert len(source(server, tmp_path, page_size=2)) == 4
    assert starts(server) == [0, *[2] * ATTEMPTS, 2]


def test_a_longer_wait_than_is_allowed_ends_the_fetch(tmp_path: Path) -> None:
    with (
        web_server(lambda _: Answer(b"", 429, headers={"Retry-After": "3600"})) as server,
        pytest.raises(SourceError, match=r"asks to wait 3600 s: HTTP 429. What was fetched is kept"),
    ):
        len(source(server, tmp_path))
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 200])
def test_a_refused_query_is_said_in_the_api_s_words(tmp_path: Path, status: int) -> None:
    with (
        web_server(lambda _: Answer(REFUSAL, status, ATOM)) as server,
        pytest.raises(SourceError, match=r"arXiv: refuses the query: incorrect id format for abc. Mend"),
    ):
        len(source(server, tmp_path))
    assert len(server.asked) == 1


def test_a_wrong_address_is_said(tmp_path: Path) -> None:
    with (
        web_server(lambda _: Answer(b"no such page", 404, "text/plain")) as server,
        pytest.raises(SourceError, match=r"HTTP 404 from http://127.0.0.1:.*/api/query. Check the url"),
    ):
        len(source(server, tmp_path))
    with pytest.raises(SourceError, match=f"failed {ATTEMPTS} times: no connection to {server.url}/api/query"):
        len(source(server, tmp_path / "other"))
    with pytest.raises(SourceError, match="cannot be asked"):
        len(source(WebServer(Papers(), "http://:80"), tmp_path / "third"))


def test_a_query_that_finds_nothing_is_an_error_and_is_asked_again(tmp_path: Path) -> None:
    with web_server(lambda _: feed([], 0)) as server:
        for _ in range(2):
            with pytest.raises(SourceError, match=r"no paper matches \(all:lung\). Change query"):
                len(source(server, tmp_path))
    assert len(server.asked) == 2


def test_results_that_move_between_pages_come_once(tmp_path: Path) -> None:
    papers = Papers(*numbered(4))

    def answer(asked: Asked) -> Answer:
        made = papers(asked)
        if asked.fields["start"] == "0":  # two new papers before the others, between two requests
            papers.entries[:0] = [entry("2102.00001v1"), entry("2102.00002v1")]
        return made

    with web_server(answer) as server:
        assert found(source(server, tmp_path, page_size=2)) == [f"2101.{number:05d}#0" for number in range(4)]
    assert starts(server) == [0, 2, 4]


def test_results_that_become_fewer_end_the_fetch(tmp_path: Path) -> None:
    papers = Papers(*numbered(4))

    def answer(asked: Asked) -> Answer:
        made = papers(asked)
        del papers.entries[2:]
        return made

    with web_server(answer) as server:
        assert len(source(server, tmp_path, page_size=2)) == 2
    assert starts(server) == [0, 2]


def test_what_was_fetched_is_never_fetched_again(tmp_path: Path) -> None:
    with arxiv_with(*numbered(3)) as (server, _):
        before = list(source(server, tmp_path, page_size=2))
        assert list(source(server, tmp_path, page_size=1)) == before
        assert len(source(server, tmp_path)) == 3
        assert starts(server) == [0, 2]
        list(source(server, tmp_path, limit=2))
        assert starts(server) == [0, 2, 0]


KILLED = """
import sys
from indexer.config.web import ArxivConfig
from indexer.sources.arxiv_search import ArxivSource
from indexer.sources.fetching import Manners
from indexer import load_embedder
from indexer.sources.context import SourceContext
context = SourceContext(load_embedder("minilm"))
config = {"kind": "arxiv", "query": "all:lung", "url": sys.argv[1], "fetched": sys.argv[2], "page_size": 2}
len(ArxivSource(ArxivConfig.model_validate(config), context, Manners("arXiv", per_second=1e6)))
"""


def test_a_fetch_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    papers, dead = Papers(*numbered(7)), threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.fields["start"] == "4":
            dead.wait(60)
            return Answer(b"", cut=0)
        return papers(asked)

    with web_server(answer) as server:
        kill_in_the_middle(KILLED, [f"{server.url}/api/query", str(tmp_path)], server, requests=3)
        dead.set()
        server.answer = papers
        assert starts(server) == [0, 2, 4]
        assert found(source(server, tmp_path, page_size=2)) == [f"2101.{number:05d}#0" for number in range(7)]
        assert starts(server) == [0, 2, 4, 4, 6]


def test_the_pace_is_the_one_arxiv_asks_for_and_one_for_all_sources() -> None:
    assert pytest.approx(3) == 1 / MANNERS.per_second
    config = {"out": "x", "sources": [{"kind": "arxiv", "query": "a"}, {"kind": "arxiv", "categories": ["cs.CV"]}]}
    opened = [open_source(one, SourceContext(WordCounter())) for one in IndexConfig.model_validate(config).sources]
    assert all(isinstance(one, ArxivSource) and one._manners is MANNERS for one in opened)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "name a query, categories, or both"),
        ({"query": " "}, "query"),
        ({"categories": ["cs CV"]}, "categories"),
        ({"query": "a", "from_year": 2021, "to_year": 2020}, "from_year is after to_year"),
        ({"query": "a", "delay_s": 1}, "unknown key"),
        ({"query": "a", "limit": 40_000}, "limit"),
        ({"query": "a", "url": "file:///etc/passwd"}, "url"),
    ],
)
def test_configs_that_ask_for_nothing_or_the_impossible(config: dict[str, Any], message: str) -> None:
    with pytest.raises(configs.ConfigError, match=message):
        configs.parse(IndexConfig, {"out": "x", "sources": [{"kind": "arxiv", **config}]}, "mine.yaml")


def test_the_shipped_config() -> None:
    (shipped,) = load_config("arxiv").sources
    assert isinstance(shipped, ArxivConfig)
    assert shipped.holds == "passages"
    assert search_query(shipped).startswith('(all:radiograph OR all:"chest x-ray"')
