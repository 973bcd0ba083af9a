"""Does retrieval help, and what with? One set of images described in every arm, and the differences between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation import rouge
from evaluation.ablation import scores
from evaluation.ablation.arms import Arm, Plan
from evaluation.ablation.evidence import Chooser, Planned
from evaluation.ablation.predictions import ORDERS, Describer, Said
from evaluation.ablation.scores import Follows, Judge, Row, follows
from evaluation.errors import EvaluationError
from evaluation.sets import EvaluationSet
from evaluation.statistics.intervals import DRAWS, LEVEL, Numbers
from indexer.manifest import hash_json
from rag.config import Settings
from rag.recipe import recipe

PREDICTIONS = "predictions"
MAX_K = 10
NEAREST_CAPTION = "nearest caption"


@dataclass(frozen=True)
class Results:
    """The figures of an ablation: of its arms in their order, of foils that describe nothing, of paired differences.

    `images` are those that were described; `failures` say why others were not.
    """

    recipe: Mapping[str, Any]
    images: EvaluationSet
    plan: Plan
    arms: Mapping[Arm, Row]
    foils: tuple[Row, ...]
    differences: tuple[Row, ...]
    follows: Mapping[Arm, Follows]
    said: Mapping[Arm, Sequence[Said]]
    failures: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Figures and how they were made; no text of the data or of a model."""
        return {
            "recipe": dict(self.recipe),
            "arms": [{**asdict(arm), **row.to_json()} for arm, row in self.arms.items()],
            "foils": [row.to_json() for row in self.foils],
            "differences": [row.to_json() for row in self.differences],
            "follows": [{"arm": arm.name, **found.to_json()} for arm, found in self.follows.items()],
            "failures": len(self.failures),
        }


@dataclass(frozen=True)
class Described:
    """What was said of `images` in every arm, before it is judged; `about` says by what."""

    images: EvaluationSet
    plan: Plan
    planned: Planned
    said: Mapping[Arm, Sequence[Said]]
    failures: tuple[str, ...]
    about: Mapping[str, Any]


def evaluate_retrieval(
    settings: Settings, images: EvaluationSet, ks: Sequence[int], folder: Path, tell: Callable[[str], None]
) -> Results:
    """`describe`, then `judge`."""
    return judge(describe(settings, images, ks, folder, tell))


def describe(
    settings: Settings, images: EvaluationSet, ks: Sequence[int], folder: Path, tell: Callable[[str], None]
) -> Described:
    """Describes every image in every arm; what was said is kept in `folder`, and found there again.

    The seed of the settings draws the random evidence and the images that are swapped. Raises EvaluationError, and
    what opening the pipeline raises.
    """
    images.need_captions("evaluate retrieval")
    if not ks or not all(1 <= k <= MAX_K for k in ks):
        raise EvaluationError(f"--ks {','.join(map(str, ks))}: numbers of examples are from 1 to {MAX_K}")
    if not settings.retrieval.enabled:
        raise EvaluationError("--no-rag leaves nothing to compare: the arm `none` is among the others")
    seed = settings.generation.seed
    describer = Describer(settings, folder / PREDICTIONS, tell)
    k = settings.retrieval.k
    plan = Plan(tuple(ks), ORDERS, k if k in ks else max(ks), describer.order)
    chooser = Chooser(settings, plan.ks, describer.pipeline.templates["caption"].kinds, seed)
    planned = chooser.plan(images.cases, describer.chunk)
    left = replace(images, cases=tuple(case for case in images.cases if case.id in planned.chosen))
    if not left.cases:
        raise EvaluationError(f"set {images.name}: no image can be read. {next(iter(planned.failed.values()))}")
    said = {arm: describer.said(arm, left.cases, planned) for arm in plan.arms()}
    failures = [*images.failures, *planned.failed.values()]
    failures += [f"{arm.name}: {one.failed}" for arm, several in said.items() for one in several if one.failed]
    return Described(left, plan, planned, said, tuple(failures), _about(describer, plan, planned, seed))


def judge(described: Described) -> Results:
    """The figures of what was said."""
    plan, images = described.plan, described.images
    judged = _Judged(images, plan, described.planned, described.said)
    return Results(
        recipe={**recipe(), "set": _set(images), **described.about},
        images=images,
        plan=plan,
        arms={arm: judged.judge.row(arm.name, measures) for arm, measures in judged.measures.items()},
        foils=tuple(judged.foils()),
        differences=tuple(judged.differences()),
        follows={arm: judged.follows(arm) for arm in (plan.arm("swapped"), plan.arm("nearest", picture="swapped"))},
        said=described.said,
        failures=described.failures,
    )


