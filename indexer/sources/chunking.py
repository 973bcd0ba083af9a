"""Texts cut into pieces that a text embedder reads whole, measured by its own tokenizer. Knows nothing of sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from indexer.types import TokenCounter

OVERLAP_TOKENS = 40
"""How much of a piece's end the next one repeats, at most, in whole sentences."""

MOST_TOKENS = 510
"""The longest piece with its title, even where an embedder reads more: evidence has to fit into a prompt."""

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[^\W_a-z])|\n\s*\n")
_CUT_OFF = "..."


@dataclass(frozen=True)
class Text:
    """A text with the title that is embedded with each of its pieces."""

    body: str
    title: str | None = None


@dataclass(frozen=True)
class Cut:
    """The pieces of a text, none where it is empty. The title is shortened where it would leave them no room."""

    pieces: tuple[str, ...]
    title: str | None


@dataclass(frozen=True)
class _Sentence:
    """A sentence, or words of one, and its tokens."""

    text: str
    tokens: int


@dataclass(frozen=True)
class _Long:
    """A text that does not fit: its sentences, its title as it is embedded, and what that leaves for a piece."""

    sentences: tuple[_Sentence, ...]
    title: str | None
    room: int


class Chunker:
    """Cuts texts for one embedder.

    A text that fits with its title is one piece. Else pieces end where sentences end, and neighbours share up to
    OVERLAP_TOKENS of whole sentences; a sentence that is too long is cut between words, a word that is too long
    within itself. No piece with its title is over the embedder's `max_tokens`, nor over MOST_TOKENS. White space
    becomes single spaces.
    """

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter

    def cut(self, texts: Sequence[Text]) -> list[Cut]:
        """The pieces of each text. Raises what the counter raises."""
        limit = min(self._counter.max_tokens, MOST_TOKENS)
        bodies = [" ".join(text.body.split()) for text in texts]
        tokens = self._count([embedded(text.title, body) for text, body in zip(texts, bodies, strict=True)])
        cuts = [Cut((body,) if body else (), text.title) for text, body in zip(texts, bodies, strict=True)]
        long = [number for number, count in enumerate(tokens) if count > limit and bodies[number]]
        if long:
            for number, cut in zip(long, self._cut_long([texts[number] for number in long], limit), strict=True):
                cuts[number] = cut
        return cuts

    def _cut_long(self, texts: Sequence[Text], limit: int) -> list[Cut]:
        longs = self._measured(texts, limit)
        cuts = [Cut(self._pieces(long.sentences, long.room), long.title) for long in longs]
        over = self._over(cuts, limit)
        return [
            self._cut_shorter(long, limit, by) if by > 0 else cut
            for long, cut, by in zip(longs, cuts, over, strict=True)
        ]

    def _cut_shorter(self, long: _Long, limit: int, by: int) -> Cut:
        """Cuts with less room, for tokenizers that make more of a whole than of its parts."""
        room, cut = long.room, Cut((), long.title)
        while by > 0 and room > 1:
            room = max(1, room - by)
            cut = Cut(self._pieces(long.sentences, room), long.title)
            by = self._over([cut], limit)[0]
        return cut

    def _over(self, cuts: Sequence[Cut], limit: int) -> list[int]:
        """By how many tokens the longest piece of each is over the limit; not positive where none is."""
        tokens = iter(self._count([embedded(cut.title, piece) for cut in cuts for piece in cut.pieces]))
        return [max(next(tokens) for _ in cut.pieces) - limit for cut in cuts]

    def _measured(self, texts: Sequence[Text], limit: int) -> list[_Long]:
        """The texts as sentences, all of them counted at once."""
        split = [_sentences(text.body) for text in texts]
        tokens = iter(self._count([sentence for sentences in split for sentence in sentences]))
        sizes = self._count([f"{text.title}\n" if text.title else "" for text in texts])
        longs = []
        for text, sentences, size in zip(texts, split, sizes, strict=True):
            title, used = (text.title, size) if size <= limit // 2 else self._shortened(text.title or "", limit // 2)
            longs.append(_Long(tuple(_Sentence(part, next(tokens)) for part in sentences), title, limit - used))
        return longs

    def _shortened(self, title: str, limit: int) -> tuple[str, int]:
        """The title with its end cut off, and its tokens."""
        [mark] = self._count([f"{_CUT_OFF}\n"])
        short = self._fitting(title, max(1, limit - mark))[0].text + _CUT_OFF
        return short, self._count([f"{short}\n"])[0]

    def _pieces(self, sentences: Sequence[_Sentence], room: int) -> tuple[str, ...]:
        pieces: list[list[_Sentence]] = [[]]
        used = 0
        for sentence in self._all_fitting(sentences, room):
            if pieces[-1] and used + sentence.tokens > room:
                pieces.append(_tail(pieces[-1], min(OVERLAP_TOKENS, room - sentence.tokens)))
                used = sum(repeated.tokens for repeated in pieces[-1])
            pieces[-1].append(sentence)
            used += sentence.tokens
        return tuple(" ".join(sentence.text for sentence in piece) for piece in pieces)

    def _all_fitting(self, sentences: Sequence[_Sentence], room: int) -> list[_Sentence]:
        fitting: list[_Sentence] = []
        for sentence in sentences:
            fitting.extend([sentence] if sentence.tokens <= room else self._fitting(sentence.text, room))
        return fitting

    def _fitting(self, sentence: str, room: int) -> list[_Sentence]:
        """The words of a sentence, in runs that fit."""
        words = sentence.split()
        runs: list[list[str]] = [[]]
        sizes = [0]
        for word, tokens in zip(words, self._count(words), strict=True):
            for part in [_Sentence(word, tokens)] if tokens <= room else self._parts(word, room):
                if runs[-1] and sizes[-1] + part.tokens > room:
                    runs.append([])
                    sizes.append(0)
                runs[-1].append(part.text)
                sizes[-1] += part.tokens
        return [_Sentence(" ".join(run), size) for run, size in zip(runs, sizes, strict=True)]

    def _parts(self, word: str, room: int) -> list[_Sentence]:
        """A word in as many equal parts as it takes for each to fit, single letters at the least."""
        [tokens] = self._count([word])
        if tokens <= room or len(word) == 1:
            return [_Sentence(word, tokens)]
        middle = len(word) // 2
        return [*self._parts(word[:middle], room), *self._parts(word[middle:], room)]

    def _count(self, texts: Sequence[str]) -> list[int]:
        return self._counter.count_tokens(texts)


def embedded(title: str | None, body: str) -> str:
    """A piece as it is embedded, under its title."""
    return f"{title}\n{body}" if title else body


def _sentences(text: str) -> list[str]:
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    parts = (" ".join(text[start:end].split()) for start, end in pairwise([0, *ends, len(text)]))
    return [part for part in parts if part]


def _tail(piece: Sequence[_Sentence], room: int) -> list[_Sentence]:
    """The last whole sentences that fit."""
    tail: list[_Sentence] = []
    for sentence in reversed(piece):
        room -= sentence.tokens
        if room < 0:
            break
        tail.insert(0, sentence)
    return tail
