"""Llama 3.2 Vision: chat; images are no tokens, the language model looks at them by cross-attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from imaging import LoadedImage
from vlm.families.base import ChatFamily, bare
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
            core = bare(model).model
            states = core.vision_model(**{name: held.pop(name) for name in names}).last_hidden_state
            states = core.multi_modal_projector(states)
            held["cross_attention_states"] = states.reshape(-1, states.shape[-2], core.hidden_size)
        return held

    def states(self, model: Any, inputs: Mapping[str, Any], last: int) -> Any:
        """Rows with as many images are read together, so that none depends on what it is beside.

        In transformers a token that may look at no image looks at all that its batch has, and those that fill up rows
        with fewer images are among them.
        """
        if "pixel_values" not in inputs:
            return super().states(model, inputs, last)
        import torch

        numbers = (inputs["aspect_ratio_ids"] > 0).sum(dim=1)  # (n,): 0 is the id of what fills up
        order = numbers.argsort(stable=True)
        states = [
            super(Mllama, self).states(model, _of_rows(inputs, (numbers == number).nonzero()[:, 0], number), last)
            for number in numbers.unique().tolist()  # ascending, as `order`
        ]
        return torch.cat(states)[order.argsort()]


def _of_rows(inputs: Mapping[str, Any], rows: Any, images: int) -> dict[str, Any]:
    """The inputs of some rows, with so many images each."""
    some = {name: value[rows] for name, value in inputs.items()}
    for name in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask"):
        some[name] = some[name][:, :images]  # (n, images, ...)
    some["cross_attention_mask"] = some["cross_attention_mask"][:, :, :images]  # (n, length, images, tiles)
    return some if images else {name: some[name] for name in ("input_ids", "attention_mask")}
