"""Images in, records out, over the real pipeline."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import config_in
from fastapi.testclient import TestClient

from cli import main
from service.asked import Asked
from service.service import open_service
from service.shapes import RecordOut


def by_command(*arguments: str) -> dict[str, object]:
    """The record that the command line prints."""
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def without_chance(record: dict[str, object]) -> dict[str, object]:
    """A record without what no two runs share."""
    return {key: value for key, value in record.items() if key not in ("id", "timings_s")}


def test_a_caption_is_the_record_that_the_command_line_prints(client: TestClient, demo: Path) -> None:
    image = demo / "smear.png"
    answer = client.post("/caption", files={"image": ("smear.png", image.read_bytes())}, data={"k": "3"})
    assert answer.status_code == 200
    printed = by_command("caption", "--image", str(image), "--k", "3")
    printed["image"] = printed["images"][0]["image"] = "smear.png"  # type: ignore[index]
    assert without_chance(answer.json()) == without_chance(printed)
    RecordOut.model_validate(answer.json())


def test_a_record_can_be_read_again_as_it_was(client: TestClient, smear: bytes) -> None:
    answer = client.post("/caption", files={"image": ("smear.png", smear)})
    again = client.get(f"/records/{answer.json()['id']}")
    assert again.status_code == 200
    assert again.content == answer.content


def test_text_streams_and_ends_with_the_record(client: TestClient, smear: bytes) -> None:
    answer = client.post("/caption", files={"image": ("a.png", smear)}, headers={"accept": "text/event-stream"})
    events = [part.split("\n", 1) for part in answer.text.strip().split("\n\n")]
    names = [name.removeprefix("event: ") for name, _ in events]
    data = [json.loads(line.removeprefix("data: ")) for _, line in events]
    assert names[-1] == "record"
    assert set(names[:-1]) == {"text"}
    assert "".join(piece["text"] for piece in data[:-1]).strip() == data[-1]["caption"]


def test_a_question_goes_on_from_what_was_said_before(client: TestClient, smear: bytes) -> None:
    said = [{"question": "What is it?", "answer": "A blood smear."}]
    answer = client.post(
        "/ask", files={"image": ("a.png", smear)}, data={"question": "Which cells?", "history": json.dumps(said)}
    )
    assert answer.status_code == 200
    assert answer.json()["history"] == said


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"history": "[what?"}, "history: invalid json"),
        ({"history": '[{"question": "What?"}]'}, "history: 0.answer: field required"),
        ({"history": json.dumps([{"question": "What?", "answer": "A."}] * 21)}, "history: list should have at most 20"),
        ({"history": '[{"question": "What?", "answer": "A."}]', "labels": ["a", "b"]}, "give labels or history"),
    ],
)
def test_a_history_that_is_none_is_refused(
    data: dict[str, object], message: str, client: TestClient, smear: bytes
) -> None:
    answer = client.post("/ask", files={"image": ("a.png", smear)}, data={"question": "Which cells?", **data})
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


def test_an_address_in_place_of_an_image_is_refused(client: TestClient) -> None:
    for given in ("https://example.org/a.png", "/etc/hostname", "file:///etc/hostname"):
        answer = client.post("/caption", data={"image": given})
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_service_that_ends_while_it_loads_waits_for_that_and_is_not_ready_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_service(config_in(tmp_path))
    begun, loaded = threading.Event(), threading.Event()

    def load(_: Asked) -> None:
        begun.set()
        time.sleep(0.2)
        loaded.set()

    monkeypatch.setattr(service._hands, "load", load)
    with service.running():
        assert begun.wait(30)
        assert not loaded.is_set()
    assert loaded.is_set()
    assert (service.ready().ready, service.ready().why) == (False, "the service is ending")
