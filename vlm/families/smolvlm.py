"""SmolVLM: chat, several images, each split into tiles. The hub's first SmolVLMs call themselves idefics3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vlm.families.base import LANGUAGE_LINEARS, ChatFamily
from vlm.types import Prompt


class SmolVlm(ChatFamily):
    """SmolVLM and SmolVLM2, 256M, 500M and 2.2B."""

    name = "smolvlm"
    model_types = ("smolvlm", "idefics3")
    max_images = None
    shares_head = True
    lora_targets = rf"model\.text_model\.layers\.\d+\.{LANGUAGE_LINEARS}"
    keep_precision = r"lm_head|model\.connector\..*"
    vision_tower = "model.vision_model"
    projector = r"model\.connector"
    answer_start = " "  # its turns read "Assistant: ..."
    answer_cue = ":"

    def image_tokens(self, processor: Any, prompt: Prompt) -> Sequence[int]:
        """SmolVLM's processor writes marks around tiles but, unlike Idefics 3's, does not count them."""
        count = processor.image_processor.get_number_of_image_patches
        tiles = [count(*image.picture.size[::-1])[1:] for image in prompt.images]  # rows, columns
        written = [processor.replace_image_token({"rows": [[r]], "cols": [[c]]}, 0) for r, c in tiles]
        return [len(processor.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in written]
