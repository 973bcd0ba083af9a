"""Trains both embedded models: `python -m pocket.train --data ../shared/data --out pocket/weights --work WORK`.

Six stages, each skipped where its result is in the work folder already: features, tokenizer, language,
encoder, generator, refine. Curves are CSV files there.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from pocket import encoder, generator, tokenizer, views
from pocket.corpus import Library, Sample, image_samples, text_samples
from pocket.features import Cache, build, load
from pocket.language import Figure, answers, figures, neighbours
from pocket.starter import PASSAGES
from pocket.trunk import TOKENS, WIDTH, load_trunk

SEED = 1
PROJECTOR_SAMPLE = 1_500


@dataclass(frozen=True)
class Plan:
    """Where things are, and how many minutes of wall clock each training stage may take."""

    data: Path
    out: Path
    work: Path
    language_minutes: float
    encoder_minutes: float
    generator_minutes: float
    refine_minutes: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs all stages."""
    parser = argparse.ArgumentParser(prog="python -m pocket.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd, dsb2018, vqa_rad and text")
    parser.add_argument("--out", type=Path, required=True, help="folder that gets clip/ and vlm/")
    parser.add_argument("--work", type=Path, default=Path(".scratch/pocket"), help="folder for features and curves")
    parser.add_argument("--language-minutes", type=float, default=5)
    parser.add_argument("--encoder-minutes", type=float, default=3)
    parser.add_argument("--generator-minutes", type=float, default=27)
    parser.add_argument("--refine-minutes", type=float, default=4)
    train(Plan(**vars(parser.parse_args(arguments))))


def train(plan: Plan) -> None:
    """Features, tokenizer, language, encoder, generator, refine."""
    generator.keep_memory()
    torch.manual_seed(SEED)
    plan.work.mkdir(parents=True, exist_ok=True)
    trunk = load_trunk()
    _tell("features of every training view")
    names = []
    for name, jobs in views.training_jobs(plan.data, SEED):
        build(plan.work / "features", name, jobs, trunk)
        names.append(name)
        _tell(f"  {name}")
    caches = load(plan.work / "features", names)
    library = Library(views.all_views(caches), figures(plan.data), passages(plan.data))
    spelling = _tokenizer(plan, library)
    _language(plan, library, spelling, trunk)
    _encoder(plan, caches, library.figures, spelling, trunk)
    _generator(plan, caches, library, spelling, trunk)
    _refine(plan, names, spelling, trunk)


def passages(data: Path) -> list[tuple[str, str]]:
    """Titles and texts that stand in prompts as background: our own, and answers of health institutes."""
    ours = [(title, text) for _, title, text in PASSAGES]
    return ours * 20 + [(" ".join(text.split()[:4]), text) for text in answers(data, 3_000)]


def _tokenizer(plan: Plan, library: Library) -> Tokenizer:
    path = plan.work / "tokenizer.json"
    if not path.exists():
        _tell("tokenizer")
        samples = image_samples(library.views, library, random.Random(SEED))
        texts = [figure.text for figure in library.figures] + [text for _, text in library.passages]
        tokenizer.train(texts + [s.prompt + s.answer for s in samples]).save(str(path))
    return Tokenizer.from_file(str(path))


def _language(plan: Plan, library: Library, spelling: Tokenizer, trunk: nn.Module) -> None:
    path = plan.work / "language.pt"
    if path.exists():
        return
    _tell(f"language, {plan.language_minutes:g} minutes")
    model = generator.build(spelling, trunk)
    schedule = generator.Schedule(steps=10**6, minutes=plan.language_minutes, learning_rate=1.5e-3)
    epochs = _text_epochs(plan, library)
    generator.fit(model, epochs, None, spelling, schedule, plan.work / "language.csv", SEED)
    torch.save(model.state_dict(), path)


def _text_epochs(plan: Plan, library: Library) -> Iterator[list[Sample]]:
    rng = random.Random(SEED + 1)
    nearest = neighbours(list(library.figures), 3)
    prose = answers(plan.data, 4_000)
    while True:
        samples = list(text_samples(library.figures, nearest, library, rng))
        samples += [Sample("", text) for text in rng.sample(prose, 1_000)]
        rng.shuffle(samples)
        for start in range(0, len(samples), 2_000):
            yield samples[start : start + 2_000]


