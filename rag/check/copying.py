"""How much of a text was taken from one example's caption."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from rag.types import Copied

_WORD = re.compile(r"[^\W_]+")
_LEAST_RUN = 3
"""Words in a row from which on they count as taken."""


def copied(text: str, examples: Sequence[tuple[int, str]]) -> Copied | None:
    """The numbered example of which most was taken: the longest run of words, the share of the text's words in runs.

    None where no run of _LEAST_RUN words is any example's.
    """
    words = _words(text)
    threes = _threes(words)
    found = []
    for number, caption in examples:
        theirs = _words(caption)
        if threes.isdisjoint(_threes(theirs)):
            continue
        blocks = SequenceMatcher(None, words, theirs, autojunk=False).get_matching_blocks()
        runs = [block.size for block in blocks if block.size >= _LEAST_RUN]
        if runs:
            found.append(Copied(number, max(runs), round(sum(runs) / len(words), 3)))
    return max(found, key=lambda each: (each.share, each.run, -each.evidence), default=None)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _threes(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[place : place + _LEAST_RUN]) for place in range(len(words) - _LEAST_RUN + 1)}
