"""The arithmetic of memory, against models as they are really loaded."""

from __future__ import annotations

import pytest
import torch

from tests.vlm import tiny
from tests.vlm.conftest import prompt
from tests.vlm.test_vlm_engine import Configs
from vlm import GenerationParams, load_model_config, open_engine
from vlm.config import Quantisation
from vlm.cost.held import held_bytes
from vlm.cost.memory import SCORED_TOGETHER, Tuned, adapter_parameters, describing, shape_of, tuned, tuning
from vlm.cost.work import Work

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
@pytest.mark.parametrize("quantisation", ["none", "int8", "nf4"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_weights_are_as_reckoned(kind: str, quantisation: Quantisation, dtype: str, config_of: Configs) -> None:
    config = config_of(kind, quantisation=quantisation, dtype=dtype)
    held = held_bytes(open_engine(config).load().model)
    gemmas_scale = 2 if dtype == "bf16" and kind in ("paligemma", "paligemma2", "gemma3") else 0  # one number, cast
    assert describing(config, CPU).terms["weights"] - gemmas_scale == held


def test_what_is_held_can_be_told_after_use(config_of: Configs) -> None:
    """On a CPU bitsandbytes packs NF4 anew at the first use: the scales of its scales are gone then."""
    engine = open_engine(config_of("smolvlm", quantisation="nf4"))
    before = held_bytes(engine.load().model)
    list(engine.generate([prompt()], GenerationParams(max_new_tokens=2)))
    assert 0.5 * before < held_bytes(engine.load().model) < 2 * before


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_the_cache_is_as_reckoned(kind: str, config_of: Configs) -> None:
    """One token more in the prompt is one key and one value more in every layer that reads."""
    config = config_of(kind)
    short, long = (describing(config, CPU, Work(2, text, 8, 64)).terms["cache"] for text in (16, 17))
    text = shape_of(config).config.get_text_config()
    reading = text.num_hidden_layers - len(getattr(text, "cross_attention_layers", ()))
    heads = 4 if kind == "blip" else 2
    assert long - short == 2 * 2 * reading * heads * 16 * 4


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_adapters_are_as_peft_makes_them(kind: str, config_of: Configs) -> None:
    import warnings

    from peft import LoraConfig, get_peft_model

    config = config_of(kind)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)  # peft's
        tuned = get_peft_model(
            open_engine(config).load().model, LoraConfig(r=4, target_modules=config.how.lora_targets)
        )
    made = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
    assert adapter_parameters(config, shape_of(config), 4) == made
    terms = tuning(config, CPU, rank=4).terms
    assert (terms["adapter"], terms["gradients"], terms["optimiser"]) == (4 * made, 4 * made, 8 * made)


def test_more_work_takes_more() -> None:
    config = load_model_config("qwen2-vl-2b", quantisation="nf4")
    one, many = (describing(config, CUDA, Work(batch, 512, 64)) for batch in (1, 16))
    assert many.terms["weights"] == one.terms["weights"]
    assert many.terms["cache"] == 16 * one.terms["cache"]
    assert many.terms["activations"] == 16 * one.terms["activations"]
    assert many.gib > one.gib
    assert tuning(config, CUDA).gib > describing(config, CUDA).gib


def test_each_way_to_train_with_less_is_reckoned_with_less() -> None:
    config = load_model_config("qwen2-vl-2b")
    work, numbers = Work(4, 512, 128), 10**7
    plain = tuned(config, CUDA, work, Tuned(numbers, checkpointed=False)).terms
    checkpointed = tuned(config, CUDA, work, Tuned(numbers)).terms
    assert checkpointed["activations"] < plain["activations"] / 4
    assert tuned(config, CUDA, work, Tuned(numbers, vision=True)).terms["activations"] > checkpointed["activations"]
    assert tuned(config, CUDA, work, Tuned(numbers, scored=2)).terms["activations"] < checkpointed["activations"]
    assert tuned(config, CUDA, work, Tuned(numbers, eight_bit=True)).terms["optimiser"] < plain["optimiser"] / 3.9
    assert tuned(config, CUDA, work, Tuned(numbers, in_place=True)).terms["adapter"] == 0 < plain["adapter"]


def test_scores_are_of_answers_alone_and_of_so_many_at_a_time() -> None:
    config = load_model_config("qwen2-vl-2b")
    vocabulary = shape_of(config).config.get_text_config().vocab_size

    def activations(text: int, new: int, scored: int | None = None) -> int:
        return tuned(config, CUDA, Work(1, text, new), Tuned(1, scored=scored)).terms["activations"]

    of_scores = activations(500, 12) - activations(500, 12, scored=1)
    assert of_scores == 13 * (vocabulary - 1) * 8
    assert activations(100, 900) - activations(100, 900, scored=1) == SCORED_TOGETHER * (vocabulary - 1) * 8


def test_the_reserve_is_a_gpus_alone() -> None:
    config = load_model_config("smolvlm-256m")
    assert describing(config, CPU).terms["reserve"] == 0 < describing(config, CUDA).terms["reserve"]


@pytest.mark.parametrize(
    ("name", "side", "tokens"),
    [
        ("smolvlm-256m", 300, 17 * 64 + 51),
        ("smolvlm-2.2b", 300, 17 * 81 + 51),
        ("qwen2-vl-2b", 1024, 37 * 37 + 2),
        ("qwen3-vl-2b", 1024, 32 * 32 + 2),
        ("paligemma-3b-mix-224", 1024, 256),
        ("llava-1.5-7b", 1024, 576),
        ("medgemma-4b", 1024, 256),
        ("llama-3.2-11b-vision", 1024, 0),
        ("blip-large", 1024, 0),
        ("llama-3-8b", 1024, 0),
    ],
)
def test_tokens_of_an_image(name: str, side: int, tokens: int) -> None:
    from vlm.cost.work import image_tokens

    config = load_model_config(name)
    assert image_tokens(config, shape_of(config).config, side) == tokens
