"""What strangers send to break it, or to learn what is none of their business."""

from __future__ import annotations

import json
import logging
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.datastructures import Headers

from indexer.errors import IndexerError, RecordNotFoundError
from service.app import create_app
from service.asked import Choice, Offer, Upload
from service.bodies import bounds_of, has_body
from service.errors import CannotDescribe, NotThere, TooLarge, Unusable, public
from service.service import Service, _told
from tests.service.conftest import config_in

FORM = {"content-type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service that loads no model."""
    service = Service(config_in(tmp_path_factory.mktemp("bare"), "limits.body_mib=2", "page=false"))
    service._load = lambda: None  # type: ignore[method-assign]
    return service


@pytest.fixture(scope="module")
def stranger(bare: Service) -> Iterator[TestClient]:
    with TestClient(create_app(bare), raise_server_exceptions=True) as client:
        yield client


@pytest.mark.parametrize("header", ["origin", "host"])
@pytest.mark.parametrize("value", ["http://[", "[", "[::1", "http://[x]:80", "//[/"])
def test_a_malformed_origin_or_host_is_refused_and_no_fault(stranger: TestClient, header: str, value: str) -> None:
    assert stranger.get("/choices", headers={header: value}).status_code == 403


def test_methods_that_a_client_invents_make_no_new_series(stranger: TestClient) -> None:
    for number in range(5):
        assert stranger.request(f"MADE{number}", "/health").status_code == 405
    text = stranger.get("/metrics").text
    assert "MADE" not in text
    assert 'lumenscribe_requests_total{method="other",route="/health",status="405"} 5.0' in text


def chunks(total: int) -> Iterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    for _ in range(total >> 16):
        yield b"0" * (1 << 16)


@pytest.mark.parametrize("said", ["9", "00000000000000000009", "0" * 60 + "9", "9" * 40, "9" * 5000])
def test_a_length_that_lies_or_is_long_to_say_is_held_to_the_limit(stranger: TestClient, said: str) -> None:
    answer = stranger.post("/caption", content=chunks(3 << 20), headers=FORM | {"content-length": said})
    assert answer.status_code == 413
    assert "limit of 2 MiB (limits.body_mib)" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("said", "expected"), [("0", False), ("000", False), ("", False), ("1", True), ("0x10", True), ("-1", True)]
)
def test_a_body_is_expected_wherever_its_length_is_not_plainly_nothing(
    bare: Service, said: str, expected: bool
) -> None:
    headers = Headers(FORM | {"content-length": said})
    scope = {"type": "http", "method": "POST", "path": "/caption"}
    assert has_body(headers, bounds_of(scope, headers, bare.config)) is expected
    assert has_body(Headers({"transfer-encoding": "chunked"}), bounds_of(scope, headers, bare.config))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/ratings", "application/json"),
        ("/login", "application/x-www-form-urlencoded"),
        ("/login", FORM["content-type"]),
        ("/batches", "application/x-www-form-urlencoded"),
        ("/caption", "text/plain"),
    ],
)
def test_what_is_read_on_the_event_loop_is_short(stranger: TestClient, bare: Service, path: str, kind: str) -> None:
    answer = stranger.post(path, content=b"[" * ((1 << 20) + 1), headers={"content-type": kind})
    assert answer.status_code == 413
    assert "limit of 1 MiB" in answer.json()["detail"]
    bounds = bounds_of({"type": "http", "method": "POST", "path": path}, Headers({"content-type": kind}), bare.config)
    assert bounds.mib == 1, "and so where it says nothing of its length"


def test_a_job_alone_may_be_larger(bare: Service) -> None:
    headers = Headers(FORM | {"content-length": str(3 << 20)})
    assert has_body(headers, bounds_of({"type": "http", "method": "POST", "path": "/batches"}, headers, bare.config))
    for method, path in (("PUT", "/batches"), ("POST", "/batches/"), ("POST", "/caption")):
        with pytest.raises(TooLarge):
            has_body(headers, bounds_of({"type": "http", "method": method, "path": path}, headers, bare.config))


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "rot13", "no-such", "punycode"])
def test_a_charset_of_the_clients_own_breaks_nothing(stranger: TestClient, charset: str) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="question\\ud800"\r\n\r\n\\ud800\r\n--x--\r\n'
    answer = stranger.post("/ask", content=part, headers={"content-type": f"{FORM['content-type']}; charset={charset}"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_schema_of_many_parts_is_refused_at_once(bare: Service) -> None:
    bomb = '{"anyOf":[' + ",".join(["{}"] * 6600) + "]}"
    offer, began = Offer(bare.config), time.perf_counter()
    with pytest.raises(Unusable, match="schema: 6602 objects and lists in it; the limit is 500"):
        offer.extract(Upload("a.png", b"x"), bomb, Choice())
    assert time.perf_counter() - began < 0.5
    nested = '{"not":' * 400 + "{}" + "}" * 400
    with pytest.raises(Unusable, match="schema"):
        offer.extract(Upload("a.png", b"x"), nested, Choice())
    plain = json.dumps({"properties": {f"p{n}": {"type": "string"} for n in range(50)}})
    assert offer.extract(Upload("a.png", b"x"), plain, Choice()).task == "extract"


def test_labels_that_cannot_be_told_apart_fail_no_other_request(bare: Service) -> None:
    offer = Offer(bare.config)
    uploads = [Upload("a.png", b"x")]
    one, same, other = (
        offer.ask(uploads, "Which?", Choice(), labels) for labels in (("a", "b"), ("a", "b"), ("c", "d"))
    )
    assert one.like == same.like != other.like


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("index /srv/lab/data/x/index has no record 'a'", "index .../index has no record 'a'"),
        ("/home/anna/models/m.safetensors: damaged", ".../m.safetensors: damaged"),
        ("'/srv/a b/c': no", "'.../a b/c': no"),
        ("http://127.0.0.1:8000/v1/models cannot be reached", "http://127.0.0.1:8000/v1/models cannot be reached"),
        ("data/indexes/medpix: no index", "data/indexes/medpix: no index"),
        ("3/4 of it, and/or less", "3/4 of it, and/or less"),
        ("two\nlines", "two lines"),
    ],
)
def test_clients_are_not_told_where_files_lie(said: str, told: str) -> None:
    assert public(said) == told


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (IndexerError("/srv/lab/index: damaged"), CannotDescribe),
        (RecordNotFoundError("/srv/lab/index has no record 'a'"), NotThere),
        (FileNotFoundError(2, "No such file", "/srv/lab/x.faiss"), CannotDescribe),
    ],
)
def test_the_log_has_what_clients_are_not_told(
    error: Exception, refusal: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("service")
    logger.addHandler(caplog.handler)
    try:
        with pytest.raises(refusal) as raised, _told():
            raise error
    finally:
        logger.removeHandler(caplog.handler)
    assert "/srv/lab" not in str(raised.value)
    if refusal is CannotDescribe:
        assert "/srv/lab" in caplog.text


def test_an_example_that_is_not_there_tells_no_folder(stranger: TestClient) -> None:
    answer = stranger.get("/examples/%00/picture")
    assert answer.status_code == 404
    assert "/root" not in answer.text
    assert str(Path.home()) not in answer.text


def test_records_are_for_this_users_eyes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    Service(config_in(data, "page=false")).records.keep({"id": "a"}, "")
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for file in data.glob("records.sqlite*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
