"""LLaVA: chat, several images of as many tokens each. LLaVA-1.5; LLaVA-Med where converted to these classes."""

from __future__ import annotations

from vlm.families.base import LANGUAGE_LINEARS, ChatFamily


class Llava(ChatFamily):
    """LLaVA-1.5 7B, LLaVA-Med."""

    name = "llava"
    model_types = ("llava",)
    max_images = None
    shares_head = True
    lora_targets = rf"model\.language_model\.layers\.\d+\.{LANGUAGE_LINEARS}"
    keep_precision = r"lm_head|model\.multi_modal_projector\..*"
    vision_tower = "model.vision_tower"
    projector = r"model\.multi_modal_projector"
    answer_start = " "  # its turns read "ASSISTANT: ..."
    answer_cue = ":"
