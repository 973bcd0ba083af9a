"""Memory that each configuration of configs/finetune needs on a GPU, by arithmetic over its model's shape.

    python benchmarks/finetune_memory.py

Reckoned as `finetune run --dry-run` does (finetune/memory.py), which looks at the data at hand; here a batch is of the
longest records that `training.max_tokens` lets through, each with one image of --side pixels (for documents, a page of
`finetune prepare`) and an answer of --answer tokens, or a choice between two labels. Nothing is measured and no weights
are read. Arithmetic in bf16; pocket's in fp32 on a CPU, which its configurations are for.
"""

from __future__ import annotations

import argparse

from machine import save  # isort: skip - it puts the root on the path

import torch

import configs
from finetune.adapt import base_config
from finetune.config import FinetuneConfig, load_finetune_config
from finetune.memory import Task, reckon
from finetune.prepare.pages import HEIGHT
from finetune.targets import projector_modules
from vlm.cost.memory import GIB, adapter_parameters, shape_of

LABELS = 2
WAYS = {
    "as_it_is": (),
    "batch_of_1": ("training.batch_size=1",),
    "lora_16_bits": ("method=lora",),
}
"""How a configuration is reckoned, by what is laid over it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024, help="pixels of an image's side")
    parser.add_argument("--answer", type=int, default=128, help="tokens of an answer")
    args = parser.parse_args()
    found = {
        name: {way: reckoned(load_finetune_config(name, over), args.side, args.answer) for way, over in differing(name)}
        for name in configs.names("finetune")
    }
    sizes = {"image_side": args.side, "page_side": HEIGHT, "answer_tokens": args.answer, "labels": LABELS}
    print(save("finetune_memory", {**sizes, "gib": found}))
    for name, ways in found.items():
        print(f"{name:28}" + "".join(f"{terms['all']:8.1f}" for terms in ways.values()))


def differing(name: str) -> list[tuple[str, tuple[str, ...]]]:
    """Those that make a difference: what is LoRA already is not reckoned as such again."""
    is_lora = load_finetune_config(name).method == "lora"
    return [(way, over) for way, over in WAYS.items() if not (is_lora and way == "lora_16_bits")]


def reckoned(config: FinetuneConfig, side: int, answer: int) -> dict[str, float]:
    """GiB by what they are for, and all together."""
    small = config.model == "pocket"
    training = config.training.model_copy(update={"precision": "fp32" if small else "bf16"})
    config = config.model_copy(update={"training": training})
    base = base_config(config)
    shape = shape_of(base)
    trained = adapter_parameters(base, shape, config.lora.rank)
    if config.projector:
        trained += sum(
            parameter.numel()
            for module in projector_modules(shape, base.how)
            for parameter in shape.get_submodule(module).parameters()
        )
    text_alone = base.how.max_images == 0
    task = Task(
        tokens=config.training.max_tokens,
        answer=0 if text_alone else answer,
        side=HEIGHT if config.data.folder.name == "mtsamples" else side,
        labels=LABELS if text_alone else None,
    )
    memory = reckon(config, base, trained, task, torch.device("cpu" if small else "cuda"))
    return {name: round(size / GIB, 3) for name, size in memory.terms.items()} | {"all": round(memory.gib, 3)}


if __name__ == "__main__":
    main()
