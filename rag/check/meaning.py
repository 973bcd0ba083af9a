"""Whether a text says in other words what a sentence says, by a sentence-transformers model.

Likenesses: of the texts as wholes (cosine of their vectors); of each word of the sentence with the text's nearest word
in its context, and of the text's words with the sentence's (means over words that say something; recall and precision
of BERTScore, Zhang et al., ICLR 2020); how far a text is ahead of the next; the share of terms it holds; the findings,
qualities, numbers and sides in common. How far they make a paraphrase was fitted on the 500 paraphrased and foreign
sentences of the hand-written sets of benchmarks/evidence_sets/. There, by a model fitted on the other sets, 0.12 cites
the right evidence for four of five paraphrases, and some evidence for one of five foreign sentences.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
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
_COMMON = 0.05
"""What structures, findings, a side and a number in common each add to a text's likeness, for which is the likest."""
_LEAST = 0.3
"""A text less alike than this, of whole and words, is no paraphrase however far it is ahead of the next."""
_WEIGHTS = np.array([2.73, 0.37, 2.2, 11.61, 1.5, 1.31, 2.65, 0.78, -0.79, 1.61])
_START = -4.85
"""A logistic model of being a paraphrase: whole, words, words back, how far ahead, terms, findings in common, number,
side, side missing, qualities."""
_SHIFT = log(0.6 / 0.4) - log(0.12 / 0.88)
"""Added to its log-odds, so that a probability of 0.12 is a support of 0.6."""


class Meaning:
    """Likeness of meaning by one text model. `open_model` gives it when first needed."""

    def __init__(self, open_model: Callable[[], SentenceTransformersEmbedder]) -> None:
        self._open = open_model
        self._model: SentenceTransformersEmbedder | None = None
        self._kept: OrderedDict[str, TextTokens] = OrderedDict()

    def support(
        self,
        sentence: str,
        texts: Sequence[str],
        terms: Sequence[float],
        common: Sequence[Particulars],
        places: Sequence[int],
    ) -> list[float]:
        """How far each of the texts in `places` says what a sentence says, 0 to 1; only the likest of all may.

        `terms` is the share of the sentence's terms that each text holds, `common` what they have in common.
        """
        said, *held = self._tokens([sentence, *texts])
        weights = _weights(said)
        whole = np.array([float(said.vector @ text.vector) for text in held])
        words = np.array([_words_alike(said, weights, text) for text in held])
        also = np.array([each.structures + each.findings + each.side + each.number for each in common])
        both = (whole + words) / 2 + _COMMON * also
        best = int(np.argmax(both))
        if (whole[best] + words[best]) / 2 < _LEAST:
            return [0.0 for _ in places]
        ahead = both[best] - max(np.delete(both, best), default=0.0)
        back = _words_alike(held[best], _weights(held[best]), said)
        here = common[best]
        likeness = [whole[best], words[best], back, ahead, terms[best]]
        likeness += [here.findings, here.number, here.side, here.side_missing, here.qualities]
        support = 1 / (1 + exp(-(_WEIGHTS @ np.array(likeness, float)) - _START - _SHIFT))
        return [support if place == best else 0.0 for place in places]

    def _tokens(self, texts: Sequence[str]) -> list[TextTokens]:
        if self._model is None:
            self._model = self._open()
        new = list(dict.fromkeys(text for text in texts if text not in self._kept))
        self._kept.update(zip(new, self._model.embed_tokens(new), strict=True))
        found = []
        for text in texts:
            self._kept.move_to_end(text)
            found.append(self._kept[text])
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found


def _weights(text: TextTokens) -> NDArray[np.float32]:
    empty = lexicon().empty
    weights = []
    for token in text.tokens:
        words = tokens_of(token)
        says = token.startswith("##") or any(not each.is_sign and each.word not in empty for each in words)
        weights.append(1.0 if says else _EMPTY)
    return np.array(weights, np.float32)


def _words_alike(said: TextTokens, weights: NDArray[np.float32], text: TextTokens) -> float:
    """The weighted mean, over a sentence's tokens, of the cosine with the nearest token of a text."""
    if not len(said.tokens) or not len(text.tokens):
        return 0.0
    nearest = (said.vectors @ text.vectors.T).max(axis=1)
    return float((nearest * weights).sum() / weights.sum())
