"""Texts that nobody wrote for the images, judged as the run's own: a score means something where it beats theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked
from evaluation.metrics.scored import CONSTANT, FOILS, NEAREST, SHUFFLED
from evaluation.rouge import Bag
from evaluation.statistics.intervals import Numbers
from rag.content import Content

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


def make(
    asked: Asked, texts: Sequence[str], config: MetricsConfig, content: bool, wanted: Collection[str] = FOILS
) -> tuple[list[Foil], dict[str, str]]:
    """Those of the `wanted` foils that there are for these references, and why others are missing.

    `content` says whether a constant text is to be good at stating what is true, too.
    """
    found, missing = [], {}
    makers: dict[str, Callable[[], Foil]] = {
        CONSTANT: lambda: _constant(asked, config, content),
        SHUFFLED: lambda: _shuffled(asked, texts, config),
        NEAREST: lambda: _nearest(asked),
    }
    for name, maker in makers.items():
        if name not in wanted:
            continue
        try:
            found.append(maker())
        except MissingMetricError as error:
            missing[name] = str(error)
    return found, missing


def _constant(asked: Asked, config: MetricsConfig, content: bool) -> Foil:
    if asked.is_questions:
        return _constant_answers(asked)
    tried = _tried(asked.references, config.seed)
    bag = Bag(asked.references)
    by_words = [tried[int(place)] for place in bag.scores(tried).mean(axis=1).argsort()[::-1]]
    words = bag.climb(by_words[0])
    chosen = [_for_others(by_words, asked), (words,) * len(asked.references)]
    said = [
        f"the reference with the highest mean ROUGE-1 with all of them, {_short(by_words[0])!r}",
        f"the same with words added and taken away while that rises, {_short(words)!r}",
    ]
    if content and asked.content is not None:
        truest = _truest(asked.content, asked.truth, tried)
        chosen.append(_for_others(truest, asked))
        said.append(f"the reference that is true of most images, {_short(truest[0])!r}")
    note = f"one text for all images, for each metric the best of {len(chosen)}, chosen on these very references: "
    note += "; ".join(said) + ". Images of a reference's own article have the next best in its place"
    return Foil(CONSTANT, tuple(chosen), note, best=True)


def _for_others(ranked: Sequence[str], asked: Asked) -> tuple[str, ...]:
    """The first text for all images but those whose article it is of: they have the best one of other articles.

    Otherwise a reference would be judged by itself.
    """
    of: dict[str, set[str]] = {}
    for group, reference in zip(asked.groups, asked.references, strict=True):
        of.setdefault(reference, set()).add(group)
    own = of[ranked[0]]
    instead = next((text for text in ranked if not of[text] & own), "")
    return tuple(instead if group in own else ranked[0] for group in asked.groups)


def _truest(content: Content, truth: Sequence[Mapping[str, str | None]], tried: Sequence[str]) -> list[str]:
    """Texts by of how many images they state what is true, all lists taken together."""
    often = Counter(pair for one in truth for pair in one.items() if pair[1] is not None)
    return sorted(tried, key=lambda text: -sum(often[pair] for pair in content.said(text).items()))


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


def _tried(references: Sequence[str], seed: int) -> list[str]:
    """The different references; of more than 1,000, 1,000 drawn at random."""
    distinct = list(dict.fromkeys(references))
    if len(distinct) <= CANDIDATES:
        return distinct
    drawn = np.random.default_rng(seed).choice(len(distinct), CANDIDATES, replace=False)
    return [distinct[int(place)] for place in drawn]


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


def _nearest(asked: Asked) -> Foil:
    if asked.is_questions:
        raise MissingMetricError("a caption is no answer: questions have no nearest caption")
    if not any(asked.nearest):
        raise MissingMetricError("no record has evidence; give an index with --index, and images")
    without = sum(caption is None for caption in asked.nearest)
    note = "the caption of the nearest image of the index, the image's own article left out"
    if without:
        note += f"; {without} of {len(asked.nearest)} have none and count as empty"
    return Foil(NEAREST, (tuple(caption or "" for caption in asked.nearest),), note)
