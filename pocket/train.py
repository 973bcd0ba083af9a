"""Trains both embedded models: `python -m pocket.train --data ../shared/data --out pocket/weights --work WORK`.

Six stages: features, vision, tokenizer, language, encoder, generator. Each is skipped where its result is in the
work folder already; language and generator go on from their last checkpoint. Curves are CSV files there.

With `--start pocket/weights` all but features and the generator's stage are those of the weights named, and their
generator learns on, more gently: to teach it something new in half an hour.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from tqdm import tqdm

from imaging.memory import keep_freed_memory
from pocket import encoder, features, generator, tokenizer, views, vision
from pocket.corpus import Library, Sample, Turn, image_samples, text_samples
from pocket.features import Cache, View
from pocket.language import answers, figures, neighbours
from pocket.starter import PASSAGES
from pocket.tokenizer import ASSISTANT
from pocket.trunk import TOKENS, WIDTH, load_trunk

SEED = 1
PROJECTOR_SAMPLE = 1_000
EPOCH, PROSE = 4_000, 100
LOOKED_AT_SMEARS, TOLD_SMEARS, PHOTOGRAPHS = 3.0, 2.0, 3.0
"""How much more often a real smear is drawn than a rendered one, by the vision stage and by the generator's, and a
photograph of nothing biomedical than a drawing: the first are slowest to learn, the last are few."""
TEXT_SHARE = 0.1
"""Samples without an image among the generator's."""
RATE, GENTLE_RATE = 1.5e-3, 7e-4
"""The generator's peak learning rate from the language stage on, and where a trained one learns on."""
RECORDS = ("bccd/records.jsonl", "dsb2018/records.jsonl", "vqa_rad/qa.jsonl", "text/roco_captions.jsonl",
           "text/medquad.jsonl")  # fmt: skip
