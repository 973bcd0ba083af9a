"""SmolVLM: chat, several images, each split into tiles. The hub's first SmolVLMs call themselves idefics3."""

from __future__ import annotations

from vlm.families.base import LANGUAGE_LINEARS, ChatFamily


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
