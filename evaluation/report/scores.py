"""The scores of a run as tables and plots: beside foils, by modality and the like; and in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evaluation.charts import Intervals, Mark
from evaluation.charts.drawing import SIGNS
from evaluation.metrics.scored import CONSTANT, NEAREST, SHUFFLED, Scored
from evaluation.metrics.table import Figures, figures
from evaluation.report.document import Blank, Block, Cell, Column, Facts, Group, Line, Plot, Table
from evaluation.report.words import counted, estimate, listed
from evaluation.statistics.intervals import Estimate

HEADLINES = ("rouge1", "imageclef_rouge1", "accuracy", "field_f1", "content", "bertscore", "chrf")
"""The metrics that a headline may be of, the first that there is."""

FOILS = {SHUFFLED: "own texts, shuffled", CONSTANT: "one constant sentence", NEAREST: "nearest neighbour's caption"}
FOIL_SHAPES = {SHUFFLED: "hollow", CONSTANT: "triangle", NEAREST: "square"}


@dataclass(frozen=True)
class Judged:
    """Scores with their figures, computed once."""

    scored: Scored

    @cached_property
    def figures(self) -> Figures:
        """Means and intervals of all metrics, foils, gains and splits."""
        return figures(self.scored)

    @property
    def metrics(self) -> list[str]:
        """The metrics that are scores: those with a unit are costs."""
        return [name for name in self.scored.values if not self.scored.recipes[name].unit]

    @cached_property
    def headline(self) -> str | None:
        """The metric that the headline is of: one that texts can be shuffled for. None where nothing was scored."""
        known = [name for name in self.metrics if name in self.figures.own]
        gained = [name for name in known if name in self.figures.gains.get(SHUFFLED, {})]
        ranked = [*(name for name in HEADLINES if name in gained), *gained, *known]
        return ranked[0] if ranked else None

    @property
    def main(self) -> list[str]:
        """The metrics of tables with little room: the headline's first, then those that are told of most often."""
        known = [name for name in self.metrics if name in self.figures.own]
        first = [self.headline] if self.headline else []
        return list(dict.fromkeys([*first, *(name for name in HEADLINES if name in known), *known]))[:MAIN]

    def title(self, metric: str) -> str:
        """What a metric is called."""
        return self.scored.recipes[metric].title if metric in self.scored.recipes else metric

    def own(self, metric: str) -> Estimate | None:
        return self.figures.own.get(metric)

    def foil(self, foil: str, metric: str) -> Estimate | None:
        return self.figures.foils.get(foil, {}).get(metric)

    def gain(self, metric: str) -> Estimate | None:
        """Over the run's own texts, shuffled."""
        return self.figures.gains.get(SHUFFLED, {}).get(metric)

    def beaten_by(self, foil: str) -> list[str]:
        """The metrics in which a foil's mean is the better one."""
        return [name for name in self.metrics if self._beats(foil, name)]

    def _beats(self, foil: str, metric: str) -> bool:
        own, other = self.own(metric), self.foil(foil, metric)
        if own is None or other is None:
            return False
        return other.value < own.value if self.scored.recipes[metric].lower_is_better else other.value > own.value

    @property
    def unmeasured(self) -> dict[str, str]:
        """What is not measured and why; foils by what they are."""
        return {
            f"foil: {FOILS[name]}" if name in FOILS else self.title(name): why
            for name, why in self.scored.missing.items()
        }


MAIN = 6
"""Metrics of a table with little room."""


def summary(judged: Judged, metric: str) -> list[str]:
    """What the scores say, in plain words: the gain over shuffled texts first, then foils that do better."""
    title, own, gain = judged.title(metric), judged.own(metric), judged.gain(metric)
    said = []
    if own is not None and gain is not None:
        said.append(
            f"The texts score {estimate(own)} in {title} with the references of their own images. The gain over the "
            f"same texts dealt out to other images is {estimate(gain)}: {gain_words(gain)}."
        )
    elif own is not None:
        said.append(f"{title} is {estimate(own)}; no foil was scored, so what that is worth is not known.")
    gained = [judged.title(m) for m in judged.metrics if _surely(judged.gain(m)) and m != metric]
    if gained:
        said.append(f"The gain over shuffled texts is surely above 0 in {listed(gained)}.")
    for foil, whose in (
        (CONSTANT, "One constant sentence for all images, which says nothing of any image,"),
        (NEAREST, "The nearest neighbour's caption"),
    ):
        beaten = [judged.title(name) for name in judged.beaten_by(foil)]
        if beaten:
            said.append(f"{whose} does better in {listed(beaten)}.")
    return said


def _surely(gain: Estimate | None) -> bool:
    return gain is not None and gain.low is not None and gain.low > 0


