"""Files that are dropped on the page: bounded, under no name of theirs, gone after use; Gradio's own ways shut off."""

from __future__ import annotations

import asyncio
import gc
import inspect
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import config_in
from fastapi.testclient import TestClient
from page_server import Canned

from service.app import create_app
from service.asked import Upload
from service.errors import NotThere
from service.page.uploads import Image, Spooled, Uploads

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Gradio
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PAGE = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def page(data: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Canned(config_in(data, "page=true", "limits.body_mib=1")))) as client:
        yield client


def image(size: int) -> Image:
    return Image(Upload("a.png", b"x" * size), b"", "")


def test_what_is_not_used_leaves_and_what_is_used_stays() -> None:
    now = 0.0
    uploads: Uploads[Image] = Uploads(100, 9, keep_s=10, clock=lambda: now)
    old, used = uploads.add(image(1)), uploads.add(image(2))
    now = 9.0
    assert uploads.get(used).nbytes == 2
    now = 11.0
    assert uploads.get(used).nbytes == 2
    with pytest.raises(NotThere, match="drop it again"):
        uploads.get(old)


def test_files_together_stay_within_their_bound_and_are_closed() -> None:
    uploads: Uploads[Spooled] = Uploads(10, 9)
    first, second = (Spooled(name, io.BytesIO(b"x" * 8), 8) for name in "ab")
    uploads.add(first)
    token = uploads.add(second)
    assert uploads.nbytes == 8
    assert first.file.closed
    uploads.drop(token)
    assert second.file.closed
    assert uploads.nbytes == 0


def test_many_small_files_are_bounded_too_each_is_an_open_one() -> None:
    uploads: Uploads[Spooled] = Uploads(100, 3)
    files = [Spooled(str(number), io.BytesIO(b"x"), 1) for number in range(5)]
    tokens = [uploads.add(file) for file in files]
    assert [file.file.closed for file in files] == [True, True, False, False, False]
    assert uploads.nbytes == 3
    with pytest.raises(NotThere):
        uploads.get(tokens[1])
    assert uploads.get(tokens[2]) is files[2]


def test_an_image_is_held_by_a_token_and_shown_small(page: TestClient, smear: bytes, data: Path) -> None:
    before = sorted(path.name for path in data.rglob("*"))
    name = "..%2F..%2FDOE_JOHN.png"
    answer = page.post("/page/images", content=smear, headers=PAGE | {"x-file-name": name})
    assert answer.status_code == 201
    shown = answer.json()
    assert shown["name"] == "DOE_JOHN.png"
    assert shown["about"] == "480 x 360"
    assert len(shown["token"]) == 32
    assert shown["preview"].startswith("data:image/jpeg;base64,")
    assert page.delete(f"/page/images/{shown['token']}").status_code == 204
    assert sorted(path.name for path in data.rglob("*")) == before, "a file was left"


@pytest.mark.parametrize("kind", ["images", "files"])
def test_what_is_too_large_is_refused(page: TestClient, kind: str, data: Path) -> None:
    answer = page.post(f"/page/{kind}", content=b"x" * (1 << 20) + b"x", headers=PAGE)
    assert answer.status_code == 413
    assert list((data / "tmp").iterdir()) == []


def test_what_is_no_image_is_refused_and_said(page: TestClient) -> None:
    answer = page.post("/page/images", content=b"nothing", headers=PAGE | {"x-file-name": "a.png"})
    assert answer.status_code == 422
    assert "a.png" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/page/gradio_api/upload"),
        ("GET", "/page/gradio_api/file=/etc/passwd"),
        ("GET", "/page/gradio_api/file/etc/passwd"),
        ("GET", "/page/gradio_api/proxy=https://example.org/"),
        ("POST", "/page/gradio_api/component_server"),
        ("POST", "/page/gradio_api/process_recording"),
        ("POST", "/page/gradio_api/run/predict"),
        ("GET", "/page/gradio_api/runs"),
        ("GET", "/page/monitoring"),
        ("GET", "/page/assets/../../../etc/passwd"),
        ("POST", "/page/login"),
    ],
)
def test_gradios_own_ways_to_files_and_elsewhere_are_shut(page: TestClient, method: str, path: str) -> None:
    answer = page.request(method, path, files={"files": ("mine.txt", b"x")} if method == "POST" else None)
    assert answer.status_code == 404


def test_the_page_itself_is_served_without_an_address_of_elsewhere_to_load(page: TestClient) -> None:
    answer = page.get("/page/")
    assert answer.status_code == 200
    assert "Lumenscribe" in answer.text
    for what in ('src="http', 'rel="stylesheet" href="http', "fonts.googleapis"):
        assert what not in answer.text


def test_a_report_is_looked_up_by_name_alone(page: TestClient, data: Path) -> None:
    (data / "secret.json").write_text("{}")
    for name in ("nothing", "..%2Fsecret.json", "..", "/etc/passwd"):
        assert page.get(f"/page/reports/own/{name}").status_code == 404
    answer = page.get("/page/reports/committed/experiments.pocket_prompts")
    assert answer.status_code == 200
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_page_that_is_made_leaves_no_event_loop_behind(tmp_path: Path) -> None:
    def loops() -> int:
        return sum(isinstance(thing, asyncio.AbstractEventLoop) and not thing.is_closed() for thing in gc.get_objects())

    before = loops()
    app = create_app(Canned(config_in(tmp_path, "page=true")))
    assert any(getattr(route, "path", "") == "/page" for route in app.routes)
    assert loops() == before


def test_the_page_looks_for_work_as_often_as_it_says_and_not_each_millisecond(tmp_path: Path) -> None:
    app = create_app(Canned(config_in(tmp_path, "page=true")))
    shield: Any = next(route for route in app.routes if getattr(route, "path", "") == "/page")
    queue = shield.app._app.blocks._queue
    assert queue.sleep_when_free == pytest.approx(0.02)
    assert "asyncio.sleep(self.sleep_when_free)" in inspect.getsource(type(queue).start_processing)
