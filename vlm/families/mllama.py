"""Llama 3.2 Vision: chat; images are no tokens, the language model looks at them by cross-attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from imaging import LoadedImage
from vlm.families.base import ChatFamily
from vlm.types import Message, Prompt


class Mllama(ChatFamily):
    """Llama-3.2-11B-Vision."""

    name = "mllama"
    model_types = ("mllama",)
    max_images = None
    lora_targets = r"model\.language_model\.layers\.\d+\.((self|cross)_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
    keep_precision = r"lm_head|model\.multi_modal_projector"
    vision_tower = "model.vision_model"
    projector = r"model\.multi_modal_projector"
    answer_inputs = MappingProxyType({"attention_mask": 1, "cross_attention_mask": None})

    def arranged(self, prompt: Prompt) -> Prompt:
        """Its template refuses a system's message beside images: what that says opens the first turn's text."""
        first, *others = prompt.messages
        if not prompt.images or first.role != "system" or not others:
            return prompt
        said = "".join(part for part in first.parts if isinstance(part, str)).strip()
        parts = others[0].parts
        images = next((n for n, part in enumerate(parts) if not isinstance(part, LoadedImage)), len(parts))
        opened = Message(others[0].role, (*parts[:images], f"{said}\n\n", *parts[images:]))
        return replace(prompt, messages=(opened, *others[1:]))

    def image_tokens(self, processor: Any, prompt: Prompt) -> Sequence[int]:  # noqa: ARG002 - the family's
        return [1] * len(prompt.images)

    def seen(self, model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        held = {**inputs}
        if "pixel_values" in held:
            names = ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")
            core = model.get_base_model().model if hasattr(model, "get_base_model") else model.model
            states = core.vision_model(**{name: held.pop(name) for name in names}).last_hidden_state
            states = core.multi_modal_projector(states)
            held["cross_attention_states"] = states.reshape(-1, states.shape[-2], core.hidden_size)
        return held
