"""Gemma 3: chat, several images of 256 tokens each, read in both directions. MedGemma is of this family."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from vlm.families.base import LANGUAGE_LINEARS, ChatFamily
from vlm.types import Prompt


class Gemma3(ChatFamily):
    """MedGemma 4B, Gemma 3 4B and larger."""

    name = "gemma3"
    model_types = ("gemma3",)
    max_images = None
    lora_targets = rf"model\.language_model\.layers\.\d+\.{LANGUAGE_LINEARS}"
    keep_precision = "lm_head"  # its projector is no linear layer, and never quantised
    vision_tower = "model.vision_tower"
    projector = r"model\.multi_modal_projector"
    answer_inputs = MappingProxyType({"attention_mask": 1, "token_type_ids": 0})  # 1 is an image's token

    def marked(self, processor: Any, text: str) -> str:
        """Line breaks around an image's tokens are cut together with the text beside them."""
        return text.replace(processor.boi_token, processor.full_image_sequence)

    def image_tokens(self, processor: Any, prompt: Prompt) -> Sequence[int]:  # noqa: ARG002 - they stand there
        return [1] * len(prompt.images)
