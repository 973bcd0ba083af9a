"""How texts are normalised and cut into words before they are compared."""

from __future__ import annotations

import re
import string
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rag.check.sentences import split_sentences

if TYPE_CHECKING:
    from nltk.tokenize.destructive import NLTKWordTokenizer  # type: ignore[import-untyped]

_DIGITS = re.compile(r"\d+")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

_TYPED = str.maketrans({"\u2013": "--", "\u2014": "--", "\u201c": "``", "\u201d": "''", "\u2018": "'", "\u2019": "'"})
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_LEFT_OUT = frozenset(("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"))


def imageclef(text: str) -> str:
    """A caption as the ImageCLEFmedical caption task compares it.

    Lower case, then every run of digits `number`, then `string.punctuation` deleted, in this order: "3.5 mm" becomes
    "numbernumber mm". What is neither stays: dashes and quotation marks as printers set them, the space around words.
    Source: the task's scorer, 2025 (https://www.imageclef.org/2025/medical/caption).
    """
    return _DIGITS.sub("number", text.lower()).translate(_NO_PUNCTUATION)


@lru_cache(maxsize=200_000)
def coco(text: str) -> str:
    """A caption as the COCO caption toolkit compares it: words in lower case with one space between them.

    The toolkit runs Stanford's PTB tokenizer in Java and leaves out punctuation, but keeps round brackets, as its list
    has them in upper case. Here NLTK's PTB tokenizer does it, sentence by sentence; 95 % of 1,000 ROCO texts come
    out word for word the same (benchmarks/metrics_golden.json). Source: Chen et al. 2015, arXiv:1504.00325.
    """
    words = (word for sentence in split_sentences(text.translate(_TYPED)) for word in _ptb().tokenize(sentence.lower()))
    return " ".join(_BRACKETS.get(word, word) for word in words if word not in _LEFT_OUT)


@cache
def _ptb() -> NLTKWordTokenizer:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()
