"""Records run again: the same where nothing changed, and the right input named where something did."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import rag.replay
from configs import ROOT
from imaging import load
from indexer import remove_from_index
from rag import Pipeline, open_pipeline
from rag.checking import Checking, checking_of
from rag.config import CheckSettings, resolve
from rag.errors import RequestError
from rag.judging import Replay, judged
from rag.prompts import Exchange
from rag.provenance import prompt_sha256
from rag.recorded import Record, RecordedFinder, read_records
from rag.replay import Replayer
from rag.secrets import without_secrets
from rag.show import replay_text
from rag.starter import starter_folder
from rag.types import Description, Request
from tests.rag.test_pipeline import described
from vlm.weights import adapter_fingerprint

SCHEMA = '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}'


def recorded(description: Description) -> dict[str, Any]:
    """A record as it is read back from a file."""
    record: dict[str, Any] = json.loads(json.dumps(description.to_json()))
    return record


def replayed(record: Mapping[str, Any], assignments: Sequence[str] = (), **more: Any) -> Replay:
    (replay,) = Replayer(assignments, **more).run([record])
    return replay


def changed(replay: Replay) -> list[str]:
    return [one.name for one in replay.inputs if one.state == "changed"]


def captioned(image: Path, *assignments: str) -> dict[str, Any]:
    """The record of a caption."""
    request = Request("x", (str(image),))
    settings = resolve(assignments=assignments)
    return recorded(described(open_pipeline(settings, [request]), request)[0])


@pytest.fixture(scope="module")
def description(pipeline: Pipeline, demo: Path) -> Description:
    """Of a prompt that had to be shortened to fit."""
    (made,) = described(pipeline, Request("x", (str(demo / "smear.png"),)))
    assert any("shortened" in warning for warning in made.warnings)
    return made


@pytest.fixture
def record(description: Description) -> dict[str, Any]:
    return recorded(description)


def test_every_task_replays_as_the_same(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = (str(demo / "smear.png"),)
    requests = [
        Request("caption", image, article="C1"),
        Request("ask", image, "ask", "And the stain?", history=(Exchange("What is it?", "A blood smear."),)),
        Request("classify", image, "classify", "Is it a smear?", labels=("yes", "no")),
        Request("extract", image, "extract", schema=SCHEMA),
    ]
    one = open_pipeline(resolve(assignments=["generation.max_new_tokens=16"]), requests)
    monkeypatch.setattr(rag.replay, "open_pipeline", lambda *_: one)
    records = [recorded(described(one, request)[0]) for request in requests]
    replays = list(Replayer().run(records))
    assert [(r.id, r.result, changed(r)) for r in replays] == [(r.id, "same", []) for r in requests]
    assert all(r.from_record == r.anew == r.was for r in replays)


def test_shortened_evidence_makes_the_very_prompt_again(
    pipeline: Pipeline, description: Description, record: dict[str, Any]
) -> None:
    finder = RecordedFinder(Record.of(record), {})
    again = Pipeline(pipeline.settings, pipeline.speaker, pipeline.templates, finder)
    (item,) = again.prepare([description.request]).items
    assert prompt_sha256(item.prompt.prompt) == record["prompt_sha256"]
    assert recorded(description)["evidence"] == record["evidence"]


def test_records_are_replayed_by_the_checks_of_the_first(
    record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word lists and models of the checks are read once, whatever evidence the records bring."""
    made: list[Checking] = []

    def checking(settings: CheckSettings) -> Checking:
        made.append(checking_of(settings))
        return made[-1]

    for place in ("rag.opening", "rag.pipeline"):
        monkeypatch.setattr(f"{place}.checking_of", checking)
    replays = list(Replayer(searching=False).run([record, record, record]))
    assert [replay.result for replay in replays] == ["same"] * 3
    assert len(made) == 1


