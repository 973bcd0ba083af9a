"""What gives a run another name, and what does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fakes
import pytest

from batch.keys import key_of, mark_of, run_name, shaped_by
from batch.ledger import Sums
from batch.plan import plan_of
from batch.types import Item, Unusable
from rag.config import resolve
from rag.opening import open_pipeline
from rag.pipeline import Pipeline
from rag.types import Request
from vlm.config import load_model_config

CALIBRATION = "weights: {support: 1.0}\nbias: 0.0\nthreshold: %s\nmade_from: {}\n"


def name(*assignments: str) -> str:
    settings = resolve(fakes.SETTINGS.model_dump(), assignments)
    return run_name(shaped_by(open_pipeline(settings, [Request("a", ("a",))])))


def test_what_shapes_a_text_names_the_run_and_where_it_lies_does_not(tmp_path: Path) -> None:
    plain = name()
    assert name("prompt.template=zero_shot") == plain  # what it is without evidence
    assert name("retrieval.index=elsewhere") == plain
    shaping = ["batch_size=3", "generation.seed=1", "generation.max_new_tokens=7", "model.dtype=bf16"]
    files = {tmp_path / "a.yaml": 0.1, tmp_path / "b.yaml": 0.2, tmp_path / "c.yaml": 0.1}
    for file, threshold in files.items():
        file.write_text(CALIBRATION % threshold)
    a, b, c = (name(f"check.calibration={file}") for file in files)
    assert a == c
    assert len({plain, a, b, *map(name, shaping)}) == 3 + len(shaping)


def test_what_another_engine_writes_is_another_run() -> None:
    pipeline = open_pipeline(fakes.SETTINGS, [Request("a", ("a",))])
    assert len({run_name(shaped_by(pipeline)), run_name(shaped_by(pipeline, "vllm"))}) == 2


def test_a_run_begun_on_a_cpu_does_not_go_on_on_a_gpu_in_another_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    def names() -> list[str]:
        config = load_model_config("pocket")
        made = open_pipeline(fakes.SETTINGS, [Request("a", ("a",))])
        return [
            run_name(shaped_by(Pipeline(made.settings, replace(made.speaker, config=one), made.templates, None)))
            for one in (config, config.model_copy(update={"dtype": "fp32"}))
        ]

    auto, fp32 = names()
    monkeypatch.setattr("batch.keys.has_gpu", lambda: True)
    assert names()[0] != auto
    assert names()[1] == fp32


@pytest.mark.parametrize(
    "other",
    [
        Item(Request("b", ("x.png",)), "1"),
        Item(Request("a", ("x.png",), article="PMC1"), "1"),
        Item(Request("a", ("x.png",), "ask", "Why?"), "1"),
        Item(Request("a", ("x.png", "y.png")), "1"),
        Item(Request("a", ("x.png",)), "2"),
    ],
)
def test_a_mark_tells_what_is_asked_of_what(other: Item) -> None:
    assert mark_of("run", other) != mark_of("run", Item(Request("a", ("x.png",)), "1"))


def test_a_key_is_of_bytes_and_not_of_places() -> None:
    here, there = Request("a", ("x.png",)), Request("a", ("elsewhere/y.png",))
    assert key_of("run", here, ["00"]) == key_of("run", there, ["00"])
    assert len({key_of("run", here, ["00"]), key_of("run", here, ["01"]), key_of("other", here, ["00"])}) == 3


def test_blocks_are_cut_by_the_input_alone() -> None:
    rows = [Unusable("line 1", "torn"), *(Item(Request(f"i{n}", (f"{n}.png",)), "1") for n in range(7))]
    plan = plan_of("run", rows)

    def cut(*done: str) -> dict[int, list[str]]:
        marks = {plan.marks[id_] for id_ in done}
        return {block.number: [request.id for request in block.requests] for block in plan.blocks(3, marks)}

    assert cut() == {0: ["i0", "i1", "i2"], 1: ["i3", "i4", "i5"], 2: ["i6"]}
    assert cut("i0", "i3", "i4", "i5") == {0: ["i1", "i2"], 2: ["i6"]}
    assert cut(*plan.marks) == {}


def test_sums_are_added_stage_by_stage() -> None:
    both = Sums({"decode": 1.0, "total": 2.0}, 5, 1, warned=1) + Sums({"total": 3.0}, 6, abstained=1, cited=2)
    assert both == Sums({"decode": 1.0, "total": 5.0}, 11, 1, 1, 1, 0, 2)
