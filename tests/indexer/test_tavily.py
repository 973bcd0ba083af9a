"""Tavily over real HTTP: what is asked, what becomes of the answers, and that the key goes nowhere else.

Requests, answers and errors have the form of https://docs.tavily.com/documentation/api-reference/endpoint/search and
of the client's own tests
(https://github.com/tavily-ai/tavily-python/blob/1aeb9db64cf5c5374a541075b735218a757de72a/tests/test_search.py); what
the statuses mean is from https://help.tavily.com/articles/8645538886-understanding-http-errors
"""

from __future__ import annotations

import json
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from api_makers import ATTEMPTS, PASSING, first, kill_in_the_middle, quick
from conftest import Embedders
from index_makers import WordCounter, index_config

import configs
from indexer import IndexConfig, Passage, SourceError, SourceFailure, build_index
from indexer.config.web import TavilyConfig
from indexer.sources import open_source
from indexer.sources.context import SourceContext
from indexer.sources.tavily import KEY, MANNERS, TavilySource
from tests.web_server import Answer, Asked, WebServer, web_server

SECRET = "tvly-dev-a1b2c3d4e5f6"  # noqa: S105  # made up


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, SECRET)


def result(number: int, **more: Any) -> dict[str, Any]:
    return {
        "title": f"Page {number}",
        "url": f"https://example.org/{number}",
        "content": f"What page {number} says.",
        "score": 0.99,
        "raw_content": None,
        **more,
    }


def results(*found: Any) -> Answer:
    answer = {
        "query": "What is Tavily?",
        "follow_up_questions": None,
        "answer": None,
        "images": [],
        "results": list(found),
        "response_time": 1.5,
        "request_id": "123e4567-e89b-12d3-a456-426614174111",
    }
    return Answer(json.dumps(answer).encode())


def refusal(status: int, said: str) -> Answer:
    return Answer(json.dumps({"detail": {"error": said}}).encode(), status)


def search(asked: Asked) -> Answer:
    """Finds two pages of its own for each query: `1` and `2` for the query `q1`, `3` and `4` for `q2`, ..."""
    number = int(json.loads(asked.body)["query"][1:])
    return results(result(2 * number - 1), result(2 * number))


def source(server: WebServer, folder: Path, **more: Any) -> TavilySource:
    config = {"kind": "tavily", "url": f"{server.url}/search", "fetched": str(folder), "queries": ["q1"], **more}
    return TavilySource(TavilyConfig.model_validate(config), SourceContext(WordCounter()), quick("Tavily"))


def queries(server: WebServer) -> list[str]:
    return [json.loads(asked.body)["query"] for asked in server.asked]


def test_results_become_passages_marked_as_web_evidence(tmp_path: Path) -> None:
    with web_server(search) as server:
        items = source(server, tmp_path)
        assert len(items) == 2
        assert next(iter(items)) == Passage(
            id="https://example.org/1#0",
            text="What page 1 says.",
            source="web:tavily",
            source_id="https://example.org/1",
            title="Page 1",
            license="unknown: web page",
            attribution="https://example.org/1",
            url="https://example.org/1",
        )


def test_the_request_is_the_documented_one(tmp_path: Path) -> None:
    with web_server(search) as server:
        list(source(server, tmp_path, max_results=3, include_domains=["nih.gov", "who.int"]))
        list(source(server, tmp_path / "plain"))
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", "/search")
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert asked.headers["content-type"] == "application/json"
    assert json.loads(asked.body) == {
        "query": "q1",
        "max_results": 3,
        "search_depth": "basic",
        "include_domains": ["nih.gov", "who.int"],
    }
    assert "include_domains" not in json.loads(server.asked[1].body)


