"""What a fetch shows on stderr: a bar with how far it is and a line for each wait; nothing where it is not to."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from api_makers import first, quick
from arxiv_server import Papers, entry
from index_makers import WordCounter, index_config
from pubmed_makers import FakeNcbi
from wiki_server import Page, Wiki

from indexer import IndexConfig, SourceError, build_index
from indexer.sources.arxiv_search import ArxivSource
from indexer.sources.context import SourceContext
from indexer.sources.fetching import Manners, PassingFaultError
from indexer.sources.pubmed import PubmedSource
from indexer.sources.tavily import TavilySource
from indexer.sources.wikipedia_pages import WikipediaSource
from indexer.types import Source
from tests.web_server import Answer, Asked, WebServer, web_server

SECRET = "tvly-dev-0123456789secret"  # noqa: S105
EMAIL = "someone+lungs@example.org"
WAITS = [Answer(b"", 429, "text/plain", {"Retry-After": "0"}), Answer(b"", 503, "text/plain")]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NCBI_API_KEY", "TAVILY_API_KEY"):
        monkeypatch.setenv(name, SECRET)
    for name in ("NCBI_EMAIL", "WIKIMEDIA_CONTACT"):
        monkeypatch.setenv(name, EMAIL)
    monkeypatch.setattr("indexer.sources.pubmed.PAGE_RECORDS", 2)
    monkeypatch.setattr("Bio.Entrez.time", SimpleNamespace(time=time.time, sleep=lambda _: None))


def config(**values: Any) -> Any:
    return IndexConfig.model_validate({"out": "x", "sources": [values]}).sources[0]


def pubmed(server: WebServer, folder: Path, context: SourceContext, manners: Manners) -> Source:
    url = f"{server.url}/eutils"
    return PubmedSource(config(kind="pubmed", term="lung", fetched=str(folder), url=url), context, manners)


def arxiv(server: WebServer, folder: Path, context: SourceContext, manners: Manners) -> Source:
    values = {"kind": "arxiv", "query": "all:lung", "page_size": 2, "fetched": str(folder)}
    return ArxivSource(config(**values, url=f"{server.url}/api/query"), context, manners)


def wikipedia(server: WebServer, folder: Path, context: SourceContext, manners: Manners) -> Source:
    values = {"kind": "wikipedia", "titles": ["Lung"], "searches": ["air"], "results": 3, "fetched": str(folder)}
    return WikipediaSource(config(**values, url=f"{server.url}/w/api.php"), context, manners)


def tavily(server: WebServer, folder: Path, context: SourceContext, manners: Manners) -> Source:
    values = {"kind": "tavily", "queries": ["q1", "q2"], "fetched": str(folder)}
    return TavilySource(config(**values, url=f"{server.url}/search"), context, manners)


def found(_: Asked) -> Answer:
    return Answer(json.dumps({"results": [{"url": "https://a.org", "title": "A", "content": "Air."}]}).encode())


def pages() -> Wiki:
    lung, chest = Page(1, "The lungs are for breathing.", 1), Page(2, "The chest is around them.", 2)
    return Wiki({"Lung": lung, "Chest": chest}, searches={"air": ["Chest"]})


def papers() -> Papers:
    return Papers(*(entry(f"2101.{number:05d}v1") for number in range(5)))


def ncbi() -> FakeNcbi:
    return FakeNcbi(dict.fromkeys(range(101, 106), date(2020, 5, 17)))


Open = Callable[[WebServer, Path, SourceContext, Manners], Source]
SOURCES: list[Any] = [
    pytest.param(pubmed, ncbi, "PubMed", id="pubmed"),
    pytest.param(arxiv, papers, "arXiv", id="arxiv"),
    pytest.param(wikipedia, pages, "Wikipedia", id="wikipedia"),
    pytest.param(tavily, lambda: found, "Tavily", id="tavily"),
]
LAST = {
    "PubMed": r"pubmed: 100%\|#+\| 5/5 \[.*<00:00, .* records",
    "arXiv": r"arxiv: 100%\|#+\| 5/5 \[.*<00:00, .* results",
    "Wikipedia": r"wikipedia: 100%\|#+\| 2/2 \[.*<00:00, .* pages",
    "Tavily": r"web:tavily: 100%\|#+\| 2/2 \[.*<00:00, .* searches",
}
"""What is left on the screen: how many of how many, the time left, the rate in the source's own unit."""


