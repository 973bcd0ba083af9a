"""Where sentences end."""

from __future__ import annotations

import re

# A full stop ends a sentence where a capital, digit, quote or bracket follows, but not after these.
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(\[])")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|cf|vs|approx|ca|no|fig|figs|dr|st|al)|\b[A-Z])\.$", re.IGNORECASE)


def split_sentences(text: str) -> list[str]:
    """The sentences of `text` in order, abbreviations and decimals left whole."""
    sentences: list[str] = []
    for piece in (p.strip() for line in text.splitlines() for p in _END.split(line)):
        if not piece:
            continue
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] += " " + piece
        else:
            sentences.append(piece)
    return sentences