def edited(record: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The record as it would have been with another value at a dotted path."""
    held: Any = record
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in way:
        held = held[key]
    held[last] = value
    return record


OTHER = "f" * 64
CHANGES = [
    ("images.0.sha256", OTHER, "image"),
    ("images.0.pixels_sha256", OTHER, "pixels"),
    ("index", "starter@9:ffffffff", "index"),
    ("evidence.1.id", "another", "evidence"),
    ("evidence.1.text", "Another text.", "evidence"),
    ("evidence.1.score", 0.123, "evidence"),
    ("prompt", "few_shot_passages@ffffffff", "template"),
    ("prompt_sha256", OTHER, "prompt"),
    ("model", "pocket@ffffffff", "model"),
    ("run.model.quantisation", "nf4", "loading"),
    ("run.model.dtype", "bfloat16", "loading"),
    ("adapter", "somewhere", "adapter"),
    ("params.repetition_penalty", 1.3, "params"),
    ("seed", 7, "seed"),
    ("run.together", 8, "batch"),
    ("run.settings.check.support", 0.9, "settings"),
    ("run.versions.torch", "1.0", "versions"),
    ("run.machine.threads", 64, "machine"),
]


@pytest.mark.parametrize(("path", "value", "name"), CHANGES)
def test_what_changed_is_named_and_nothing_else(
    description: Description, record: dict[str, Any], path: str, value: Any, name: str
) -> None:
    was = Record.of(edited(record, path, value))
    unharmed = judged(was, description, description)
    assert (unharmed.result, changed(unharmed)) == ("same", [name])
    assert f"though changed: {name}" in unharmed.reason


@pytest.mark.parametrize(("path", "value", "name"), CHANGES)
def test_what_changed_is_blamed_where_the_text_differs(
    description: Description, record: dict[str, Any], path: str, value: Any, name: str
) -> None:
    record["caption"] = "Something else."
    if name in ("image", "index"):
        record["evidence"][0]["id"] = "what was found before"
    if name == "template":
        record["prompt_sha256"] = OTHER
    found = judged(Record.of(edited(record, path, value)), description, description)
    assert (found.result, found.first_changed) == ("different", name)
    assert f"First input that changed: {name}" in found.reason
    assert "was: Something else." in replay_text(found)


def test_an_index_that_gives_the_same_evidence_is_not_blamed(description: Description, record: dict[str, Any]) -> None:
    record |= {"caption": "Something else.", "index": "starter@9:ffffffff", "model": "pocket@ffffffff"}
    found = judged(Record.of(record), description, description)
    assert (found.first_changed, changed(found)) == ("model", ["index", "model"])


def test_where_no_input_changed_that_is_said(description: Description, record: dict[str, Any]) -> None:
    record["caption"] = "Something else."
    found = judged(Record.of(record), description, description)
    assert (found.result, found.first_changed) == ("different", None)
    assert "No input changed that could have done it" in found.reason
    sampled = judged(Record.of(edited(record, "params.temperature", 0.7)), description, description)
    assert sampled.first_changed == "params"


def test_a_log_probability_may_move_a_little_and_no_more(description: Description, record: dict[str, Any]) -> None:
    record["mean_logprob"] += 0.0005
    assert judged(Record.of(record), description, description).result == "same"
    record["mean_logprob"] += 0.005
    found = judged(Record.of(record), description, description)
    assert found.result == "different"
    assert "its mean log-probability is not" in found.reason
    record["run"]["model"]["dtype"] = "bfloat16"
    assert judged(Record.of(record), description, description).result == "same"


@pytest.fixture
def own_index(pipeline: Pipeline, tmp_path: Path) -> Path:
    """A copy of the starter index that may be changed."""
    assert pipeline.retriever is not None
    return Path(shutil.copytree(starter_folder(), tmp_path / "index"))


def test_a_record_taken_out_of_the_index_is_seen(own_index: Path, demo: Path) -> None:
    record = captioned(demo / "smear.png", f"retrieval.index={own_index}")
    remove_from_index(own_index, ids=[record["evidence"][0]["id"]])
    replay = replayed(record)
    assert changed(replay)[:2] == ["index", "evidence"]
    assert {"template", "model", "prompt"}.isdisjoint(changed(replay))
    assert replay.from_record == replay.was
    if replay.result == "different":
        assert replay.first_changed == "index"


def test_without_its_index_a_record_runs_from_itself_alone(own_index: Path, demo: Path) -> None:
    record = captioned(demo / "smear.png", f"retrieval.index={own_index}")
    shutil.rmtree(own_index)
    refused = replayed(record)
    assert refused.result == "impossible"
    assert "--recorded-evidence" in refused.reason
    alone = replayed(record, searching=False)
    assert (alone.result, alone.anew) == ("same", None)
    assert {one.name for one in alone.inputs if one.state == "not seen"} == {"index", "evidence"}


def test_an_edited_template_is_seen(demo: Path, tmp_path: Path) -> None:
    template = tmp_path / "mine.yaml"
    text = (ROOT / "prompts" / "few_shot.yaml").read_text(encoding="utf-8")
    template.write_text(text, encoding="utf-8")
    record = captioned(demo / "smear.png", f"prompt.template={template}")
    template.write_text(text.replace("Describe this image", "Say nothing of this image"), encoding="utf-8")
    assert changed(replayed(record)) == ["template", "prompt"]


def test_another_setting_is_run_and_named(demo: Path) -> None:
    record = captioned(demo / "smear.png", "retrieval.enabled=false")
    replay = replayed(record, ["generation.max_new_tokens=2"])
    assert (replay.result, replay.first_changed) == ("different", "params")
    assert "generation.max_new_tokens none is now 2" in replay.reason


def test_an_image_that_moved_is_the_same_and_another_is_not(
    open_with: Callable[..., Pipeline], demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "image.png"
    shutil.copy(demo / "smear.png", image)
    plain = open_with("retrieval.enabled=false")
    monkeypatch.setattr(rag.replay, "open_pipeline", lambda *_: plain)
    record = recorded(described(plain, Request("x", (str(image),)))[0])
    moved = image.rename(tmp_path / "moved.png")
    gone = replayed(record)
    assert gone.result == "impossible"
    assert "name it: --image FILE" in gone.reason
    assert replayed(record, images=[str(moved)]).result == "same"

    with Image.open(moved) as picture:
        picture.save(tmp_path / "again.png", compress_level=1)  # another file, the same pixels
    again = replayed(record, images=[str(tmp_path / "again.png")])
    assert (again.result, changed(again)) == ("same", ["image"])
    other = replayed(record, images=[str(demo / "ihc.png")])
    assert (other.result, other.first_changed) == ("different", "image")
    with pytest.raises(RequestError, match="pick one with --id"):
        list(Replayer(images=[str(moved)]).run([record, record]))


def test_pixels_are_hashed_with_their_shape(tmp_path: Path) -> None:
    for name, size in (("wide", (6, 2)), ("tall", (2, 6))):
        Image.new("RGB", size, "red").save(tmp_path / f"{name}.png")
    wide, tall = load(tmp_path / "wide.png"), load(tmp_path / "tall.png")
    assert wide.pixels_sha256 != tall.pixels_sha256


def test_an_adapters_fingerprint_is_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    before = adapter_fingerprint(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weighed")
    assert adapter_fingerprint(tmp_path) != before


def test_what_a_record_does_not_know_is_as_the_program_was_before(demo: Path) -> None:
    """The defaults of today are for new descriptions: a record of before them replays without."""
    later = {"retrieval": "one_per_article", "check": "named_alike"}
    assert all(getattr(getattr(resolve(), group), key) for group, key in later.items())
    record = captioned(demo / "smear.png", *(f"{group}.{key}=false" for group, key in later.items()))
    for group, key in later.items():
        assert record["run"]["settings"][group].pop(key) is False
    replay = replayed(record)
    assert (replay.result, changed(replay)) == ("same", [])


def test_an_old_record_says_what_it_lacks(record: dict[str, Any]) -> None:
    del record["run"]
    replay = replayed(record)
    assert replay.result == "impossible"
    assert "does not say 'run'" in replay.reason
    assert replay_text(replay).startswith("impossible x: ")


def test_records_are_read_in_any_layout() -> None:
    two = [{"id": "a"}, {"id": "b"}]
    for text in ("\n".join(map(json.dumps, two)), json.dumps(two), "\n\n".join(json.dumps(r, indent=2) for r in two)):
        assert read_records(text, "f") == two
    assert read_records(json.dumps(two), "f", "b") == [{"id": "b"}]
    for text, told in (
        ("", "holds no record"),
        ('{"id": "a"}\n{"id"', "what begins in line 2 is not JSON"),
        ("[1]", "int where a record"),
    ):
        with pytest.raises(RequestError, match=told):
            read_records(text, "f")
    with pytest.raises(RequestError, match="no record 'c'; there are a, b"):
        read_records(json.dumps(two), "f", "c")


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("http://me:pw@host:8000/v1", "http://host:8000/v1"),
        ("postgres://me:pw@host/db", "postgres://host/db"),
        ("see https://host/a?id=3&api_key=pw&page=2", "see https://host/a?id=3&page=2"),
        ("https://host/a?X-Amz-Signature=pw&X-Amz-Credential=pw#part", "https://host/a#part"),
        ("https://host/a#access_token=pw", "https://host/a"),
        ("https://host/?keyword=lung&author=me", "https://host/?keyword=lung&author=me"),
        ("https://[pw/a", "(no address)"),
        ("data/indexes/a@b", "data/indexes/a@b"),
    ],
)
def test_no_secret_gets_into_a_record(text: str, bare: str) -> None:
    assert without_secrets(text) == bare
    assert "pw" not in without_secrets(text)


def test_settings_are_recorded_without_secrets(open_with: Callable[..., Pipeline], demo: Path) -> None:
    with_key = open_with("retrieval.enabled=false", "prompt.language=http://me:pw@h/?api_key=pw")
    (made,) = described(with_key, Request("x", (str(demo / "smear.png"),)))
    run = made.to_json()["run"]
    assert run["settings"]["prompt"]["language"] == "http://h/"
    assert "pw@" not in json.dumps(run)
