"""Tiny models of the real classes: random weights, and a tokenizer trained on the spot.

Each `make_*` writes a folder that `AutoProcessor` and `AutoModelForImageTextToText` load, 0.1 to 2 million
parameters, in about a second. The weights say nothing sensible; the shapes, layouts and files are real.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPImageProcessor,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMProcessor,
)
from transformers.models.idefics3.image_processing_idefics3 import Idefics3ImageProcessor
from transformers.models.smolvlm.image_processing_smolvlm import SmolVLMImageProcessor
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

from tests.vlm.tiny_google import make_gemma3, make_paligemma, make_paligemma2
from tests.vlm.tiny_llama import make_llama, make_llava, make_mllama
from tests.vlm.tiny_parts import CHATML_TEMPLATE, CORPUS, make_tokenizer, save, text
from tests.vlm.tiny_qwen import make_qwen2_5_vl, make_qwen2_vl, make_qwen3, make_qwen3_vl

SMOLVLM_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def make_smolvlm(folder: Path, seed: int = 0) -> Path:
    """SmolVLM: 64-pixel tiles of 4 tokens, images split into tiles as the real one does."""
    tokenizer = _smolvlm_tokenizer()
    size, tile = {"longest_edge": 128}, {"longest_edge": 64}
    sampling = {"max_frames": 2, "fps": 1, "video_size": tile}
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(size=size, max_image_size=tile),
        tokenizer,
        SmolVLMVideoProcessor(size=tile, max_image_size=tile, video_sampling=sampling),
        image_seq_len=4,
        chat_template=SMOLVLM_TEMPLATE,
    )
    torch.manual_seed(seed)
    model = SmolVLMForConditionalGeneration(SmolVLMConfig(**_smolvlm_config(tokenizer)))
    return save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


def make_idefics3(folder: Path, seed: int = 0) -> Path:
    """SmolVLM as its first checkpoints on the hub are stored: under its forebear's classes."""
    tokenizer = _smolvlm_tokenizer()
    images = Idefics3ImageProcessor(size={"longest_edge": 128}, max_image_size={"longest_edge": 64})
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=SMOLVLM_TEMPLATE)
    torch.manual_seed(seed)
    model = Idefics3ForConditionalGeneration(Idefics3Config(**_smolvlm_config(tokenizer)))
    return save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


def _smolvlm_tokenizer() -> PreTrainedTokenizerFast:
    rows = [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]
    special = ["<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>", *rows]
    named = {"pad_token": "<|im_start|>", "bos_token": "<|im_start|>", "eos_token": "<end_of_utterance>"}
    return make_tokenizer(special, named)


def _smolvlm_config(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    vision = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return {
        "image_token_id": tokenizer.convert_tokens_to_ids("<image>"),
        "vision_config": {**vision, "image_size": 64, "patch_size": 16},
        "text_config": text(tokenizer, model_type="llama"),
        "scale_factor": 2,
        "pad_token_id": tokenizer.pad_token_id,
    }


def make_blip(folder: Path, seed: int = 0) -> Path:
    """BLIP: a BERT's word pieces, and a first token that its tokenizer does not know."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = Tokenizer(models.WordPiece(unk_token=special[1]))
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    alphabet = [chr(code) for code in range(33, 127)]
    inside = " ".join(f"a{letter}" for letter in alphabet if letter.islower())
    trainer = trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    pieces.train_from_iterator([*(text.lower() for text in CORPUS), inside], trainer)
    tokenizer = BertTokenizer(vocab=pieces.get_vocab(), padding_side="left")
    processor = BlipProcessor(BlipImageProcessor(size={"height": 64, "width": 64}), tokenizer)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    ids = {"pad_token_id": tokenizer.pad_token_id, "sep_token_id": tokenizer.sep_token_id}
    config = BlipConfig(
        text_config={
            **shape, **ids, "vocab_size": len(tokenizer) + 2, "encoder_hidden_size": 64, "projection_dim": 64,
            "bos_token_id": len(tokenizer), "eos_token_id": tokenizer.sep_token_id, "initializer_range": 0.2,
        },
        vision_config={**shape, "image_size": 64, "patch_size": 16, "projection_dim": 64, "initializer_range": 0.2},
        projection_dim=64,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = BlipForConditionalGeneration(config)
    return save(folder, model, processor, tokenizer.sep_token_id, tokenizer.pad_token_id)


def make_fastvlm(folder: Path, seed: int = 0) -> Path:
    """FastVLM with pocket's trunk: EfficientNet-Lite0 at 224 pixels, 49 image tokens, a small Qwen2."""
    special = ["<pad>", "<|im_start|>", "<|im_end|>", "<image>"]
    tokenizer = make_tokenizer(special, {"pad_token": "<pad>", "eos_token": "<|im_end|>"})
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"height": 224, "width": 224}, do_center_crop=False),
        tokenizer,
        patch_size=32,
        vision_feature_select_strategy="full",
        chat_template=CHATML_TEMPLATE.replace("IMAGE", "<image>"),
    )
    trunk = {"model_type": "timm_wrapper", "architecture": "efficientnet_lite0", "num_labels": 0}
    config = FastVlmConfig(
        vision_config={**trunk, "do_pooling": False, "hidden_size": 1280},
        text_config=text(tokenizer, model_type="qwen2"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=49,
    )
    torch.manual_seed(seed)
    model = FastVlmForConditionalGeneration(config)
    for module in model.model.modules():  # as it starts, nothing would come through so many layers
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
    for layer in (model.model.multi_modal_projector.linear_1, model.model.multi_modal_projector.linear_2):
        torch.nn.init.xavier_normal_(layer.weight)
    return save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


IMAGE_KINDS = [
    "smolvlm", "idefics3", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "paligemma", "paligemma2", "fastvlm", "llava",
    "gemma3", "mllama", "blip",
]  # fmt: skip
TEXT_KINDS = ["llama", "qwen3"]
ALL_KINDS = [*IMAGE_KINDS, *TEXT_KINDS]
MANY_IMAGES = [kind for kind in IMAGE_KINDS if kind not in ("paligemma", "paligemma2", "blip")]
"""Kinds that take several images in one prompt."""
ADAPTED = {"mllama": 3 * 7, "blip": 2 * 10}
"""Linear layers of the language model that LoRA adapts, where they are not two layers of q, k, v, o, gate, up, down."""
HEAD = {"blip": "text_decoder.cls.predictions.decoder"}
"""What gives the scores of tokens, where it is not lm_head."""
FAMILY_OF = {"idefics3": "smolvlm", "paligemma2": "paligemma"}
"""The family of a tiny model, where it is not named as its maker."""

MAKERS: dict[str, Callable[..., Path]] = {
    "smolvlm": make_smolvlm,
    "idefics3": make_idefics3,
    "qwen2_vl": make_qwen2_vl,
    "qwen2_5_vl": make_qwen2_5_vl,
    "qwen3_vl": make_qwen3_vl,
    "paligemma": make_paligemma,
    "paligemma2": make_paligemma2,
    "fastvlm": make_fastvlm,
    "llava": make_llava,
    "gemma3": make_gemma3,
    "mllama": make_mllama,
    "blip": make_blip,
    "llama": make_llama,
    "qwen3": make_qwen3,
}
