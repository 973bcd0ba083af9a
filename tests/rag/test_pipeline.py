"""The one path, with the real index, embedders, templates and model of the embedded default."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from langchain_core.documents import Document
from PIL import Image, ImageOps

from indexer import Evidence, Index
from indexer.types import Query
from rag import Pipeline, open_pipeline
from rag.config import resolve
from rag.errors import RequestError
from rag.guard import Guard
from rag.langchain_adapter import Describer, EvidenceRetriever
from rag.retrieve import IMAGES, PASSAGES, Retriever
from rag.show import as_text
from rag.starter import starter_folder
from rag.types import STAGES, Description, Failure, Request
from tests.rag.conftest import CountingEmbedder, CountingEngine
from tests.vlm import tiny

KEYS = (
    "id image image_sha256 caption sentences evidence model adapter prompt index params seed timings_s tokens "
    "abstained warnings"
).split()


def described(pipeline: Pipeline, *requests: Request) -> list[Description]:
    outcomes = list(pipeline.run(requests))
    assert all(isinstance(outcome, Description) for outcome in outcomes), outcomes
    order = {request.id: position for position, request in enumerate(requests)}
    return sorted((o for o in outcomes if isinstance(o, Description)), key=lambda d: order[d.request.id])


@pytest.fixture
def counted(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> tuple[Pipeline, CountingEngine, CountingEmbedder]:
    """The pipeline with its engine and image embedder counting their batches."""
    assert pipeline.retriever
    engine = CountingEngine(pipeline.speaker.engine)
    embedder = CountingEmbedder(pipeline.retriever.index.embedder_for(IMAGES))
    real = pipeline.retriever.index.embedder_for
    monkeypatch.setattr(
        pipeline.retriever.index, "embedder_for", lambda space: embedder if space == IMAGES else real(space)
    )
    speaker = replace(pipeline.speaker, engine=engine)
    return Pipeline(pipeline.settings, speaker, pipeline.templates, pipeline.retriever), engine, embedder


def starter_image(name: str) -> Path:
    """An image that is in the starter index."""
    return next((starter_folder().parent / "files").rglob(name))


def test_a_record_has_every_key_and_adds_up(pipeline: Pipeline, demo: Path) -> None:
    (description,) = described(pipeline, Request("x", (str(demo / "smear.png"),)))
    record = json.loads(json.dumps(description.to_json()))
    assert set(KEYS) <= set(record)
    assert set(record["timings_s"]) == {*STAGES, "total"}
    assert record["timings_s"]["total"] == pytest.approx(sum(record["timings_s"][s] for s in STAGES), abs=0.001)
    assert record["tokens"]["prompt"] > 49
    assert record["tokens"]["new"] > 0
    assert [e["number"] for e in record["evidence"]] == list(range(1, len(record["evidence"]) + 1))
    assert {e["kind"] for e in record["evidence"]} == {"example", "passage"}
    for evidence in record["evidence"]:
        assert {"number", "kind", "id", "source", "text", "score", "rank", "license", "url"} <= set(evidence)
    for sentence in record["sentences"]:
        assert {"text", "citations", "support"} <= set(sentence)


ABSTAINS = "pocket cannot tell what this real immunohistochemistry shows; its weights before took it for H&E"


@pytest.mark.parametrize(
    ("image", "word"),
    [
        ("smear.png", "smear"),
        pytest.param("ihc.png", "tissue", marks=pytest.mark.xfail(reason=ABSTAINS, strict=True)),
    ],
)
def test_the_demo_images_are_right_in_kind_and_so_is_their_evidence(
    pipeline: Pipeline, demo: Path, image: str, word: str
) -> None:
    (description,) = described(pipeline, Request("x", (str(demo / image),)))
    assert word in description.text.lower()
    first = next(e for e in description.evidence if e.kind == "example")
    assert word in first.text.lower()


def test_many_requests_are_one_batch_for_every_model(
    counted: tuple[Pipeline, CountingEngine, CountingEmbedder], demo: Path
) -> None:
    pipeline, engine, embedder = counted
    paths = sorted(demo.glob("*.png"))
    described(pipeline, *(Request(path.stem, (str(path),)) for path in paths))
    assert engine.batches == [len(paths)]
    assert embedder.images == [len(paths)]


def test_a_batch_says_what_one_by_one_says(pipeline: Pipeline, demo: Path) -> None:
    requests = [Request(path.stem, (str(path),)) for path in sorted(demo.glob("*.png"))]
    together = described(pipeline, *requests)
    alone = [described(pipeline, request)[0] for request in requests]
    assert [d.text for d in together] == [d.text for d in alone]
    assert [[e.id for e in d.evidence] for d in together] == [[e.id for e in d.evidence] for d in alone]


def test_a_bad_image_fails_alone(pipeline: Pipeline, demo: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    good = Request("good", (str(demo / "smear.png"),))
    outcomes = list(pipeline.run([Request("bad", (str(tmp_path / "empty.png"),)), good]))
    assert [type(outcome) for outcome in outcomes] == [Failure, Description]
    assert isinstance(outcomes[0], Failure)
    assert "the file is empty" in outcomes[0].reason


def test_where_no_image_can_be_read_no_model_is_loaded(
    open_with: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = open_with()
    monkeypatch.setattr(fresh, "load", lambda: pytest.fail("a model was loaded"))
    (failure,) = fresh.run([Request("x", ("none.png",))])
    assert isinstance(failure, Failure)


def test_the_querys_own_image_is_never_its_evidence(pipeline: Pipeline, tmp_path: Path) -> None:
    own = starter_image("*.png")
    copied = tmp_path / "another-name.png"
    shutil.copy(own, copied)
    (description,) = described(pipeline, Request("x", (str(copied),)))
    sha = description.images[0].sha256
    shown = [e.record.image_sha256 for e in description.evidence if e.kind == "example"]
    assert len(shown) == 5
    assert sha not in shown
    assert "holds this very image" in description.warnings[0]


def test_the_querys_article_is_never_its_evidence(pipeline: Pipeline, demo: Path) -> None:
    path = str(demo / "smear.png")
    (free,) = described(pipeline, Request("x", (path,)))
    articles = {e.record.article for e in free.evidence if e.kind == "example"} - {None}
    article = sorted(articles)[0]
    (kept,) = described(pipeline, Request("x", (path,), article=article))
    assert article not in {e.record.article for e in kept.evidence if e.kind == "example"}
    assert len([e for e in kept.evidence if e.kind == "example"]) == 5


def test_the_nearest_images_are_searched_for_once_by_guard_and_retrieval(
    pipeline: Pipeline, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And are those of a search of its own, also for an image whose copy is in the index."""
    retriever = pipeline.retriever
    assert isinstance(retriever, Retriever)
    copied = tmp_path / "copy.png"
    ImageOps.mirror(Image.open(starter_image("tissue*.png"))).save(copied)
    requests = [Request("own", (str(demo / "smear.png"),)), Request("copied", (str(copied),))]
    asked: list[Query] = []
    search, leave_out = retriever.index.search, Guard.leave_out

    def counting(queries: Sequence[Query]) -> list[list[Evidence]]:
        asked.extend(query for query in queries if query.space == IMAGES)
        return search(queries)

    monkeypatch.setattr(retriever.index, "search", counting)
    once = described(pipeline, *requests)
    assert len(asked) == 3, "the second again, without its copy"
    assert once[1].left_out.look_alike + once[1].left_out.near_vector > 0
    monkeypatch.setattr(Guard, "leave_out", lambda *args: [replace(left, nearest=None) for left in leave_out(*args)])
    twice = described(pipeline, *requests)
    assert len(asked) == 3 + 5
    assert [d.evidence for d in twice] == [d.evidence for d in once]


