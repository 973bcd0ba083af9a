"""`finetune push` against a server on this machine that answers as the hub does."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from huggingface_hub import constants
from huggingface_hub.utils import _http

from commands.finetune_ship import push_command
from finetune.errors import PushError
from finetune.push import push
from tests.web_server import Answer, Asked, WebServer, web_server

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>'")  # what the hub's client does
SECRET = "hf_this-is-a-secret"  # noqa: S105 - no real one
REPO = "me/tuned"
Fault = tuple[str, Answer]


def said(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)


@dataclass
class Hub:
    """Repositories as the hub makes them; `fault` answers where an address ends so, in place of the hub."""

    url: str = ""
    fault: Fault | None = None
    stored: dict[str, bytes] = field(default_factory=dict)
    """Large files by the SHA-256 of what they are said to be."""
    committed: dict[str, bytes] = field(default_factory=dict)
    made: list[dict[str, object]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        if self.fault and asked.path.endswith(self.fault[0]):
            return self.fault[1]
        kind = asked.headers.get("content-type", "")
        body = json.loads(asked.body) if kind.endswith("json") and "ndjson" not in kind else {}
        if asked.path == "/api/repos/create":
            self.made.append(body)
            return said({"url": f"{self.url}/{REPO}"})
        if asked.path == "/api/validate-yaml":
            return said({"errors": [], "warnings": []})
        if asked.path == f"/api/models/{REPO}/preupload/main":
            return said({"files": [_mode(file["path"]) for file in body["files"]]})
        if asked.path == f"/{REPO}.git/info/lfs/objects/batch":
            return said({"transfer": "basic", "objects": [self._place(thing) for thing in body["objects"]]})
        if (place := re.fullmatch(r"/lfs/([0-9a-f]{64})", asked.path)) and asked.method == "PUT":
            self.stored[place[1]] = asked.body
            return Answer()
        if asked.path == f"/api/models/{REPO}/commit/main":
            return self._commit(asked)
        return Answer(b"", 404)

    def _place(self, thing: dict[str, object]) -> dict[str, object]:
        return {**thing, "actions": {"upload": {"href": f"{self.url}/lfs/{thing['oid']}", "header": {}}}}

    def _commit(self, asked: Asked) -> Answer:
        for line in map(json.loads, asked.body.splitlines()):
            if line["key"] == "file":
                self.committed[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            if line["key"] == "lfsFile":
                self.committed[line["value"]["path"]] = self.stored[line["value"]["oid"]]
        return said({"commitUrl": f"{self.url}/{REPO}/commit/1", "commitOid": "1" * 40})


def _mode(path: str) -> dict[str, object]:
    return {"path": path, "uploadMode": "lfs" if path.endswith(".safetensors") else "regular", "shouldIgnore": False}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Hub, WebServer]]:
    made = Hub()
    with web_server(made) as server:
        made.url = server.url
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(_http.time, "sleep", lambda _: None)  # between its tries
        monkeypatch.setenv("HF_TOKEN", SECRET)
        yield made, server


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """A run's folder, with licences of what it learned from."""

    def make(**licenses: int) -> Path:
        folder = tmp_path / "run"
        adapter = folder / "adapter"
        adapter.mkdir(parents=True)
        (adapter / "adapter_config.json").write_text("{}")
        (adapter / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 50)
        (adapter / "README.md").write_text("---\nlicense: other\n---\n# Tuned\n")
        base = {"model": "/home/me/models/own.yaml", "name": "own", "path": "/home/me/own", "fingerprint": "0" * 12}
        (adapter / "base.json").write_text(json.dumps(base))
        if licenses:
            (folder / "data.json").write_text(json.dumps({"licenses": licenses, "folder": "/home/me/data"}))
        return folder

    return make


OPEN = {"CC BY 4.0": 7, "CC0": 1}


