"""Texts held against references by every metric asked for, with their foils; and a run's, with what it cost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluation.errors import MetricError, MissingMetricError
from evaluation.metrics import costs, registry
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.foils import Foil, make
from evaluation.metrics.measures import Asked, Measure, only_of
from evaluation.metrics.nearest import nearest_captions
from evaluation.metrics.scored import FOILS, NEAREST, Recipe, Scored
from evaluation.runs import Run
from evaluation.statistics.intervals import Estimate, Numbers
from indexer.errors import IndexerError
from rag.starter import IMAGE_EMBEDDER, STARTER

Tell = Callable[[str], None]
Values = dict[str, Numbers]


def score_texts(
    name: str,
    texts: Sequence[str],
    asked: Asked,
    metrics: Sequence[str] = ("default",),
    config: MetricsConfig | None = None,
    tell: Tell = lambda _: None,
    foils: Collection[str] = FOILS,
) -> Scored:
    """The metrics of n texts and of their foils. `metrics` are names of metrics and presets, `default` those that suit.

    Only such `foils` are made as are named: whoever needs no more than the texts' own values names none.

    A metric that cannot be computed here is in `missing`, with the reason. Raises MetricError for a name there is not,
    and where there are no texts.
    """
    config = config or MetricsConfig()
    if len(texts) != len(asked.references) or not texts:
        raise MetricError(f"{name}: {len(texts)} texts for {len(asked.references)} references")
    names = registry.named(metrics, asked)
    wanted = registry.families(names)
    measures, missing = _opened(wanted, asked, config)
    made, without = make(asked, texts, config, content="content" in measures, wanted=foils)
    variants = [tuple(texts), *(variant for foil in made for variant in foil.variants)]
    tell(f"{len(texts)} texts and {len(variants) - 1} sets of foils: {', '.join(measures) or 'no metric can be had'}")
    found = _Found()
    # Two at a time: METEOR is a process of its own and leaves this one free.
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = {family: pool.submit(_scored, measure, variants) for family, measure in measures.items()}
        for family, job in jobs.items():
            try:
                found.add(measures[family], wanted[family], job.result(), made)
            except MissingMetricError as error:
                missing |= dict.fromkeys(wanted[family], str(error))
    found.sort(names)
    return Scored(
        name=name, ids=asked.ids, groups=asked.groups, values=found.values, recipes=found.recipes,
        splits=asked.splits, foils=found.foils, corpus=found.corpus, missing=missing | without,
        notes={foil.name: foil.note for foil in made},
    )  # fmt: skip


def score_run(
    run: Run,
    metrics: Sequence[str] = ("default",),
    config: MetricsConfig | None = None,
    index: Path | None = None,
    tell: Tell = lambda _: None,
    foils: Collection[str] = FOILS,
) -> Scored:
    """The metrics, foils and costs of a run. An image that has no description counts with an empty text.

    Nearest captions are those of the records' evidence; where they have none, of `index`, which is searched only where
    they are among `foils`.
    """
    asked = asked_of(run, index)
    if NEAREST in foils and not asked.is_questions:
        asked = replace(asked, nearest=nearest_captions(run, asked, index))
    texts = [run.text(case.id) for case in run.cases]
    scored = score_texts(run.name, texts, asked, metrics, config, tell, foils)
    spent = costs.by_record([run.records.get(case.id) for case in run.cases])
    kept = {name: values for name, values in spent.items() if not np.isnan(values).all()}
    return replace(
        scored,
        values={**scored.values, **kept},
        recipes={**scored.recipes, **{name: costs.RECIPES[name] for name in kept}},
        costs=costs.whole(spent, scored.groups, costs.noted(run.folder)),
    )


def asked_of(run: Run, index: Path | None = None) -> Asked:
    """What a run's texts are to be held against, but for nearest captions."""
    cases = run.cases
    names = list(dict.fromkeys(name for case in cases for name in case.splits))
    splits = {name: tuple(case.splits.get(name) for case in cases) for name in names}
    if any(case.modality for case in cases):
        splits = {"modality": tuple(case.modality for case in cases)} | splits
    codes = tuple(case.concepts or None for case in cases)
    return Asked(
        ids=tuple(case.id for case in cases),
        references=tuple(case.caption for case in cases),
        groups=tuple(case.group for case in cases),
        images=tuple(case.image for case in cases),
        concepts=codes,
        truth=tuple(case.truth for case in cases),
        content=run.content,
        types=tuple(case.answer_type for case in cases),
        splits=splits,
        embedder=_embedder(run, index),
    )


def _embedder(run: Run, index: Path | None) -> str:
    """The index whose encoder judges how well text and image fit; that of the starter index where there is none."""
    named = str(index) if index else (run.made.get("settings") or {}).get("retrieval", {}).get("index")
    return named if named not in (None, STARTER) and Path(named).is_dir() else IMAGE_EMBEDDER


def _opened(
    wanted: Mapping[str, Sequence[str]], asked: Asked, config: MetricsConfig
) -> tuple[dict[str, Measure], dict[str, str]]:
    measures: dict[str, Measure] = {}
    missing: dict[str, str] = {}
    for family, names in wanted.items():
        try:
            measures[family] = registry.FAMILIES[family](asked, config)
        except (MissingMetricError, IndexerError) as error:
            missing |= dict.fromkeys(names, str(error))
    return measures, missing


def _scored(measure: Measure, variants: Sequence[Sequence[str]]) -> tuple[list[Values], Mapping[str, Estimate]]:
    return measure.score(variants), measure.corpus(variants[0])


class _Found:
    """What the measures found, gathered: the run's own, and each foil's."""

    def __init__(self) -> None:
        self.values: Values = {}
        self.foils: dict[str, Values] = {}
        self.corpus: dict[str, Estimate] = {}
        self.recipes: dict[str, Recipe] = {}

    def add(
        self,
        measure: Measure,
        names: Sequence[str],
        scored: tuple[list[Values], Mapping[str, Estimate]],
        foils: Sequence[Foil],
    ) -> None:
        """Of a measure those of `names`; `scored` has the run's own texts first, then each foil's variants in order."""
        variants, corpus = scored
        self.values |= only_of(variants[0], names)
        self.recipes |= only_of(measure.recipes, names)
        self.corpus |= only_of(corpus, names)
        start = 1
        for foil in foils:
            mine = variants[start : start + len(foil.variants)]
            start += len(foil.variants)
            kept = self.foils.setdefault(foil.name, {})
            for metric in only_of(variants[0], names):
                kept[metric] = foil.values([values[metric] for values in mine], measure.recipes[metric].lower_is_better)

    def sort(self, names: Sequence[str]) -> None:
        """Puts metrics into the order in which they were asked for."""
        order = sorted(self.values, key=lambda name: names.index(name if name in names else name.partition(".")[0]))
        self.values = {name: self.values[name] for name in order}
        self.recipes = {name: self.recipes[name] for name in order}
