"""Whether a run's confidence tells good texts from bad ones, by the scores that they got."""

from __future__ import annotations

import numpy as np

from evaluation.calibration.coverage import risk_coverage
from evaluation.charts import Curve, Curves
from evaluation.metrics.scored import Scored
from evaluation.report.document import Block, Plot, Section
from evaluation.report.gallery import EACH, Chosen
from evaluation.report.scores import Judged
from evaluation.runs import Run

FEWEST = 5
"""Texts with a confidence and a score, for a curve."""

RIGHT_OR_WRONG = ("content", "accuracy")
"""Metrics by which risk, the share that is wrong, is told beside the headline's."""


def section(run: Run, judged: Judged) -> Section | None:
    """Risk by coverage where texts are known to be right or wrong, else the score by coverage."""
    metrics = [metric for metric in RIGHT_OR_WRONG if metric in judged.scored.values] or [str(judged.headline)]
    plots: list[Block] = [
        plot for metric in metrics if metric in judged.scored.values and (plot := _plot(run, judged.scored, metric))
    ]
    return Section("Saying nothing where unsure", plots) if plots else None


def _plot(run: Run, scored: Scored, metric: str) -> Plot | None:
    """How a metric changes as the least confident are left out; None where records have no confidence."""
    values, recipe, sure = scored.values[metric], scored.recipes[metric], _confidence(run, scored)
    kept = np.flatnonzero(~np.isnan(values) & ~np.isnan(sure))
    if len(kept) < FEWEST:
        return None
    risk = metric in RIGHT_OR_WRONG
    of = 1 - values[kept] if risk else values[kept]
    low_first = risk or recipe.lower_is_better
    by_confidence, best = risk_coverage(sure[kept], of), risk_coverage(-of if low_first else of, of)
    curves = [
        Curve("most confident first", by_confidence.coverage, by_confidence.risk),
        Curve("random order", best.coverage, np.full(len(kept), float(of.mean()))),
        Curve("ideal order", best.coverage, best.risk),
    ]
    what = f"1 - {recipe.title}" if risk else recipe.title
    note = (
        f"Mean {what} of the share of texts that is kept, the most confident first, equally confident ones in random "
        f"order. Confidence is worth something where its line lies {'below' if low_first else 'above'} that of a "
        "random order; the ideal one keeps by score."
    )
    name = "Risk" if risk else recipe.title
    return Plot(f"{name} by coverage", Curves(curves, "coverage", f"risk, {what}" if risk else f"mean {what}"), note)


def sure_and_low(run: Run, scored: Scored, metric: str, taken: set[int]) -> list[Chosen]:
    """Of the half with the lower scores, those of the highest confidence."""
    values = -scored.values[metric] if scored.recipes[metric].lower_is_better else scored.values[metric]
    sure = _confidence(run, scored)
    known = np.flatnonzero(~np.isnan(values) & ~np.isnan(sure))
    if len(known) < FEWEST:
        return []
    half = float(np.median(values[known]))
    low = [int(place) for place in known if values[place] < half and int(place) not in taken]
    title = scored.recipes[metric].title
    return [
        Chosen(
            place, f"Sure ({sure[place]:.3f}), and yet in the lower half: {title} {scored.values[metric][place]:.3f}"
        )
        for place in sorted(low, key=lambda place: -sure[place])[:EACH]
    ]


def _confidence(run: Run, scored: Scored) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of each scored text, NaN where its record has none."""
    found = [run.records.get(id_, {}).get("confidence") for id_ in scored.ids]
    return np.asarray([np.nan if one is None else float(one["score"]) for one in found])
