"""Who is let in, and what is refused before it is looked at."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.config import load_config
from service.errors import CannotServe, TooMany
from service.keys import Keys, new_key
from service.limits import Rates
from service.service import open_service
from tests.service.conftest import config_in

SECRET, LINE = new_key("lab")
SLOW = new_key("slow")
BARE = "settings.retrieval.enabled=false"  # no index need be built for these tests


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a service that needs no keys."""
    config = config_in(tmp_path_factory.mktemp("open"), BARE)
    with TestClient(create_app(open_service(config))) as client:
        yield client


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a service that needs keys: `lab` as often as it likes, `slow` twice a minute."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "keys.yaml").write_text(f"{LINE}\n{SLOW[1][:-1]}, requests_a_minute: 2}}\n")
    config = config_in(folder / "data", BARE, f"keys.file={folder / 'keys.yaml'}", "limits.wrong_keys_a_minute=3")
    with TestClient(create_app(open_service(config))) as client:
        yield client


def test_without_a_key_nothing_but_health_is_told(keyed: TestClient) -> None:
    for path in ("/health", "/openapi.json"):
        assert keyed.get(path).status_code == 200
    for method, path in (("GET", "/metrics"), ("GET", "/choices"), ("POST", "/caption"), ("GET", "/batches")):
        answer = keyed.request(method, path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["type"] == "urn:lumenscribe:problem:no-key"


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {SECRET}"}, {"x-api-key": SECRET}])
def test_a_key_is_sent_in_either_header(keyed: TestClient, headers: dict[str, str]) -> None:
    assert keyed.get("/choices", headers=headers).status_code == 200


def test_a_wrong_key_is_refused_not_logged_and_soon_not_even_looked_at(
    keyed: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("service")
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.DEBUG, "service")
    try:
        statuses = [keyed.get("/choices", headers={"x-api-key": f"guess-{n}"}).status_code for n in range(5)]
        assert keyed.get("/choices", headers={"x-api-key": SECRET}).status_code == 200
    finally:
        logger.removeHandler(caplog.handler)
    assert statuses == [401, 401, 401, 429, 429]
    said = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "/choices" in said
    assert "guess-" not in said
    assert SECRET not in said


def test_a_key_has_a_rate_of_its_own(keyed: TestClient) -> None:
    answers = [keyed.get("/choices", headers={"x-api-key": SLOW[0]}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_what_one_key_was_answered_another_cannot_read(keyed: TestClient, smear: bytes) -> None:
    lab = {"x-api-key": SECRET}
    record = keyed.post("/caption", files={"image": ("a.png", smear)}, headers=lab).json()
    assert keyed.get(f"/records/{record['id']}", headers=lab).status_code == 200
    keyed.app.state.service.rates = Rates()  # type: ignore[attr-defined]
    assert keyed.get(f"/records/{record['id']}", headers={"x-api-key": SLOW[0]}).status_code == 404


def test_people_log_in_with_a_key_and_get_a_cookie_no_script_reads(keyed: TestClient) -> None:
    keyed.app.state.service.rates = Rates()  # type: ignore[attr-defined]
    wrong = keyed.post("/login", data={"key": "no key"}, follow_redirects=False)
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    right = keyed.post("/login", data={"key": SECRET}, follow_redirects=False)
    cookie = right.headers["set-cookie"]
    assert right.status_code == 303
    assert SECRET not in cookie
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert keyed.get("/choices").status_code == 200
    keyed.post("/logout", follow_redirects=False)
    keyed.cookies.clear()
    keyed.cookies.set("lumenscribe_session", cookie.split("=")[1].split(";")[0])
    assert keyed.get("/choices").status_code == 401
    keyed.cookies.clear()


def test_a_person_without_a_key_is_led_to_the_form(keyed: TestClient) -> None:
    answer = keyed.get("/page/", headers={"accept": "text/html"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_beyond_this_machine_it_wants_keys(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match="--new-key"):
        open_service(load_config(host="0.0.0.0", data=tmp_path))  # noqa: S104 - that is what is refused


def test_keys_in_the_environment_are_hashes_and_a_key_itself_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = LINE.split("sha256: ")[1].rstrip("}")
    config = load_config().keys
    monkeypatch.setenv("LUMENSCRIBE_KEYS", f"lab:{sha256}, other:{'0' * 64}:30")
    keys = Keys.read(config)
    found = keys.find(SECRET)
    assert found is not None
    assert found.name == "lab"
    assert keys.find("") is None
    monkeypatch.setenv("LUMENSCRIBE_KEYS", f"lab:{SECRET}")
    with pytest.raises(CannotServe) as error:
        Keys.read(config)
    assert SECRET not in str(error.value)


def test_another_sites_page_and_another_name_are_refused(client: TestClient) -> None:
    refused = client.get("/choices", headers={"origin": "https://elsewhere.example"})
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:lumenscribe:problem:wrong-origin")
    assert client.get("/choices", headers={"origin": "null"}).status_code == 403
    assert client.get("/choices", headers={"host": "rebound.example"}).status_code == 403
    assert client.get("/choices", headers={"origin": "http://testserver"}).status_code == 200
    assert "access-control-allow-origin" not in refused.headers


def test_a_body_over_the_limit_is_refused_whether_it_says_its_size_or_not(tmp_path: Path) -> None:
    config = config_in(tmp_path, BARE, "limits.body_mib=1")
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + b"0" * (2 << 20)
    headers = {"content-type": "multipart/form-data; boundary=x"}

    def unsaid() -> Iterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    with TestClient(create_app(open_service(config))) as client:
        for content in (body, unsaid()):
            answer = client.post("/caption", content=content, headers=headers)
            assert answer.status_code == 413
            assert answer.headers["content-type"] == "application/problem+json"


def test_pixels_are_counted_before_they_are_decoded(tmp_path: Path, smear: bytes) -> None:
    with TestClient(create_app(open_service(config_in(tmp_path, BARE, "limits.pixels=1000")))) as client:
        answer = client.post("/caption", files={"image": ("a.png", smear)})
    assert answer.status_code == 422
    assert "over the limit of 0.001 million pixels" in answer.json()["detail"]


def test_every_error_is_a_problem_with_the_requests_id(client: TestClient) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("PUT", "/caption", 405), ("GET", "/records/x", 422)):
        answer = client.request(method, path, headers={"x-request-id": "mine-1"})
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"] == "mine-1"
        problem = answer.json()
        assert (problem["status"], problem["instance"]) == (status, "mine-1")
        assert {"type", "title", "detail"} <= set(problem)


def test_an_id_that_could_forge_a_log_is_not_taken(client: TestClient) -> None:
    answer = client.get("/health", headers={"x-request-id": 'a"} b'})
    assert answer.headers["x-request-id"] != 'a"} b'


def test_answers_tell_browsers_to_keep_to_themselves(client: TestClient) -> None:
    headers = client.get("/health").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_a_bucket_fills_evenly() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    for _ in range(60):
        rates.take("a", 60)
    with pytest.raises(TooMany) as refused:
        rates.take("a", 60)
    assert refused.value.retry_after_s == 1
    rates.take("b", 60)
    now = 1.0
    rates.take("a", 60)
    with pytest.raises(TooMany):
        rates.take("a", 60)
