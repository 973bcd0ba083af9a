"""Tokenizers trained on the spot, with the special tokens of each kind of model. Knows nothing of images or weights.

`kind` is `model_type` of a config.json. Imports transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BertTokenizer, PreTrainedTokenizerFast

CORPUS = [
    "Axial image of the brain demonstrates a large mass in the right frontal lobe.",
    "A blood smear with twelve red cells, two white cells and five platelets.",
    "Describe this image in one sentence. Evidence [1] and [2] may help.",
    "Chest radiograph, posterior to anterior, without focal consolidation.",
]
LEARNED = 400
"""Tokens beside the special ones."""


@dataclass(frozen=True)
class Special:
    """Special tokens of one kind, in the order of their ids."""

    tokens: tuple[str, ...]
    named: Mapping[str, str]
    """pad_token, bos_token, eos_token."""
    config: Mapping[str, str] = field(default_factory=dict)
    """Keys of config.json that hold a token's id."""
    media: Mapping[str, str] = field(default_factory=dict)
    """Names by which the processor asks for tokens around and in the place of images."""


_ROWS = tuple(f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7))
_SMOLVLM = Special(
    ("<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>", *_ROWS),
    {"pad_token": "<|im_start|>", "bos_token": "<|im_start|>", "eos_token": "<end_of_utterance>"},
    {"image_token_id": "<image>", "pad_token_id": "<|im_start|>"},
)
_QWEN_CHAT = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_QWEN_NAMED = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
_QWEN_VL = Special(
    (*_QWEN_CHAT, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
    _QWEN_NAMED,
    {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    },
)
_GEMMA_NAMED = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"}
_GEMMA_MEDIA = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
_LLAMA_CHAT = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
_LLAMA_NAMED = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
_LLAMA_PAD = "<|finetune_right_pad_id|>"

SPECIAL: dict[str, Special] = {
    "smolvlm": _SMOLVLM,
    "idefics3": _SMOLVLM,
    "qwen2_vl": _QWEN_VL,
    "qwen2_5_vl": _QWEN_VL,
    "qwen3_vl": _QWEN_VL,
    "qwen3": Special((*_QWEN_CHAT, "<think>", "</think>"), _QWEN_NAMED),
    "paligemma": Special(
        ("<pad>", "<eos>", "<bos>", "<image>"),
        _GEMMA_NAMED,
        {"image_token_index": "<image>"},
        {"image_token": "<image>"},
    ),
    "gemma3": Special(
        (*_GEMMA_NAMED.values(), "<start_of_turn>", "<end_of_turn>", *_GEMMA_MEDIA.values()),
        _GEMMA_NAMED,
        {
            "image_token_index": "<image_soft_token>",
            "boi_token_index": "<start_of_image>",
            "eoi_token_index": "<end_of_image>",
        },
        _GEMMA_MEDIA,
    ),
    "fast_vlm": Special(
        ("<pad>", "<|im_start|>", "<|im_end|>", "<image>"),
        {"pad_token": "<pad>", "eos_token": "<|im_end|>"},
        {"image_token_index": "<image>"},
    ),
    "llava": Special(
        ("<unk>", "<s>", "</s>", "<pad>", "<image>"),
        {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"},
        {"image_token_index": "<image>"},
    ),
    "mllama": Special(
        (*_LLAMA_CHAT, "<|python_tag|>", _LLAMA_PAD, "<|image|>"),
        {"pad_token": _LLAMA_PAD, **_LLAMA_NAMED},
        {"image_token_index": "<|image|>"},
    ),
    "llama": Special(_LLAMA_CHAT, {"pad_token": "<|end_of_text|>", **_LLAMA_NAMED}),
    "blip": Special(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), {}),
}


def make_tokenizer(kind: str) -> Any:
    """A tokenizer of about 400 tokens with the special ones of `kind` among them."""
    if kind == "blip":
        return _word_pieces()
    special = SPECIAL[kind]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=LEARNED + len(special.tokens),
        special_tokens=list(special.tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    named: dict[str, Any] = {**special.named, **({"extra_special_tokens": special.media} if special.media else {})}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side="left", **named)


def image_ids(kind: str, tokenizer: Any) -> dict[str, int]:
    """Keys of config.json for the tokens in and around images, with the tokenizer's ids."""
    return {key: tokenizer.convert_tokens_to_ids(token) for key, token in SPECIAL[kind].config.items()}


def text_ids(kind: str, tokenizer: Any) -> dict[str, int | None]:
    """Keys of a language model's config for padding, beginning and end, with the tokenizer's ids."""
    if kind == "blip":  # a caption begins with a token that its tokenizer does not know
        end = tokenizer.sep_token_id
        return {"pad_token_id": tokenizer.pad_token_id, "sep_token_id": end, "eos_token_id": end}
    return {key: getattr(tokenizer, key) for key in ("pad_token_id", "bos_token_id", "eos_token_id")}


def _word_pieces() -> BertTokenizer:
    """A BERT's word pieces, as BLIP has them: the words of the corpus and letters for all others.

    Not trained: `tokenizers` breaks ties between pieces by chance, so that each process would have other ones.
    """
    words = pre_tokenizers.BertPreTokenizer()
    known = sorted({word for text in CORPUS for word, _ in words.pre_tokenize_str(text.lower())})
    alphabet = [chr(code) for code in range(33, 127)]
    inside = [f"##{letter}" for letter in alphabet if letter.islower()]
    pieces = dict.fromkeys([*SPECIAL["blip"].tokens, *alphabet, *inside, *known])
    return BertTokenizer(vocab={piece: place for place, piece in enumerate(pieces)}, padding_side="left")
