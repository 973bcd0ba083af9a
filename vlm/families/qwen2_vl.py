"""Qwen2-VL: chat, several images at their own aspect ratio."""

from __future__ import annotations

from vlm.families.base import LANGUAGE_LINEARS, ChatFamily


class Qwen2Vl(ChatFamily):
    """Qwen2-VL 2B and its larger kin."""

    name = "qwen2_vl"
    model_types = ("qwen2_vl",)
    max_images = None
    lora_targets = rf"model\.language_model\.layers\.\d+\.{LANGUAGE_LINEARS}"
    keep_precision = r"lm_head|model\.visual\.merger\..*"
    vision_tower = "model.visual"
