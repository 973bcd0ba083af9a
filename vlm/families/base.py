"""What model families share: prompts as chats, through the family's own processor and chat template."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from imaging import LoadedImage
from vlm.errors import ModelUnusable
from vlm.families.control_tokens import ControlTokens
from vlm.types import Message, Prompt

LANGUAGE_LINEARS = r"(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
"""The linear projections of one decoder layer, named alike in all language models used here."""


class Family(ABC):
    """How models of one kind take prompts, what LoRA may adapt in them and what must keep its precision.

    `lora_targets` and `keep_precision` are regular expressions over full module names.
    """

    name: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    """Values of `model_type` in config.json that are of this family."""
    max_images: ClassVar[int | None]
    """Images a prompt may have; None is any number."""
    lora_targets: ClassVar[str]
    """Linear projections of the language model: never the vision tower."""
    keep_precision: ClassVar[str]
    """Modules that are never quantised."""
    vision_tower: ClassVar[str]
    """Full name of the module that reads pixels."""
    answer_start: ClassVar[str] = ""
    """What an answer begins with after the prompt, before its own text."""

    @abstractmethod
    def encode(self, processor: Any, prompts: Sequence[Prompt], control: ControlTokens) -> Any:
        """Model inputs for `prompts`: a transformers BatchFeature of tensors, `input_ids` `(n, length)` left-padded.

        `processor` is transformers' for this model. Texts pass `control`, so they cannot forge control tokens.
        """

    @abstractmethod
    def prepare(self, processor: Any, where: str) -> None:
        """Makes a processor just loaded fit for `encode`. Raises ModelUnusable; `where` names the model's folder."""


class ChatFamily(Family):
    """A family whose processor has a chat template. Images stand in the turn where the prompt has them."""

    def encode(self, processor: Any, prompts: Sequence[Prompt], control: ControlTokens) -> Any:
        return processor.apply_chat_template(
            [_chat(prompt, control) for prompt in prompts],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    def prepare(self, processor: Any, where: str) -> None:
        # Older checkpoints keep the template with the tokenizer, where a processor does not look.
        processor.chat_template = processor.chat_template or processor.tokenizer.chat_template
        if not processor.chat_template:
            raise ModelUnusable(
                f"{where}: no chat template. Put the model's chat_template.jinja beside its tokenizer.json"
            )


def _chat(prompt: Prompt, control: ControlTokens) -> list[dict[str, Any]]:
    return [{"role": m.role, "content": _content(m, control)} for m in prompt.messages if m.parts]


def _content(message: Message, control: ControlTokens) -> list[dict[str, Any]]:
    """The parts as chat templates take them. Texts side by side become one, or two halves could forge a token."""
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, LoadedImage):
            content.append({"type": "image", "image": part.picture})
        elif content and content[-1]["type"] == "text":
            content[-1]["text"] += part
        else:
            content.append({"type": "text", "text": part})
    for item in content:
        if item["type"] == "text":
            item["text"] = control.broken(item["text"])
    return content
