"""What model families share: prompts as chats, through the family's own processor and chat template."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from imaging import LoadedImage
from vlm.errors import ModelUnusable
from vlm.families.control_tokens import ControlTokens
from vlm.types import Message, Prompt

LANGUAGE_LINEARS = r"(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
"""The linear projections of one decoder layer, named alike in all language models used here."""


class Family(ABC):
    """How models of one kind take prompts, what LoRA may adapt in them and what must keep its precision.

    `lora_targets`, `keep_precision` and `projector` are regular expressions over full module names.
    """

    name: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    """Values of `model_type` in config.json that are of this family."""
    auto_class: ClassVar[Literal["AutoModelForImageTextToText", "AutoModelForCausalLM"]] = "AutoModelForImageTextToText"
    """The class of transformers that loads them."""
    max_images: ClassVar[int | None]
    """Images a prompt may have; None is any number."""
    follows_instructions: ClassVar[bool] = True
    """Whether a prompt asks for something; else it is the beginning of the text that the model writes on from."""
    lora_targets: ClassVar[str]
    """Linear projections of the language model: never the vision tower."""
    keep_precision: ClassVar[str]
    """Modules that are never quantised."""
    vision_tower: ClassVar[str | None]
    """Full name of the module that reads pixels; None where there is none."""
    projector: ClassVar[str | None]
    """What brings features of images to the width of the language model, as a regular expression over full module
    names; None where there is no such module."""
    soft_prompts: ClassVar[bool] = True
    """Whether vectors can stand before its prompts as tokens do (`vlm.soft_prompt`)."""
    shares_head: ClassVar[bool] = False
    """Whether the tokens that prompts begin with alike can be read once for a batch: each looks at the ones before it
    alone, and its place is its number among them."""
    processor_options: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """What its processor is loaded with, besides the folder."""
    takes_features: ClassVar[bool] = False
    """Whether the tower gives a map of each image and the rest of the model takes it whole, so that it may come from
    another model with the same trunk (`vlm.trunk`)."""
    answer_start: ClassVar[str] = ""
    """What an answer begins with after the prompt, before its own text."""
    answer_cue: ClassVar[str] = ""
    """The prompt's last characters, where a tokenizer cuts an answer otherwise behind them than alone."""
    answer_inputs: ClassVar[Mapping[str, int | None]] = MappingProxyType({"attention_mask": 1, "mm_token_type_ids": 0})
    """Inputs of `encode` with a value a token, and what an answer's tokens have there; None: what the prompt's last
    one has."""

    @abstractmethod
    def encode(self, processor: Any, prompts: Sequence[Prompt], control: ControlTokens) -> Any:
        """Model inputs for `prompts`: a transformers BatchFeature of tensors, `input_ids` `(n, length)` left-padded.

        `processor` is transformers' for this model. Texts pass `control`, so they cannot forge control tokens.
        """

    def length(self, processor: Any, prompt: Prompt, control: ControlTokens) -> int:
        """Tokens of a prompt as `encode` makes it, those of its images counted."""
        return int(self.encode(processor, [prompt], control)["attention_mask"].sum())

    @abstractmethod
    def prepare(self, processor: Any, where: str) -> None:
        """Makes a processor just loaded fit for `encode`. Raises ModelUnusable; `where` names the model's folder."""

    def tokenizer(self, processor: Any) -> Any:
        """The tokenizer of a processor; None where it has none."""
        return getattr(processor, "tokenizer", None)

    def end_ids(self, tokenizer: Any) -> list[int]:
        """Tokens that end an answer, beside those that the checkpoint names."""
        return [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]

    def end_id(self, processor: Any, stop_ids: Sequence[int]) -> int:  # noqa: ARG002 - chats say which
        """The one of `stop_ids` that a model writes behind its answer."""
        return stop_ids[0]

    def generate(self, model: Any, inputs: Mapping[str, Any], **options: Any) -> Any:
        """Token ids `(n, length + new)`: those of `inputs` and the answers, as transformers' `generate` gives them."""
        return model.generate(**inputs, **options)

    def seen(self, model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """`inputs` with the images encoded already, for `logits` to be asked of them more than once."""
        if "pixel_values" not in inputs:
            return dict(inputs)
        taken = inspect.signature(model.get_image_features).parameters.keys() & inputs.keys()
        features = model.get_image_features(**{name: inputs[name] for name in taken}, return_dict=True)
        return {**inputs, "pixel_values": None, "mm_encoder_outputs": {"image": features}}

    def logits(self, model: Any, inputs: Mapping[str, Any], last: int) -> Any:
        """Scores `(n, last, vocabulary)` of the tokens that follow each of the `last` ones.

        `inputs` are of `seen`; or of `encode`, as in training: then pictures and texts are read in one call.
        """
        return self.scores(model, self.states(model, inputs, last))

    def states(self, model: Any, inputs: Mapping[str, Any], last: int) -> Any:
        """What `scores` are of, `(n, last, width)`; `inputs` as `logits` takes them."""
        return bare(model).base_model(**inputs, use_cache=False).last_hidden_state[:, -last:]

    def scores(self, model: Any, states: Any, tokens: Any = None) -> Any:
        """Scores `(..., vocabulary)` of the tokens that follow where `states` `(..., width)` are.

        With `tokens`, ids `(k,)`, the scores of these alone, `(..., k)`: no others are worked out.
        """
        from torch import nn

        head = model.get_output_embeddings()
        if tokens is None:
            return head(states)
        if type(head) is not nn.Linear:  # one with an adapter on it
            return head(states)[..., tokens]
        bias = None if head.bias is None else head.bias[tokens]
        return nn.functional.linear(states, head.weight[tokens], bias)


class ChatFamily(Family):
    """A family whose processor has a chat template. Images stand in the turn where the prompt has them."""

    def encode(self, processor: Any, prompts: Sequence[Prompt], control: ControlTokens) -> Any:
        return processor.apply_chat_template(
            [chat(self.arranged(prompt), control) for prompt in prompts],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    def length(self, processor: Any, prompt: Prompt, control: ControlTokens) -> int:
        """Images are counted by their sizes: the tokens of one stand where its mark is, which is a token itself."""
        text = processor.apply_chat_template(chat(self.arranged(prompt), control), add_generation_prompt=True)
        begun = processor.tokenizer.bos_token
        own = begun is not None and text.startswith(begun)  # as the processor sees whether it adds them
        ids = processor.tokenizer(self.marked(processor, text), add_special_tokens=not own)["input_ids"]
        return len(ids) + sum(tokens - 1 for tokens in self.image_tokens(processor, prompt))

    def image_tokens(self, processor: Any, prompt: Prompt) -> Sequence[int]:
        """Tokens in the place of each image's mark, by its size; without images the processor is not asked."""
        if not prompt.images:
            return ()
        sizes = [image.picture.size[::-1] for image in prompt.images]  # height, width
        seen: Sequence[int] = processor._get_num_multimodal_tokens(image_sizes=sizes).num_image_tokens
        return seen

    def marked(self, processor: Any, text: str) -> str:  # noqa: ARG002 - for families that write more there
        """A rendered chat with what `image_tokens` does not count."""
        return text

    def end_id(self, processor: Any, stop_ids: Sequence[int]) -> int:
        """What the chat template writes behind an answer, where it writes any of `stop_ids` there."""
        turns = [{"role": role, "content": [{"type": "text", "text": "-"}]} for role in ("user", "assistant")]
        return last_of(stop_ids, processor.tokenizer(processor.apply_chat_template(turns))["input_ids"])

    def arranged(self, prompt: Prompt) -> Prompt:
        """The prompt in an order that the chat template takes."""
        return prompt

    def prepare(self, processor: Any, where: str) -> None:
        # Older checkpoints keep the template with the tokenizer, where a processor does not look.
        processor.chat_template = processor.chat_template or processor.tokenizer.chat_template
        if not processor.chat_template:
            raise ModelUnusable(
                f"{where}: no chat template. Put the model's chat_template.jinja beside its tokenizer.json"
            )


def bare(model: Any) -> Any:
    """The model itself, out of what adapts it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def last_of(stop_ids: Sequence[int], ids: Sequence[int]) -> int:
    """The last of `ids` that is one of `stop_ids`; the first of these where none is."""
    return next((i for i in reversed(ids) if i in stop_ids), stop_ids[0])


def chat(prompt: Prompt, control: ControlTokens) -> list[dict[str, Any]]:
    """The messages as chat templates take them; those without parts are left out."""
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
