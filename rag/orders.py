"""Whether a text gives orders to the model that reads it: weights learned from examples, and cues written by hand.

The weights (`rag.order_weights`) know the manner of a sentence from the words in it, and are quick; the cues know what
no example may have had. A text gives orders where the weights are sure, or where the cues say so and the weights do not
speak against it. Most captions are so unlike an order that no cue is looked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rag.cues import AMPLIFIERS, Cue, Family
from rag.cues_english import ENGLISH
from rag.cues_other import MARKERS, OTHER_SCRIPTS, OTHERS
from rag.cues_readers import HUMANS
from rag.order_weights import SENTENCE_END, weights

ORDER = 1.0
"""From this score of the cues on a text is one that gives orders."""

_TELLING = tuple(cue for cue in (*MARKERS, *ENGLISH, *OTHERS) if cue.family not in AMPLIFIERS)
_AMPLIFYING = tuple(cue for cue in ENGLISH if cue.family in AMPLIFIERS)


def order_quoted(view: str) -> str | None:
    """The words from which on a view of a text (`rag.disguises.views`) gives orders; None: it gives none."""
    learned = weights()
    log_odds, likest = learned.judge(view)
    if log_odds >= learned.sure:
        return likest
    if log_odds < learned.unlike:
        return None
    score, quote = _by_cues(view)
    return quote if score >= ORDER else None


def _by_cues(view: str) -> tuple[float, str]:
    """The highest score of two neighbouring sentences of a folded text, and what is said from their heaviest cue on."""
    ends = [match.end() for match in SENTENCE_END.finditer(view)]
    hits = list(_hits(_TELLING if view.isascii() else (*_TELLING, *OTHER_SCRIPTS), view, ends))
    telling = {place for place, _ in hits}
    if hits:
        hits += _hits(_AMPLIFYING, view, ends)
    by_sentence: dict[int, list[tuple[float, int, Family]]] = defaultdict(list)
    for place, hit in hits:
        by_sentence[place].append(hit)
    best = (0.0, "")
    for sentence in telling | {place - 1 for place in telling}:
        near = sorted(by_sentence[sentence] + by_sentence[sentence + 1])
        score = sum({family: weight for weight, _, family in near}.values())
        if score > best[0]:
            best = score, view[-near[-1][1] :]
    return best


def _hits(cues: Sequence[Cue], text: str, ends: Sequence[int]) -> Iterator[tuple[int, tuple[float, int, Family]]]:
    """Of each cue in the text the number of its sentence; and its weight, its place from the end, and its family."""
    for cue in cues:
        for match in cue.pattern.finditer(text):
            if not _told_to_people(cue, text, match.start()):
                yield bisect_right(ends, match.start()), (cue.weight, len(text) - match.start(), cue.family)


def _told_to_people(cue: Cue, text: str, start: int) -> bool:
    """Whether an order is one that people in the text were given, earlier in its sentence."""
    return cue.family in ("override", "order", "absolute") and bool(HUMANS.search(text[max(0, start - 160) : start]))
