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
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPImageProcessor,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaImageProcessor,
    MllamaProcessor,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLProcessor,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
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


def _save(folder: Path, model: Any, processor: Any, eos: int | list[int], pad: int) -> Path:
    # A vocabulary row never trained keeps its random embedding; the seed keeps a test's text the same every run.
    model.generation_config.eos_token_id = eos
    model.generation_config.pad_token_id = pad
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _quieten(model: Any) -> None:
    """Gemmas scale what they read up; at random weights they would only ever repeat the last token."""
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(0.05)


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


QWEN_SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
]  # fmt: skip
QWEN_TEMPLATE = CHATML_TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")


def _qwen_tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer(QWEN_SPECIAL, {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"})


def _qwen_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    return {f"{name}_token_id": tokenizer.convert_tokens_to_ids(token) for name, token in QWEN_TOKENS.items()}


def make_qwen2_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen2-VL: 14-pixel patches merged two by two, any aspect ratio, rotary positions in three axes."""
    tokenizer = _qwen_tokenizer()
    pixels = {"min_pixels": 28 * 28 * 4, "max_pixels": 28 * 28 * 12}
    processor = Qwen2VLProcessor(
        Qwen2VLImageProcessor(**pixels), tokenizer, Qwen2VLVideoProcessor(**pixels), chat_template=QWEN_TEMPLATE
    )
    config = Qwen2VLConfig(
        vision_config={"depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 2},
        text_config=_text(tokenizer, rope_parameters=QWEN_ROPE),
        **_qwen_ids(tokenizer),
    )
    torch.manual_seed(seed)
    model = Qwen2VLForConditionalGeneration(config)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


def make_qwen2_5_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen2.5-VL: as Qwen2-VL, its vision blocks with windows, the second one without."""
    tokenizer = _qwen_tokenizer()
    pixels = {"min_pixels": 28 * 28 * 4, "max_pixels": 28 * 28 * 12}
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**pixels), tokenizer, Qwen2VLVideoProcessor(**pixels), chat_template=QWEN_TEMPLATE
    )
    vision = {"depth": 2, "hidden_size": 64, "intermediate_size": 96, "num_heads": 2, "out_hidden_size": 64}
    config = Qwen2_5_VLConfig(
        vision_config={**vision, "window_size": 56, "fullatt_block_indexes": [1]},
        text_config=_text(tokenizer, rope_parameters=QWEN_ROPE),
        **_qwen_ids(tokenizer),
    )
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(config)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


def make_qwen3_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen3-VL: 16-pixel patches, and what its first vision block sees joins the language model's first layer."""
    tokenizer = _qwen_tokenizer()
    images = Qwen2VLImageProcessor(patch_size=16, min_pixels=32 * 32 * 4, max_pixels=32 * 32 * 12)
    processor = Qwen3VLProcessor(images, tokenizer, Qwen3VLVideoProcessor(), chat_template=QWEN_TEMPLATE)
    vision = {"depth": 2, "hidden_size": 64, "intermediate_size": 96, "num_heads": 2, "out_hidden_size": 64}
    config = Qwen3VLConfig(
        vision_config={**vision, "num_position_embeddings": 64, "deepstack_visual_indexes": [0]},
        text_config=_text(tokenizer, head_dim=16, rope_parameters={**QWEN_ROPE, "mrope_interleaved": True}),
        **_qwen_ids(tokenizer),
    )
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(config)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


QWEN_ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
QWEN_TOKENS = {
    "image": "<|image_pad|>",
    "video": "<|video_pad|>",
    "vision_start": "<|vision_start|>",
    "vision_end": "<|vision_end|>",
}


def make_paligemma(folder: Path, seed: int = 0, language: str = "gemma") -> Path:
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
        text_config=_text(tokenizer, model_type=language, head_dim=16),
        projection_dim=64,
        hidden_size=64,
    )
    torch.manual_seed(seed)
    model = PaliGemmaForConditionalGeneration(config)
    if language == "gemma2":
        _quieten(model)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


def make_paligemma2(folder: Path, seed: int = 0) -> Path:
    """PaliGemma 2: the same around a Gemma 2."""
    return make_paligemma(folder, seed, "gemma2")