class _Judged:
    """What was said in the arms, measured."""

    def __init__(self, images: EvaluationSet, plan: Plan, planned: Planned, said: Mapping[Arm, Sequence[Said]]) -> None:
        self._images, self._plan, self._planned = images, plan, planned
        self._texts = {arm: [one.text for one in several] for arm, several in said.items()}
        self.judge = Judge(images)
        self.measures = {arm: self._measure(arm, said[arm]) for arm in said}
        self._captions = {name: self.judge.measure(texts) for name, texts in self._foil_texts().items()}

    def _measure(self, arm: Arm, said: Sequence[Said]) -> dict[str, Numbers]:
        main = self._texts[self._plan.main]
        same = [float(text == other) for text, other in zip(self._texts[arm], main, strict=True)]
        return self.judge.measure(self._texts[arm]) | {
            scores.ABSTAINED: np.asarray([float(one.abstained) for one in said]),
            scores.SAME: np.asarray(same),
        }

    def differences(self) -> list[Row]:
        """Paired: the first one minus the second, positive where the first is better."""
        plan, rows = self._plan, []
        for k in plan.ks:
            nearest = plan.arm("nearest", k)
            rows += [
                self._difference(nearest, plan.arm("none")),
                self._difference(nearest, plan.arm("random", k)),
                self._difference(plan.arm("oracle", k), nearest),
            ]
        if len(plan.orders) > 1:
            first, last = ([plan.arm("nearest", k, order) for k in plan.ks if k > 1] for order in plan.orders)
            rows += [self._difference(*pair) for pair in zip(last, first, strict=True)]
        changed = (plan.arm("swapped"), plan.arm("nearest", picture="swapped"), plan.arm("nearest", picture="blank"))
        rows += [self._difference(plan.main, arm) for arm in changed]
        return [*rows, self._compared(plan.main.name, NEAREST_CAPTION)]

    def foils(self) -> list[Row]:
        """The figures of texts that nobody wrote for the images."""
        return [self.judge.row(name, measures) for name, measures in self._captions.items()]

    def _foil_texts(self) -> dict[str, list[str]]:
        """Captions of the index as they stand: the one that is best for all, the nearest and the oracle's."""
        chosen = [self._planned.chosen[case.id] for case in self._images.cases]
        first = [c.nearest[min(c.nearest)].evidence for c in chosen]
        nearest = [next((e.text for e in evidence if e.kind == "example"), "") for evidence in first]
        oracle = [c.oracle[0].text if c.oracle else "" for c in chosen]
        mean = rouge.table(nearest, [case.caption for case in self._images.cases]).mean(axis=1)
        return {
            "constant caption": [nearest[int(mean.argmax())]] * len(nearest),
            NEAREST_CAPTION: nearest,
            "oracle caption": oracle,
        }

    def follows(self, arm: Arm) -> Follows:
        own = [case.truth for case in self._images.cases]
        other = [self._planned.partners[case.id].truth for case in self._images.cases]
        shown, evidence = (other, own) if arm.picture == "swapped" else (own, other)
        return follows(self._images, self._texts[arm], shown, evidence)

    def _difference(self, first: Arm, second: Arm) -> Row:
        return self._compared(first.name, second.name)

    def _compared(self, first: str, second: str) -> Row:
        """Of arms or foils, by name."""
        named = {**{arm.name: measures for arm, measures in self.measures.items()}, **self._captions}
        kept = (scores.CONTENT, *self._images.lists, scores.GAIN)
        one, other = ({key: named[name][key] for key in kept} for name in (first, second))
        return self.judge.difference(f"{first} - {second}", one, other)


def _set(images: EvaluationSet) -> dict[str, Any]:
    """What the figures are of; `judged` counts the images of which a list's value is known."""
    modalities = [case.modality or "unknown" for case in images.cases]
    return {
        "name": images.name,
        "images": len(images.cases),
        "articles": len({case.group for case in images.cases}),
        "modalities": {name: modalities.count(name) for name in sorted(set(modalities))},
        "judged": {name: sum(case.truth.get(name) is not None for case in images.cases) for name in images.lists},
        "truth": images.truth_from,
        "content": f"{images.content.name}@{images.content.hash[:8]}",
    }


def _about(describer: Describer, plan: Plan, planned: Planned, seed: int) -> dict[str, Any]:
    """What described, from what."""
    settings, speaker = describer.settings, describer.pipeline.speaker
    dumped = settings.model_dump(mode="json")
    return {
        "index": f"{settings.retrieval.index}@{planned.version}",
        "model": f"{speaker.engine.model}@{speaker.engine.fingerprint[:8]}",
        "adapter": speaker.engine.adapter,
        "prompt": describer.pipeline.templates["caption"].version,
        "settings": dumped,
        "settings_hash": hash_json(dumped)[:12],
        "ks": list(plan.ks),
        "orders": list(plan.orders),
        "main": plan.main.name,
        "seed": seed,
        "bootstrap": {"draws": DRAWS, "level": LEVEL, "grouped_by": "article", "p": "one-sided, for not above 0"},
    }


def write(results: Results, folder: Path) -> list[Path]:
    """Writes `results.json` and the page `index.html`, which holds images and texts of the data, into the folder."""
    from evaluation.report.html import to_html
    from evaluation.report.retrieval import results_document

    folder.mkdir(parents=True, exist_ok=True)
    figures, page = folder / "results.json", folder / "index.html"
    figures.write_text(json.dumps(results.to_json(), indent=1) + "\n", encoding="utf-8")
    page.write_text(to_html(results_document(results)), encoding="utf-8")
    return [figures, page]