"""What the data folder must hold."""
_TOWER = "model.vision_tower.timm_model."


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Plan:
    """Where things are, how many steps each training stage takes, and on what."""

    data: Path
    out: Path
    work: Path
    language_steps: int = 1_500
    encoder_steps: int = 300
    vision_steps: int = 1_200
    generator_steps: int = 4_800
    start: Path | None = None
    device: str = field(default_factory=_device)

    def needed(self) -> list[Path]:
        """The files that the stages read first."""
        start = [] if self.start is None else [self.start / "vlm" / "model.safetensors"]
        return [*(self.data / name for name in RECORDS), *start]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs all stages."""
    parser = argparse.ArgumentParser(prog="python -m pocket.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd, dsb2018, vqa_rad and text")
    parser.add_argument("--out", type=Path, required=True, help="folder that gets clip/ and vlm/")
    parser.add_argument("--work", type=Path, default=Path(".scratch/pocket"), help="folder for features and curves")
    parser.add_argument("--start", type=Path, help="folder with clip/ and vlm/, whose generator learns on")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default=_device(), help="default: the GPU, where there is one"
    )
    for stage in ("language", "encoder", "vision", "generator"):
        parser.add_argument(f"--{stage}-steps", type=int, default=getattr(Plan, f"{stage}_steps"))
    plan = Plan(**vars(parser.parse_args(arguments)))
    if missing := [path for path in plan.needed() if not path.exists()]:
        parser.error(f"{missing[0]}: no such file")
    if plan.device == "cuda" and _device() != "cuda":
        parser.error("--device cuda: torch finds no GPU here")
    Training(plan).run()


@dataclass
class Training:
    """The stages, in order, over what they share."""

    plan: Plan
    trunk: nn.Module = field(init=False)
    caches: list[Cache] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trunk = load_trunk().to(self.plan.device)

    def run(self) -> None:
        keep_freed_memory()
        torch.manual_seed(SEED)
        plan = self.plan
        plan.work.mkdir(parents=True, exist_ok=True)
        self._stage("features", plan.work / "features.done", self._features)
        self.caches = features.load(plan.work / "features", [part.name for part in self._parts])
        told = figures(plan.data)
        if plan.start is not None:
            self._start_from(plan.start)
        self._stage("vision", plan.work / "trunk.pt", self._vision)
        self.library = Library(views.all_views(self.caches), told, passages(plan.data), neighbours(told, 5))
        self._stage("tokenizer", plan.work / "tokenizer.json", self._tokenizer)
        self.spelling = Tokenizer.from_file(str(plan.work / "tokenizer.json"))
        self._stage("language", plan.work / "language.pt", self._language)
        self._stage("encoder", plan.work / "encoder.done", self._encoder)
        self._stage("generator", plan.work / "generator.done", self._generator)

    def _stage(self, name: str, result: Path, work: Any) -> None:
        if result.exists():
            return
        start = time.monotonic()
        _tell(name)
        work(result)
        _tell(f"{name} took {(time.monotonic() - start) / 60:.1f} minutes")

    def _features(self, done: Path) -> None:
        """One process a core: each part is one process's."""
        context, parts = multiprocessing.get_context("spawn"), self._parts
        with ProcessPoolExecutor(multiprocessing.cpu_count(), mp_context=context) as pool:
            made = pool.map(_cache, parts, [self.plan] * len(parts))
            for _ in tqdm(made, "features", len(parts), unit="part", disable=None):
                pass
        done.touch()

    def _tokenizer(self, path: Path) -> None:
        rng = random.Random(SEED)
        texts = [figure.text for figure in self.library.figures] + [text for _, text in self.library.passages]
        chosen = rng.sample(range(len(self.library.views)), 6_000)
        samples = list(image_samples([self.library.views[i] for i in chosen], self.library, rng))
        samples += list(text_samples(self.library, 2_000, rng, free=0.4))
        tokenizer.train(texts + [sample.text for sample in samples]).save(str(path))

    def _language(self, path: Path) -> None:
        model = generator.build(self.spelling, self.trunk)
        schedule = generator.Schedule(self.plan.language_steps, learning_rate=2e-3)
        log = self.plan.work / "language.csv"
        generator.fit(model, self._texts(), None, self.spelling, schedule, log, SEED)
        torch.save(model.state_dict(), path)

    def _texts(self) -> Iterator[list[Sample]]:
        rng = random.Random(SEED + 1)
        prose = answers(self.plan.data, 4_000)
        while True:
            samples = [Sample("", (Turn(ASSISTANT, text),)) for text in rng.sample(prose, PROSE)]
            samples += text_samples(self.library, EPOCH - PROSE, rng, free=0.05)
            yield samples

    def _encoder(self, done: Path) -> None:
        pooled = encoder.pooled(self._gather.grids)
        facts = [view.facts for view in self.library.views]
        matrix, bias = encoder.whitening(pooled, encoder.kind_weights(facts))
        model = encoder.build(self.trunk, matrix, bias)
        embeddings = encoder.project(pooled, matrix, bias)
        log, told = self.plan.work / "encoder.csv", self.library.figures
        encoder.fit_text(model, embeddings, facts, told, self.spelling, self.plan.encoder_steps, log, SEED)
        encoder.save(model, self.spelling, self.plan.out / "clip")
        done.touch()

    def _vision(self, path: Path) -> None:
        log, shown = self.plan.work / "vision.csv", views.all_views(self.caches)
        weights = _weights(shown, LOOKED_AT_SMEARS)
        heads = vision.fit(self.trunk, self.caches, weights, self.plan.vision_steps, log, SEED)
        torch.save(heads.state_dict(), self.plan.work / "heads.pt")
        torch.save(self.trunk.state_dict(), path)

    def _start_from(self, weights: Path) -> None:
        """Lays trained weights where the stages leave their results; does nothing where they lie there."""
        work = self.plan.work
        if (work / "encoder.done").exists():
            return
        learned = {name: tensor.float() for name, tensor in load_file(weights / "vlm" / "model.safetensors").items()}
        torch.save({name.removeprefix(_TOWER): t for name, t in learned.items() if name.startswith(_TOWER)},
                   work / "trunk.pt")  # fmt: skip
        torch.save(learned, work / "language.pt")
        shutil.copy(weights / "vlm" / "tokenizer.json", work)
        shutil.copytree(weights / "clip", self.plan.out / "clip", dirs_exist_ok=True)
        (work / "encoder.done").touch()

    def _generator(self, done: Path) -> None:
        gather, start = self._gather, self.plan.start
        model = generator.build(self.spelling, self.trunk)
        learned = self._load("language.pt")
        model.load_state_dict({name: t for name, t in learned.items() if "vision_tower" not in name}, strict=False)
        if start is None:
            chosen = random.Random(SEED).sample(range(len(self.library.views)), PROJECTOR_SAMPLE)
            readings = vision.readings(self._load("heads.pt"))
            generator.start_projector(model, gather(chosen)[:, ::3].reshape(-1, WIDTH), readings)
        schedule = generator.Schedule(self.plan.generator_steps, RATE if start is None else GENTLE_RATE)
        log = self.plan.work / "generator.csv"
        generator.fit(model, self._samples(SEED + 2), gather, self.spelling, schedule, log, SEED)
        generator.save(model, self.spelling, self.plan.out / "vlm")
        done.touch()

    @cached_property
    def _parts(self) -> list[views.Part]:
        return views.parts(self.plan.data, SEED)

    def _load(self, name: str) -> dict[str, torch.Tensor]:
        """The weights that a stage left in the work folder, on the plan's device."""
        return torch.load(self.plan.work / name, self.plan.device, weights_only=True)  # type: ignore[no-any-return]

    @cached_property
    def _gather(self) -> Gatherer:
        """The tuned trunk's grids, read once; the trunk is the tuned one from here on."""
        self.trunk.load_state_dict(self._load("trunk.pt"))
        folder = self.plan.work / "grids"
        folder.mkdir(exist_ok=True)
        return Gatherer([vision.grids(self.trunk, cache, folder / f"{part.name}.npy")
                         for part, cache in zip(self._parts, self.caches, strict=True)])  # fmt: skip

    def _samples(self, seed: int) -> Iterator[list[Sample]]:
        """Each epoch draws views anew, with new evidence and questions."""
        rng = random.Random(seed)
        library = self.library
        weights = _weights(library.views, TOLD_SMEARS)
        while True:
            chosen = rng.choices(range(len(library.views)), weights=weights, k=EPOCH)
            made = image_samples([library.views[i] for i in chosen], library, rng)
            samples = [replace(sample, view=view) for sample, view in zip(made, chosen, strict=True)]
            yield samples + list(text_samples(library, round(TEXT_SHARE * EPOCH), rng, free=0.1))


