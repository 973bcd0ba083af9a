"""Answers that satisfy a JSON Schema, whatever the model would have said."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from tests.vlm.conftest import asked, picture, prompt
from tests.vlm.test_vlm_engine import Configs, run, words
from tests.vlm.tiny import ALL_KINDS
from vlm import Generation, GenerationParams, Prompt, PromptError, UnsupportedSchema, open_engine

TALKERS = [kind for kind in ALL_KINDS if kind != "blip"]
MEDICATION = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "dose": {"type": "number"}, "unit": {"enum": ["mg", "g"]}},
    "required": ["name", "dose", "unit"],
    "additionalProperties": False,
}
PRESCRIPTION = {
    "type": "object",
    "properties": {
        "patient": {"type": "string"},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "medications": {"type": "array", "items": MEDICATION, "minItems": 1},
    },
    "required": ["patient", "age", "medications"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "prescription": PRESCRIPTION,
    "any object": {"type": "object"},
    "a tree": {
        "$defs": {"node": {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [
            {"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["v", "next"], "additionalProperties": False}},
        "$ref": "#/$defs/node",
    },
    "patterns": {
        "type": "object",
        "properties": {
            "code": {"type": "string", "pattern": "^[A-Z]{3}[0-9]{2}$"}, "on": {"type": "string", "format": "date"},
            "long": {"type": "string", "minLength": 12},
        },
        "required": ["code", "on", "long"],
        "additionalProperties": False,
    },
    "numbers": {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 5},
    "a choice": {"type": "object", "properties": {"x": {"anyOf": [{"type": "string"}, MEDICATION]}, "y": {"const": 3}},
                 "required": ["x", "y"], "additionalProperties": False},
}  # fmt: skip


def with_schema(bare: Prompt, schema: dict[str, Any]) -> Prompt:
    return Prompt(bare.messages, bare.template, bare.template_hash, json.dumps(schema))


def valid(answer: Generation, schema: dict[str, Any]) -> Any:
    value = json.loads(answer.text)
    jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())
    return value


@pytest.mark.parametrize("kind", TALKERS)
def test_answers_satisfy_their_schema_and_are_alike_alone_and_in_a_batch(kind: str, config_of: Configs) -> None:
    texts = ("Read.", "Read the blood smear with twelve red cells, two white cells.", "Chest radiograph?")
    prompts = [with_schema(asked(kind, text, picture(n)), PRESCRIPTION) for n, text in enumerate(texts)]
    if kind in ("llama", "qwen3"):
        prompts = [with_schema(asked(kind, text), PRESCRIPTION) for text in texts]
    free = Prompt(prompts[1].messages, "test", "0")
    params = GenerationParams(max_new_tokens=110)
    together = run(open_engine(config_of(kind), batch_size=4), [*prompts, free], params)
    one_by_one = open_engine(config_of(kind), batch_size=1)
    alone = run(one_by_one, [*prompts, free], params)
    assert words(together) == words(alone)
    for answer in together[:3]:
        assert valid(answer, PRESCRIPTION)["medications"]
        assert answer.new_tokens <= 110
    plain = run(one_by_one, [free], params)
    assert together[3].text == plain[0].text, "a prompt without a schema says what it will"


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_an_answer_is_brought_to_its_end_in_time(name: str, temperature: float, config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm"))
    question = with_schema(prompt("Read."), SCHEMAS[name])
    whole = []
    for room in range(8, 160, 12):
        (answer,) = run(engine, [question], GenerationParams(room, temperature, seed=room))
        assert answer.new_tokens <= room
        try:
            value = json.loads(answer.text)
        except ValueError:
            assert not whole, f"{room} tokens did not do where {whole[-1]} did"
            assert answer.stop == "length"
            continue
        jsonschema.validate(value, SCHEMAS[name])
        whole.append(room)
    assert len(whole) > 6


def test_a_cut_answer_says_so_and_one_that_ends_itself_does_not(config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm"))
    endless = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
               "additionalProperties": False}  # fmt: skip
    short = {**endless, "properties": {"a": {"enum": ["yes"]}}}
    (cut,) = run(engine, [with_schema(prompt("Read."), endless)], GenerationParams(30))
    assert (cut.stop, cut.new_tokens) == ("length", 30)
    assert valid(cut, endless)
    (own,) = run(engine, [with_schema(prompt("Read."), short)], GenerationParams(30))
    assert (own.text, own.stop) == ('{"a": "yes"}', "end")


def test_the_log_probability_is_the_models_own(config_of: Configs) -> None:
    forced = {"const": "qqq zzz"}
    engine = open_engine(config_of("smolvlm"))
    (free,) = run(engine, [prompt("Read.")], GenerationParams(8))
    (held,) = run(engine, [with_schema(prompt("Read."), forced)], GenerationParams(30))
    assert held.text == '"qqq zzz"'
    assert held.mean_logprob < free.mean_logprob - 1, "what it was made to say, it would not have said"


def test_a_streamed_answer_is_the_same(config_of: Configs) -> None:
    engine = open_engine(config_of("qwen2_vl"))
    question, params = with_schema(prompt("Read."), PRESCRIPTION), GenerationParams(90)
    *pieces, last = engine.stream(question, params)
    assert "".join(pieces).strip() == last.text == run(engine, [question], params)[0].text
    valid(last, PRESCRIPTION)


def test_quantised_models_are_held_too(config_of: Configs) -> None:
    question = with_schema(prompt("Read."), PRESCRIPTION)
    (answer,) = run(open_engine(config_of("smolvlm", quantisation="nf4")), [question], GenerationParams(100))
    valid(answer, PRESCRIPTION)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ('{"$ref": "http://localhost:1/other.json"}', "other.json"),
        ('{"type": "string", "pattern": "("}', "(?i)regex|parse|unclosed"),
        ("true", "object"),
        ('{"type": "string", "minLength": 4, "maxLength": 2}', "(?i)unsatisfiable|nothing|minLength"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_in_one_line(schema: str, reason: str, config_of: Configs) -> None:
    question = Prompt(prompt("Read.").messages, "test", "0", schema)
    with pytest.raises(UnsupportedSchema, match=reason) as caught:
        run(open_engine(config_of("smolvlm")), [question])
    assert "\n" not in str(caught.value)


def test_a_model_of_captions_alone_refuses_a_schema_before_it_is_loaded(config_of: Configs) -> None:
    engine = open_engine(config_of("blip"))
    with pytest.raises(PromptError, match="writes captions and no JSON"):
        run(engine, [with_schema(prompt("Read."), PRESCRIPTION)])
    assert engine._loaded is None