def test_an_adapter_arrives_whole_and_names_no_place_of_this_machine(
    hub: tuple[Hub, WebServer], run: Callable[..., Path]
) -> None:
    made, server = hub
    folder = run(**OPEN)
    done = CliRunner().invoke(push_command, [str(folder), "--repo", REPO, "--private"])
    assert done.exit_code == 0, done.output
    assert f"{server.url}/{REPO}: 4 files" in done.output
    assert made.made == [{"name": "tuned", "organization": "me", **_private(made.made[0])}]
    assert sorted(made.committed) == ["README.md", "adapter_config.json", "adapter_model.safetensors", "base.json"]
    for name, data in made.committed.items():
        assert b"/home/me" not in data
        if name != "base.json":
            assert data == (folder / "adapter" / name).read_bytes()
    assert json.loads(made.committed["base.json"]) == {"model": "own", "name": "own", "fingerprint": "0" * 12}
    for end in ("/create", "/preupload/main", "/objects/batch", "/commit/main"):
        (asked,) = [asked for asked in server.asked if asked.path.endswith(end)]
        assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in done.output


def test_a_run_in_full_gives_its_model(hub: tuple[Hub, WebServer], run: Callable[..., Path]) -> None:
    folder = run(**OPEN)
    for name in ("adapter_config.json", "adapter_model.safetensors", "base.json"):
        (folder / "adapter" / name).unlink()
    for name in ("config.json", "model.safetensors"):
        (folder / "adapter" / name).write_text("{}")
    assert push(folder, REPO).files == 3
    assert sorted(hub[0].committed) == ["README.md", "config.json", "model.safetensors"]


def _private(payload: dict[str, object]) -> dict[str, object]:
    """However this version of the client says it."""
    said = {key: payload[key] for key in ("private", "visibility") if key in payload}
    assert said in ({"private": True}, {"visibility": "private"})
    return {key: value for key, value in payload.items() if key not in ("name", "organization")}


@pytest.mark.parametrize(
    ("where", "answer", "message"),
    [
        ("/create", said({"error": f"Bad {SECRET}"}, 401), "the hub does not know the token in HF_TOKEN"),
        ("/create", said({"error": "Forbidden"}, 403), "the token in HF_TOKEN may not write to me/tuned"),
        ("/commit/main", said({"error": "changed"}, 409), "was changed by somebody else meanwhile"),
        ("/preupload/main", Answer(b"busy", 503), "the hub answers 503. Push again later"),
        ("/objects/batch", Answer(b"busy", 503), "the hub answers 503"),
        ("/commit/main", Answer(b"busy", 503), "the hub answers 503"),
        ("/commit/main", Answer(b'{"commitUrl": "x"}', cut=5), "the hub cannot be reached or broke off"),
        ("/commit/main", Answer(b"<html>"), "the hub cannot be reached or broke off"),
        ("/objects/batch", said({"objects": "?"}), "Malformed response"),
    ],
)
def test_what_the_hub_refuses_is_one_line_without_the_token(
    where: str, answer: Answer, message: str, hub: tuple[Hub, WebServer], run: Callable[..., Path]
) -> None:
    made, server = hub
    made.fault = (where, answer)
    with pytest.raises(PushError, match=message) as caught:
        push(run(**OPEN), REPO)
    assert any(asked.path.endswith(where) for asked in server.asked)
    assert not made.committed
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    assert text.startswith("nothing was committed to me/tuned: ")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_no_hub_at_all(run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(_http.time, "sleep", lambda _: None)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    with pytest.raises(PushError, match="the hub cannot be reached"):
        push(run(**OPEN), REPO)


@pytest.mark.parametrize(
    ("licenses", "message"),
    [
        ({}, "has no data.json beside it, so what it learned from may not be shareable"),
        ({"CC BY 4.0": 3, "not stated": 2}, "2 of the 5 records it learned from state no licence"),
        ({"": 4}, "4 of the 4 records it learned from state no licence"),
    ],
)
def test_data_without_a_stated_licence_is_not_pushed(
    licenses: dict[str, int], message: str, hub: tuple[Hub, WebServer], run: Callable[..., Path]
) -> None:
    made, server = hub
    folder = run(**licenses)
    with pytest.raises(PushError, match=rf"{message}.*--data-may-be-shared"):
        push(folder, REPO)
    assert not server.asked
    assert push(folder, REPO, may_share=True).files == 4
    assert made.committed


def test_what_can_be_refused_before_the_hub_is_asked(
    hub: tuple[Hub, WebServer], run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(**OPEN)
    with pytest.raises(PushError, match="write it as OWNER/NAME"):
        push(folder, "tuned")
    with pytest.raises(PushError, match=r"has no config.json: give the folder of an adapter"):
        push(tmp_path, REPO)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PushError, match="no HF_TOKEN in the environment"):
        push(folder, REPO)
    assert not hub[1].asked
