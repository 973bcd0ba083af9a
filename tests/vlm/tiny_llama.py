"""Tiny models around a Llama: LLaVA, Llama 3.2 Vision, Llama 3 alone."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    CLIPImageProcessor,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaImageProcessor,
    MllamaProcessor,
)

from tests.vlm.tiny_parts import make_tokenizer, save, text


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
        text_config=text(tokenizer, model_type="llama"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    return save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


LLAVA_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{% for content in message['content'] if content['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] if content['type'] == 'text' %}{{ content['text'] + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
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
    sizes = text(tokenizer, num_hidden_layers=3, cross_attention_layers=[1])
    del sizes["eos_token_id"], sizes["bos_token_id"]
    config = MllamaConfig(
        vision_config={
            **vision, "attention_heads": 2, "image_size": 56, "patch_size": 14, "max_num_tiles": 4,
            "intermediate_layers_indices": [0], "vision_output_dim": 64,
        },
        text_config={**sizes, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id},
        image_token_index=tokenizer.convert_tokens_to_ids("<|image|>"),
    )  # fmt: skip
    torch.manual_seed(seed)
    model = MllamaForConditionalGeneration(config)
    for name, parameter in model.named_parameters():
        if name.endswith("gate"):  # starts closed
            torch.nn.init.ones_(parameter)
    return save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


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
    model = LlamaForCausalLM(LlamaConfig(**text(tokenizer)))
    return save(folder, model, tokenizer, tokenizer.eos_token_id, tokenizer.pad_token_id)