def _weights(shown: Sequence[View], smears: float) -> list[float]:
    """How often a view is drawn: the kinds evenly, but the rarest are not repeated without end; real smears `smears`
    times as often."""
    weights = encoder.kind_weights([view.facts for view in shown])
    capped = np.minimum(weights, 4 * weights.min())
    often = {"bccd": smears, "photo": PHOTOGRAPHS}
    return [weight * often.get(view.group.split("/")[0], 1.0) for weight, view in zip(capped, shown, strict=True)]


def _cache(part: views.Part, plan: Plan) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    features.build(plan.work / "features", part.name, part.jobs(plan.data, SEED), _worker_trunk())


@lru_cache(maxsize=1)
def _worker_trunk() -> nn.Module:
    return load_trunk()


def passages(data: Path) -> list[tuple[str, str]]:
    """Titles and texts that stand in prompts as background: our own, and answers of health institutes."""
    ours = [(title, text) for _, title, text in PASSAGES]
    return ours * 20 + [(" ".join(text.split()[:4]), text) for text in answers(data, 3_000)]


class Gatherer:
    """Grids `(n, 144, 1280)` of views by their position in all caches together."""

    def __init__(self, grids: Sequence[NDArray[np.float16]]) -> None:
        self.grids = grids
        self._starts = np.cumsum([0] + [len(grid) for grid in grids])

    def __call__(self, positions: Sequence[int]) -> NDArray[np.float16]:
        out = np.empty((len(positions), TOKENS, WIDTH), np.float16)
        for row, position in enumerate(positions):
            cache = int(np.searchsorted(self._starts, position, side="right")) - 1
            out[row] = self.grids[cache][position - int(self._starts[cache])]
        return out


def _tell(*words: Any) -> None:
    print(*words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