@pytest.mark.parametrize(("open_", "serve", "api"), SOURCES)
def test_a_fetch_shows_how_far_it_is_and_each_wait(
    open_: Open, serve: Callable[[], Any], api: str, tmp_path: Path, capsys: Any
) -> None:
    with web_server(first(WAITS, serve())) as server:
        source = open_(server, tmp_path, SourceContext(WordCounter(), progress=True), quick(api))
        count = len(source)
        out, err = capsys.readouterr()
        asked = len(server.asked)
        assert len(source) == count
        assert (len(server.asked), capsys.readouterr()) == (asked, ("", ""))  # nothing fetched, nothing shown
    assert out == ""
    lines = err.replace("\r", "\n").replace("█", "#").splitlines()
    assert re.match(LAST[api], lines[-1])
    waits = [line.strip() for line in lines if line.strip().startswith(f"{api}: ")]
    assert len(waits) == 2
    assert waits[0].endswith(": the server asked to wait 0 s")
    assert " failed: HTTP 503; it is tried again in 0" in waits[1]
    assert SECRET not in err
    assert EMAIL not in err


@pytest.mark.parametrize("progress", [False, None], ids=["off", "piped"])
@pytest.mark.parametrize(("open_", "serve", "api"), SOURCES)
def test_a_fetch_is_quiet_where_it_is_not_to_be_shown(
    open_: Open,
    serve: Callable[[], Any],
    api: str,
    progress: bool | None,
    tmp_path: Path,
    capsys: Any,
) -> None:
    with web_server(first(WAITS, serve())) as server:
        source = open_(server, tmp_path, SourceContext(WordCounter(), progress), quick(api))
        assert list(source)
        assert len(server.asked) > 2
    assert capsys.readouterr() == ("", "")


def test_a_build_hands_its_progress_on(tmp_path: Path, hashes: Any, capsys: Any) -> None:
    for progress in (True, False):
        with web_server(found) as server:
            values = {"kind": "tavily", "queries": ["q1"], "url": f"{server.url}/search"}
            source = {**values, "fetched": str(tmp_path / str(progress))}
            build_index(index_config(tmp_path / f"index-{progress}", source, **hashes.names), progress=progress)
        assert ("web:tavily: 100%" in capsys.readouterr().err) is progress


def test_a_fetch_that_goes_on_begins_where_it_stopped(tmp_path: Path, capsys: Any) -> None:
    def dead_at_four(asked: Asked) -> Answer:
        return Answer(b"", 503) if asked.fields["start"] == "4" else whole(asked)

    whole = papers()
    context = SourceContext(WordCounter(), progress=True)
    with web_server(dead_at_four) as server:
        with pytest.raises(SourceError, match="failed 4 times"):
            len(arxiv(server, tmp_path, context, quick("arXiv")))
        stopped = capsys.readouterr().err
        assert "| 4/5 [" in stopped
        assert stopped.endswith("\n")  # the bar is ended before the error is printed
        server.answer = whole
        len(arxiv(server, tmp_path, context, quick("arXiv")))
        shown = capsys.readouterr().err
    assert "| 4/5 [" in shown
    assert "| 0/5 [" not in shown
    assert "| 5/5 [" in shown


def test_a_long_wait_is_said_before_it_is_waited_for() -> None:
    said: list[str] = []
    manners = Manners("PubMed", 1e6, attempts=2, longest_wait_s=60)
    slept: list[float] = []

    def fail() -> None:
        raise PassingFaultError("HTTP 429", after_s=30)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "indexer.sources.fetching.time",
            SimpleNamespace(sleep=lambda s: slept.append(s) if said else None, monotonic=time.monotonic),
        )
        with pytest.raises(SourceError, match="failed 2 times"):
            manners.ask("page 1", fail, said.append)
    assert said == ["PubMed: page 1: the server asked to wait 30 s"]
    assert 30 in slept