def test_a_page_that_two_queries_find_is_one_document(tmp_path: Path) -> None:
    answers = [results(result(1), result(2)), results(result(1), result(2, content="Another part of it."))]
    with web_server(first(answers, search)) as server:
        items = list(source(server, tmp_path, queries=["q1", "q2"]))
    assert [(item.id, item.text) for item in items if isinstance(item, Passage)] == [
        ("https://example.org/1#0", "What page 1 says."),
        ("https://example.org/2#0", "What page 2 says."),
        ("https://example.org/2#1", "Another part of it."),
    ]


def test_results_that_cannot_be_used_are_failures(tmp_path: Path) -> None:
    bad = [result(1, url="javascript:alert(1)"), result(2, content=None), "nonsense", result(4, title=None)]
    with web_server(first([results(*bad), results()], search)) as server:
        items = list(source(server, tmp_path, queries=["lungs", "nothing"]))
    assert [(item.id, item.reason) for item in items if isinstance(item, SourceFailure)] == [
        ("lungs: result 1", "has no web address"),
        ("lungs: result 2", "https://example.org/2 has no text"),
        ("lungs: result 3", "not an object"),
        ("nothing", "the search finds nothing"),
    ]
    (passage,) = (item for item in items if isinstance(item, Passage))
    assert (passage.id, passage.title) == ("https://example.org/4#0", None)


@pytest.mark.parametrize(
    "fault",
    [
        *PASSING,
        refusal(429, "Your request has been blocked due to excessive requests. Please reduce rate of requests."),
        refusal(500, "Internal Server Error"),
        Answer(b'{"results": [{"ti'),
        Answer(b"<html></html>", 200, "text/html"),
        Answer(b'{"detail": "?"}'),
        Answer(b"[]"),
        Answer(results(result(1)).body, cut=20),
    ],
    ids=lambda answer: f"{answer.status}-{len(answer.body)}-{answer.cut}",
)
def test_faults_that_pass_are_asked_again(tmp_path: Path, fault: Answer) -> None:
    with web_server(first([fault, fault], search)) as server:
        assert len(source(server, tmp_path)) == 2
    assert queries(server) == ["q1"] * 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refusal(400, "Invalid topic. Must be 'general'."), "HTTP 400: Invalid topic. Must be 'general'. Mend"),
        (refusal(401, "Unauthorized: missing or invalid API key."), f"HTTP 401: the key in {KEY} is not valid. Set"),
        (refusal(432, "This request exceeds your plan's set usage limit."), "HTTP 432: the plan's limit is used up"),
        (refusal(433, "This request exceeds the pay-as-you-go limit."), "HTTP 433: the pay-as-you-go limit is used"),
        (Answer(b"<html>", 404), "HTTP 404: no reason given. Mend the query or the url"),
        (Answer(b'{"detail": [{"loc": ["body", "query"], "msg": "bad"}]}', 422), "HTTP 422: .*bad"),
        (Answer(b"", 429, headers={"Retry-After": "3600"}), "asks to wait 3600 s"),
    ],
)
def test_refusals_are_said_once_with_what_to_do(tmp_path: Path, answer: Answer, message: str) -> None:
    with (
        web_server(lambda _: answer) as server,
        pytest.raises(SourceError, match=f"^Tavily: the search 'q1'.*{message}"),
    ):
        len(source(server, tmp_path))
    assert len(server.asked) == 1


