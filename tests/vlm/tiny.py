"""Tiny models of the real classes: random weights, and a tokenizer trained on the spot.

Each `make_*` writes a folder that `AutoProcessor` and `AutoModelForImageTextToText` load, 0.1 to 2 million
parameters, in about a second. The weights say nothing sensible; the shapes, layouts and files are real.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessor,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    LlavaProcessor,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLProcessor,
    SiglipImageProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMProcessor,
)
from transformers.models.idefics3.image_processing_idefics3 import Idefics3ImageProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.models.smolvlm.image_processing_smolvlm import SmolVLMImageProcessor
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

CORPUS = [
    "Axial image of the brain demonstrates a large mass in the right frontal lobe.",
    "A blood smear with twelve red cells, two white cells and five platelets.",
    "Describe this image in one sentence. Evidence [1] and [2] may help.",
    "Chest radiograph, posterior to anterior, without focal consolidation.",
]

SMOLVLM_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
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


def _save(folder: Path, model: Any, processor: Any, eos: int, pad: int) -> Path:
    # A vocabulary row never trained keeps its random embedding; the seed keeps a test's text the same every run.
    model.generation_config.eos_token_id = eos
    model.generation_config.pad_token_id = pad
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _text(tokenizer: PreTrainedTokenizerFast, **more: Any) -> dict[str, Any]:
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
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


def make_idefics3(folder: Path, seed: int = 0) -> Path:
    """SmolVLM as its first checkpoints on the hub are stored: under its forebear's classes."""
    tokenizer = _smolvlm_tokenizer()
    images = Idefics3ImageProcessor(size={"longest_edge": 128}, max_image_size={"longest_edge": 64})
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=SMOLVLM_TEMPLATE)
    torch.manual_seed(seed)
    model = Idefics3ForConditionalGeneration(Idefics3Config(**_smolvlm_config(tokenizer)))
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


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
        "text_config": _text(tokenizer, model_type="llama"),
        "scale_factor": 2,
        "pad_token_id": tokenizer.pad_token_id,
    }


def make_qwen2_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen2-VL: 14-pixel patches merged two by two, any aspect ratio, rotary positions in three axes."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
    special += ["<|image_pad|>", "<|video_pad|>"]
    tokenizer = make_tokenizer(special, {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"})
    pixels = {"min_pixels": 28 * 28 * 4, "max_pixels": 28 * 28 * 12}
    template = CHATML_TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    processor = Qwen2VLProcessor(
        Qwen2VLImageProcessor(**pixels), tokenizer, Qwen2VLVideoProcessor(**pixels), chat_template=template
    )
    ids = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(token) for name, token in QWEN2_VL_TOKENS.items()}
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    config = Qwen2VLConfig(
        vision_config={"depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 2},
        text_config=_text(tokenizer, rope_parameters=rope),
        **ids,
    )
    torch.manual_seed(seed)
    model = Qwen2VLForConditionalGeneration(config)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


QWEN2_VL_TOKENS = {
    "image": "<|image_pad|>",
    "video": "<|video_pad|>",
    "vision_start": "<|vision_start|>",
    "vision_end": "<|vision_end|>",
}


def make_paligemma(folder: Path, seed: int = 0) -> Path:
    """PaliGemma: 16 image tokens, a prefix read in both directions, no chat template.

    Its vision tower's 48 hidden units are no whole number of NF4 blocks, as the real one's 4304 are not.
    """
    tokenizer = make_tokenizer(
        ["<pad>", "<eos>", "<bos>", "<image>"],
        {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"},
        extra_special_tokens={"image_token": "<image>"},
    )
    images = SiglipImageProcessor(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    processor = PaliGemmaProcessor(images, tokenizer)
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = PaliGemmaConfig(
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_config={**vision, "image_size": 56, "patch_size": 14, "projection_dim": 64, "vision_use_head": False},
        text_config=_text(tokenizer, model_type="gemma", head_dim=16),
        projection_dim=64,
        hidden_size=64,
    )
    torch.manual_seed(seed)
    model = PaliGemmaForConditionalGeneration(config)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


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
        text_config=_text(tokenizer, model_type="qwen2"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=49,
    )
    torch.manual_seed(seed)
    model = FastVlmForConditionalGeneration(config)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


FAMILY_OF = {"idefics3": "smolvlm"}
"""The family of a tiny model, where it is not named as its maker."""

MAKERS: dict[str, Callable[..., Path]] = {
    "smolvlm": make_smolvlm,
    "idefics3": make_idefics3,
    "qwen2_vl": make_qwen2_vl,
    "paligemma": make_paligemma,
    "fastvlm": make_fastvlm,
}
