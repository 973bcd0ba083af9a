"""Ratings as people read them in a terminal, and as plain JSON values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from evaluation.errors import RatingsError
from evaluation.ratings.alpha import Agreement, agreement
from evaluation.ratings.bradley_terry import Difference, Strengths, strengths
from evaluation.ratings.quality import RaterQuality, mean_scores, rater_quality
from evaluation.ratings.store import Ratings
from evaluation.ratings.types import QUESTIONS
from evaluation.statistics.intervals import Estimate
from evaluation.text_table import aligned


@dataclass(frozen=True)
class Summary:
    """What a file of ratings says. `strengths` is None for single ratings and, with `why`, where there are none yet."""

    ratings: Ratings
    raters: list[RaterQuality]
    agreement: dict[str, Agreement]
    scores: dict[str, dict[str, Estimate]]
    strengths: Strengths | None
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; here the arms have their names."""
        task, found = self.ratings.task, self.strengths
        return {
            "task": asdict(task),
            "items": len(self.ratings.items),
            "ratings": len(self.ratings.ratings),
            "replaced": self.ratings.replaced,
            "raters": [asdict(rater) for rater in self.raters],
            "agreement": {name: asdict(each) for name, each in self.agreement.items()},
            "scores": {arm: {q: asdict(e) for q, e in by.items()} for arm, by in self.scores.items()},
            "strengths": None if found is None else _strengths_json(found),
            "no_strengths_because": self.why or None,
        }


def summary(ratings: Ratings) -> Summary:
    """All figures of a file."""
    found, why = None, ""
    if ratings.task.kind == "pairwise":
        try:
            found = strengths(ratings)
        except RatingsError as error:
            why = str(error)
    scores = mean_scores(ratings) if ratings.task.kind == "single" else {}
    return Summary(ratings, rater_quality(ratings), agreement(ratings), scores, found, why)


def summary_text(found: Summary) -> str:
    """Who rated what, how far they agree, and what the arms got."""
    ratings = found.ratings
    task = ratings.task
    gold, twice = sum(item.gold is not None for item in ratings.items), sum(item.repeated for item in ratings.items)
    lines = [
        f"{task.name}: {task.kind}, {len(ratings.items) - gold} items, {gold} gold, {twice} shown twice; "
        f"{len(ratings.ratings)} ratings, {ratings.replaced} answers replaced",
        *(f"left out: {count} images, {why}" for why, count in task.left_out.items()),
        "",
        *_raters(found),
        "",
        *_agreement(found.agreement),
        "",
    ]
    if task.kind == "single":
        cells = [["arm", *QUESTIONS]]
        cells += [[arm, *(_ends(by.get(q), 2) for q in QUESTIONS)] for arm, by in found.scores.items()]
        return "\n".join([*lines, *aligned(cells)])
    if found.strengths is None:
        return "\n".join([*lines, found.why])
    return "\n".join([*lines, *_strengths(found.strengths)])


def _raters(found: Summary) -> list[str]:
    pairwise = found.ratings.task.kind == "pairwise"
    own = "A of sided" if pairwise else "edited"
    rows = [["rater", "given", "rated", "skipped", "gold right", "twice the same", "seconds", own]]
    for rater in found.raters:
        seconds = "-" if rater.seconds is None else f"{rater.seconds:.0f}"
        last = _of(rater.said_first, rater.sided) if pairwise else str(rater.edited)
        gold, same = _of(rater.gold_right, rater.gold_asked), _of(rater.repeated_same, rater.repeated_asked)
        counts = map(str, (rater.assigned, rater.rated, rater.skipped))
        rows.append([rater.rater, *counts, gold, same, seconds, last])
    return aligned(rows) if found.raters else ["nobody has rated yet"]


def _agreement(found: dict[str, Agreement]) -> list[str]:
    rows = [["agreement", "alpha [95 %]", "items", "raters", ""]]
    rows += [
        [each.question, _ends(each.alpha, 3), str(each.items), str(each.raters), each.why or each.level]
        for each in found.values()
    ]
    return aligned(rows)


def _strengths(found: Strengths) -> list[str]:
    rows = [["arm", "log-strength [95 %]", "won", "lost", "tied"]]
    for arm in found.ranked:
        counted = found.counted[arm]
        rows.append([arm, _ends(found.arms[arm], 2), str(counted.won), str(counted.lost), str(counted.tied)])
    several = len(found.arms) > 2
    differences = [["difference", "log-strength [95 %]", "p", *(["p, Holm"] if several else []), ""]]
    for each in found.differences:
        p = [each.p] if each.p_adjusted is None else [each.p, each.p_adjusted]
        cells = [_ends(each.log_strength, 2), *(f"{one:.4f}" for one in p), each.verdict]
        differences.append([f"{each.first} - {each.second}", *cells])
    return [
        f"{found.comparisons} comparisons of {found.groups} articles",
        *aligned(rows),
        "",
        *aligned(differences, left=(0, len(differences[0]) - 1)),
    ]


def _strengths_json(found: Strengths) -> dict[str, Any]:
    return {
        "arms": {arm: asdict(value) | asdict(found.counted[arm]) for arm, value in found.arms.items()},
        "differences": {f"{each.first} - {each.second}": _difference_json(each) for each in found.differences},
        "tie": None if found.tie is None else asdict(found.tie),
        "comparisons": found.comparisons,
        "articles": found.groups,
    }


def _difference_json(each: Difference) -> dict[str, Any]:
    return asdict(each.log_strength) | {"p": each.p, "p_adjusted": each.p_adjusted, "sure": each.sure}


def _of(part: int, whole: int) -> str:
    return f"{part}/{whole}" if whole else "-"


def _ends(value: Estimate | None, digits: int) -> str:
    if value is None:
        return "-"
    if value.low is None or value.high is None:
        return f"{value.value:.{digits}f}"
    return f"{value.value:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"
