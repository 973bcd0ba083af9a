"""Language models that read no image: chat, for classifying and rewriting texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from vlm.errors import ModelUnusable
from vlm.families.base import LANGUAGE_LINEARS, Family, chat, last_of
from vlm.families.control_tokens import ControlTokens
from vlm.types import Prompt


class TextFamily(Family):
    """A family whose tokenizer has the chat template and stands for the processor."""

    auto_class = "AutoModelForCausalLM"
    max_images = 0
    shares_head = True
    lora_targets = rf"model\.layers\.\d+\.{LANGUAGE_LINEARS}"
    keep_precision = "lm_head"
    vision_tower = None
    projector = None
    template_options: ClassVar[Mapping[str, Any]] = {}
    """What the chat template is told beside the messages."""

    def encode(self, processor: Any, prompts: Sequence[Prompt], control: ControlTokens) -> Any:
        from transformers import BatchFeature

        encoded = processor.apply_chat_template(
            [[_plain(turn) for turn in chat(prompt, control)] for prompt in prompts],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            padding=True,
            **self.template_options,
        )
        return BatchFeature({name: encoded[name] for name in ("input_ids", "attention_mask")})

    def end_id(self, processor: Any, stop_ids: Sequence[int]) -> int:
        turns = [{"role": role, "content": "-"} for role in ("user", "assistant")]
        return last_of(stop_ids, processor(processor.apply_chat_template(turns, tokenize=False))["input_ids"])

    def prepare(self, processor: Any, where: str) -> None:
        if not processor.chat_template:
            raise ModelUnusable(
                f"{where}: no chat template. Put the model's chat_template.jinja beside its tokenizer.json"
            )

    def tokenizer(self, processor: Any) -> Any:
        return processor


class Llama(TextFamily):
    """Llama 3 8B and its kin."""

    name = "llama"
    model_types = ("llama",)


class Qwen3(TextFamily):
    """Qwen3. It answers at once: what it would think first is not asked for."""

    name = "qwen3"
    model_types = ("qwen3",)
    template_options: ClassVar = {"enable_thinking": False}


def _plain(turn: dict[str, Any]) -> dict[str, str]:
    """A turn with its content as a text: templates of language models take no other."""
    return {"role": turn["role"], "content": "".join(item["text"] for item in turn["content"])}