def make_llava(folder: Path, seed: int = 0) -> Path:
    """LLaVA-1.5: CLIP's patches without its class token, images before texts as its template has them."""
    special = ["<unk>", "<s>", "</s>", "<pad>", "<image>"]
    tokenizer = make_tokenizer(special, {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"})
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    vision = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config={**vision, "model_type": "clip_vision_model", "image_size": 56, "patch_size": 14},
        text_config=_text(tokenizer, model_type="llama"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


LLAVA_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{% for content in message['content'] if content['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] if content['type'] == 'text' %}{{ content['text'] + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def make_gemma3(folder: Path, seed: int = 0) -> Path:
    """Gemma 3: 4 image tokens between a start and an end, one layer with a sliding window and one without."""
    named = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"}
    media = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    special = [*named.values(), "<start_of_turn>", "<end_of_turn>", *media.values()]
    tokenizer = make_tokenizer(special, named, extra_special_tokens=media)
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        tokenizer,
        chat_template=GEMMA3_TEMPLATE,
        image_seq_length=4,
    )
    vision = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {name: tokenizer.convert_tokens_to_ids(media[name]) for name in ("boi_token", "eoi_token")}
    config = Gemma3Config(
        vision_config={**vision, "image_size": 56, "patch_size": 14, "vision_use_head": False},
        text_config=_text(
            tokenizer, head_dim=16, query_pre_attn_scalar=16, layer_types=["sliding_attention", "full_attention"]
        ),
        mm_tokens_per_image=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_index=ids["boi_token"],
        eoi_token_index=ids["eoi_token"],
    )
    torch.manual_seed(seed)
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight)  # starts as zeros
    _quieten(model)
    end_of_turn = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    return _save(folder, model, processor, [tokenizer.eos_token_id, end_of_turn], tokenizer.pad_token_id)


GEMMA3_TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{% set first = messages[0]['content'][0]['text'] + '\n\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{% if loop.first %}{{ first }}{% endif %}"
    "{% for item in message['content'] %}{% if item['type'] == 'image' %}{{ '<start_of_image>' }}"
    "{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}{% endfor %}{{ '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def make_mllama(folder: Path, seed: int = 0) -> Path:
    """Llama 3.2 Vision: up to four tiles an image; the second of three layers looks at them."""
    headers = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|python_tag|>"]
    special = ["<|begin_of_text|>", "<|end_of_text|>", *headers, "<|finetune_right_pad_id|>", "<|image|>"]
    named = {"pad_token": "<|finetune_right_pad_id|>", "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
    tokenizer = make_tokenizer(special, named)
    processor = MllamaProcessor(
        MllamaImageProcessor(size={"height": 56, "width": 56}, max_image_tiles=4),
        tokenizer,
        chat_template=MLLAMA_TEMPLATE,
    )
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_global_layers": 1}
    text = _text(tokenizer, num_hidden_layers=3, cross_attention_layers=[1])
    del text["eos_token_id"], text["bos_token_id"]
    config = MllamaConfig(
        vision_config={
            **vision, "attention_heads": 2, "image_size": 56, "patch_size": 14, "max_num_tiles": 4,
            "intermediate_layers_indices": [0], "vision_output_dim": 64,
        },
        text_config={**text, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id},
        image_token_index=tokenizer.convert_tokens_to_ids("<|image|>"),
    )  # fmt: skip
    torch.manual_seed(seed)
    model = MllamaForConditionalGeneration(config)
    for name, parameter in model.named_parameters():
        if name.endswith("gate"):  # starts closed
            torch.nn.init.ones_(parameter)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


MLLAMA_TEMPLATE = (
    "{{ bos_token }}{% set seen = namespace(images=false) %}{% for message in messages %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}{% set seen.images = true %}{% endif %}"
    "{% endfor %}{% endfor %}{% if seen.images and messages[0]['role'] == 'system' %}"
    "{{ raise_exception('Prompting with images is incompatible with system messages.') }}{% endif %}"
    "{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}{{ '<|image|>' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)


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
    return _save(folder, model, processor, tokenizer.sep_token_id, tokenizer.pad_token_id)


def make_llama(folder: Path, seed: int = 0) -> Path:
    """Llama 3: a language model alone."""
    headers = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    special = ["<|begin_of_text|>", "<|end_of_text|>", *headers]
    named = {"pad_token": "<|end_of_text|>", "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
    tokenizer = make_tokenizer(special, named)
    tokenizer.chat_template = (
        "{{ bos_token }}{% for message in messages %}"
        "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim "
        "+ '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**_text(tokenizer)))
    return _save(folder, model, tokenizer, tokenizer.eos_token_id, tokenizer.pad_token_id)


def make_qwen3(folder: Path, seed: int = 0) -> Path:
    """Qwen3: a language model that would think first, were it not told otherwise."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    tokenizer = make_tokenizer(special, {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"})
    tokenizer.chat_template = (
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
        "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
        "{% endif %}"
    )
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(Qwen3Config(**_text(tokenizer, head_dim=16)))
    return _save(folder, model, tokenizer, tokenizer.eos_token_id, tokenizer.pad_token_id)


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
    for module in model.model.modules():  # as it starts, nothing would come through so many layers
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
    for layer in (model.model.multi_modal_projector.linear_1, model.model.multi_modal_projector.linear_2):
        torch.nn.init.xavier_normal_(layer.weight)
    return _save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


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
