"""The small tokenizer both models share: byte-level BPE trained on the recipe's own texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

VOCAB_SIZE = 6_000
CONTEXT = 64
"""Tokens the text tower reads, start and end included."""
NUMBERS = range(10, 221)
"""Numbers that are one token each, as every digit is: a count is then said at once and not digit by digit."""

PAD, SYSTEM, USER, ASSISTANT, IMAGE, START, END = (
    "<pad>", "<|system|>", "<|user|>", "<|assistant|>", "<image>", "<s>", "</s>",
)  # fmt: skip

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|' + message['role'] + '|>' -}}"
    "{%- if message['content'] is string -%}{{- message['content'] -}}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{- '<image>' -}}"
    "{%- elif part['type'] == 'text' -%}{{- part['text'] -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{%- if message['role'] == 'assistant' -%}{{- '</s>' -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


def train(texts: Iterable[str]) -> Tokenizer:
    """A byte-level BPE of `VOCAB_SIZE` pieces, `NUMBERS` among them.

    The end token has the highest id: open_clip pools the text there.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\d"), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    first = [PAD, SYSTEM, USER, ASSISTANT, IMAGE, START]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - 1 - len(NUMBERS),
        special_tokens=first,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(str(number), normalized=False) for number in NUMBERS])
    tokenizer.add_special_tokens([END])
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of one of the special tokens. Raises KeyError where the tokenizer has none such."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise KeyError(token)
    return int(found)


def number_ids(tokenizer: Tokenizer) -> dict[int, int]:
    """The token id of every number that is one token, by the number."""
    return {number: token_id(tokenizer, str(number)) for number in (*range(10), *NUMBERS)}


def save_for_generator(tokenizer: Tokenizer, folder: Path) -> None:
    """The tokenizer as the generator's processor reads it: no token added around a text."""
    _wrap(tokenizer, "left").save_pretrained(folder)


def save_for_encoder(tokenizer: Tokenizer, folder: Path) -> None:
    """The tokenizer as open_clip reads it: start and end around each text."""
    framed = Tokenizer.from_str(tokenizer.to_str())
    ids = [(token, token_id(framed, token)) for token in (START, END)]
    framed.post_processor = processors.TemplateProcessing(single=f"{START} $A {END}", special_tokens=ids)
    _wrap(framed, "right").save_pretrained(folder)


def _wrap(tokenizer: Tokenizer, padding: Literal["left", "right"]) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT, IMAGE],
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
        padding_side=padding,
    )
