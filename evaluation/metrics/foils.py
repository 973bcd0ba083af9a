"""Texts that nobody wrote for the images, judged as the run's own: a score means something where it beats theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked
from evaluation.metrics.scored import CONSTANT, NEAREST, SHUFFLED
from evaluation.rouge import Bag
from evaluation.statistics.intervals import Numbers

CANDIDATES = 1_000
TEXTS_SHUFFLED = 10_000
"""So many texts are dealt out anew in all, so that large sets are shuffled once."""
_SHOWN = 160


@dataclass(frozen=True)
class Foil:
    """Texts for all images. `note` says how they were made.

    Of several variants the values are averaged or, with `best`, those of the variant that is the best by a metric.
    """

    name: str
    variants: tuple[tuple[str, ...], ...]
    note: str
    best: bool = False

    def values(self, variants: Sequence[Numbers], lower_is_better: bool) -> Numbers:
        """A metric's values of all variants as those of the foil."""
        if not self.best:
            return np.asarray(np.mean(np.stack(variants), axis=0))
        sign = -1 if lower_is_better else 1
        judged = [values for values in variants if not np.isnan(values).all()]
        return max(judged or variants, key=lambda values: sign * float(np.nanmean(values)) if judged else 0)


def make(asked: Asked, texts: Sequence[str], config: MetricsConfig) -> tuple[list[Foil], dict[str, str]]:
    """The foils there are for these references, and why others are missing."""
    found, missing = [], {}
    for name, maker in ((CONSTANT, _constant), (SHUFFLED, _shuffled), (NEAREST, _nearest)):
        try:
            found.append(maker(asked, texts, config))
        except MissingMetricError as error:
            missing[name] = str(error)
    return found, missing


def _constant(asked: Asked, texts: Sequence[str], config: MetricsConfig) -> Foil:  # noqa: ARG001 - one for all foils
    if asked.is_questions:
        return _constant_answers(asked)
    sentence, words = best_constants(asked.references, config.seed)
    note = (
        "one text for all images, for each metric the better of two, chosen on these very references by mean ROUGE-1 "
        f"with all of them: the best of the references, {_short(sentence)!r}; and the same with words added and taken "
        f"away while that rises, {_short(words)!r}"
    )
    count = len(asked.references)
    return Foil(CONSTANT, ((sentence,) * count, (words,) * count), note, best=True)


def _constant_answers(asked: Asked) -> Foil:
    """Of each type of question its commonest answer."""
    commonest: dict[str | None, str] = {}
    for kind in dict.fromkeys(asked.types):
        answers = [answer for answer, other in zip(asked.references, asked.types, strict=True) if other == kind]
        commonest[kind] = Counter(answers).most_common(1)[0][0]
    said = ", ".join(f"{kind or 'all'}: {answer!r}" for kind, answer in commonest.items())
    return Foil(
        CONSTANT, (tuple(commonest[kind] for kind in asked.types),), f"the commonest answer of each type: {said}"
    )


def best_constants(references: Sequence[str], seed: int) -> tuple[str, str]:
    """Of the references that with the highest mean ROUGE-1 with all of them; and a text with a higher one.

    The second is the first with single words taken away, or added at its end, as long as the mean rises. Of more than
    1,000 references, 1,000 drawn at random are tried.
    """
    distinct = list(dict.fromkeys(references))
    random = np.random.default_rng(seed)
    if len(distinct) > CANDIDATES:
        distinct = [distinct[int(place)] for place in random.choice(len(distinct), CANDIDATES, replace=False)]
    bag = Bag(references)
    best = distinct[int(bag.scores(distinct).mean(axis=1).argmax())]
    return best, bag.climb(best)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "\u2026"


def _shuffled(asked: Asked, texts: Sequence[str], config: MetricsConfig) -> Foil:
    count = max(1, min(config.shuffles, TEXTS_SHUFFLED // len(texts)))
    within = asked.types if asked.is_questions else (None,) * len(texts)
    orders = [shuffle(asked.groups, within, config.seed + time) for time in range(count)]
    among = "another image or case" if not asked.is_questions else "another image, the question's type kept"
    times = "once" if count == 1 else f"{count} times, the values averaged"
    return Foil(
        SHUFFLED, tuple(tuple(texts[place] for place in order) for order in orders),
        f"the run's own texts, each given to {among}; dealt out {times}",
    )  # fmt: skip


def shuffle(groups: Sequence[str], within: Sequence[str | None], seed: int) -> NDArray[np.int64]:
    """For each place another one, of another group and the same value of `within`; every place once.

    Raises MissingMetricError where one group has more than half of the places of a value.
    """
    random = np.random.default_rng(seed)
    order = np.empty(len(groups), dtype=np.int64)
    for value in dict.fromkeys(within):
        places = [place for place, other in enumerate(within) if other == value]
        drawn = [places[int(place)] for place in random.permutation(len(places))]
        ranks = {group: rank for rank, group in enumerate(dict.fromkeys(groups[place] for place in drawn))}
        drawn.sort(key=lambda place: ranks[groups[place]])
        largest = max(Counter(groups[place] for place in drawn).values())
        if 2 * largest > len(drawn):
            raise MissingMetricError(
                f"one article or case has {largest} of {len(drawn)} texts: none of another is left to swap with"
            )
        # Sorted by group and shifted by the largest one's size or more, no place comes to stand where its group does.
        by = int(random.integers(largest, len(drawn) - largest + 1))
        order[drawn] = [drawn[(rank + by) % len(drawn)] for rank in range(len(drawn))]
    return order


def _nearest(asked: Asked, texts: Sequence[str], config: MetricsConfig) -> Foil:  # noqa: ARG001 - one for all foils
    if asked.is_questions:
        raise MissingMetricError("a caption is no answer: questions have no nearest caption")
    if not any(asked.nearest):
        raise MissingMetricError("no record has evidence; give an index with --index, and images")
    without = sum(caption is None for caption in asked.nearest)
    note = "the caption of the nearest image of the index, the image's own article left out"
    if without:
        note += f"; {without} of {len(asked.nearest)} have none and count as empty"
    return Foil(NEAREST, (tuple(caption or "" for caption in asked.nearest),), note)
