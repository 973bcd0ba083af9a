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
        """SmolVLM's processor writes marks of tiles, and does not count them (Idefics 3's does)."""
        tiles = [
            processor.image_processor.get_number_of_image_patches(image.picture.height, image.picture.width)[1:]
            for image in prompt.images
        ]
        written = [processor.replace_image_token({"rows": [[rows]], "cols": [[columns]]}, 0) for rows, columns in tiles]
        return (
            [len(ids) for ids in processor.tokenizer(written, add_special_tokens=False)["input_ids"]] if tiles else []
        )
