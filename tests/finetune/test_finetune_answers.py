"""A look at a model in training: what it says, how it is judged, and that training goes on as if nobody had looked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from finetune.answers import answers, figures, look, sample
from finetune.lesson import Lesson
from finetune.records import TrainingRecord
from tests.vlm.conftest import asked, config_of, folder_of
from vlm.engine import TransformersEngine
from vlm.loading import Loaded, load
from vlm.types import Generation, GenerationParams, LabelScores, Prompt

__all__ = ["config_of", "folder_of"]
PARAMS = GenerationParams(max_new_tokens=4)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("quantisation", ["none", "nf4"])
@pytest.mark.parametrize("kind", ["smolvlm", "qwen2_vl", "llama"])
def test_training_goes_on_as_if_nobody_had_looked(
    kind: str, quantisation: str, config_of: Callable[..., Any], folder_of: Callable[[str], Any]
) -> None:
    """In NF4, on a CPU with bf16 too, where layers that answer are packed as no gradient passes."""
    config = config_of(kind, quantisation=quantisation)

    def steps(looks: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        loaded = load(config, folder_of(kind), None, training=True)
        model = _with_lora(loaded, config.how.lora_targets)
        engine = TransformersEngine.of(_of(loaded, model), config, batch_size=2)
        optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        for _ in range(2):
            if looks:
                before = [module.training for module in model.modules()]
                assert len(list(engine.generate([asked(kind)], PARAMS))) == 1
                assert len(list(engine.score([asked(kind)], ["yes", "no"]))) == 1
                assert [module.training for module in model.modules()] == before
            inputs = config.how.encode(loaded.processor, [asked(kind)], loaded.control).to("cpu", model.dtype)
            model(**inputs, labels=inputs["input_ids"]).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        return [p.detach().clone() for p in model.parameters() if p.requires_grad]

    plain, looked = steps(False), steps(True)
    assert any(float(p.abs().max()) > 0 for p in plain[1::2])  # the halves that begin at nought have moved
    assert all(torch.equal(a, b) for a, b in zip(plain, looked, strict=True))


def test_an_engine_of_a_loaded_model_says_what_one_of_its_files_does(
    config_of: Callable[..., Any], folder_of: Callable[[str], Any]
) -> None:
    config = config_of("smolvlm")
    prompts = [asked("smolvlm", "One."), asked("smolvlm", "A longer question than that.")]
    own = {p: g.text for p, g in TransformersEngine(config).generate(prompts, PARAMS)}
    engine = TransformersEngine.of(load(config, folder_of("smolvlm"), None), config)
    assert {p: g.text for p, g in engine.generate(prompts, PARAMS)} == own


def test_a_sample_is_spread_evenly_and_the_same() -> None:
    assert sample(10, 3) == [0, 3, 6]
    assert sample(3, 10) == [0, 1, 2]
    assert sample(5, 0) == []


@dataclass
class Scripted:
    """An engine that says what it was told to, batch by batch in another order than asked."""

    says: dict[str, str]
    prompts: list[str] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:
        assert params == PARAMS
        for position in reversed(range(len(prompts))):
            said = self.says[_question(prompts[position])]
            yield position, Generation(said, 1, 1, "end", 0.0, None)

    def score(self, prompts: Sequence[Prompt], labels: Sequence[str], one_pass: bool) -> Iterator[Any]:
        assert one_pass
        for position in reversed(range(len(prompts))):
            chosen = self.says[_question(prompts[position])]
            yield position, LabelScores(tuple(0.7 if label == chosen else 0.1 for label in labels), 1.0)

    def told_apart_at_once(self, labels: Sequence[str]) -> bool:
        return len(labels) > 1


def _question(prompt: Prompt) -> str:
    return str(prompt.messages[-1].parts[-1])


@dataclass
class Asked:
    """Lessons of given records, asked by their ids."""

    records: Sequence[TrainingRecord]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, place: int) -> Lesson:
        record = self.records[place]
        return Lesson(record.id, asked("llama", record.id), record.answer, record.labels)


RECORDS = [
    TrainingRecord("c1", "caption", ("a",), "Axial CT of the chest."),
    TrainingRecord("q1", "ask", ("a",), "Yes", "?", kind="CLOSED"),
    TrainingRecord("q2", "ask", ("a",), "No", "?", kind="closed"),
    TrainingRecord("q3", "ask", ("a",), "the left lung", "?", kind="open"),
    TrainingRecord("l1", "classify", (), "benign", "?", ("benign", "malignant")),
    TrainingRecord("d1", "extract", ("a",), '{"age": 42, "sex": "F"}', schema="{}"),
]
SAYS = {
    "c1": "Axial MR of the chest.", "q1": "yes, there is", "q2": "Yes", "q3": "Left lung.", "l1": "malignant",
    "d1": '{"sex": "f", "age": 41}',
}  # fmt: skip


def test_each_task_is_judged_by_evaluation_s_rules() -> None:
    engine: Any = Scripted(SAYS)
    lessons: Any = Asked(RECORDS)
    assert look(engine, lessons, 99, PARAMS) == pytest.approx(
        {"rouge1": 0.8, "accuracy": 0.5, "closed": 0.5, "open": 1.0, "labels": 0.0, "field_f1": 0.5}
    )
    assert look(engine, lessons, 1, PARAMS) == pytest.approx({"rouge1": 0.8})
    assert answers(engine, [lessons[4], lessons[3]], PARAMS) == ["malignant", "Left lung."]
    assert figures(RECORDS[5:], ["no JSON"]) == {"field_f1": 0.0}


def _with_lora(loaded: Loaded, targets: str) -> Any:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(loaded.model, LoraConfig(r=2, lora_alpha=4, target_modules=rf".*{targets}"))
    model.enable_input_require_grads()
    model.train()
    return model


def _of(loaded: Loaded, model: Any) -> Loaded:
    from dataclasses import replace

    return replace(loaded, model=model)
