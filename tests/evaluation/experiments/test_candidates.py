"""Wordings of a prompt: from choices, and as a text model proposes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest
from made_archive import Engine

from evaluation.errors import ExperimentError
from evaluation.experiments.candidates import START, Candidate, ChoiceConfig, chosen, different, reworded
from evaluation.experiments.proposals import ProposalsConfig, pieces, propose
from rag.config import ModelSettings
from rag.prompts import PromptTemplate
from vlm.types import Generation, GenerationParams, Prompt

ROLE = "You describe biomedical images for scientists. Say only what can be seen."
ASK = "Describe this image in {{{length}}}, in {{{language}}}."


def choices(**slots: tuple[str, list[str]]) -> dict[str, ChoiceConfig]:
    return {name: ChoiceConfig.model_validate({"of": of, "or": other}) for name, (of, other) in slots.items()}


@pytest.fixture
def start() -> PromptTemplate:
    return PromptTemplate.load("few_shot")


def test_every_combination_of_choices_is_a_candidate_but_the_start(start: PromptTemplate) -> None:
    slots = choices(role=(ROLE, ["You are a radiologist.", ""]), ask=(ASK, ["Write a caption in {{{language}}}."]))
    found = chosen(start, slots, most=99, seed=0)
    assert [one.origin for one in found] == ["ask 1", "role 1", "role 1, ask 1", "role 2", "role 2, ask 1"]
    assert len({one.template.hash for one in found} | {start.hash}) == 6
    assert [len(one.template.config.messages) for one in found] == [2, 2, 2, 1, 1]  # an empty message is left out
    assert {one.template.config.parent for one in found} == {start.version}
    few = chosen(start, slots, most=3, seed=0)
    assert len(few) == 3
    assert {one.template.hash for one in few} < {one.template.hash for one in found}


@pytest.mark.parametrize(("of", "times"), [("no such words", 0), ("images", 3)])
def test_words_of_a_slot_must_be_there_once(start: PromptTemplate, of: str, times: int) -> None:
    with pytest.raises(ExperimentError, match=rf"choices.role.of: '{of}' is {times} times in prompt few_shot"):
        chosen(start, choices(role=(of, ["x"])), 9, 0)


def test_words_that_were_put_in_are_not_replaced_again(start: PromptTemplate) -> None:
    swaps = [("biomedical", "scientific"), ("scientists", "biomedical people")]
    system = reworded(start, swaps, "try").config.messages[0].text
    assert system.startswith("You describe scientific images for biomedical people.")


def test_the_same_text_is_tried_once(start: PromptTemplate) -> None:
    other = reworded(start, [("scientists", "physicians")], "try")
    again = [Candidate("one", other, ""), Candidate("two", other, ""), Candidate("three", start, "")]
    assert [one.name for one in different(start, again)] == [START, "one"]


class Writer(Engine):
    """Gives the answers it has, one after the other; `schemas` are those it was asked to satisfy."""

    def __init__(self, answers: Sequence[str]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked_for: list[tuple[Prompt, GenerationParams]] = []

    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:
        self.load()
        for place, prompt in enumerate(prompts):
            self.asked_for.append((prompt, params))
            yield place, Generation(self.answer(prompt), 100, 50, "end", 0.0, -0.5)

    def answer(self, _: Prompt) -> str:
        return self.answers.pop(0)


def test_a_model_proposes_wordings_and_bad_ones_are_dropped_with_the_reason(
    start: PromptTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = pieces(start)
    assert lines[0] == ROLE
    assert lines[-1] == ASK
    assert not any("{{#" in line for line in lines)
    good = {"1": "You write captions.", "2": "Like images:", "3": "Caption it in {{{length}}}, in {{{language}}}."}
    bad = [
        good | {"3": "Caption it in {{{length}}}."},
        good | {"3": "Caption it in {{{length}}}, in {{{language}}}, {{{images}}}."},
        {"1": "You write captions."},
        good | {"1": "word " * 200},
        good | {"2": "{{{examples"},
    ]
    writer = Writer([json.dumps(good), *map(json.dumps, bad), "I cannot.", json.dumps(good | {"1": "Two\nlines."})])
    monkeypatch.setattr("evaluation.experiments.proposals.open_engine", lambda *_: writer)
    asked = ProposalsConfig(model=ModelSettings(name="pocket"), count=8, wish="Be brief.")
    found = propose(start, asked)
    assert [one.name for one in found.candidates] == ["proposal-01", "proposal-08"]
    template = found.candidates[0].template
    assert template.variables == start.variables
    assert template.config.messages[0].text == "You write captions."
    assert template.config.parent == start.version
    assert "\n" not in found.candidates[1].template.config.messages[0].text
    reasons = [line.partition(": ")[2] for line in found.dropped]
    assert [reason[:30] for reason in reasons] == [
        "line 3 has other variables: 'C", "line 3 has other variables: 'C", "line 2 was not rewritten",
        "line 1 has 999 characters, mor", "line 2 has other variables: '{", "the answer is no JSON: 'I cann",
    ]  # fmt: skip
    assert (found.prompt_tokens, found.new_tokens) == (800, 400)
    assert [params.seed for _, params in writer.asked_for] == list(range(8))
    assert all("Be brief." in str(prompt.messages[1].parts[0]) for prompt, _ in writer.asked_for)
    assert not writer.loaded
