"""PaliGemma: no chat, one image. The prompt's texts are its prefix, which the model reads in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from vlm.errors import ModelUnusable, PromptError
from vlm.families.base import LANGUAGE_LINEARS, Family
from vlm.families.control_tokens import ControlTokens
from vlm.types import Prompt


class PaliGemma(Family):
    """PaliGemma 3B and PaliGemma 2."""

    name = "paligemma"
    model_types = ("paligemma",)
    max_images = 1
    lora_targets = rf"model\.language_model\.layers\.\d+\.{LANGUAGE_LINEARS}"
    keep_precision = r"lm_head|model\.multi_modal_projector\..*"
    vision_tower = "model.vision_tower"
    projector = r"model\.multi_modal_projector"
    answer_inputs = MappingProxyType({"attention_mask": 1, "token_type_ids": 1})  # 1 is read causally

    def prepare(self, processor: Any, where: str) -> None:
        if not hasattr(processor, "image_token"):
            raise ModelUnusable(
                f"{where}: its processor has no image token. Take PaliGemma's own processor_config.json"
            )

    def encode(self, processor: Any, prompts: Sequence[Prompt], control: ControlTokens) -> Any:
        if any(len(prompt.images) != 1 for prompt in prompts):
            raise PromptError("PaliGemma reads exactly one image with each prompt. Ask about one image at a time")
        inputs = processor(
            images=[[prompt.images[0].picture] for prompt in prompts],
            text=[processor.image_token + control.broken(_prefix(prompt)) for prompt in prompts],
            padding=True,
        )
        inputs.pop("labels")  # the processor always makes training labels; `generate` would refuse them
        return inputs.convert_to_tensors("pt")

    def length(self, processor: Any, prompt: Prompt, control: ControlTokens) -> int:
        """Every image has as many tokens; behind them the text begins with a token and ends with a line break."""
        text = f"{processor.tokenizer.bos_token}{control.broken(_prefix(prompt))}\n"
        ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return len(ids) + int(processor.image_seq_length) * len(prompt.images)

    def scores(self, model: Any, states: Any, tokens: Any = None) -> Any:
        scores = super().scores(model, states, tokens)
        cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)  # PaliGemma 2 has one
        return scores if cap is None else (scores / cap).tanh() * cap


def _prefix(prompt: Prompt) -> str:
    """All texts in reading order, the system's first as any other, a line break between them."""
    texts = (part.strip() for message in prompt.messages for part in message.parts if isinstance(part, str))
    return "\n".join(text for text in texts if text)
