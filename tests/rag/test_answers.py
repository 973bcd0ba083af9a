"""Questions with labels, questions that go on from others, and fields of documents, through the real pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag import Pipeline, open_pipeline
from rag.config import resolve
from rag.conversation import converse
from rag.errors import AnswerError, RequestError, TemplateError
from rag.fields import read_fields, read_schema, texts_of
from rag.prompts import Exchange, PromptInputs, PromptTemplate
from rag.requests import ask_request, extract_requests
from rag.show import as_text
from rag.types import Description, Failure, Request
from tests.rag.test_pipeline import described
from vlm.types import Generation, GenerationParams, Prompt

SCHEMA = {
    "type": "object",
    "properties": {"patient": {"type": "string"}, "doses": {"type": "array", "items": {"type": "integer"}}},
    "required": ["patient", "doses"],
    "additionalProperties": False,
}
ASKED = json.dumps(SCHEMA)
Open = Callable[..., Pipeline]


@pytest.fixture(scope="module")
def answering() -> Pipeline:
    """Opened for all tasks."""
    tasks = [
        Request("a", ("a",), "ask", "Why?"),
        Request("b", ("b",), "classify", "Is it?", labels=("yes", "no")),
        Request("c", ("c",), "extract", schema=ASKED),
    ]
    return open_pipeline(resolve(assignments=["generation.max_new_tokens=60"]), tasks)


class Saying:
    """The engine, but it says this."""

    def __init__(self, engine: Any, text: str, stop: str = "end", logprob: float = -0.1) -> None:
        self._engine, self._said, self.prompts = engine, (text, stop, logprob), []

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)

    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:  # noqa: ARG002
        self.prompts += prompts
        text, stop, logprob = self._said
        for position in range(len(prompts)):
            yield position, Generation(text, 50, 9, stop, 0.1, logprob)  # type: ignore[arg-type]


def saying(pipeline: Pipeline, *said: Any) -> tuple[Pipeline, Saying]:
    engine = Saying(pipeline.speaker.engine, *said)
    params = replace(pipeline.speaker.params, time_limit_s=2)
    speaker = replace(pipeline.speaker, engine=engine, params=params)  # type: ignore[arg-type]
    return Pipeline(pipeline.settings, speaker, pipeline.templates, pipeline.retriever), engine


def test_a_label_is_chosen_and_the_record_says_how_likely_each_is(answering: Pipeline, demo: Path) -> None:
    request = ask_request([str(demo / "smear.png")], "Is this a blood smear?", labels=("yes", "no"))
    (description,) = described(answering, request)
    record = json.loads(json.dumps(description.to_json()))
    assert record["answer"] == "yes"
    assert set(record["label_probabilities"]) == {"yes", "no"}
    assert sum(record["label_probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert record["label_probabilities"]["yes"] > 0.9
    assert record["label_mass"] > 0.5
    assert record["scored_by"] == "first token"
    assert record["question"] == "Is this a blood smear?"
    assert record["tokens"]["new"] == 0
    assert record["timings_s"]["generate"] > 0
    assert "yes" in as_text(description)
    assert "%" in as_text(description)
    assert not [warning for warning in record["warnings"] if "hardly" in warning]


def test_labels_that_begin_alike_are_scored_whole_and_unlikely_ones_are_said_to_be(
    answering: Pipeline, demo: Path
) -> None:
    labels = ("a zebra's hoof", "a zebra's tail")
    (description,) = described(answering, ask_request([str(demo / "smear.png")], "What is it?", labels=labels))
    record = description.to_json()
    assert record["scored_by"] == "whole answer"
    assert record["label_mass"] < 0.001
    assert any("would hardly give any of these answers" in warning for warning in record["warnings"])


def test_requests_with_and_without_labels_go_together(answering: Pipeline, demo: Path) -> None:
    image = str(demo / "smear.png")
    requests = [
        Request("words", (image,), "ask", "What kind of image is this?"),
        Request("choice", (image,), "classify", "Is this a CT?", labels=("yes", "no")),
        Request("other", (image,), "classify", "Which?", labels=("smear", "CT", "MR")),
    ]
    words, choice, other = described(answering, *requests)
    assert words.choice is None
    assert words.text
    assert choice.text == "no"
    assert other.choice
    assert set(other.choice.probabilities) == {"smear", "CT", "MR"}


def test_the_fields_of_a_document_satisfy_the_schema(answering: Pipeline, demo: Path) -> None:
    (description,) = described(answering, Request("doc", (str(demo / "smear.png"),), "extract", schema=ASKED))
    record = json.loads(json.dumps(description.to_json()))
    assert set(record["fields"]) == {"patient", "doses"}
    assert record["schema"] == SCHEMA
    assert record["evidence"] == []
    assert record["sentences"] == []
    assert "caption" not in record
    assert '"patient"' in as_text(description)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (("{'patient': 1}", "end"), "is not JSON"),
        (('{"patient": "A", "do', "length"), "allow more with --set generation.max_new_tokens"),
        (('{"patient": "A", "do', "time"), "allow more time"),
        (('{"patient": "A", "doses": [1, "x"]}', "end"), r"satisfy the schema: \$\.doses\[1\]: 'x' is not of type"),
        (('{"patient": "A"}', "end"), "'doses' is a required property"),
        (('{"patient": "A", "doses": [NaN]}', "end"), "NaN is no number of JSON"),
    ],
)
def test_an_answer_that_is_almost_json_is_a_failure(
    said: tuple[str, str], reason: str, answering: Pipeline, demo: Path
) -> None:
    pipeline, _ = saying(answering, *said)
    good = Request("words", (str(demo / "smear.png"),), "ask", "What is it?")
    outcomes = list(pipeline.run([Request("doc", (str(demo / "smear.png"),), "extract", schema=ASKED), good]))
    (failure,) = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert failure.request.id == "doc"
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(failure.reason)
    assert "\n" not in failure.reason
    assert [o.request.id for o in outcomes if isinstance(o, Description)] == ["words"]


def test_fields_that_the_model_finds_unlikely_or_cannot_tell(answering: Pipeline, demo: Path) -> None:
    request = Request("doc", (str(demo / "smear.png"),), "extract", schema=ASKED)
    likely, unlikely = '{"patient": "Ada", "doses": [5]}', '{"patient": "I cannot tell from this image.", "doses": []}'
    (sure,) = described(saying(answering, likely, "end", -0.2)[0], request)
    (unsure,) = described(saying(answering, unlikely, "end", -7.0)[0], request)
    assert (sure.fields, sure.abstained, sure.warnings) == ({"patient": "Ada", "doses": [5]}, False, ())
    assert unsure.abstained
    assert any("finds these fields unlikely, -7.0 nats" in warning for warning in unsure.warnings)


def test_a_question_goes_on_from_the_ones_before(answering: Pipeline, demo: Path) -> None:
    pipeline, engine = saying(answering, "A smear.")
    first = ask_request([str(demo / "smear.png")], "What is it?")
    outcomes = list(converse(pipeline, first, ["What is it?", "How many cells?", "Sure?"]))
    assert [o.request.id for o in outcomes] == ["smear-1", "smear-2", "smear-3"]
    assert isinstance(outcomes[2], Description)
    said = [(m.role, m.parts[-1]) for m in engine.prompts[2].messages[-4:]]
    assert said == [
        ("assistant", "A smear."),
        ("user", "How many cells?"),
        ("assistant", "A smear."),
        ("user", "Sure?"),
    ]
    assert len(engine.prompts[2].images) == 1
    assert "Question: What is it?" in str(engine.prompts[2].messages[-5].parts[-1])
    assert outcomes[2].to_json()["history"] == [
        {"question": "What is it?", "answer": "A smear."}, {"question": "How many cells?", "answer": "A smear."},
    ]  # fmt: skip
    assert "history" not in outcomes[0].to_json()  # type: ignore[union-attr]


def test_a_conversation_with_an_image_that_cannot_be_read_goes_on(answering: Pipeline, tmp_path: Path) -> None:
    first = ask_request([str(tmp_path / "none.png")], "What?")
    outcomes = list(converse(answering, first, ["What?", "And now?"]))
    assert all(isinstance(outcome, Failure) for outcome in outcomes)
    assert len(outcomes) == 2


def test_the_oldest_exchanges_go_where_they_do_not_fit(answering: Pipeline, demo: Path) -> None:
    history = tuple(Exchange(f"Question {n}, and some words more?", "word " * 40) for n in range(12))
    request = Request("x", (str(demo / "smear.png"),), "ask", "And the last?", history=history)
    pipeline, engine = saying(answering, "A smear.")
    (description,) = described(pipeline, request)
    asked = [str(message.parts[-1]) for message in engine.prompts[0].messages if message.role == "user"]
    forgotten = 12 - (len(asked) - 1)
    assert 0 < forgotten < 12
    assert asked[-1] == "And the last?"
    assert f"Question {forgotten}," in asked[0]
    assert any(f"the first {forgotten} exchanges did not fit" in warning for warning in description.warnings)


def test_one_prompt_too_long_is_that_requests_failure(answering: Pipeline, demo: Path) -> None:
    image = str(demo / "smear.png")
    requests = [Request("long", (image,), "ask", "why " * 450), Request("short", (image,), "ask", "What is it?")]
    failure, description = answering.run(requests)
    assert isinstance(failure, Failure)
    assert "long: prompt question: its text alone is" in failure.reason
    assert isinstance(description, Description)


def test_requests_that_contradict_themselves() -> None:
    with pytest.raises(RequestError, match="a schema and the task extract belong together"):
        Request("x", ("x",), "extract")
    with pytest.raises(RequestError, match="labels and the task classify belong together"):
        Request("x", ("x",), "ask", "Is it?", labels=("yes", "no"))
    for labels in (["yes"], ["yes", "yes "], ["yes", " "]):
        with pytest.raises(RequestError, match="two or more answers"):
            ask_request(["x.png"], "Is it?", labels=labels)


def test_templates_serve_their_tasks(demo: Path) -> None:
    choice = Request("b", (str(demo / "smear.png"),), "classify", "Is it?", labels=("yes", "no"))
    chosen = open_pipeline(resolve(assignments=["prompt.template=choice"]), [choice])
    prompt = chosen.prepare([choice]).items[0].prompt.prompt
    assert "Answer with one of these and nothing else: yes, no" in str(prompt.messages[-1].parts[-1])
    with pytest.raises(TemplateError, match="prompt few_shot is for caption, not for classify"):
        open_pipeline(resolve(assignments=["prompt.template=few_shot"]), [choice])
    inputs = PromptInputs((), schema=ASKED)
    rendered, _ = PromptTemplate.load("extract").render(inputs)
    assert rendered.schema == ASKED
    assert ASKED in str(rendered.messages[-1].parts[-1])


def test_fields_are_decoded_as_suits_them_where_nobody_says_otherwise() -> None:
    extract, caption = Request("c", ("c",), "extract", schema=ASKED), Request("c", ("c",))
    assert open_pipeline(resolve(), [extract]).speaker.params.max_new_tokens == 256
    assert open_pipeline(resolve(), [caption]).speaker.params.max_new_tokens == 96
    model = ["model.name=smolvlm-500m", "retrieval.enabled=false"]
    assert open_pipeline(resolve(assignments=model), [extract]).speaker.params.repetition_penalty == 1.0
    assert open_pipeline(resolve(assignments=model), [caption]).speaker.params.repetition_penalty == 1.1
    model += ["generation.repetition_penalty=1.2", "generation.max_new_tokens=7"]
    params = open_pipeline(resolve(assignments=model), [extract]).speaker.params
    assert (params.repetition_penalty, params.max_new_tokens) == (1.2, 7)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
        ("[1]", "outermost value must be an object"),
        ('{"type": "nope"}', r"no JSON Schema: \$\.type: 'nope'"),
    ],
)
def test_a_schema_file_that_is_none(text: str | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RequestError, match=reason):
        read_schema(path)


def test_a_good_schema_makes_a_request_a_document(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA, indent=4))
    first, second = extract_requests(["a.png", "b.png"], path)
    assert (first.task, first.id, second.id) == ("extract", "a", "b")
    assert json.loads(first.schema or "") == SCHEMA
    assert "\n" not in (first.schema or "")


def test_what_cannot_be_checked_is_said() -> None:
    with pytest.raises(AnswerError, match=r"other\.json, which is not in it"):
        read_fields("1", '{"$ref": "http://localhost:1/other.json"}')
    with pytest.raises(AnswerError, match=r"pattern .* cannot be checked"):
        read_fields('"x"', '{"pattern": "("}')
    assert read_fields('{"a": [1, "b"], "c": {"d": "e"}}', "{}") == {"a": [1, "b"], "c": {"d": "e"}}
    assert texts_of({"a": ["x", 1, {"b": "y"}], "c": None}) == ["x", "y"]
