"""The image-text encoder in open_clip form: the tuned trunk, a whitened projection, a small text tower."""

from __future__ import annotations

import csv
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn

from pocket.facts import Facts, caption
from pocket.language import Figure
from pocket.phrasing import index_caption
from pocket.tokenizer import CONTEXT, END, PAD, START, VOCAB_SIZE, save_for_encoder, token_id
from pocket.trunk import ARCHITECTURE, FIELD_SIZE, MEAN, STD, device_of

Floats = NDArray[np.float32]

DIM = 384
WHITENING = 0.3
"""Each principal component is divided by its variance to this power: 0 is plain PCA, 0.5 full whitening."""
_PART = 512
_TEXT = {"width": 256, "heads": 4, "layers": 3, "context_length": CONTEXT, "vocab_size": VOCAB_SIZE}


def config() -> dict[str, Any]:
    """The contents of open_clip_config.json."""
    return {
        "model_cfg": {
            "embed_dim": DIM,
            "vision_cfg": {
                "timm_model_name": ARCHITECTURE,
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "timm_proj_bias": True,
                "image_size": FIELD_SIZE,
            },
            "text_cfg": {**_TEXT, "hf_tokenizer_name": ".", "tokenizer_kwargs": {"clean": "whitespace"}},
            "custom_text": True,
        },
        "preprocess_cfg": {
            "mean": list(MEAN),
            "std": list(STD),
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }


def pooled(grids: Sequence[NDArray[np.float16]]) -> Floats:
    """float32 `(n, 1280)`: the mean of each view's grid, grids `(n, 144, 1280)` read part by part."""
    means = [
        grid[start : start + _PART].mean(axis=1, dtype=np.float32)
        for grid in grids
        for start in range(0, len(grid), _PART)
    ]
    return np.concatenate(means)


def whitening(features: Floats, weights: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Matrix `(DIM, 1280)` and bias `(DIM,)` of the partly whitened principal components, rows weighted."""
    weights = weights / weights.sum()
    mean = weights @ features
    centred = features - mean
    covariance = (centred * weights[:, None]).T @ centred
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(-values)[:DIM]
    matrix = (vectors[:, order] / (values[order] + 1e-4 * values.max()) ** WHITENING).T
    return matrix.astype(np.float32), (-matrix @ mean).astype(np.float32)


def kind_weights(facts: Sequence[Facts]) -> NDArray[np.float64]:
    """Weights that give every kind the same say."""
    counts: dict[str, int] = {}
    for fact in facts:
        counts[fact.kind] = counts.get(fact.kind, 0) + 1
    return np.array([1 / counts[fact.kind] for fact in facts])


def build(trunk: nn.Module, matrix: Floats, bias: Floats) -> nn.Module:
    """A new encoder with the given trunk and projection; its text tower is random. On the trunk's device."""
    towers = {name: value for name, value in config()["model_cfg"].items() if name != "custom_text"}
    model: nn.Module = open_clip.CustomTextCLIP(**towers)
    visual: Any = model.visual
    visual.trunk.load_state_dict(trunk.state_dict())
    visual.head.proj.load_state_dict({"weight": torch.from_numpy(matrix), "bias": torch.from_numpy(bias)})
    visual.requires_grad_(False)
    return model.to(device_of(trunk))


def _tokens(texts: Sequence[str], tokenizer: Tokenizer) -> torch.Tensor:
    pad, start, end = (token_id(tokenizer, t) for t in (PAD, START, END))
    rows = [
        [start, *code.ids[: CONTEXT - 2], end] for code in tokenizer.encode_batch(list(texts), add_special_tokens=False)
    ]
    # Batches are padded to their longest only: the causal mask hides what would follow, and `fit_text` cuts it to fit.
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])


def _alike(facts: Sequence[Facts]) -> torch.Tensor:
    """`(n, n)` targets: rows sum to one over the pairs that captions cannot tell apart."""
    keys = [(f.kind, f.organ, f.stain, caption(f)) for f in facts]
    same = torch.tensor([[float(a == b) + 0.2 * float(a[:2] == b[:2]) for b in keys] for a in keys])
    return same / same.sum(dim=1, keepdim=True)


def fit_text(
    model: nn.Module,
    embeddings: Floats,
    facts: Sequence[Facts],
    figures: Sequence[Figure],
    tokenizer: Tokenizer,
    steps: int,
    log: Path,
    seed: int,
) -> None:
    """Trains the text tower and the temperature towards fixed image embeddings `(n, DIM)`, rows of unit length.

    On the model's device."""
    rng = random.Random(seed)
    clip: Any = model
    device = clip.logit_scale.device
    spoken: dict[tuple[str, str | None], list[str]] = {}
    for figure in figures:
        if figure.facts is not None:
            spoken.setdefault((figure.facts.kind, figure.facts.organ), []).append(figure.text)
    trained = [*clip.text.parameters(), clip.logit_scale]
    optimiser = torch.optim.AdamW(trained, lr=6e-4, weight_decay=0.05)
    images = torch.from_numpy(embeddings).to(device)
    weights = kind_weights(facts)
    recent, mask = 0.0, clip.text.attn_mask
    clip.train()
    with log.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("step", "loss"))
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = (
                    6e-4 * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)
                )
            chosen = rng.choices(range(len(facts)), weights=weights.tolist(), k=64)
            batch = [facts[i] for i in chosen]
            texts = [_spoken(fact, spoken, rng) for fact in batch]
            tokens = _tokens(texts, tokenizer).to(device)
            clip.text.attn_mask = mask[: tokens.shape[1], : tokens.shape[1]]
            logits = clip.logit_scale.exp().clamp(max=50) * images[chosen] @ clip.encode_text(tokens, normalize=True).T
            target = _alike(batch).to(device)
            loss = -(target * logits.log_softmax(1)).sum(1).mean() - (target * logits.T.log_softmax(1)).sum(1).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            recent = loss.item() if step == 0 else 0.95 * recent + 0.05 * loss.item()
            if step % 20 == 0:
                writer.writerow((step, round(recent, 4)))
                file.flush()
    clip.text.attn_mask = mask
    clip.eval()


def _spoken(facts: Facts, spoken: dict[tuple[str, str | None], list[str]], rng: random.Random) -> str:
    pool = spoken.get((facts.kind, facts.organ))
    return rng.choice(pool) if pool and rng.random() < 0.4 else index_caption(facts, rng)


def save(model: nn.Module, tokenizer: Tokenizer, folder: Path) -> None:
    """Weights in fp16, configuration and tokenizer, as `local-dir:` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config(), indent=2) + "\n", encoding="utf-8")
    save_for_encoder(tokenizer, folder)
    state = {}
    for name, tensor in model.state_dict().items():
        state[name] = (tensor.to(torch.float16) if tensor.is_floating_point() else tensor).contiguous().clone()
    save_file(state, str(folder / "open_clip_model.safetensors"))


def project(features: Floats, matrix: Floats, bias: Floats) -> Floats:
    """The embeddings of pooled features, rows of unit length."""
    made = features @ matrix.T + bias
    unit: Floats = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit
