"""Which of the named models fit into a GPU's memory, by arithmetic. Measures nothing.

Imports torch and transformers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch

from vlm.catalogue import list_models
from vlm.config import ModelConfig, Quantisation
from vlm.cost.memory import describing, tuning
from vlm.errors import BenchError

_GPU = torch.device("cuda")


@dataclass(frozen=True)
class Recommendation:
    """One model in one quantisation: GiB that describing and tuning take at their peak, and whether they fit."""

    model: str
    quantisation: Quantisation
    describing_gib: float
    describing_fits: bool
    tuning_gib: float | None
    """LoRA over 16 bits or QLoRA over NF4; none for INT8, over which nothing is tuned."""
    tuning_fits: bool
    license: str


def recommend(vram_gib: float) -> list[Recommendation]:
    """Every named model in every quantisation, beside a GPU of `vram_gib`. Raises BenchError for a GPU of nothing."""
    if not vram_gib > 0:
        raise BenchError(f"--vram {vram_gib:g}: a GPU's memory is more than 0 GiB")
    configs = [entry.config for entry in list_models() if entry.config.server is None]
    return [_judged(config, quantisation, vram_gib) for config in configs for quantisation in get_args(Quantisation)]


def _judged(config: ModelConfig, quantisation: Quantisation, vram_gib: float) -> Recommendation:
    quantised = config.model_copy(update={"quantisation": quantisation})
    read = describing(quantised, _GPU).gib
    tuned = None if quantisation == "int8" else tuning(quantised, _GPU).gib
    return Recommendation(
        model=config.name,
        quantisation=quantisation,
        describing_gib=round(read, 2),
        describing_fits=read <= vram_gib,
        tuning_gib=None if tuned is None else round(tuned, 2),
        tuning_fits=tuned is not None and tuned <= vram_gib,
        license=config.license,
    )
