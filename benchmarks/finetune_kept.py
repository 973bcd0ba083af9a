"""What autograd keeps of one record's forward pass: with a frozen vision tower's activations, and without.

    python benchmarks/finetune_kept.py

LoRA of a model of the true shape with random weights, as `finetune run` adapts it, with gradient checkpointing: once as
`finetune.adapt.checkpoint_activations` leaves it, once with the hook that transformers adds to the embeddings of every
tower, by which a frozen one keeps all that it computes. Counted are the storages that are kept for gradients, each
once, weights and buffers left out. On a CPU in fp32: a GPU in 16 bits keeps about half.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from machine import save  # isort: skip - it puts the root on the path

import torch

from finetune.adapt import Adapted, adapt, base_config, checkpoint_activations
from finetune.config import DataConfig, FinetuneConfig, LoraConfig, TrainingConfig
from finetune.encode import Encoder
from finetune.lesson import Lesson
from finetune.loss import answer_loss
from vlm.config import ModelConfig, load_model_config
from vlm.cost.measure import MIB, _prompt, _text
from vlm.cost.untrained import write_untrained
from vlm.loading import load

MAX_TOKENS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smolvlm-500m", help="a name of configs/models/")
    parser.add_argument("--text-tokens", type=int, default=256)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--image-side", type=int, default=512)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_untrained(load_model_config(given.model), Path(folder), torch.bfloat16)
        base = base_config(configured(given.model, path))
        adapted = adapt(load(base, path, None, training=True), base, configured(given.model, path))
        batch = record(base, adapted, given)
        adapted.model.train()
        checkpoint_activations(adapted)
        found = {"as_trained": kept(base, adapted, batch)}
        adapted.loaded.model.enable_input_require_grads()
        found["with_transformers_hook"] = kept(base, adapted, batch)
    settings = {"model": given.model, "method": "lora", "dtype": base.dtype, "tokens": batch["input_ids"].shape[1]}
    print(found, save("finetune/kept", {"settings": settings, **found}))


def configured(model: str, path: Path) -> FinetuneConfig:
    return FinetuneConfig(
        name="finetune-kept", model=model, path=path, data=DataConfig(folder=Path("-")), method="lora",
        lora=LoraConfig(rank=16, alpha=32, dropout=0.05), training=TrainingConfig(batch_size=1, precision="fp32"),
    )  # fmt: skip


def record(base: ModelConfig, adapted: Adapted, given: argparse.Namespace) -> Mapping[str, Any]:
    """A text, an image of noise and an answer, as the model reads them in training."""
    loaded = adapted.loaded
    encoder = Encoder(base.how, loaded.processor, loaded.tokenizer, loaded.control, loaded.stop_ids, MAX_TOKENS)
    prompt = _prompt(base, loaded, given.text_tokens, given.image_side, seed=0)
    return encoder([Lesson("noise", prompt, _text(loaded.tokenizer, given.new_tokens))])


def kept(base: ModelConfig, adapted: Adapted, batch: Mapping[str, Any]) -> dict[str, float]:
    """MiB kept for gradients at the end of a forward pass, and its loss, which is the same in both ways."""
    own = {t.untyped_storage().data_ptr() for t in (*adapted.model.parameters(), *adapted.model.buffers())}
    held: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()  # none is freed, so none is counted in another's place
        return tensor

    torch.manual_seed(0)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = answer_loss(base.how, adapted.model, batch)
    return {"kept_mib": round(sum(held.values()) / MIB, 1), "loss": round(loss.item(), 3)}


if __name__ == "__main__":
    main()
