"""The search for a better prompt: candidates, successive halving, and a confirmation on images nothing was chosen by.

A folder holds it: `search.json` with the configuration and the candidates, `candidates/` with their templates,
`search/` and `confirm/` with a run for each, `results.json`, and the winner's template. Run it again and it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import configs
from evaluation.errors import ExperimentError
from evaluation.experiments import search_config
from evaluation.experiments.candidates import START, Candidate
from evaluation.experiments.costs import Cost, cost_of, together
from evaluation.experiments.describe import Describer, Tell, naming, once
from evaluation.experiments.halving import rounds, stay
from evaluation.experiments.plan import by_article, drawn
from evaluation.experiments.proposals import Proposed
from evaluation.experiments.scoring import primary_values, score_primary, spread
from evaluation.experiments.search_config import TEMPLATE, SearchConfig
from evaluation.experiments.search_folder import candidates, template_file
from evaluation.metrics.config import read_config
from evaluation.metrics.registry import named
from evaluation.metrics.scored import Scored
from evaluation.runs import read_run
from evaluation.sets import EvaluationSet
from evaluation.statistics.compare import Comparison, compare
from evaluation.statistics.intervals import Numbers
from rag.config import resolve, undotted
from rag.prompt_versions import written
from rag.prompts import TemplateConfig

TRIED, CONFIRM = "search", "confirm"


@dataclass(frozen=True)
class Round:
    """On how many images, and the mean of the primary metric of each candidate that was in it."""

    images: int
    means: dict[str, float]


@dataclass(frozen=True)
class Found:
    """What a search found. `confirmation` is of the winner against the start, on `held_back`; None where the start won,
    as is `file`, the winner's template. `cost` is of all descriptions."""

    name: str
    config: SearchConfig
    images: EvaluationSet
    held_back: EvaluationSet
    candidates: tuple[Candidate, ...]
    proposed: Proposed
    rounds: tuple[Round, ...]
    winner: Candidate
    confirmation: Comparison | None
    file: Path | None
    cost: Cost

    @property
    def exhaustive(self) -> int:
        """How many images would have been described had every candidate been tried on all."""
        return len(self.candidates) * len(self.images.cases)


def search(name: str, folder: Path | None, tell: Tell) -> tuple[Found, Path]:
    """Runs the search of that name or file, or goes on with it; what it found, and the folder.

    Without a folder it is `runs/search-NAME`. Raises ConfigError, ExperimentError and other EvaluationErrors, and what
    describing raises.
    """
    tell = once(tell)
    config = search_config.read(name)
    named([config.primary.metric])
    short = configs.find("experiments", name).stem
    out = folder or Path("runs") / f"search-{short}"
    images, held_back = split(drawn(config.images), config.confirm, config.seed)
    tried, proposed = candidates(config, short, images, out, tell)
    searcher = _Searcher(config, out, tell)
    took, winner = searcher.halve(tried, images)
    confirmation = file = None
    if winner.name != START:
        confirmation = searcher.confirm(tried[0], winner, held_back)
        file = _write_winner(config, winner, confirmation, len(images.cases), out)
    found = Found(
        name=short, config=config, images=images, held_back=held_back, candidates=tuple(tried), proposed=proposed,
        rounds=tuple(took), winner=winner, confirmation=confirmation, file=file,
        cost=together([cost_of(read_run(run)) for run in searcher.runs]),
    )  # fmt: skip
    return found, out


def split(images: EvaluationSet, confirm: float, seed: int) -> tuple[EvaluationSet, EvaluationSet]:
    """The images to search on and those kept back, in random order; an article is in one of them.

    Raises ExperimentError for a set of one article.
    """
    cases = by_article(images.cases, seed)
    groups = list(dict.fromkeys(case.group for case in cases))
    if len(groups) < 2:
        raise ExperimentError(f"set {images.name} has one article: a search is confirmed on other articles")
    kept = set(groups[: min(max(1, round(confirm * len(groups))), len(groups) - 1)])
    return (
        replace(images, cases=tuple(case for case in cases if case.group not in kept)),
        replace(images, cases=tuple(case for case in cases if case.group in kept)),
    )


class _Searcher:
    """Describes with candidates, and judges them; the models stay loaded from the search to the confirmation."""

    def __init__(self, config: SearchConfig, folder: Path, tell: Tell) -> None:
        self.config = config
        self.runs: list[Path] = []
        self._folder = folder
        self._tell = tell
        self._metrics = read_config(config.metric_settings)
        self._describer: Describer | None = None

    def halve(self, tried: Sequence[Candidate], images: EvaluationSet) -> tuple[list[Round], Candidate]:
        """The rounds, and the candidate that is left."""
        describer = self._open(tried, images, TRIED)
        took: list[Round] = []
        left = [candidate.name for candidate in tried]
        for each in rounds(len(tried), [case.group for case in images.cases], self.config.keep_one_in):
            describer.describe([self._folder / TRIED / name for name in left], each.images)
            means = {name: self._mean(self._scored(TRIED, name, each.images)) for name in left}
            took.append(Round(each.images, means))
            left = stay(means, each.stay)
            self._tell(f"{len(means)} candidates on {each.images} images; left: {', '.join(left)}")
        return took, next(candidate for candidate in tried if candidate.name == left[0])

    def confirm(self, start: Candidate, winner: Candidate, images: EvaluationSet) -> Comparison:
        """The winner against the start, on images that nothing was chosen by."""
        describer = self._open((start, winner), images, CONFIRM)
        describer.describe([self._folder / CONFIRM / candidate.name for candidate in (start, winner)])
        first, second = (self._column(images, candidate.name) for candidate in (start, winner))
        groups = [case.group for case in images.cases]
        return compare(first, second, groups, margin=self.config.primary.margin, alpha=self.config.alpha)

    def _open(self, tried: Sequence[Candidate], images: EvaluationSet, part: str) -> Describer:
        shared = None if self._describer is None else self._describer.shared
        self._describer = Describer(images, self._tell, shared)
        for candidate in tried:
            file, run = template_file(self._folder, candidate.name), self._folder / part / candidate.name
            with naming(f"candidate {candidate.name}"):
                settings = undotted({**self.config.settings, TEMPLATE: str(file)})
                self._describer.open(resolve(settings, described="settings of the search"), run)
            self.runs.append(run)
        return self._describer

    def _scored(self, part: str, name: str, first: int | None = None) -> Scored:
        run = read_run(self._folder / part / name)
        return score_primary(run, self.config.primary, self._metrics, first)

    def _mean(self, scored: Scored) -> float:
        return float(np.nanmean(primary_values(scored, self.config.primary)))

    def _column(self, images: EvaluationSet, name: str) -> Numbers:
        scored = self._scored(CONFIRM, name)
        return spread(images, scored, primary_values(scored, self.config.primary))


def _write_winner(config: SearchConfig, winner: Candidate, found: Comparison, searched: int, out: Path) -> Path:
    """The winner as a template of its own, its note saying how it was found and what came of the confirmation."""
    made = winner.template.config
    note = (
        f"{made.note.rstrip('.')}; won a search on {searched} images; against its parent on {found.n} others: "
        f"{found.verdict}, {config.primary.metric} {round(found.difference.value, 3) or 0.0:+.3f}."
    )
    file = out / f"{config.winner}.yaml"
    file.write_text(written(TemplateConfig.model_validate(made.model_dump() | {"note": note})), encoding="utf-8")
    return file
