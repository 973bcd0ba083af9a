"""How good raters are, and what the arms got: gold items, repeated items, seconds an item; mean scores by arm."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from evaluation.ratings.store import Ratings
from evaluation.ratings.types import QUESTIONS, Answer, Kind, Rating
from evaluation.statistics.intervals import Estimate, estimate


@dataclass(frozen=True)
class RaterQuality:
    """One rater. `assigned` counts items as they are shown, repeated ones twice; 0 for one whose ratings were imported.

    `gold_right` of `gold_asked` answers to gold items were right; `repeated_same` of `repeated_asked` answers to items
    seen twice were the same. `seconds` is the median of an item, None where it is not known. `said_first` of `sided`
    preferences were for the text shown as A: far from half is a habit.
    """

    rater: str
    assigned: int
    rated: int
    skipped: int
    gold_right: int
    gold_asked: int
    repeated_same: int
    repeated_asked: int
    seconds: float | None
    edited: int
    said_first: int
    sided: int


def rater_quality(ratings: Ratings) -> list[RaterQuality]:
    """Of everyone who was given an item or whose ratings were imported, by name."""
    of_rater: dict[str, list[Rating]] = defaultdict(list)
    for rating in ratings.ratings:
        of_rater[rating.rater].append(rating)
    return [_quality(name, of_rater[name], ratings) for name in sorted({*of_rater, *ratings.assigned})]


def mean_scores(ratings: Ratings) -> dict[str, dict[str, Estimate]]:
    """Arm -> question -> mean score of its items, each the mean of its raters, with its interval; of single tasks."""
    given: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    group = {item.id: item.group for item in ratings.items}
    for item, rating in ratings.judged:
        for question, score in rating.answer.scores.items():
            given[str(item.texts[0].arm), question][item.id].append(score)
    return {
        arm.name: {
            question: _mean([sum(s) / len(s) for s in scores.values()], [group[item] for item in scores])
            for question in QUESTIONS
            if (scores := given[arm.name, question])
        }
        for arm in ratings.task.arms
    }


def _mean(values: list[float], groups: list[str]) -> Estimate:
    """The mean; one article has no interval."""
    return estimate(values, groups) if len(set(groups)) > 1 else Estimate(sum(values) / len(values))


def _quality(name: str, mine: list[Rating], ratings: Ratings) -> RaterQuality:
    gold = {item.id: item.gold for item in ratings.items if item.gold is not None}
    kind = ratings.task.kind
    judged = [rating for rating in mine if not rating.answer.skipped]
    right = [
        given in allowed
        for rating in judged
        for question, allowed in gold.get(rating.item, {}).items()
        if (given := _answers(rating.answer, kind).get(question)) is not None
    ]
    first = {rating.item: rating.answer for rating in judged if rating.occasion == 1}
    same = [
        value == _answers(first[rating.item], kind)[question]
        for rating in judged
        if rating.occasion == 2 and rating.item in first
        for question, value in _answers(rating.answer, kind).items()
    ]
    sided = [rating for rating in judged if rating.answer.preferred in ("first", "second")]
    seconds = [rating.seconds for rating in judged if rating.seconds is not None]
    return RaterQuality(
        name, ratings.assigned.get(name, 0), len(judged), len(mine) - len(judged), sum(right), len(right), sum(same),
        len(same), median(seconds) if seconds else None, sum(bool(r.answer.edited) for r in judged),
        sum((r.answer.preferred == "first") != r.swapped for r in sided), len(sided),
    )  # fmt: skip


def _answers(answer: Answer, kind: Kind) -> dict[str, int | str | None]:
    return {"preferred": answer.preferred} if kind == "pairwise" else {q: answer.score(q) for q in QUESTIONS}
