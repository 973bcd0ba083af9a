"""The trunk's upper blocks learn what cells, modalities and planes look like, on cached features of the lower ones.

Dense and pooled heads teach it and are thrown away; what is kept are the blocks, for the generator to look through.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from pocket.augment import Box
from pocket.facts import KINDS, Facts
from pocket.features import Cache, View
from pocket.trunk import GRID, TOKENS, WIDTH, device_of, upper, upper_parameters

CELLS = {"RBC": "red", "WBC": "white", "Platelets": "platelets", "nucleus": "nuclei"}
"""Names of boxes and the fact each one's count is."""
ORGANS = ("head", "chest", "abdomen", "pelvis", "spine", "knee")
PLANES = ("axial", "coronal", "sagittal", "frontal")
_IGNORED = -100
_BATCH = 24
_PLACES = 0.15
"""Weight of where cells lie beside how many they are."""
_SAY = {"platelets": 3.0}
"""How much more than others' the errors of a fact count: platelets are few and small, and the last to be seen."""
_ANCHOR = 2e-2
"""Pull of the upper blocks to the ImageNet weights they start from, so that they keep seeing what no view showed."""


class Heads(nn.Module):
    """Linear readings of the grid: cells per token, and kind, body part and plane of the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.density = nn.Linear(WIDTH, len(CELLS))
        nn.init.constant_(self.density.bias, -3.0)
        self.classes = nn.ModuleList(nn.Linear(WIDTH, len(names)) for names in (KINDS, ORGANS, PLANES))

    def forward(self, grid: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """`(n, 144, 1280)` to cells per token `(n, 144, 4)`, and logits `(n, 8)`, `(n, 6)`, `(n, 4)`."""
        pooled = grid.mean(dim=1)
        return nn.functional.softplus(self.density(grid)), [head(pooled) for head in self.classes]


def readings(state: Mapping[str, torch.Tensor]) -> NDArray[np.float32]:
    """The weights `(22, 1280)` of saved heads, each a linear reading of a token."""
    return np.concatenate([tensor.cpu().numpy() for name, tensor in state.items() if name.endswith("weight")])


def density(boxes: Sequence[Box]) -> NDArray[np.float32]:
    """Cells per token `(144, 4)`: each box spreads one cell evenly over the tokens that it covers."""
    field = np.zeros((GRID, GRID, len(CELLS)), np.float32)
    names = list(CELLS)
    for name, left, top, right, bottom in boxes:
        across, down = (_cover(low * GRID, high * GRID) for low, high in ((left, right), (top, bottom)))
        spread = np.outer(down, across)
        field[:, :, names.index(name)] += spread / max(float(spread.sum()), 1e-6)
    return np.asarray(field.reshape(TOKENS, len(CELLS)))


def _cover(low: float, high: float) -> NDArray[np.float32]:
    """How much of each grid step lies between two positions."""
    steps = np.arange(GRID)
    shares: NDArray[np.float32] = np.clip(np.minimum(high, steps + 1) - np.maximum(low, steps), 0, 1)
    return shares.astype(np.float32)


def fit(trunk: nn.Module, caches: Sequence[Cache], weights: Sequence[float], steps: int, log: Path, seed: int) -> Heads:
    """Trains the upper blocks with throw-away heads, views drawn by `weights`; returns the heads, for looking at.

    On the trunk's device. Seeds torch, so that heads start the same whatever ran before."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    heads = Heads().to(device_of(trunk))
    trained = upper_parameters(trunk)
    for parameter in trained:
        parameter.requires_grad_(True)
    start = [parameter.detach().clone() for parameter in trained]
    groups: list[dict[str, Any]] = [{"params": trained, "peak": 4e-4}, {"params": heads.parameters(), "peak": 2e-3}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.0, fused=True)
    seen = [view for cache in caches for view in cache.views]
    fields = [field for cache in caches for field in np.array(cache.lower)]  # in memory: rows are read at random
    recent: dict[str, float] = {}
    with log.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("step", "density", "count", "kind", "organ", "plane"))
        for step in tqdm(range(steps), log.stem, unit="step", disable=None):
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * min(1.0, (step + 1) / 50) * (1 + math.cos(math.pi * step / steps)) / 2
            batch = rng.choices(range(len(seen)), weights=weights, k=_BATCH)
            hidden = torch.from_numpy(np.stack([fields[i] for i in batch])).to(device_of(trunk)).float()
            hidden = hidden.contiguous(memory_format=torch.channels_last)
            losses = _losses(heads, upper(trunk, hidden), [seen[i] for i in batch])
            anchor = sum((p - p0).square().sum() for p, p0 in zip(trained, start, strict=True))
            optimiser.zero_grad(set_to_none=True)
            (sum(losses.values()) + _ANCHOR * anchor).backward()  # type: ignore[union-attr]
            nn.utils.clip_grad_norm_([*trained, *heads.parameters()], 2.0)
            optimiser.step()
            for name, loss in losses.items():
                recent[name] = 0.97 * recent.get(name, loss.item()) + 0.03 * loss.item()
            if step % 20 == 0:
                writer.writerow((step, *(round(value, 4) for value in recent.values())))
                file.flush()
    for parameter in trained:
        parameter.requires_grad_(False)
    return heads


