"""FastVLM: chat, a convolutional trunk that gives few image tokens. Pocket, the embedded default, is of this family."""

from __future__ import annotations

from types import MappingProxyType

from vlm.families.base import LANGUAGE_LINEARS, ChatFamily


class FastVlm(ChatFamily):
    """FastVLM with any timm trunk."""

    name = "fastvlm"
    model_types = ("fast_vlm",)
    max_images = None
    shares_head = True
    takes_features = True
    processor_options = MappingProxyType({"backend": "pil"})
    """As open_clip resizes, to the bit: features of either are the other's."""
    lora_targets = rf"model\.language_model\.layers\.\d+\.{LANGUAGE_LINEARS}"
    keep_precision = r"lm_head|model\.vision_tower\..*|model\.multi_modal_projector\..*"
    vision_tower = "model.vision_tower"
    projector = r"model\.multi_modal_projector"
