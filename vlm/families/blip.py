"""BLIP: no chat, one image. The prompt's texts are the beginning of its caption, which it writes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vlm.errors import ModelUnusable, PromptError
from vlm.families.base import Family
from vlm.families.control_tokens import ControlTokens
from vlm.types import Prompt


class Blip(Family):
    """BLIP base and large, and what was tuned from them. Without a text it captions freely.

    transformers' own `generate` of it takes a caption's beginning with an end mark that it cuts off, and sets the
    first token of a row whether that is padding or not; so its two halves are called here instead.
    """

    name = "blip"
    model_types = ("blip",)
    max_images = 1
    follows_instructions = False
    lora_targets = (
        r"text_decoder\.bert\.encoder\.layer\.\d+\."
        r"((attention|crossattention)\.(self\.(query|key|value)|output\.dense)|(intermediate|output)\.dense)"
    )
    keep_precision = r"text_decoder\.cls\..*"
    vision_tower = "vision_model"
    projector = None
    soft_prompts = False  # its first token is put in place of another, and none stands before it

    def prepare(self, processor: Any, where: str) -> None:
        if processor.tokenizer.sep_token_id is None or processor.tokenizer.cls_token_id is None:
            raise ModelUnusable(f"{where}: its tokenizer has no [CLS] and [SEP]. Take BLIP's own tokenizer.json")

    def end_ids(self, tokenizer: Any) -> list[int]:
        return [tokenizer.sep_token_id]

    def encode(self, processor: Any, prompts: Sequence[Prompt], control: ControlTokens) -> Any:
        if any(len(prompt.images) != 1 for prompt in prompts):
            raise PromptError("BLIP reads exactly one image with each prompt. Ask about one image at a time")
        from transformers import BatchFeature

        texts = processor.tokenizer(
            [_text(processor, prompt, control) for prompt in prompts],
            add_special_tokens=False,
            padding=True,
            return_token_type_ids=False,
            return_tensors="pt",
        )
        images = processor.image_processor([prompt.images[0].picture for prompt in prompts], return_tensors="pt")
        return BatchFeature({**texts, "pixel_values": images["pixel_values"]})

    def length(self, processor: Any, prompt: Prompt, control: ControlTokens) -> int:
        """Images are looked at by cross-attention and take no token."""
        return len(processor.tokenizer(_text(processor, prompt, control), add_special_tokens=False)["input_ids"])

    def generate(self, model: Any, inputs: Mapping[str, Any], **options: Any) -> Any:
        seen = self.seen(model, inputs)
        own = model.generation_config
        return model.text_decoder.generate(
            **seen,
            **options,
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id,
            bad_words_ids=own.bad_words_ids,
        )

    def seen(self, model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What its text decoder takes: the caption's beginning, and the image it looks at by cross-attention."""
        return {
            "input_ids": _begun(model, inputs),
            "attention_mask": inputs["attention_mask"],
            "encoder_hidden_states": model.vision_model(pixel_values=inputs["pixel_values"]).last_hidden_state,
        }

    def states(self, model: Any, inputs: Mapping[str, Any], last: int) -> Any:
        places = (inputs["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
        read = self.seen(model, inputs) if "pixel_values" in inputs else inputs
        decoder = model.text_decoder.bert
        out = decoder(**read, position_ids=places, use_cache=False, is_decoder=True)
        return out.last_hidden_state[:, -last:]

    def scores(self, model: Any, states: Any, tokens: Any = None) -> Any:
        scores = model.text_decoder.cls(states)
        return scores if tokens is None else scores[..., tokens]


def _begun(model: Any, inputs: Mapping[str, Any]) -> Any:
    """`input_ids` with the token that captions begin with. BLIP's tokenizer does not know it: [CLS] is in its place."""
    begun, mask = inputs["input_ids"].clone(), inputs["attention_mask"]
    return begun.scatter_(1, mask.argmax(dim=1, keepdim=True), model.config.text_config.bos_token_id)


def _text(processor: Any, prompt: Prompt, control: ControlTokens) -> str:
    return f"{processor.tokenizer.cls_token} {control.broken(_beginning(prompt))}".strip()


def _beginning(prompt: Prompt) -> str:
    """All texts in reading order, the system's too, a blank between them."""
    texts = (part.strip() for message in prompt.messages for part in message.parts if isinstance(part, str))
    return " ".join(text for text in texts if text)
