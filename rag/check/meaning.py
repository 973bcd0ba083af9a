"""Whether a text says in other words what a sentence says, by a sentence-transformers model.

Likenesses: of the texts as wholes (cosine of their vectors); of each word of the sentence with the text's nearest word
in its context, and of the text's words with the sentence's (means over words that say something; recall and precision
of BERTScore, Zhang et al., ICLR 2020); the share of terms it holds; the structures, findings, qualities, numbers and
sides in common. Which text is the likest, and whether it says the same, are two logistic models, fitted on the
paraphrased and foreign sentences of the hand-written sets of benchmarks/evidence_sets/ (benchmarks/meaning_fit.py). By
models fitted on the other sets, a probability of _CITED cites the right evidence for 86 % of the paraphrases (with
those that terms cite), and some evidence for 19 % of the foreign sentences.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from indexer.embedders.sentences import SentenceTransformersEmbedder, TextTokens
from rag.check.lexicon import lexicon, tokens_of
from rag.check.particulars import Particulars

_KEPT = 4096
"""Texts whose vectors are kept: the captions of an index come again and again."""
_EMPTY = 0.1
"""Weight of words that say nothing."""
_LIKEST = np.array([3.87, 3.44, 2.46, 3.48, 1.31, 1.31, 1.34, 1.56, -1.56, 2.33])
"""How much each likeness counts for which text is the likest: whole, words, words back, terms, structures, findings,
number, side, side missing, qualities. Of a conditional logistic model of the text that a paraphrase was made of."""
_SAME = np.array([0.64, 5.74, 1.0, 0.66, 4.19, 1.01, 0.84, 3.15, 0.16, -0.32, 0.88, 4.95])
_START = -8.37
"""A logistic model of the likest being what the sentence was made of: by how much it is the likest, its likenesses,
and the share of the sentence's terms that no list has. Who says a thing in words of their own uses such words; a
sentence in listed ones that the text does not hold says another thing."""
_CITED = 0.17
_SHIFT = log(0.6 / 0.4) - log(_CITED / (1 - _CITED))
"""Added to its log-odds, so that a probability of _CITED is a support of 0.6."""


@dataclass(frozen=True, eq=False)
class _Weighed:
    """A text's vectors, and how much each of its tokens says, float32 `(tokens,)`."""

    text: TextTokens
    weights: NDArray[np.float32]


class Meaning:
    """Likeness of meaning by one text model. `open_model` gives it when first needed."""

    def __init__(self, open_model: Callable[[], SentenceTransformersEmbedder]) -> None:
        self._open = open_model
        self._model: SentenceTransformersEmbedder | None = None
        self._kept: OrderedDict[str, _Weighed] = OrderedDict()

    def support(
        self,
        sentence: str,
        texts: Sequence[str],
        terms: Sequence[float],
        common: Sequence[Particulars],
        unlisted: float,
    ) -> list[float]:
        """How far each text says what a sentence says, 0 to 1; only the likest of all may.

        `terms` is the share of the sentence's terms that each text holds, `common` what they have in common, `unlisted`
        the share of the sentence's terms that no list has.
        """
        likeness = self.likeness(sentence, texts, terms, common)
        best, seen = likest(likeness, _LIKEST, unlisted)
        support = 1 / (1 + exp(-(_SAME @ seen) - _START - _SHIFT))
        return [support if place == best else 0.0 for place in range(len(texts))]

    def likeness(
        self, sentence: str, texts: Sequence[str], terms: Sequence[float], common: Sequence[Particulars]
    ) -> NDArray[np.float64]:
        """The likenesses of each text to a sentence, (texts, 10), in the order of _LIKEST."""
        said, *held = self._tokens([sentence, *texts])
        return np.array(
            [
                [
                    float(said.text.vector @ text.text.vector),
                    _words_alike(said, text),
                    _words_alike(text, said),
                    share,
                    *(also.structures, also.findings, also.number, also.side, also.side_missing, also.qualities),
                ]
                for text, share, also in zip(held, terms, common, strict=True)
            ]
        )

    def _tokens(self, texts: Sequence[str]) -> list[_Weighed]:
        if self._model is None:
            self._model = self._open()
        new = list(dict.fromkeys(text for text in texts if text not in self._kept))
        for name, tokens in zip(new, self._model.embed_tokens(new), strict=True):
            self._kept[name] = _Weighed(tokens, _weights(tokens))
        found = []
        for text in texts:
            self._kept.move_to_end(text)
            found.append(self._kept[text])
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found


def likest(
    likeness: NDArray[np.float64], weights: NDArray[np.float64], unlisted: float
) -> tuple[int, NDArray[np.float64]]:
    """The place of the likest text, and what tells whether it says the same, in the order of _SAME."""
    alike = likeness @ weights
    best = int(np.argmax(alike))
    ahead = alike[best] - max(np.delete(alike, best), default=0.0)
    return best, np.array([ahead, *likeness[best], unlisted])


def _weights(text: TextTokens) -> NDArray[np.float32]:
    empty = lexicon().empty
    weights = []
    for token in text.tokens:
        words = tokens_of(token)
        says = token.startswith("##") or any(not each.is_sign and each.word not in empty for each in words)
        weights.append(1.0 if says else _EMPTY)
    return np.array(weights, np.float32)


def _words_alike(said: _Weighed, held: _Weighed) -> float:
    """The weighted mean, over a text's tokens, of the cosine with the nearest token of another."""
    if not len(said.text.tokens) or not len(held.text.tokens):
        return 0.0
    nearest = (said.text.vectors @ held.text.vectors.T).max(axis=1)
    return float((nearest * said.weights).sum() / said.weights.sum())