def test_a_question_brings_passages_about_it(pipeline: Pipeline, demo: Path) -> None:
    request = Request("q", (str(demo / "smear.png"),), "ask", "How is a blood smear stained?")
    (description,) = described(pipeline, request)
    record = description.to_json()
    assert record["question"] == request.question
    assert record["answer"]
    assert "caption" not in record
    passages = [e for e in description.evidence if e.kind == "passage"]
    assert any("question" in e.found_by for e in passages)


def test_more_images_than_the_model_reads_is_one_line(pipeline: Pipeline, demo: Path) -> None:
    paths = tuple(str(path) for path in sorted(demo.glob("*.png")))
    (failure,) = pipeline.run([Request("q", paths, "ask", "What differs?")])
    assert isinstance(failure, Failure)
    assert "2 images in one question" in failure.reason
    assert "\n" not in failure.reason


def test_without_retrieval_there_is_no_evidence(open_with: Callable[..., Pipeline], demo: Path) -> None:
    (description,) = described(open_with("retrieval.enabled=false"), Request("x", (str(demo / "ihc.png"),)))
    assert description.evidence == ()
    assert description.index is None
    assert description.prompt.startswith("zero_shot@")


@pytest.fixture
def tiny_model(tmp_path: Path) -> Callable[[str], str]:
    """Writes a tiny model of a kind and a file that describes it; returns the file's name."""

    def make(kind: str, caption_prompt: str = "image_only") -> str:
        tiny.MAKERS[kind](tmp_path / kind)
        about = f"family: {kind}\npath: {kind}\nprompt_tokens: 100\ncaption_prompt: {caption_prompt}\n"
        (tmp_path / f"{kind}.yaml").write_text(about + "license: MIT\nparameters: 1000\n")
        return str(tmp_path / f"{kind}.yaml")

    return make


