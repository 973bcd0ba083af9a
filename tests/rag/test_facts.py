"""What files say goes into the prompt and narrows the examples; the order of evidence is the model's or the user's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from PIL import Image

from configs import parse
from imaging import Acquisition, LoadedImage
from indexer import Index, IndexConfig, build_index, open_index
from indexer.types import Evidence, Filter
from pocket.render import render
from rag import Pipeline
from rag.acquisition import facts_line, narrowed, search_narrowed
from rag.config import resolve
from rag.prompts import PromptInputs, PromptTemplate, list_templates
from rag.retrieve import Retriever
from rag.types import Description, Request, Stopwatch
from tests.rag.test_prompts import IMAGE, example, passage, text_of, words
from vlm import load_model_config

CT = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"


def taken(**facts: object) -> LoadedImage:
    return replace(IMAGE, acquisition=Acquisition(**facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, ""),
        (
            {"modality": "CT", "plane": "axial", "body_part": "chest", "spacing_mm": (0.703, 0.703)},
            "The file says: CT, axial, chest, 0.7 mm pixels.",
        ),
        (
            {"modality": "mammography", "view": "MLO", "body_part": "breast", "laterality": "left"},
            "The file says: mammography, MLO view, left breast.",
        ),
        (
            {"modality": "MR", "weighting": "T2-weighted", "contrast_agent": False, "slice_thickness_mm": 5.0},
            "The file says: MR, T2-weighted, without contrast agent, 5 mm slices.",
        ),
        (
            {"channels": ("DAPI", "GFP"), "channel": "GFP", "stains": ("DAPI",), "objective": 63.0,
             "spacing_mm": (0.00013, 0.00013)},
            "The file says: channel GFP (of DAPI, GFP), 63x objective, 0.13 µm pixels.",
        ),
        ({"detector_spacing_mm": (0.14, 0.2)}, "The file says: 0.14 mm x 0.2 mm pixels at the detector."),
    ],
)  # fmt: skip
def test_the_facts_are_a_sentence(facts: dict[str, object], line: str) -> None:
    assert facts_line([taken(**facts)]) == line


def test_of_several_images_each_is_named() -> None:
    line = facts_line([taken(modality="CT"), taken(), taken(modality="MR")])
    assert line == "The files say: image 1: CT; image 3: MR."


def test_the_facts_stand_after_the_image_and_nothing_does_where_there_are_none() -> None:
    showing = [t for t in list_templates() if "facts" in t.variables]
    assert {"zero_shot", "few_shot", "few_shot_passages", "question", "choice"} <= {t.name for t in showing}
    for template in showing:
        inputs = PromptInputs((IMAGE,), (example(1, "A."), passage(1, "B.")), question="Why?", labels=("a", "b"))
        told = template.render(replace(inputs, facts="The file says: CT."))[0].messages[-1].parts
        bare = template.render(inputs)[0].messages[-1].parts
        assert told[0] == bare[0] == IMAGE
        assert told[1] == f"The file says: CT.\n{bare[1]}"


def test_the_facts_reach_the_record_and_the_prompt(pipeline: Pipeline) -> None:
    prepared = pipeline.prepare([Request("ct", (str(CT),))])
    said = "The file says: CT, axial, with contrast agent, 0.66 mm pixels, 5 mm slices."
    assert said in text_of(prepared.items[0].prompt.prompt)
    (description,) = pipeline.describe(prepared)
    assert isinstance(description, Description)
    (facts,) = description.to_json()["acquisition"]
    assert (facts["modality"], facts["plane"], facts["contrast_agent"]) == ("CT", "axial", True)


def test_the_facts_can_be_kept_out_of_the_prompt(open_with: Callable[..., Pipeline]) -> None:
    without = open_with("prompt.facts=false", "retrieval.enabled=false").prepare([Request("ct", (str(CT),))])
    assert "The file says" not in text_of(without.items[0].prompt.prompt)


def test_examples_are_narrowed_by_what_every_file_states() -> None:
    only = Filter(sources=frozenset({"s"}))
    assert narrowed([taken(modality="CT")], only, []).only == only
    assert narrowed([taken(modality="CT"), taken()], only, ["modality"]).only == only
    both = narrowed([taken(modality="CT"), taken(modality="MR")], only, ["modality"]).only
    assert both.sources == {"s"}
    assert {"CT", "CTA", "MR", "MRI"} <= both.modalities
    assert narrowed([taken(modality="thermography")], only, ["modality"]).only.modalities == {"thermography"}


@pytest.mark.parametrize(
    ("allowed", "left"),
    [({"CT w/contrast"}, {"CT w/contrast"}), ({"CT", "MR"}, {"CT"}), ({"computed"}, {"computed tomography"})],
)
def test_the_settings_own_filter_holds_too(allowed: set[str], left: set[str]) -> None:
    asked = narrowed([taken(modality="CT")], Filter(modalities=frozenset(allowed)), ["modality"])
    assert asked.only.modalities == left
    assert asked.warnings == ()


def test_a_file_that_the_settings_exclude_is_said() -> None:
    only = Filter(modalities=frozenset({"MR"}))
    asked = narrowed([taken(modality="CT")], only, ["modality"])
    assert asked.only == only
    assert asked.warnings == ("the file says CT, retrieval.only.modalities allows MR: examples are of the latter",)


def test_narrowing_that_leaves_nothing_is_dropped_with_a_warning() -> None:
    found = Evidence(example(1, "A.").record, 0.9, 1)

    def search(filters: Sequence[Filter]) -> list[list[Evidence]]:
        return [[] if "MR" in only.modalities else [found] for only in filters]

    images = [taken(modality="MR")], [taken(modality="CT")], [taken()]
    asked = [narrowed(one, Filter(), ["modality"]) for one in images]
    examples, warnings = search_narrowed(search, asked, Filter())
    assert examples == [[found], [found], [found]]
    assert warnings == [("the file says MR, but no example of the index passes that: not narrowed",), (), ()]


@pytest.fixture(scope="module")
def of_two_modalities(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("modalities")
    rows = []
    for number, modality in enumerate(("CT - noncontrast", "MR - T2 weighted", "CT", "MRA")):
        Image.fromarray(render("tissue", 930_000 + number).pixels).save(folder / f"{number}.png")
        rows.append({"id": str(number), "image": f"{number}.png", "caption": f"Of {modality}.", "modality": modality})
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fields = {key: key for key in ("id", "image", "caption", "modality")}
    source = {"kind": "folder", "path": str(folder), "records": "records.jsonl", "source": "test", "fields": fields}
    config = {"out": str(folder / "index"), "image_embedder": "pocket-clip", "sources": [source]}
    build_index(parse(IndexConfig, config, "test"))
    return open_index(folder / "index")


@pytest.mark.parametrize(
    ("modality", "ids", "warned"),
    [("CT", {"0", "2"}, False), ("MR", {"1", "3"}, False), (None, {"0", "1", "2", "3"}, False),
     ("PET", {"0", "1", "2", "3"}, True)],
)  # fmt: skip
def test_narrowing_reaches_the_search(
    of_two_modalities: Index, modality: str | None, ids: set[str], warned: bool
) -> None:
    image = replace(taken(modality=modality), picture=Image.fromarray(render("tissue", 930_009).pixels))
    retriever = Retriever(of_two_modalities, 4, resolve().retrieval.guard, narrow=("modality",))
    (found,) = retriever.retrieve([Request("q", (image,))], [(image,)], {"example"}, Stopwatch())
    assert {e.id for e in found.evidence} == ids
    assert any("not narrowed" in warning for warning in found.warnings) == warned


THREE = (example(1, "Nearest."), example(2, "Second."), example(3, "Third."), passage(1, "First."), passage(2, "Next."))


def test_the_most_similar_stands_last_and_numbers_follow_the_place() -> None:
    template = PromptTemplate.load("few_shot_passages")
    prompt, shown = template.render(PromptInputs((IMAGE,), THREE, order="best_last"))
    assert "[1] Third.\n[2] Second.\n[3] Nearest.\n" in text_of(prompt)
    assert "[4] Title: First.\n[5] Title: Next." in text_of(prompt)
    assert [(e.number, e.id, e.rank) for e in shown][:3] == [(1, "e3", 3), (2, "e2", 2), (3, "e1", 1)]
    first, _ = template.render(PromptInputs((IMAGE,), THREE))
    assert "[1] Nearest.\n[2] Second.\n[3] Third.\n" in text_of(first)


@pytest.mark.parametrize("order", ["best_first", "best_last"])
def test_the_least_similar_goes_first_whatever_the_order(order: str) -> None:
    template = PromptTemplate.load("few_shot_passages")
    inputs = PromptInputs((IMAGE,), THREE, order=order)  # type: ignore[arg-type]
    enough = words([text_of(template.render(inputs)[0])])[0]
    kept = [{e.id for e in template.fit(inputs, words, budget).evidence} for budget in range(enough, 30, -1)]
    assert kept[0] == {"e1", "e2", "e3", "p1", "p2"}
    chain = [ids for n, ids in enumerate(kept) if n == 0 or ids != kept[n - 1]]
    assert chain[:5] == [
        {"e1", "e2", "e3", "p1", "p2"}, {"e1", "e2", "e3", "p1"}, {"e1", "e2", "e3"}, {"e1", "e2"}, {"e1"},
    ]  # fmt: skip


def test_the_order_is_the_models_unless_the_settings_say(open_with: Callable[..., Pipeline], demo: Path) -> None:
    assert load_model_config("pocket").evidence_order == "best_first"
    assert load_model_config("smolvlm-500m").evidence_order == "best_last"
    request = Request("smear", (str(demo / "smear.png"),))
    ranks = []
    for assignment in ("prompt.evidence_order=null", "prompt.evidence_order=best_last"):
        (item,) = open_with(assignment).prepare([request]).items
        ranks.append([e.rank for e in item.prompt.evidence])
        assert [e.number for e in item.prompt.evidence] == [1, 2, 3, 4, 5]
    assert ranks == [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]]
