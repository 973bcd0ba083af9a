"""Who may not ask is refused, and what may not be asked; the log says so and holds no secret."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from service.app import create_app
from service.logs import LOGGER, JsonLines
from service.service import Service
from tests.service.conftest import config_in

KEY, WRONG = "lms_the-key-of-the-laboratory", "lms_not-a-key-of-anybody"
PATHS = ("/caption", "/ask", "/analyze", "/extract", "/search", "/batches")
PLACES = (
    "https://example.org/scan.png?token=hidden-in-an-address",
    "http://169.254.169.254/latest/meta-data/hidden-in-an-address",
    "file:///etc/hidden-in-an-address",
    "/etc/hidden-in-an-address.png",
    "../../hidden-in-an-address.dcm",
    "a.zip!hidden-in-an-address.png",
)
Start = Callable[..., TestClient]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the service logs, as it is written to stderr."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield written
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """A client of a service that has keys. Its desk is open and no model is loaded: nothing here gets as far."""
    services: list[Service] = []

    def made(*assignments: str, keys: str = f"lab:{hashlib.sha256(KEY.encode()).hexdigest()}") -> TestClient:
        monkeypatch.setenv("LUMENSCRIBE_KEYS", keys)
        services.append(Service(config_in(tmp_path, "page=false", *assignments)))
        services[-1].desk.start()
        return TestClient(create_app(services[-1]))

    yield made
    for service in services:
        service.desk.close()


def refused(answer: Response, status: int) -> dict[str, object]:
    """The problem that a refusal is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = answer.json()
    assert problem["status"] == status
    assert problem["instance"] == answer.headers["x-request-id"]
    return problem


def logged(lines: io.StringIO, answer: Response) -> dict[str, object]:
    """The line of a request."""
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    (line,) = [line for line in found if line.get("request") == answer.headers["x-request-id"]]
    assert line["status"] == answer.status_code
    return dict(line)


@pytest.mark.parametrize("path", PATHS)
def test_without_a_key(path: str, start: Start, lines: io.StringIO) -> None:
    answer = start().post(path, files={"image": b"bytes"})
    assert refused(answer, 401)["type"] == "urn:lumenscribe:problem:no-key"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert logged(lines, answer)["key"] is None


@pytest.mark.parametrize("path", ["/choices", "/metrics", "/records/0", "/batches", "/ratings", "/benchmark", "/page/"])
def test_nothing_is_read_without_a_key(path: str, start: Start) -> None:
    refused(start().get(path), 401)


@pytest.mark.parametrize("path", ["/health", "/openapi.json"])
def test_what_says_nothing_of_anybody_needs_none(path: str, start: Start) -> None:
    assert start().get(path).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {WRONG}"}, {"authorization": f"bearer   {WRONG}"}, {"x-api-key": WRONG},
        {"cookie": f"lumenscribe_session={WRONG}"}, {"authorization": f"Basic {WRONG}"}, {"authorization": WRONG},
        {"x-api-key": "", "authorization": f"Bearer {WRONG}"},
    ],
)  # fmt: skip
def test_a_wrong_key(headers: dict[str, str], start: Start, lines: io.StringIO) -> None:
    answer = start().post("/caption", files={"image": b"bytes"}, headers=headers)
    assert WRONG not in json.dumps(refused(answer, 401))
    logged(lines, answer)
    assert WRONG not in lines.getvalue()


def test_the_hash_of_a_key_is_no_key(start: Start) -> None:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    refused(start().get("/choices", headers={"x-api-key": digest}), 401)


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}])
def test_its_key_lets_in_and_is_logged_by_name(headers: dict[str, str], start: Start, lines: io.StringIO) -> None:
    answer = start().get("/choices", headers=headers)
    assert answer.status_code == 200
    assert logged(lines, answer)["key"] == "lab"
    assert KEY not in lines.getvalue()


def test_a_key_in_the_address_is_no_key_and_is_not_logged(start: Start, lines: io.StringIO) -> None:
    answer = start().get(f"/choices?key={KEY}&api_key={KEY}&token={KEY}")
    refused(answer, 401)
    logged(lines, answer)
    assert KEY not in lines.getvalue()


