"""Processors made from a model's shape and a tokenizer, no file needed. Knows nothing of weights.

Imports transformers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformers import (
    BlipImageProcessor,
    BlipProcessor,
    CLIPImageProcessor,
    Gemma3ImageProcessor,
    Gemma3Processor,
    Idefics3Processor,
    LlavaProcessor,
    MllamaImageProcessor,
    MllamaProcessor,
    PaliGemmaProcessor,
    Qwen2_5_VLProcessor,
    Qwen2VLProcessor,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    SiglipImageProcessor,
    SmolVLMProcessor,
)
from transformers.models.idefics3.image_processing_idefics3 import Idefics3ImageProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.models.smolvlm.image_processing_smolvlm import SmolVLMImageProcessor
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

from vlm.cost.chats import CHATS


@dataclass(frozen=True)
class Limits:
    """How finely images are cut; the defaults are the published processors'."""

    tiles: int = 4
    """SmolVLM: tiles along an image's longer side."""
    most_patches: int = 16384
    """Qwen: merged patches that an image may have."""


PUBLISHED = Limits()
_FEWEST_PATCHES = 4


def make_processor(shape: Any, tokenizer: Any, limits: Limits = PUBLISHED) -> Any:
    """The processor of the model whose transformers config is `shape`; for one that reads texts, its tokenizer."""
    kind = shape.model_type
    maker = _MAKERS.get(kind)
    if maker is not None:
        return maker(shape, tokenizer, CHATS.get(kind), limits)
    tokenizer.chat_template = CHATS[kind]
    return tokenizer


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


def _smolvlm(shape: Any, tokenizer: Any, chat: str | None, limits: Limits) -> Any:
    vision = shape.vision_config
    tile = {"longest_edge": vision.image_size}
    size = {"longest_edge": limits.tiles * vision.image_size}
    seen = (vision.image_size // vision.patch_size // shape.scale_factor) ** 2
    if shape.model_type == "idefics3":
        images = Idefics3ImageProcessor(size=size, max_image_size=tile)
        return Idefics3Processor(images, tokenizer, image_seq_len=seen, chat_template=chat)
    video: dict[str, Any] = {"video_sampling": {"max_frames": 2, "fps": 1, "video_size": tile}}
    return SmolVLMProcessor(
        SmolVLMImageProcessor(size=size, max_image_size=tile),
        tokenizer,
        SmolVLMVideoProcessor(size=tile, max_image_size=tile, **video),
        image_seq_len=seen,
        chat_template=chat,
    )


def _qwen(shape: Any, tokenizer: Any, chat: str | None, limits: Limits) -> Any:
    vision = shape.vision_config
    merged = (vision.patch_size * vision.spatial_merge_size) ** 2
    pixels = {"min_pixels": _FEWEST_PATCHES * merged, "max_pixels": limits.most_patches * merged}
    if shape.model_type == "qwen3_vl":
        images = Qwen2VLImageProcessor(patch_size=vision.patch_size, **pixels)
        return Qwen3VLProcessor(images, tokenizer, Qwen3VLVideoProcessor(), chat_template=chat)
    kind = Qwen2VLProcessor if shape.model_type == "qwen2_vl" else Qwen2_5_VLProcessor
    return kind(Qwen2VLImageProcessor(**pixels), tokenizer, Qwen2VLVideoProcessor(**pixels), chat_template=chat)


def _paligemma(shape: Any, tokenizer: Any, _: str | None, __: Limits) -> Any:
    vision = shape.vision_config
    images: Any = SiglipImageProcessor(size=_square(vision.image_size))
    images.image_seq_length = (vision.image_size // vision.patch_size) ** 2
    return PaliGemmaProcessor(images, tokenizer)


def _gemma3(shape: Any, tokenizer: Any, chat: str | None, _: Limits) -> Any:
    images = Gemma3ImageProcessor(size=_square(shape.vision_config.image_size))
    return Gemma3Processor(images, tokenizer, chat_template=chat, image_seq_length=shape.mm_tokens_per_image)


def _fastvlm(_: Any, tokenizer: Any, chat: str | None, __: Limits) -> Any:
    """As pocket's: 224 pixels through a trunk that makes one token of 32 by 32."""
    return LlavaProcessor(
        CLIPImageProcessor(size=_square(224), do_center_crop=False),
        tokenizer,
        patch_size=32,
        vision_feature_select_strategy="full",
        chat_template=chat,
    )


def _llava(shape: Any, tokenizer: Any, chat: str | None, _: Limits) -> Any:
    vision = shape.vision_config
    return LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": vision.image_size}, crop_size=_square(vision.image_size)),
        tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chat,
    )


def _mllama(shape: Any, tokenizer: Any, chat: str | None, _: Limits) -> Any:
    vision = shape.vision_config
    images = MllamaImageProcessor(size=_square(vision.image_size), max_image_tiles=vision.max_num_tiles)
    return MllamaProcessor(images, tokenizer, chat_template=chat)


def _blip(shape: Any, tokenizer: Any, _: str | None, __: Limits) -> Any:
    return BlipProcessor(BlipImageProcessor(size=_square(shape.vision_config.image_size)), tokenizer)


_MAKERS: dict[str, Callable[[Any, Any, str | None, Limits], Any]] = {
    "smolvlm": _smolvlm,
    "idefics3": _smolvlm,
    "qwen2_vl": _qwen,
    "qwen2_5_vl": _qwen,
    "qwen3_vl": _qwen,
    "paligemma": _paligemma,
    "gemma3": _gemma3,
    "fast_vlm": _fastvlm,
    "llava": _llava,
    "mllama": _mllama,
    "blip": _blip,
}
