from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.vlm.conftest import asked, picture
from tests.vlm.test_vlm_engine import run, words
from tests.vlm.tiny import ALL_KINDS
from vlm import AdapterMismatch, AdapterNotFound, ModelConfig, TransformersEngine, open_engine
from vlm.scoring import answered
from vlm.shared_head import LEAST
from vlm.soft_prompt import attach_soft_prompt, make_room

Configs = Callable[..., ModelConfig]
KINDS = [kind for kind in ALL_KINDS if kind != "blip"]
TOKENS = 6


def write_soft_prompt(folder: Path, seed: int = 0, width: int = 64) -> Path:
    from peft import PromptTuningConfig

    said = PromptTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=TOKENS, token_dim=width, num_transformer_submodules=1,
        inference_mode=True,
    )  # fmt: skip
    said.save_pretrained(folder)
    vectors = torch.randn(TOKENS, width, generator=torch.Generator().manual_seed(seed))
    save_file({"prompt_embeddings": vectors}, folder / "adapter_model.safetensors")
    return folder


def prompts_of(kind: str) -> list[Any]:
    return [
        asked(kind, "Describe.", picture(1)),
        asked(kind, "A blood smear with twelve red cells, two white cells. Describe this image.", picture(2)),
        asked(kind, "What does the chest radiograph show?", picture(3, 90, 60)),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_soft_prompt_is_read_alike_alone_in_a_batch_and_in_training(
    kind: str, config_of: Configs, tmp_path: Path
) -> None:
    """Training asks for scores without making room; generating and scoring have it made, and share a batch's head."""
    config, folder, prompts = config_of(kind), write_soft_prompt(tmp_path), prompts_of(kind)
    plain = words(run(open_engine(config), prompts))
    engine = TransformersEngine(config, folder, batch_size=3)
    together, alone = run(engine, prompts), run(TransformersEngine(config, folder, batch_size=1), prompts)
    assert words(together) == words(alone) != plain
    loaded = engine.load()
    assert loaded.virtual_tokens == TOKENS
    for prompt, generation in zip(prompts, together, strict=True):
        inputs = config.how.encode(loaded.processor, [prompt], loaded.control)
        assert generation.prompt_tokens == inputs["input_ids"].shape[1] + TOKENS
        with torch.inference_mode():
            roomy = make_room(inputs, TOKENS)
            ids = config.how.generate(loaded.model, roomy, max_new_tokens=3, do_sample=False)[0, -3:]
            longer = answered(config.how, inputs, [ids.tolist()])
            scores = config.how.logits(loaded.model, longer, 4)[0]
        assert scores[:3].argmax(dim=-1).tolist() == ids.tolist()
    (likelihood,) = dict(engine.score(prompts[:1], ("Yes.", "No."))).values()
    (without,) = dict(open_engine(config).score(prompts[:1], ("Yes.", "No."))).values()
    assert likelihood.probabilities != pytest.approx(without.probabilities, rel=1e-6)


def test_the_shared_head_holds_the_soft_prompt(
    config_of: Configs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vlm import shared_head

    heads: list[int] = []
    common = shared_head._common
    monkeypatch.setattr(shared_head, "_common", lambda *args: heads.append(common(*args)) or heads[-1])
    config, folder = config_of("llama"), write_soft_prompt(tmp_path)
    texts = ["Is this note a referral to a surgeon, to a physician or to neither of the two? Answer.", "The same."]
    prompts = [asked("llama", f"{'One of many words that all prompts begin with. ' * 6}{text}") for text in texts]
    together = run(TransformersEngine(config, folder, batch_size=2), prompts)
    assert heads
    assert heads[0] >= LEAST + TOKENS
    assert words(together) == words(run(TransformersEngine(config, folder, batch_size=1), prompts))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft's
@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_peft_reads_the_same_files_to_the_same_scores(kind: str, config_of: Configs, tmp_path: Path) -> None:
    from peft import PeftModel

    config, folder = config_of(kind), write_soft_prompt(tmp_path)
    ours = TransformersEngine(config, folder).load()
    inputs = config.how.encode(ours.processor, [asked(kind, "Is this a referral?")], ours.control)
    with torch.inference_mode():
        said = config.how.logits(ours.model, inputs, 2)
        theirs = PeftModel.from_pretrained(TransformersEngine(config).load().model, str(folder))
        torch.testing.assert_close(theirs(**inputs).logits[:, -2:], said)


def test_room_is_between_the_padding_and_the_prompt() -> None:
    inputs = {
        "input_ids": torch.tensor([[0, 0, 5, 6], [7, 8, 9, 3]]),
        "attention_mask": torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]]),
        "token_type_ids": torch.tensor([[0, 0, 1, 1], [1, 0, 1, 1]]),
        "cross_attention_mask": torch.arange(8).reshape(2, 4, 1, 1),
        "pixel_values": torch.zeros(2, 3, 4, 4),
    }
    roomy = make_room(inputs, 2)
    assert roomy["input_ids"].tolist() == [[0, 0, -1, -2, 5, 6], [-1, -2, 7, 8, 9, 3]]
    assert roomy["attention_mask"].tolist() == [[0, 0, 1, 1, 1, 1], [1] * 6]
    assert roomy["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 1, 0, 1, 1]]
    assert roomy["cross_attention_mask"].flatten(1).tolist() == [[0, 1, 0, 0, 2, 3], [0, 0, 4, 5, 6, 7]]
    assert roomy["pixel_values"] is inputs["pixel_values"]


def test_a_soft_prompt_of_another_width_or_family(config_of: Configs, tmp_path: Path) -> None:
    with pytest.raises(AdapterMismatch, match="its vectors are 60 wide and tokens 64 here"):
        TransformersEngine(config_of("llama"), write_soft_prompt(tmp_path / "narrow", width=60)).load()
    folder = write_soft_prompt(tmp_path / "soft")
    with pytest.raises(AdapterMismatch, match="family blip reads no soft prompt"):
        TransformersEngine(config_of("blip"), folder).load()
    file = folder / "adapter_model.safetensors"
    save_file({"other": load_file(file)["prompt_embeddings"]}, file)
    with pytest.raises(AdapterNotFound, match="is damaged: it has no prompt_embeddings"):
        TransformersEngine(config_of("llama"), folder).load()


def test_vectors_are_learned_through_the_model(config_of: Configs) -> None:
    loaded = TransformersEngine(config_of("llama")).load()
    soft = attach_soft_prompt(loaded.model, torch.zeros(2, 64))
    inputs = config_of("llama").how.encode(loaded.processor, [asked("llama", "Is it?")], loaded.control)
    loaded.model(**inputs).logits[:, -1].sum().backward()
    assert soft.weight.grad is not None
    assert (soft.weight.grad.abs().sum(dim=1) > 0).all()