def test_what_was_paid_for_is_kept_when_the_credits_end(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        return search(asked) if b"q1" in asked.body else refusal(432, "no more")

    with web_server(answer) as server:
        items = source(server, tmp_path, queries=["q1", "q2"])
        with pytest.raises(SourceError, match="HTTP 432"):
            len(items)
        server.answer = search
        assert len(items) == 4
        assert len(source(server, tmp_path, queries=["q1", "q2"])) == 4
    assert queries(server) == ["q1", "q2", "q2"]


KILLED = """
import sys
from indexer.config.web import TavilyConfig
from indexer.sources.fetching import Manners
from indexer.sources.tavily import TavilySource
from indexer import load_embedder
from indexer.sources.context import SourceContext
context = SourceContext(load_embedder("minilm"))
config = {"kind": "tavily", "queries": ["q1", "q2", "q3"], "url": sys.argv[1], "fetched": sys.argv[2]}
len(TavilySource(TavilyConfig.model_validate(config), context, Manners("Tavily", per_second=1e6)))
"""


def test_a_fetch_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    dead = threading.Event()

    def answer(asked: Asked) -> Answer:
        if b"q3" in asked.body:
            dead.wait(60)
            return Answer(b"", cut=0)
        return search(asked)

    with web_server(answer) as server:
        kill_in_the_middle(KILLED, [f"{server.url}/search", str(tmp_path)], server, requests=3)
        dead.set()
        server.answer = search
        assert len(source(server, tmp_path, queries=["q1", "q2", "q3"])) == 6
    assert queries(server) == ["q1", "q2", "q3", "q3"]


@pytest.mark.parametrize("value", ["", "  ", "tvly-a\nb", "tvly-ü", "tvly a"])
def test_without_a_key_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(KEY, value)
    with web_server(search) as server, pytest.raises(SourceError, match=KEY) as error:
        len(source(server, tmp_path))
    assert server.asked == []
    assert not value.strip() or value not in str(error.value)


def test_the_key_is_in_no_file_record_message_or_log(
    tmp_path: Path, hashes: Embedders, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr("indexer.sources.tavily.MANNERS", quick("Tavily"))
    with web_server(first([Answer(b"", 500)], search)) as server:
        texts = []
        settings = {"kind": "tavily", "url": f"{server.url}/search", "fetched": str(tmp_path / "fetched")}
        config = index_config(tmp_path / "index", {**settings, "queries": ["q1"]}, **hashes.names)
        texts.append(str(build_index(config)))
        asked = server.asked[-1]
        for status in (400, 401, 403, 422, 432, 433, 503):
            server.answer = lambda _, status=status: refusal(status, f"key {SECRET} refused")  # type: ignore[misc]
            with pytest.raises(SourceError) as error:
                len(source(server, tmp_path / "fetched", queries=["q2"]))
            texts.append("".join(traceback.format_exception(error.value)))
        texts += [repr(one) for one in (error, source(server, tmp_path, queries=["q3"]))]
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert all(SECRET.encode() not in data and b"0.99" not in data for data in files)
    assert all(SECRET not in text for text in (*texts, caplog.text))


def test_nothing_but_a_config_that_names_it_asks_the_web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = [configs.find("indexes", name).read_text() for name in configs.names("indexes")]
    assert all("tavily" not in text for text in shipped)
    config = {"out": "x", "sources": [{"kind": "tavily", "queries": ["q1"], "fetched": str(tmp_path)}]}
    monkeypatch.delenv(KEY)
    opened = open_source(IndexConfig.model_validate(config).sources[0], SourceContext(WordCounter()))
    assert isinstance(opened, TavilySource)
    assert (opened.name, opened._manners) == ("web:tavily", MANNERS)
    with pytest.raises(SourceError, match=f"no key. Set {KEY}"):
        len(opened)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "queries"),
        ({"queries": ["q" * 401]}, "queries"),
        ({"queries": ["q"], "max_results": 21}, "max_results"),
        ({"queries": ["q"], "api_key": "k"}, "unknown key"),
        ({"queries": ["q"], "url": "http://example.org/search"}, "url"),
        ({"queries": ["q"], "source": "pubmed"}, "unknown key"),
    ],
)
def test_configs_that_cannot_be(config: dict[str, Any], message: str) -> None:
    with pytest.raises(configs.ConfigError, match=message):
        configs.parse(IndexConfig, {"out": "x", "sources": [{"kind": "tavily", **config}]}, "mine.yaml")


def test_an_api_that_stays_down_is_one_clear_line(tmp_path: Path) -> None:
    with (
        web_server(lambda _: Answer(b"", 503)) as server,
        pytest.raises(SourceError, match=f"the search 'q1' failed {ATTEMPTS} times: HTTP 503"),
    ):
        len(source(server, tmp_path))
