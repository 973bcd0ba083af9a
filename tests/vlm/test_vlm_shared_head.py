"""What all prompts of a batch begin with is read once, and answers stay what they were."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from tests.vlm import tiny
from tests.vlm.conftest import picture
from tests.vlm.test_vlm_engine import Configs, run, words
from vlm import FAMILIES, GenerationParams, Message, Prompt, open_engine
from vlm.shared_head import LEAST, read_once

SHARING = [kind for kind in tiny.ALL_KINDS if FAMILIES[tiny.FAMILY_OF.get(kind, kind)].shares_head]
OTHERS = [kind for kind in tiny.ALL_KINDS if kind not in SHARING]
LONG = "Axial image of the brain demonstrates a large mass in the right frontal lobe. " * 4
ENDS = ("Describe.", "What does the chest radiograph show, without focal consolidation?", "A blood smear?")
SHORT = GenerationParams(12)


def prompts(kind: str, head: str = LONG) -> list[Prompt]:
    def parts(n: int) -> tuple[Any, ...]:
        return (ENDS[n],) if kind in tiny.TEXT_KINDS else (picture(n), ENDS[n])

    return [Prompt((Message("system", (head,)), Message("user", parts(n))), "test", "0") for n in range(3)]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tokens of each head that was read once; 0 where there was none."""
    heads: list[int] = []

    def counted(model: Any, inputs: Any) -> Any:
        laid, seen = read_once(model, inputs)
        heads.append(0 if seen is None else seen.get_seq_length())
        return laid, seen

    monkeypatch.setattr("vlm.shared_head.read_once", counted)
    return heads


@pytest.mark.parametrize("kind", SHARING)
def test_answers_are_those_of_prompts_read_alone(kind: str, config_of: Configs, read: list[int]) -> None:
    together = run(open_engine(config_of(kind), batch_size=3), prompts(kind), SHORT)
    alone = run(open_engine(config_of(kind), batch_size=1), prompts(kind), SHORT)
    assert words(together) == words(alone)
    assert len(set(words(alone))) > 1
    for a, b in zip(together, alone, strict=True):
        assert (a.prompt_tokens, a.new_tokens, a.stop) == (b.prompt_tokens, b.new_tokens, b.stop)
        assert a.mean_logprob == pytest.approx(b.mean_logprob, abs=1e-4)
    assert read[0] > LEAST
    assert read[1:] == [0, 0, 0]


@pytest.mark.parametrize("kind", ["smolvlm", "qwen3"])
def test_the_head_is_read_once(kind: str, config_of: Configs) -> None:
    engine = open_engine(config_of(kind), batch_size=3)
    loaded = engine.load()
    rows: list[tuple[int, int]] = []
    embedding = loaded.model.get_input_embeddings()
    embedding.register_forward_hook(lambda _, given, __: rows.append(tuple(given[0].shape)))
    answers = run(engine, prompts(kind), SHORT)
    (one, head), (three, rest) = rows[:2]
    assert (one, three) == (1, 3)
    assert head + rest == max(answer.prompt_tokens for answer in answers)


@pytest.mark.parametrize("kind", OTHERS)
def test_families_that_cannot_are_left_alone(kind: str, config_of: Configs, read: list[int]) -> None:
    run(open_engine(config_of(kind), batch_size=3), prompts(kind, ""), SHORT)
    assert read == []


def test_a_short_head_is_not_worth_it(config_of: Configs, read: list[int]) -> None:
    run(open_engine(config_of("smolvlm"), batch_size=3), prompts("smolvlm", "Be brief."), SHORT)
    assert read == [0]


def test_the_same_image_first_is_no_head(config_of: Configs, read: list[int]) -> None:
    """Two prompts that begin with different images have the same tokens there."""
    several = [Prompt((Message("user", (picture(n), LONG, ENDS[n])),), "test", "0") for n in range(3)]
    together = run(open_engine(config_of("fastvlm"), batch_size=3), several, SHORT)
    assert read == [0]
    assert words(together) == words(run(open_engine(config_of("fastvlm"), batch_size=1), several, SHORT))


def test_prompts_that_are_all_alike_keep_something_to_go_on_from(config_of: Configs, read: list[int]) -> None:
    same = [prompts("llama")[0]] * 2
    first, second = run(open_engine(config_of("llama"), batch_size=2), same, SHORT)
    assert first.text == second.text
    assert read == [first.prompt_tokens - 1]


def test_quantised_adapted_sampled_and_held_to_a_schema(config_of: Configs, read: list[int]) -> None:
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
    asked = [Prompt(p.messages, "test", "0", schema) for p in prompts("smolvlm")]
    answers = run(open_engine(config_of("smolvlm", quantisation="nf4"), batch_size=3), asked, GenerationParams(40, 0.8))
    assert read[0] > LEAST
    assert all(isinstance(json.loads(answer.text)["a"], int) for answer in answers)


def test_padding_goes_behind_the_head() -> None:
    class Model:
        config = None

        def __call__(self, **given: Any) -> Any:
            self.read = given["input_ids"].tolist()
            return type("Read", (), {"past_key_values": type("C", (), {"batch_repeat_interleave": lambda *_: None})()})

    head = list(range(100, 100 + LEAST))
    ids = torch.tensor([[0, 0, *head, 7], [*head, 5, 6, 8], [0, *head, 5, 9]])
    mask = (ids != 0).long()
    model = Model()
    laid, _ = read_once(model, {"input_ids": ids, "attention_mask": mask, "other": "kept"})
    assert model.read == [head]
    assert laid["input_ids"].tolist() == [[*head, 0, 0, 7], [*head, 5, 6, 8], [*head, 0, 5, 9]]
    assert torch.equal(laid["attention_mask"], (laid["input_ids"] != 0).long())
    assert laid["other"] == "kept"
