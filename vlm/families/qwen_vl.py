"""Qwen's vision models: chat, several images at their own aspect ratio."""

from __future__ import annotations

from vlm.families.base import LANGUAGE_LINEARS, ChatFamily


class Qwen2Vl(ChatFamily):
    """Qwen2-VL 2B and 7B."""

    name = "qwen2_vl"
    model_types = ("qwen2_vl",)
    max_images = None
    lora_targets = rf"model\.language_model\.layers\.\d+\.{LANGUAGE_LINEARS}"
    keep_precision = r"lm_head|model\.visual\.merger\..*"
    vision_tower = "model.visual"
    projector = r"model\.visual\.merger"


class Qwen25Vl(Qwen2Vl):
    """Qwen2.5-VL 3B and 7B: windowed attention over the image."""

    name = "qwen2_5_vl"
    model_types = ("qwen2_5_vl",)


class Qwen3Vl(Qwen2Vl):
    """Qwen3-VL 2B, 4B and 8B: what early blocks see of the image joins the language model's first layers."""

    name = "qwen3_vl"
    model_types = ("qwen3_vl",)
    keep_precision = r"lm_head|model\.visual\.(merger|deepstack_merger_list\.\d+)\..*"
    projector = r"model\.visual\.(merger|deepstack_merger_list\.\d+)"
