"""What the tiny models share: a tokenizer trained on the spot, sizes, how they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
)

CORPUS = [
    "Axial image of the brain demonstrates a large mass in the right frontal lobe.",
    "A blood smear with twelve red cells, two white cells and five platelets.",
    "Describe this image in one sentence. Evidence [1] and [2] may help.",
    "Chest radiograph, posterior to anterior, without focal consolidation.",
]


CHATML_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}IMAGE"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer(special: list[str], named: dict[str, str], **options: Any) -> PreTrainedTokenizerFast:
    """A byte-level BPE of about 400 tokens with `special` among them; `named` gives pad_token, eos_token, ..."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400 + len(special), special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side="left", **named, **options)


def save(folder: Path, model: Any, processor: Any, eos: int | list[int], pad: int) -> Path:
    # A vocabulary row never trained keeps its random embedding; the seed keeps a test's text the same every run.
    model.generation_config.eos_token_id = eos
    model.generation_config.pad_token_id = pad
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def quieten(model: Any) -> None:
    """Gemmas scale what they read up; at random weights they would only ever repeat the last token."""
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(0.05)


def text(tokenizer: PreTrainedTokenizerFast, **more: Any) -> dict[str, Any]:
    """Sizes of a language model of 64 units in two layers."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "initializer_range": 0.2,
        **more,
    }