def _losses(heads: Heads, grid: torch.Tensor, views: Sequence[View]) -> dict[str, torch.Tensor]:
    cells, logits = heads(grid)
    placed = torch.tensor([[_placed(view, fact) for fact in CELLS.values()] for view in views], device=grid.device)
    target = torch.from_numpy(np.stack([density(view.boxes) for view in views])).to(grid.device)
    counts = torch.tensor([[_count(view.facts, fact) for fact in CELLS.values()] for view in views], device=grid.device)
    say = torch.tensor([_SAY.get(fact, 1.0) for fact in CELLS.values()], device=grid.device)
    total = _deviance(cells.sum(1), counts.clamp(min=0)) * (counts >= 0) / (1 + counts.clamp(min=0) / 10).sqrt()
    losses = {
        "density": _PLACES * (_deviance(cells, target).sum(1) * placed * say).sum(1).mean(),
        "count": (total * say).sum() / len(views),
    }
    told = ([KINDS.index(v.facts.kind) for v in views], _labels([v.facts.organ for v in views], ORGANS),
            _labels([v.facts.plane for v in views], PLANES))  # fmt: skip
    for name, logit, label in zip(("kind", "organ", "plane"), logits, told, strict=True):
        wanted = torch.tensor(label, device=grid.device)
        every = nn.functional.cross_entropy(logit, wanted, ignore_index=_IGNORED, reduction="sum")
        losses[name] = every / len(views)
    return losses


def _deviance(rate: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Poisson deviance, zero where they agree. An absolute error would let what is rare, as platelets, go unseen."""
    return rate - count + torch.xlogy(count, count) - torch.xlogy(count, rate.clamp(min=1e-6))


def _placed(view: View, fact: str) -> float:
    """Whether the view's boxes hold all its cells of one sort."""
    count = getattr(view.facts, fact)
    if view.facts.kind == "unknown":
        return 1.0
    return float(count is not None and (count == 0 or bool(view.boxes)))


def _count(facts: Facts, fact: str) -> float:
    value = getattr(facts, fact)
    return -1.0 if value is None else float(value)


def _labels(names: Sequence[str | None], known: Sequence[str]) -> list[int]:
    return [known.index(name) if name in known else _IGNORED for name in names]


@torch.inference_mode()
def grids(trunk: nn.Module, cache: Cache, path: Path) -> NDArray[np.float16]:
    """The whole trunk's `(n, 144, 1280)` for every view of a cache, float16, in a file at `path` and in memory."""
    if not path.exists():
        part = path.with_suffix(".part")
        shape = (len(cache.views), TOKENS, WIDTH)
        store = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=shape)
        for row in range(0, len(cache.views), _BATCH):
            hidden = torch.from_numpy(np.array(cache.lower[row : row + _BATCH])).to(device_of(trunk)).float()
            hidden = hidden.contiguous(memory_format=torch.channels_last)
            store[row : row + _BATCH] = upper(trunk, hidden).to(torch.float16).cpu().numpy()
        store.flush()
        part.rename(path)
    return np.load(path)  # type: ignore[no-any-return]
