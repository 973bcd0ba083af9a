"""Jobs, ratings and committed results over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from fastapi.responses import Response
from fastapi.testclient import TestClient
from job_makers import COMMAND, LIMITS, png, untimed, zipped
from PIL import Image

import cli
from batch.run_folder import read_run
from service.app import create_app
from service.gate import Gate
from service.jobs import Jobs
from service.jobs.results import renamed
from service.service import Service, open_service
from service.shapes import RecordOut
from tests.evaluation.ratings.made_ratings import made_task
from tests.service.conftest import config_in

PLAIN = "settings={retrieval: {enabled: false}, check: {text_embedder: null}, generation: {max_new_tokens: 8}}"
FIVE = [("image", (f"i{n}.png", png(n))) for n in range(5)]
KEYS = {name: f"secret of {name}" for name in ("anna", "bert")}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """One that loads no model, with jobs that a fake engine describes."""
    monkeypatch.setattr(Service, "_load", lambda _: None)
    monkeypatch.delenv("LUMENSCRIBE_KEYS", raising=False)
    return opened(tmp_path)


def opened(folder: Path, *assignments: str) -> Service:
    service = open_service(config_in(folder, PLAIN, "page=false", *assignments))
    limits = service.config.jobs.model_copy(update={"block": 2, "min_free_mib": 0})
    service.jobs = Jobs(folder / "jobs", limits, COMMAND)
    return service


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service)) as client:
        yield client


def until_done(client: TestClient, job: str) -> dict[str, Any]:
    end = time.monotonic() + 120
    while (now := client.get(job).json())["state"] not in ("done", "failed"):
        assert time.monotonic() < end, now
        time.sleep(0.1)
    return dict(now)


def problem(answer: Any, status: int, kind: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == f"urn:lumenscribe:problem:{kind}"
    assert told["instance"] == answer.headers["x-request-id"]
    return str(told["detail"])


def test_a_job_from_its_upload_to_its_end(client: TestClient, tmp_path: Path) -> None:
    packed = ("archive", ("more.zip", zipped({"case/a.png": png(9), "case/bad.png": b"", "notes.txt": b""})))
    answer = client.post("/batches", files=[*FIVE, packed], data={"k": "2", "article": "PMC1"})
    assert answer.status_code == 202, answer.text
    job = answer.headers["location"]
    made = answer.json()
    assert job == f"/batches/{made['id']}"
    assert (made["state"], made["images"], made["left"]) == ("queued", 7, 7)
    assert made["options"] == {"k": 2, "article": "PMC1"}
    assert made["notes"] == ["archive: 1 files that are no images by their names"]
    assert until_done(client, job)["described"] == 6
    assert client.get("/batches").json()["jobs"][0]["id"] == made["id"]
    assert 'lumenscribe_jobs{state="done"} 1.0' in client.get("/metrics").text
    records = [json.loads(line) for line in client.get(f"{job}/records").text.splitlines()]
    assert [record["image"] for record in records] == ["case/a.png", *(f"i{n}.png" for n in range(5))]
    assert {record["article"] for record in records} == {"PMC1"}
    for record in records:
        RecordOut.model_validate(record)
    (failure,) = (json.loads(line) for line in client.get(f"{job}/failures").text.splitlines())
    assert (failure["id"], failure["kind"]) == ("case/bad", "image")
    assert str(tmp_path) not in json.dumps([records, failure])
    problem(client.post(f"{job}/cancel"), 409, "wrong-state")
    assert client.delete(job).status_code == 204
    problem(client.get(job), 404, "not-found")
    problem(client.delete(job), 404, "not-found")


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        ({"data": {"image": "/etc/passwd"}}, "image.0: Value error"),
        ({"data": {"image": "https://example.org/x.png"}}, "image.0"),
        ({"data": {"archive": "file:///etc/passwd"}}, "archive"),
        ({"data": {"k": "3"}}, "no image was uploaded"),
        ({"files": FIVE, "data": {"model": "../../evil"}}, "is not offered"),
        ({"files": FIVE, "data": {"labels": ["a", "b"]}}, "labels: they are answers to a question"),
        ({"files": FIVE, "data": {"schema": "{}", "question": "What?"}}, "schema: fields are copied, or"),
        ({"files": FIVE, "data": {"schema": "[]"}}, "schema"),
        ({"files": FIVE, "data": {"modle": "pocket"}}, "modle"),
        ({"files": [("archive", ("x.zip", b"no zip"))]}, "cannot be read as a zip"),
        ({"files": [("archive", ("x.zip", zipped({"../x.png": b""})))]}, "leads out of it"),
    ],
)
def test_what_cannot_be_a_job_is_refused_and_leaves_nothing(
    client: TestClient, tmp_path: Path, sent: dict[str, Any], line: str
) -> None:
    detail = problem(client.post("/batches", **sent), 422, "unusable")
    assert line.removesuffix(": Value error") in detail
    assert str(tmp_path) not in detail
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["jobs.lock"]


def test_ids_are_no_paths(client: TestClient) -> None:
    for id_ in ("..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "0" * 31, "G" * 32, "0" * 33):
        assert client.get(f"/batches/{id_}").status_code in (404, 422)
    problem(client.get(f"/batches/{'0' * 32}"), 404, "not-found")
    problem(client.get("/batches/x"), 422, "unusable")


def test_limits_have_answers_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "_load", lambda _: None)
    service = opened(tmp_path, "jobs.max_total_mib=1", "limits.body_mib=1")
    mib = b"\0" * (1 << 20)
    with TestClient(create_app(service)) as client:
        detail = problem(client.post("/batches", files=[("image", ("x.png", mib))]), 413, "too-large")
        assert detail == "the body is over the limit of 1 MiB (jobs.max_total_mib)"
        bomb = zipped({f"{n}.png": mib for n in range(2)}, 8)
        detail = problem(client.post("/batches", files=[("archive", ("x.zip", bomb))]), 413, "too-large")
        assert "more than 1 MiB once unpacked" in detail
        service.jobs.limits = service.jobs.limits.model_copy(update={"max_open": 0})
        answer = client.post("/batches", files=FIVE)
        problem(answer, 503, "busy")
        assert answer.headers["retry-after"] == "60"
        service.jobs.limits = LIMITS.model_copy(update={"min_free_mib": 1 << 40})
        assert "MiB left" in problem(client.post("/batches", files=FIVE), 507, "cannot-keep")
        assert client.get("/batches").json() == {"jobs": []}


def test_more_files_than_a_form_may_have_are_refused_while_they_are_received(client: TestClient) -> None:
    many = [("image", (f"{n}.png", b"x")) for n in range(202)]
    problem(client.post("/batches", files=many[:-1]), 422, "unusable")
    answer = client.post("/batches", files=many)
    assert (answer.status_code, answer.json()["detail"]) == (400, "Too many files. Maximum number of files is 201.")
    assert client.post("/batches", files=many[:200]).status_code == 202
    assert client.post("/ask", files=many[:10], data={"question": "What?"}).status_code == 400


def test_jobs_are_received_few_at_once_and_keep_nobody_else_out(tmp_path: Path) -> None:
    async def check() -> list[int]:
        inside, may_go = asyncio.Event(), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            inside.set()
            await may_go.wait()
            await Response("taken")(scope, receive, send)

        gate = Gate(slow, opened(tmp_path, "jobs.uploads_at_once=1"))
        form = {"content-type": "multipart/form-data; boundary=b"}
        async with (
            asyncio.timeout(20),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(gate), base_url="http://testserver", headers=form
            ) as client,
        ):
            first = asyncio.create_task(client.post("/batches", content=b"x"))
            await inside.wait()
            second = await client.post("/batches", content=b"x")
            other = asyncio.create_task(client.post("/search", content=b"x"))
            await asyncio.sleep(0.05)
            may_go.set()
            return [(await first).status_code, second.status_code, (await other).status_code]

    assert asyncio.run(check()) == [200, 503, 200]


def test_a_jobs_body_may_be_larger_than_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "_load", lambda _: None)
    with TestClient(create_app(opened(tmp_path, "limits.body_mib=1"))) as client:
        large = [("image", ("x.png", b"\0" * (2 << 20)))]
        problem(client.post("/caption", files=large), 413, "too-large")
        assert client.post("/batches", files=large).status_code == 202


def test_each_key_sees_its_own_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "_load", lambda _: None)
    hashes = [f"{name}:{hashlib.sha256(secret.encode()).hexdigest()}" for name, secret in KEYS.items()]
    monkeypatch.setenv("LUMENSCRIBE_KEYS", ",".join(hashes))
    with TestClient(create_app(opened(tmp_path))) as client:
        anna, bert = ({"Authorization": f"Bearer {KEYS[name]}"} for name in ("anna", "bert"))
        problem(client.post("/batches", files=FIVE), 401, "no-key")
        job = client.post("/batches", files=FIVE, headers=anna).headers["location"]
        assert client.get(job, headers=anna).status_code == 200
        for method, path in (("GET", job), ("GET", f"{job}/records"), ("POST", f"{job}/cancel"), ("DELETE", job)):
            problem(client.request(method, path, headers=bert), 404, "not-found")
        assert client.get("/batches", headers=bert).json() == {"jobs": []}
        assert client.post(f"{job}/cancel", headers=anna).json()["state"] == "cancelled"
        assert client.post(f"{job}/resume", headers=anna).json()["state"] in ("queued", "running")
        assert client.delete(job, headers=anna).status_code == 204


def test_ratings_over_http(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "ratings").mkdir()
    made_task(tmp_path / "ratings", "pairwise", images=6)
    assert client.get("/ratings").json() == {
        "tasks": [{"name": "pairwise", "kind": "pairwise", "items": 6, "raters": 0}]
    }
    who = {"task": "pairwise", "rater": "anna"}
    for done in range(6):
        item = client.get("/ratings/next", params=who).json()["item"]
        assert (item["position"], item["total"], item["done"], item["said"]) == (done, 6, done, None)
        picture = client.get("/ratings/picture", params={**who, "position": done})
        with Image.open(io.BytesIO(picture.content)) as opened_picture:
            assert (picture.headers["content-type"], opened_picture.size) == ("image/jpeg", (8, 6))
        said = {**who, "position": done, "preferred": "A", "seconds": 3.5}
        assert [client.post("/ratings", json=said).json()["saved"] for _ in range(2)] == ["new", "same"]
    assert client.get("/ratings/next", params=who).json() == {"item": None}
    seen = client.get("/ratings/item", params={**who, "position": 2}).json()
    assert seen["said"]["preferred"] == "A"
    assert client.post("/ratings", json={**who, "position": 2, "preferred": "tie"}).json() == {"saved": "replaced"}
    problem(client.get("/ratings/next", params={"task": "../x", "rater": "anna"}), 404, "not-found")
    problem(client.get("/ratings/item", params={**who, "position": 6}), 422, "unusable")
    for wrong in ({"preferred": "first"}, {"accuracy": 6}, {"position": -1}, {"arm": "x"}, {"rater": "a\u0000b"}, {}):
        problem(client.post("/ratings", json={**who, "position": 1, **wrong}), 422, "unusable")
    surrogate = json.dumps({**who, "position": 1, "preferred": "A", "comment": "\ud800"})
    assert client.post("/ratings", content=surrogate, headers={"content-type": "application/json"}).status_code == 422


def test_committed_results_over_http(client: TestClient) -> None:
    listed = client.get("/benchmark").json()
    assert listed["note"] == ""
    names = [result["name"] for result in listed["results"]]
    assert "pocket" in names
    assert client.get("/benchmark/pocket").json()["recipe"]
    page = client.get("/benchmark/experiments.pocket_prompts/page")
    assert "sandbox" in page.headers["content-security-policy"]
    assert page.text.lstrip().lower().startswith("<!doctype html>")
    for name in ("nothing", "..%2fpyproject", "pocket.json"):
        assert client.get(f"/benchmark/{name}").status_code == 404


def test_a_job_of_the_embedded_model_has_what_the_command_writes(
    tmp_path: Path, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real process, with nothing fake in it."""
    monkeypatch.setattr(Service, "_load", lambda _: None)
    service = open_service(config_in(tmp_path / "data", PLAIN, "page=false", "jobs.workers=1", "jobs.min_free_mib=0"))
    files = sorted(demo.glob("*.png"))[:2]
    with TestClient(create_app(service)) as client:
        answer = client.post("/batches", files=[("image", (file.name, file.read_bytes())) for file in files])
        assert until_done(client, answer.headers["location"])["state"] == "done"
        records = [json.loads(line) for line in client.get(f"{answer.headers['location']}/records").text.splitlines()]
    for file in files:
        (tmp_path / "given").mkdir(exist_ok=True)
        (tmp_path / "given" / file.name).write_bytes(file.read_bytes())
    command = ["batch", str(tmp_path / "given"), "--out", str(tmp_path / "out"), "--workers", "1", "--progress", "none"]
    plain = ["--no-rag", "--set", "check.text_embedder=null", "--set", "generation.max_new_tokens=8"]
    assert CliRunner().invoke(cli.main, [*command, *plain], catch_exceptions=False).exit_code == 0
    expected = [json.loads(result.record) for result in read_run(tmp_path / "out").descriptions()]
    assert all(record["caption"] for record in records)
    assert untimed(records) == untimed(renamed(record, {f"{tmp_path / 'given'}/": ""}) for record in expected)