def gain_words(gain: Estimate) -> str:
    """What a gain over shuffled texts means."""
    if gain.low is None or gain.high is None:
        return "too few images for an interval"
    if gain.low > 0:
        return "the texts do say something of their own image"
    if gain.high < 0:
        return "they fit other images better than their own"
    return "by this metric no sign that they say anything of their own image"


def blocks(judged: Judged, data: bool) -> Iterator[Block]:
    """The run beside its foils, and by each split."""
    if judged.headline is not None:
        yield foil_plot(judged, judged.headline)
    yield scores_table(judged)
    if judged.scored.notes:
        notes = {FOILS.get(name, name): note if data else _untold(note) for name, note in judged.scored.notes.items()}
        yield Facts("How the foils were made", notes)
    yield from split_tables(judged)


def _untold(note: str) -> str:
    """A note without the texts that it quotes."""
    cut = min((place for place in map(note.find, ("'", '"', "“")) if place >= 0), default=len(note))
    return note if cut == len(note) else f"{note[:cut].rstrip(' :')} (its text is left out)"


def foil_plot(judged: Judged, metric: str) -> Plot:
    """The run beside texts that nobody wrote for its images."""
    marks = [Mark("the run", judged.own(metric))]
    foils = [foil for foil in FOILS if judged.foil(foil, metric) is not None]
    marks += [Mark(FOILS[foil], judged.foil(foil, metric), FOIL_SHAPES[foil]) for foil in foils]
    title = judged.title(metric)
    note = ", ".join([f"{SIGNS['circle']} the run", *(f"{SIGNS[FOIL_SHAPES[foil]]} {FOILS[foil]}" for foil in foils)])
    return Plot(f"{title} beside foils", Intervals(marks, f"{title}, mean and 95 % interval"), f"{note}.")


def scores_table(judged: Judged) -> Table:
    """A row a metric: the run, its foils, the gain over shuffled texts; what is missing with the reason."""
    scored = judged.scored
    foils = [foil for foil in FOILS if foil in scored.foils]
    gained = SHUFFLED in scored.foils
    columns = [*([Column("gain over shuffled")] if gained else []), Column("run"), *(Column(FOILS[f]) for f in foils)]
    columns += [Column("all texts together")] if scored.corpus else []
    lines = []
    for metric in judged.metrics:
        cells: list[Cell] = [_or_blank(judged.gain(metric))] if gained else []
        cells += [_or_blank(judged.own(metric), scored.missing.get(metric, "nothing to judge"))]
        cells += [_or_blank(judged.foil(foil, metric)) for foil in foils]
        cells += [scored.corpus.get(metric, Blank())] if scored.corpus else []
        lines.append(Line(judged.title(metric), cells, recipe=metric))
    missing = {name: why for name, why in scored.missing.items() if name not in scored.values and name not in FOILS}
    blank = [Line(name, [Blank(why), *[Blank()] * (len(columns) - 1)]) for name, why in missing.items()]
    groups = [Group(lines), *([Group(blank, "not measured")] if blank else [])]
    note = (
        "Means over images with 95 % bootstrap intervals, articles drawn whole. The gain is own minus shuffled, paired "
        "by image (turned where lower is better); p is one-sided, for not above 0, * where it is under 0.05."
    )
    return Table(f"Scores of {counted(len(scored.ids), 'text')}", "metric", columns, groups, note, whole=True)


def split_tables(judged: Judged) -> Iterator[Table]:
    """For each split a row a value: texts, and the main metrics' figures."""
    for name, values in judged.figures.splits.items():
        counts, of = judged.figures.counts[name], judged.scored.splits[name]
        columns = [Column("texts"), *(Column(judged.title(metric), recipe=metric) for metric in judged.main)]
        lines = [
            Line(value, [counts[value], *(_or_blank(found.get(metric)) for metric in judged.main)])
            for value, found in values.items()
        ]
        left = sum(value is not None and value not in values for value in of)
        unknown = sum(value is None for value in of)
        notes = [f"{counted(left, 'text')} of rarer values have no row."] if left else []
        notes += [f"Of {counted(unknown, 'text')} it is not known."] if unknown else []
        yield Table(f"By {name}", name, columns, [Group(lines)], " ".join(notes), whole=True)


def short(scored: Scored, place: int, metrics: Sequence[str]) -> dict[str, float]:
    """An image's own figures by title; what was not judged is left out."""
    values = {scored.recipes[name].title: float(scored.values[name][place]) for name in metrics}
    return {title: value for title, value in values.items() if not np.isnan(value)}


def _or_blank(one: Estimate | None, why: str = "") -> Cell:
    return Blank(why) if one is None else one