def test_a_model_that_follows_no_instruction_is_given_none(tiny_model: Callable[[str], str], demo: Path) -> None:
    request = Request("x", (str(demo / "smear.png"),))
    name = tiny_model("blip")
    for evidence in ("true", "false"):
        settings = resolve(assignments=[f"model.name={name}", f"retrieval.enabled={evidence}"])
        (description,) = described(open_pipeline(settings, [request]), request)
        assert description.prompt.startswith("image_only@")
        assert (description.evidence, description.index) == ((), None)
        assert description.tokens.prompt == 1
    with pytest.raises(RequestError, match="blip writes captions and answers no questions"):
        open_pipeline(settings, [Request("x", request.images, "ask", "What is it?")])


def test_a_model_of_texts_describes_no_image(tiny_model: Callable[..., str], demo: Path) -> None:
    settings = resolve(assignments=[f"model.name={tiny_model('llama', 'zero_shot')}"])
    with pytest.raises(RequestError, match=r"llama reads texts alone\. For images take another: python cli\.py models"):
        open_pipeline(settings, [Request("x", (str(demo / "smear.png"),))])


def test_a_prompt_that_shows_no_evidence_opens_no_index(demo: Path) -> None:
    request = Request("x", (str(demo / "smear.png"),))
    settings = resolve(assignments=["prompt.template=zero_shot", "retrieval.index=nowhere"])
    (description,) = described(open_pipeline(settings, [request]), request)
    assert description.index is None


def test_length_and_limits_are_obeyed(open_with: Callable[..., Pipeline], demo: Path) -> None:
    (description,) = described(open_with("generation.max_new_tokens=3"), Request("x", (str(demo / "smear.png"),)))
    assert description.tokens.new == 3
    assert "cut off at 3 tokens" in description.warnings[-1]


def test_a_runnables_batch_is_one_batch_of_ours(
    counted: tuple[Pipeline, CountingEngine, CountingEmbedder], demo: Path
) -> None:
    pipeline, engine, embedder = counted
    paths = [str(path) for path in sorted(demo.glob("*.png"))]
    descriptions = Describer(pipeline).batch([*paths, *paths])
    assert engine.batches == [2 * len(paths)]
    assert embedder.images == [2 * len(paths)]
    assert [d.images[0].name for d in descriptions] == [*paths, *paths]


def test_a_runnable_composes_and_raises_its_failures(pipeline: Pipeline, demo: Path) -> None:
    chain = Describer(pipeline) | (lambda description: description.text)
    assert "smear" in chain.invoke(str(demo / "smear.png")).lower()
    with pytest.raises(RequestError, match="no such file"):
        Describer(pipeline).invoke("none.png")
    failed, good = Describer(pipeline).batch(["none.png", str(demo / "smear.png")], return_exceptions=True)
    assert isinstance(failed, RequestError)
    assert isinstance(good, Description)


def test_the_retriever_is_langchains(pipeline: Pipeline, demo: Path) -> None:
    assert pipeline.retriever
    index: Index = pipeline.retriever.index
    by_image = EvidenceRetriever(index=index, space=IMAGES, query_kind="image", k=2)
    documents = by_image.invoke(str(demo / "smear.png"))
    assert [type(d) for d in documents] == [Document, Document]
    assert "smear" in documents[0].page_content.lower()
    assert documents[0].metadata["kind"] == "example"
    by_text = EvidenceRetriever(index=index, space=PASSAGES, k=1)
    assert by_text.batch(["blood smear staining", "chest radiograph"]) == [
        by_text.invoke("blood smear staining"),
        by_text.invoke("chest radiograph"),
    ]


def test_the_retrievers_batch_is_one_batch_of_ours(
    counted: tuple[Pipeline, CountingEngine, CountingEmbedder], demo: Path
) -> None:
    pipeline, _, embedder = counted
    assert pipeline.retriever
    paths = [str(path) for path in sorted(demo.glob("*.png"))]
    EvidenceRetriever(index=pipeline.retriever.index, query_kind="image", k=1).batch(paths)
    assert embedder.images == [len(paths)]


def test_of_a_blank_image_nothing_is_claimed(pipeline: Pipeline, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), "white").save(tmp_path / "blank.png")
    (description,) = described(pipeline, Request("x", (str(tmp_path / "blank.png"),)))
    assert description.abstained
    assert any(warning.startswith("weak evidence") for warning in description.warnings)
    assert "abstained" in as_text(description)


def test_the_speakers_words_for_cannot_tell_are_an_abstention(pipeline: Pipeline, demo: Path) -> None:
    request = Request("x", (str(demo / "smear.png"),))
    (plain,) = described(pipeline, request)
    speaker = replace(pipeline.speaker, abstentions=(f" {plain.text.upper()} ",))
    (abstained,) = described(Pipeline(pipeline.settings, speaker, pipeline.templates, pipeline.retriever), request)
    assert (plain.abstained, abstained.abstained) == (False, True)
