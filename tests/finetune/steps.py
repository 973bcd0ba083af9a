"""A few real steps of training, and what is compared after them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

from finetune.adapt import Adapted, adapt, base_config
from finetune.config import FinetuneConfig
from tests.vlm.conftest import asked, picture
from vlm import ModelConfig, Prompt
from vlm.loading import Loaded, load
from vlm.scoring import answered
from vlm.weights import find_files

ANSWER = " red cells in the lobe"


def prompts_of(kind: str) -> list[Prompt]:
    return [asked(kind, "Describe.", picture(1)), asked(kind, "What is shown in this image?", picture(2, 90, 60))]


def opened(config: FinetuneConfig) -> tuple[ModelConfig, Loaded]:
    model = base_config(config)
    return model, load(model, find_files(model), None, training=True)


def answer_ids(loaded: Loaded) -> list[int]:
    return list(loaded.tokenizer.encode(ANSWER, add_special_tokens=False)[:3])


def scores(model: ModelConfig, loaded: Loaded, tuned: Any, prompts: Sequence[Prompt], room: bool = False) -> Any:
    """`(n, 4, vocabulary)`: what is said of an answer's three tokens and its end, as the engine asks for it."""
    inputs = model.how.encode(loaded.processor, prompts, loaded.control).to(loaded.device, loaded.model.dtype)
    if room:
        from vlm.soft_prompt import make_room

        inputs = make_room(inputs, loaded.virtual_tokens)
    answers = [answer_ids(loaded)] * len(prompts)
    return model.how.logits(tuned, answered(model.how, model.how.seen(tuned, inputs), answers), 4)


def loss(model: ModelConfig, adapted: Adapted, prompts: Sequence[Prompt]) -> torch.Tensor:
    said = scores(model, adapted.loaded, adapted.model, prompts)[:, :-1]
    right = torch.tensor(answer_ids(adapted.loaded)).expand(len(prompts), -1)
    return torch.nn.functional.cross_entropy(said.float().flatten(0, 1), right.flatten())


def trained(kind: str, config: FinetuneConfig, steps: int = 3) -> tuple[ModelConfig, Adapted, dict[str, torch.Tensor]]:
    """A model after some steps, and all of its tensors before them."""
    model, loaded = opened(config)
    prompts = prompts_of(kind)
    with torch.no_grad():
        scores(model, loaded, loaded.model, prompts)  # on a CPU, 4-bit weights are packed anew at their first use
    adapted = adapt(loaded, model, config)
    before = {name: copy.deepcopy(tensor.detach()) for name, tensor in everything(adapted.model).items()}
    optimiser = torch.optim.AdamW([p for p in adapted.model.parameters() if p.requires_grad], lr=1e-2, weight_decay=0)
    for _ in range(steps):
        adapted.model.train()
        loss(model, adapted, prompts).backward()
        optimiser.step()
        optimiser.zero_grad()
    adapted.model.eval()
    return model, adapted, before


def everything(model: Any) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
