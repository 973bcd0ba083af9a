"""A picture is read once for pocket's two models, which have the same trunk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rag.pipeline
from rag import Pipeline
from rag.one_trunk import read_once
from rag.replay import Replayer
from rag.retrieve import IMAGES
from rag.types import Description, Request
from tests.rag.test_pipeline import described
from vlm import vision

Open = Callable[..., Pipeline]


@pytest.fixture
def asked(demo: Path) -> list[Request]:
    images = sorted(demo.glob("*.png"))
    return [Request(image.stem, (str(image),)) for image in images]


@pytest.fixture
def pictures_read() -> Iterator[Callable[[Pipeline], list[int]]]:
    """How many pictures the generator's tower reads from now on, each time."""
    hooks: list[Any] = []

    def watch(pipeline: Pipeline) -> list[int]:
        pipeline.load()
        seen: list[int] = []
        tower: Any = pipeline.speaker.engine.load()
        first = tower.model.get_submodule("model.vision_tower.timm_model.conv_stem")
        hooks.append(first.register_forward_pre_hook(lambda _, given: seen.append(len(given[0]))))
        return seen

    yield watch
    for hook in hooks:
        hook.remove()


def said(descriptions: list[Description]) -> list[tuple[str, Any]]:
    return [(d.text, pytest.approx(d.mean_logprob, abs=1e-5)) for d in descriptions]


def test_with_evidence_the_generator_reads_no_picture_and_says_the_same(
    open_with: Open, asked: list[Request], pictures_read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = open_with()
    seen = pictures_read(once)
    descriptions = described(once, *asked)
    assert seen == []
    assert {d.run.model["vision_dtype"] for d in descriptions if d.run} == {"model"}

    monkeypatch.setattr(rag.pipeline, "read_once", lambda *_: False)
    twice = open_with("model.vision_dtype=model")
    seen = pictures_read(twice)
    assert said(descriptions) == said(described(twice, *asked))
    assert sum(seen) == len(asked)


@pytest.mark.parametrize("amx", [False, True])
def test_without_evidence_the_generator_reads_for_itself(
    open_with: Open, asked: list[Request], pictures_read: Any, amx: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its records tell what its tower computed in, which hangs on the machine."""
    monkeypatch.setattr(vision, "natively_bf16", lambda _: amx)
    alone = open_with("retrieval.enabled=false")
    seen = pictures_read(alone)
    descriptions = described(alone, *asked)
    assert sum(seen) == len(asked)
    assert {d.run.model["vision_dtype"] for d in descriptions if d.run} == {"bf16" if amx else "model"}


def test_another_trunk_is_not_shared(open_with: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = open_with()
    assert pipeline.retriever is not None
    assert read_once(pipeline.speaker.engine, pipeline.retriever)
    monkeypatch.setattr(pipeline.retriever.index.embedder_for(IMAGES), "trunk", "0" * 32)
    assert not read_once(pipeline.speaker.engine, pipeline.retriever)
    assert pipeline.retriever.reads is None


@pytest.mark.parametrize("searching", [True, False])
def test_a_record_replays_as_the_same_from_the_index_and_from_itself(
    searching: bool, open_with: Open, asked: list[Request]
) -> None:
    records = [json.loads(json.dumps(d.to_json())) for d in described(open_with(), *asked)]
    for replay in Replayer(searching=searching).run([{**r, "run": {**r["run"], "together": 1}} for r in records]):
        assert replay.result == "same"
        assert [one.name for one in replay.inputs if one.state == "changed"] == []
