"""A request's text while it is written: the same text and the same record as `run`, and an end when nobody listens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag import Pipeline, open_pipeline
from rag.config import resolve
from rag.pipeline import _trimmed
from rag.types import STAGES, Description, Failure, Request
from tests.vlm import tiny
from vlm.engine import TransformersEngine
from vlm.types import Generation

SCHEMA = '{"type": "object", "properties": {"kind": {"type": "string", "maxLength": 12}}, "required": ["kind"]}'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file that describes a tiny model of random weights, which answers whatever it is asked."""
    folder = tmp_path_factory.mktemp("model")
    tiny.make_smolvlm(folder / "smolvlm")
    about = "family: smolvlm\npath: smolvlm\nprompt_tokens: 200\ncaption_prompt: zero_shot\nlicense: MIT\n"
    (folder / "tiny.yaml").write_text(about + "parameters: 1000\n")
    return str(folder / "tiny.yaml")


@pytest.fixture(scope="module")
def image(demo: Path) -> str:
    return str(demo / "smear.png")


def opened(model: str, request: Request, *assignments: str) -> Pipeline:
    bare = [f"model.name={model}", "retrieval.enabled=false", "generation.max_new_tokens=12"]
    return open_pipeline(resolve(assignments=[*bare, *assignments]), [request])


def without_times(outcome: object) -> dict[str, Any]:
    assert isinstance(outcome, Description), outcome
    record = outcome.to_json()
    assert set(record.pop("timings_s")) == {*STAGES, "total"}
    return record


def test_the_record_is_the_one_of_run_and_its_text_is_what_was_heard(pipeline: Pipeline, image: str) -> None:
    request = Request("x", (image,))
    (whole,) = pipeline.run([request])
    *pieces, last = pipeline.stream(request)
    assert without_times(last) == without_times(whole)
    assert isinstance(last, Description)
    assert last.timings_s["generate"] > 0
    assert last.timings_s["retrieve"] > 0
    assert len(pieces) > 2
    assert all(isinstance(piece, str) and piece for piece in pieces)
    assert "".join(map(str, pieces)) == last.text != ""


def test_a_withheld_text_was_heard_and_is_withheld_in_the_record(
    open_with: Callable[..., Pipeline], image: str
) -> None:
    strict = open_with("prompt.template=few_shot_passages", "check.abstain_below=1.0")
    *pieces, last = strict.stream(Request("x", (image,)))
    assert isinstance(last, Description)
    assert (last.text, last.abstained) == ("", True)
    assert "".join(map(str, pieces)) == last.withheld != ""


@pytest.mark.parametrize(
    "request_of",
    [
        lambda image: Request("q", (image,), "ask", "What is it?"),
        lambda image: Request("e", (image,), "extract", schema=SCHEMA),
        lambda image: Request("c", (image,), "classify", "Which?", labels=("blood", "skin")),
    ],
    ids=["ask", "extract", "classify"],
)
def test_every_task_streams_what_run_says(model: str, image: str, request_of: Callable[[str], Request]) -> None:
    request = request_of(image)
    pipeline = opened(model, request, "generation.max_new_tokens=40")
    (whole,) = pipeline.run([request])
    *pieces, last = pipeline.stream(request)
    assert without_times(last) == without_times(whole)
    assert isinstance(last, Description)
    assert "".join(map(str, pieces)) == last.text != ""


def test_an_image_that_cannot_be_read_is_a_failure_and_nothing_else(model: str, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    request = Request("x", (str(tmp_path / "empty.png"),))
    (failure,) = opened(model, request).stream(request)
    assert isinstance(failure, Failure)
    assert (failure.kind, "the file is empty" in failure.reason) == ("image", True)


def test_an_answer_cut_short_of_its_schema_is_a_failure_after_its_pieces(
    model: str, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request("e", (image,), "extract", schema=SCHEMA)
    pipeline = opened(model, request)
    cut = Generation('{"kind": "ce', 9, 12, "length", 0.1, -1.0)

    def stream(*_: object) -> Generator[str | Generation, None, None]:
        yield from ('{"kind": ', '"ce')
        yield cut

    monkeypatch.setattr(pipeline.speaker.engine, "stream", stream)
    *pieces, last = pipeline.stream(request)
    assert "".join(map(str, pieces)) == cut.text
    assert isinstance(last, Failure)
    assert (last.kind, "cut off at 12 tokens" in last.reason) == ("answer", True)


def test_closing_stops_the_model_and_leaves_it_usable(model: str, image: str) -> None:
    request = Request("x", (image,))
    pipeline = opened(model, request, "generation.max_new_tokens=1500")
    engine = pipeline.speaker.engine
    assert isinstance(engine, TransformersEngine)
    loaded = engine.load()
    head = loaded.model.get_output_embeddings()
    steps = 0

    def step(_: object, __: object, scores: Any) -> Any:
        nonlocal steps
        steps += 1
        scores[..., list(loaded.stop_ids)] = -1e4  # so that no answer ends by itself
        return scores

    hook = head.register_forward_hook(step)
    before = set(threading.enumerate())
    heard = pipeline.stream(request)
    assert isinstance(next(heard), str)
    heard.close()
    at_the_end = steps
    assert at_the_end < 1500
    assert set(threading.enumerate()) <= before
    hook.remove()
    short = Pipeline(
        pipeline.settings,
        replace(pipeline.speaker, params=replace(pipeline.speaker.params, max_new_tokens=12)),
        pipeline.templates,
        pipeline.retriever,
    )
    (whole,) = short.run([request])
    *_, last = short.stream(request)
    assert steps == at_the_end
    assert without_times(last) == without_times(whole)


@pytest.mark.parametrize(
    "pieces",
    [
        [" A", " blood ", " smear.\n"],
        ["", " ", "\n", "A", "  ", "b", " "],
        ["  "],
        [],
        ["one"],
        ["a\n", "\n", "b\u00a0", "\u2003"],
    ],
)
def test_the_pieces_have_no_white_space_around_them_and_all_within(pieces: Sequence[str]) -> None:
    end = Generation("", 1, 1, "end", 0.1, None)

    def said(parts: Iterable[str]) -> Generator[str | Generation, None, None]:
        yield from parts
        yield end

    *heard, last = _trimmed(said(pieces))
    assert last is end
    assert "".join(map(str, heard)) == "".join(pieces).strip()
    assert all(heard)
