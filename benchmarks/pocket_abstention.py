"""What limits how often the embedded model says that it cannot tell: what it would cost to say it more often.

    python benchmarks/pocket_abstention.py --data ../shared/data --work .scratch/pocket

Two judges of "this is nothing that I can describe". The generator itself, by how likely "I cannot tell what this image
shows." is as its caption, without evidence. And the best simple thing: a logistic probe on the mean of what the tuned
trunk gives of an image (1,280 numbers), learned from the recipe's own views (stages `features` and grids of
`pocket.train`, whose work folder `--work` is), with a quarter, a half and all of the pictures that show nothing
biomedical; three seeds each. Each judge is put at the threshold at which it refuses so many of the real images (dev
images of `medpix`, `vqa_rad`, `bccd`, `dsb2018` and `wbc`, each set counting alike), and refuses then so many of
`pocket_sets.unrelated`: the mean over its five kinds, which is the figure of the table, and photographs' crops alone.
The threshold is set on the images that it is judged by, which flatters both.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from machine import save  # isort: skip - it puts the root on the path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import pocket_sets
from benchmarks.pocket_house import arguments
from benchmarks.pocket_sets import read
from imaging import Pixels
from pocket import features, scenes, views
from pocket.facts import CANNOT_TELL
from pocket.speak import Speaker
from pocket.train import SEED
from pocket.trunk import FIELD_SIZE, load_trunk, lower, normalise, squash, upper

SETS = ("medpix", "bccd", "dsb2018", "wbc")
REFUSED = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Shares of the real images that are refused."""
SHARES, SEEDS = (0.25, 0.5, 1.0), 3
_MOST = 200
_STRENGTH = 0.003
Scores = NDArray[np.float64]
Judge = Callable[[Sequence[Path]], Scores]


def main() -> None:
    args = arguments(__doc__ or "", "work folder of pocket.train")
    real = {name: _some([args.data / name / r["image"] for r in read(args.data / name / "records.jsonl", "dev")])
            for name in SETS}  # fmt: skip
    real["vqa_rad"] = [scene.path for scene in scenes.radiology(args.data, "dev")]
    with tempfile.TemporaryDirectory() as folder:
        unrelated = {k: [p for _, p in some] for k, some in pocket_sets.unrelated(Path(folder)).items()}
        both = {"real": real, "unrelated": unrelated}
        results = {"images": {which: {k: len(v) for k, v in sets.items()} for which, sets in both.items()}}
        speaker = Speaker.load(args.weights / "vlm")
        results["generator"] = curve(lambda paths: cannot_tell(speaker, paths), both)
        seen = Trunk(args.data, args.work)
        vectors = {which: {k: seen.vectors(v) for k, v in sets.items()} for which, sets in both.items()}
        for share in SHARES:
            runs = [probe_curve(seen, share, seed, vectors) for seed in range(SEEDS)]
            results[f"probe, {share:.0%} of the pictures"] = {
                key: {at: round(float(np.mean([run[key][at] for run in runs])), 3) for at in runs[0][key]}
                for key in runs[0]
            }
    print(json.dumps(results, indent=1))
    print(save("pocket_abstention", results), file=sys.stderr)


def _some(paths: Sequence[Path]) -> list[Path]:
    return list(paths) if len(paths) <= _MOST else random.Random(0).sample(list(paths), _MOST)


def cannot_tell(speaker: Speaker, paths: Sequence[Path]) -> Scores:
    """How likely the model says that it cannot tell, as a logarithm."""
    chances = speaker.chance_of(CANNOT_TELL, [_pixels(path) for path in paths])
    return np.log(np.maximum(chances, 1e-30))


def curve(judge: Judge, images: Mapping[str, Mapping[str, Sequence[Path]]]) -> dict[str, dict[str, float]]:
    return at_thresholds({which: {k: judge(v) for k, v in sets.items()} for which, sets in images.items()})


def at_thresholds(scores: Mapping[str, Mapping[str, Scores]]) -> dict[str, dict[str, float]]:
    """At each share of `REFUSED` of the real images: of the unrelated ones the mean over kinds, crops, and `medpix`."""
    weights = np.concatenate([np.full(len(s), 1 / len(s)) for s in scores["real"].values()])
    every = np.concatenate(list(scores["real"].values()))
    order = np.argsort(-every)
    refused = np.cumsum(weights[order]) / weights.sum()
    found: dict[str, dict[str, float]] = {"unrelated": {}, "their crops": {}, "medpix": {}}
    for share in REFUSED:
        threshold = every[order][np.searchsorted(refused, share, side="right")]
        kinds = {kind: float((s > threshold).mean()) for kind, s in scores["unrelated"].items()}
        found["unrelated"][f"{share:.0%} refused"] = round(float(np.mean(list(kinds.values()))), 3)
        found["their crops"][f"{share:.0%} refused"] = round(kinds["their crops"], 3)
        found["medpix"][f"{share:.0%} refused"] = round(float((scores["real"]["medpix"] > threshold).mean()), 3)
    return found


class Trunk:
    """The tuned trunk, and what it gives of the recipe's views: means over tokens `(n, 1280)`."""

    def __init__(self, data: Path, work: Path) -> None:
        self._trunk = load_trunk()
        self._trunk.load_state_dict(torch.load(work / "trunk.pt", weights_only=True))
        parts = [part.name for part in views.parts(data, SEED)]
        caches = features.load(work / "features", parts)
        self.views = views.all_views(caches)
        grids = [np.load(work / "grids" / f"{name}.npy", mmap_mode="r") for name in parts]
        self.means = np.concatenate([_means(grid) for grid in grids])

    def vectors(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(paths), 16):
            pictures = normalise([squash(_pixels(path), FIELD_SIZE) for path in paths[start : start + 16]])
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                parts.append(upper(self._trunk, lower(self._trunk, pictures)).float().mean(dim=1).numpy())
        return np.concatenate(parts)


def _means(grid: NDArray[np.float16]) -> NDArray[np.float32]:
    return np.concatenate([grid[n : n + 256].astype(np.float32).mean(axis=1) for n in range(0, len(grid), 256)])


def probe_curve(
    seen: Trunk, share: float, seed: int, vectors: Mapping[str, Mapping[str, NDArray[np.float32]]]
) -> dict[str, dict[str, float]]:
    """The curve of a probe that has learned from a share of the pictures that show nothing biomedical."""
    unknown = sorted({view.group for view in seen.views if view.facts.kind == "unknown"})
    kept = set(random.Random(seed).sample(unknown, round(share * len(unknown))))
    rows = [n for n, view in enumerate(seen.views) if view.facts.kind != "unknown" or view.group in kept]
    truth = [seen.views[n].facts.kind == "unknown" for n in rows]
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=300)).fit(seen.means[rows], truth)
    return at_thresholds(
        {which: {k: probe.decision_function(v) for k, v in sets.items()} for which, sets in vectors.items()}
    )


def _pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


if __name__ == "__main__":
    main()