def test_guessing_ends_and_shuts_nobody_out(start: Start) -> None:
    client = start("limits.wrong_keys_a_minute=3")
    statuses = [client.get("/choices", headers={"x-api-key": f"{WRONG}{n}"}).status_code for n in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert client.get("/choices", headers={"x-api-key": KEY}).status_code == 200


def test_over_the_limit_of_the_key(start: Start, lines: io.StringIO) -> None:
    client = start(keys=f"lab:{hashlib.sha256(KEY.encode()).hexdigest()}:2")
    answers = [client.get("/choices", headers={"x-api-key": KEY}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert refused(answers[-1], 429)["type"] == "urn:lumenscribe:problem:too-many-requests"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert logged(lines, answers[-1])["key"] == "lab"
    assert KEY not in lines.getvalue()


def test_a_body_over_the_limit(start: Start, lines: io.StringIO) -> None:
    body = b"x" * (1 << 20)
    answer = start("limits.body_mib=1").post("/caption", files={"image": body}, headers={"x-api-key": KEY})
    refused(answer, 413)
    logged(lines, answer)


def test_a_body_over_the_limit_that_says_no_length(start: Start) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        for _ in range(40):
            yield bytes(1 << 16)

    headers = {"x-api-key": KEY, "content-type": "multipart/form-data; boundary=x"}
    refused(start("limits.body_mib=1").post("/caption", content=pieces(), headers=headers), 413)


@pytest.mark.parametrize("given", PLACES)
@pytest.mark.parametrize("path", PATHS)
def test_a_path_or_an_address_in_place_of_an_image(path: str, given: str, start: Start, lines: io.StringIO) -> None:
    fields = {"image": given, "question": "What?", "instruction": "Describe.", "schema": "{}"}
    wanted = {"/caption": ["image"], "/search": ["image"], "/ask": ["image", "question"], "/batches": ["image"],
              "/analyze": ["image", "instruction"], "/extract": ["image", "schema"]}[path]  # fmt: skip
    form = {name: (None, fields[name]) for name in wanted}
    answer = start().post(path, files=form, headers={"x-api-key": KEY})
    assert "image" in str(refused(answer, 422)["detail"])
    logged(lines, answer)
    for text in (lines.getvalue(), answer.text):
        assert "hidden-in-an-address" not in text
    assert KEY not in lines.getvalue()


@pytest.mark.parametrize("field", ["url", "path", "image_url", "images", "file", "index_path", "adapter"])
def test_there_is_no_other_field_to_name_a_place_in(field: str, start: Start) -> None:
    form = {"image": ("a.png", b"bytes"), field: (None, "/etc/hostname")}
    assert field in str(refused(start().post("/caption", files=form, headers={"x-api-key": KEY}), 422)["detail"])


@pytest.mark.parametrize(
    ("field", "given"),
    [("index", "/var/lib/other"), ("index", "../starter"), ("model", "../models/pocket"), ("prompt", "/etc/hostname"),
     ("model", "https://example.org/m"), ("prompt", "../prompts/few_shot")],
)  # fmt: skip
def test_a_choice_that_is_a_path_is_not_offered(field: str, given: str, start: Start) -> None:
    form = {"image": ("a.png", b"bytes"), field: (None, given)}
    assert "not offered" in str(
        refused(start().post("/caption", files=form, headers={"x-api-key": KEY}), 422)["detail"]
    )


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"host": "evil.example"}])
def test_another_sites_page_may_not_ask(headers: dict[str, str], start: Start, lines: io.StringIO) -> None:
    answer = start().post("/caption", files={"image": b"bytes"}, headers={"x-api-key": KEY, **headers})
    refused(answer, 403)
    logged(lines, answer)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1:8000", 200), ("testserver", 200), ("evil.example", 403)])
def test_a_health_check_asks_under_this_machines_name(host: str, status: int, start: Start) -> None:
    assert start().get("/health", headers={"host": host}).status_code == status


def test_what_is_wrong_in_a_field_is_told_without_what_was_sent(start: Start) -> None:
    form = {"image": ("a.png", b"bytes"), "k": (None, "hidden-in-a-field")}
    answer = start().post("/caption", files=form, headers={"x-api-key": KEY})
    assert "k" in str(refused(answer, 422)["detail"])
    assert "hidden-in-a-field" not in answer.text