def _encoder(
    plan: Plan, caches: Sequence[Cache], told: Sequence[Figure], spelling: Tokenizer, trunk: nn.Module
) -> None:
    folder = plan.out / "clip"
    if (plan.work / "encoder.done").exists():
        return
    _tell(f"encoder, {plan.encoder_minutes:g} minutes")
    pooled = encoder.pooled(caches)
    facts = [view.facts for view in views.all_views(caches)]
    matrix, bias = encoder.whitening(pooled, encoder.kind_weights(facts))
    model = encoder.build(trunk, matrix, bias, folder)
    embeddings = encoder.project(pooled, matrix, bias)
    log = plan.work / "encoder.csv"
    encoder.fit_text(model, embeddings, facts, told, spelling, plan.encoder_minutes, 10**6, log, SEED)
    encoder.save(model, spelling, folder)
    (plan.work / "encoder.done").touch()


def _generator(plan: Plan, caches: Sequence[Cache], library: Library, spelling: Tokenizer, trunk: nn.Module) -> None:
    if (plan.work / "generator.done").exists():
        return
    _tell(f"generator, {plan.generator_minutes:g} minutes")
    model = generator.build(spelling, trunk)
    model.load_state_dict(torch.load(plan.work / "language.pt", weights_only=True))
    gather = Gatherer(caches)
    chosen = sorted(random.Random(SEED).sample(range(len(library.views)), PROJECTOR_SAMPLE))
    generator.start_projector(model, gather(chosen)[:, ::5].reshape(-1, WIDTH))
    schedule = generator.Schedule(steps=10**6, minutes=plan.generator_minutes, learning_rate=1.2e-3)
    generator.fit(model, _epochs(library), gather, spelling, schedule, plan.work / "generator.csv", SEED)
    generator.save(model, spelling, plan.out / "vlm")
    (plan.work / "generator.done").touch()


def _refine(plan: Plan, names: Sequence[str], spelling: Tokenizer, trunk: nn.Module) -> None:
    """A second, shorter pass at a third of the rate, with white cells close up among the views."""
    if (plan.work / "refine.done").exists():
        return
    _tell(f"refine, {plan.refine_minutes:g} minutes")
    build(plan.work / "features", "rendered-closeup", views.closeup_jobs(), trunk)
    caches = load(plan.work / "features", [*names, "rendered-closeup"])
    library = Library(views.all_views(caches), figures(plan.data), passages(plan.data))
    model = generator.build(spelling, trunk)
    model.load_state_dict(load_file(plan.out / "vlm" / "model.safetensors"), strict=False)  # the head is the embedding
    schedule = generator.Schedule(steps=10**6, minutes=plan.refine_minutes, learning_rate=4e-4)
    generator.fit(model, _epochs(library), Gatherer(caches), spelling, schedule, plan.work / "refine.csv", SEED + 3)
    generator.save(model, spelling, plan.out / "vlm")
    (plan.work / "refine.done").touch()


def _epochs(library: Library) -> Iterator[list[Sample]]:
    """Each epoch draws the kinds evenly, close-ups more often, and new evidence and questions for each view."""
    rng = random.Random(SEED + 2)
    weights = encoder.kind_weights([view.facts for view in library.views])
    weights = np.minimum(weights, 4 * weights.min())  # the rarest kinds are not repeated without end
    weights *= [4.0 if view.group.startswith("rendered/closeup/") else 1.0 for view in library.views]
    told = [figure for figure in library.figures if figure.facts is not None]
    while True:
        chosen = rng.choices(range(len(library.views)), weights=weights.tolist(), k=3_000)
        samples = []
        for sample, position in zip(
            image_samples([library.views[i] for i in chosen], library, rng), chosen, strict=True
        ):
            samples.append(Sample(sample.prompt, sample.answer, position))
        part = rng.sample(told, 200)
        samples += list(text_samples(part, [[] for _ in part], library, rng, free=0.0))
        yield samples


class Gatherer:
    """Features `(n, 49, 1280)` of views by their position in all caches together."""

    def __init__(self, caches: Sequence[Cache]) -> None:
        self._caches = caches
        self._starts = np.cumsum([0] + [len(cache.views) for cache in caches])

    def __call__(self, positions: Sequence[int]) -> NDArray[np.float16]:
        out = np.empty((len(positions), TOKENS, WIDTH), np.float16)
        for row, position in enumerate(positions):
            cache = int(np.searchsorted(self._starts, position, side="right")) - 1
            out[row] = self._caches[cache].tokens[position - int(self._starts[cache])]
        return out


def _tell(*words: Any) -> None:
    print(*words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
