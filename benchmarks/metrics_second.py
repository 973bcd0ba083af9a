"""Metrics written a second time, from their definitions or by another library: what `metrics_golden.py` compares with.

Slow and plain on purpose. They share nothing with `evaluation.metrics` but the tokens that a recipe names.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Values = list[float]


def rouge1(texts: Sequence[str], references: Sequence[str]) -> Values:
    """F of shared single words (Lin 2004, section 2)."""
    return [
        _f(_shared(_words(t), _words(r)), len(_words(t)), len(_words(r)))
        for t, r in zip(texts, references, strict=True)
    ]


def rouge_l(texts: Sequence[str], references: Sequence[str]) -> Values:
    """F of the longest common subsequence (Lin 2004, section 3), by recursion over rows."""
    return [
        _f(_longest(_words(t), _words(r)), len(_words(t)), len(_words(r)))
        for t, r in zip(texts, references, strict=True)
    ]


def bleu(tokens: Sequence[list[str]], references: Sequence[list[str]], order: int) -> Values:
    """BLEU of single texts by NLTK: orders that a text is too short for do not count, zeros are smoothed (NIST)."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    values = []
    for text, reference in zip(tokens, references, strict=True):
        orders = min(order, len(text))
        if not orders or not set(text) & set(reference):
            values.append(0.0)
            continue
        weights = [1 / orders] * orders
        values.append(sentence_bleu([reference], text, weights, SmoothingFunction().method3))
    return values


def corpus_bleu(tokens: Sequence[list[str]], references: Sequence[list[str]], order: int) -> float:
    """BLEU of all texts together (Papineni et al. 2002, section 2.3), from summed counts.

    NLTK's counts an n-gram for each text that is too short to have one, and is off by up to 0.0003 here.
    """
    logs = 0.0
    for n in range(1, order + 1):
        said, held = [_grams(text, n) for text in tokens], [_grams(text, n) for text in references]
        shared = sum((mine & theirs).total() for mine, theirs in zip(said, held, strict=True))
        logs += math.log(shared / sum(mine.total() for mine in said)) / order
    mine, theirs = sum(map(len, tokens)), sum(map(len, references))
    return math.exp(logs + min(0.0, 1 - theirs / mine))


def chrf(texts: Sequence[str], references: Sequence[str]) -> Values:
    """chrF2 (Popovic 2015): means over 1- to 6-grams of precision and recall, then F with beta 2."""
    values = []
    for text, reference in zip(texts, references, strict=True):
        said, held = re.sub(r"\s", "", text), re.sub(r"\s", "", reference)
        precisions, recalls = [], []
        for n in range(1, 7):
            mine, theirs = _grams(said, n), _grams(held, n)
            if mine and theirs:
                shared = (mine & theirs).total()
                precisions.append(shared / mine.total())
                recalls.append(shared / theirs.total())
        p, r = (sum(part) / len(part) if part else 0.0 for part in (precisions, recalls))
        values.append(5 * p * r / (4 * p + r) if p + r else 0.0)
    return values


def cider(texts: Sequence[str], references: Sequence[str]) -> Values:
    """CIDEr-D (Vedantam et al. 2015, equations 1 to 3 and section 7) as a matrix of tf-idf weights."""
    documents = [[_grams(reference.split(), n) for n in range(1, 5)] for reference in references]
    seen = [Counter(gram for document in documents for gram in document[n]) for n in range(4)]
    log_n = math.log(len(references))
    values = []
    for text, held in zip(texts, documents, strict=True):
        said = [_grams(text.split(), n) for n in range(1, 5)]
        delta = said[1].total() - held[1].total()  # the published code counts pairs of words as the length
        total = 0.0
        for n in range(4):
            weight = {gram: log_n - math.log(max(1, seen[n][gram])) for gram in said[n] | held[n]}
            mine = {gram: count * weight[gram] for gram, count in said[n].items()}
            theirs = {gram: count * weight[gram] for gram, count in held[n].items()}
            norms = math.hypot(*mine.values()) * math.hypot(*theirs.values())
            product = sum(min(value, theirs.get(gram, 0.0)) * theirs.get(gram, 0.0) for gram, value in mine.items())
            total += product / norms if norms else 0.0
        values.append(10 * total / 4 * math.exp(-(delta**2) / (2 * 6.0**2)))
    return values


def bertscore(texts: Sequence[str], references: Sequence[str], folder: str, layer: int) -> Values:
    """BERTScore F1 with idf over the references (Zhang et al. 2020, section 3), by transformers alone, pair by pair."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    seen = Counter(token for text in references for token in set(tokenizer(text, truncation=True)["input_ids"]))

    def embedded(text: str) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = tokenizer(text, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            states = model(**inputs, output_hidden_states=True).hidden_states[layer][0]
        weights = [math.log((len(references) + 1) / (seen[int(token)] + 1)) for token in inputs["input_ids"][0]]
        return torch.nn.functional.normalize(states, dim=-1), torch.tensor(weights)

    values = []
    for text, reference in zip(texts, references, strict=True):
        (said, said_weights), (held, held_weights) = embedded(text), embedded(reference)
        likeness = said @ held.T
        precision = float((likeness.max(dim=1).values * said_weights).sum() / said_weights.sum())
        recall = float((likeness.max(dim=0).values * held_weights).sum() / held_weights.sum())
        values.append(2 * precision * recall / (precision + recall))
    return values


def set_f1(said: Sequence[frozenset[str]], true: Sequence[frozenset[str]]) -> Values:
    """F1 of sets by scikit-learn, over rows of ones and zeros; NaN where nothing is true."""
    from sklearn.metrics import f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    rows = MultiLabelBinarizer().fit([*said, *true])
    pairs = zip(rows.transform(said), rows.transform(true), strict=True)
    return [float(f1_score(t, s, zero_division=0)) if t.any() else math.nan for s, t in pairs]


def answers(said: Sequence[str], true: Sequence[str]) -> tuple[Values, Values]:
    """Whether answers are right, and the share of the true answer's words that are said (docs/evaluation.md)."""
    right, recalled = [], []
    for one, other in zip(said, true, strict=True):
        words, truth = _answer(one), _answer(other)
        closed = truth in (["yes"], ["no"])
        right.append(float(words[:1] == truth if closed else words == truth))
        recalled.append(_taken(truth, words) / len(truth) if truth else 0.0)
    return right, recalled


def field_f1(said: Sequence[Any], true: Sequence[Any]) -> Values:
    """F1 of the fields of JSON values, each a path and a value, taken from the other's one by one."""
    values = []
    for mine, theirs in zip(map(_fields, said), map(_fields, true), strict=True):
        both = len(mine) + len(theirs)
        values.append(2 * _taken(theirs, mine) / both if theirs else math.nan)
    return values


def content_said(text: str, lists: Mapping[str, Mapping[str, str]]) -> dict[str, str | None]:
    """The one value of each list of a file of configs/content that the text says, word by word; None for several."""
    found = {}
    for name, values in lists.items():
        said = {
            value
            for value, words in values.items()
            for w in words.split(",")
            if re.search(rf"(?i)\b(?:{w.strip()})\b", text)
        }
        found[name] = said.pop() if len(said) == 1 else None
    return found


def content(texts: Sequence[str], truth: Sequence[Mapping[str, str | None]], lists: Mapping[str, Any]) -> Values:
    """The share of an image's known lists in which the text says the true value; NaN where none is known."""
    values = []
    for text, true in zip(texts, truth, strict=True):
        known = {name: value for name, value in true.items() if value is not None}
        values.append(len(known.items() & content_said(text, lists).items()) / len(known) if known else math.nan)
    return values


def largest_difference(first: Sequence[float], second: Sequence[float]) -> float:
    """The largest difference of two rows of values; infinite where one has a value and the other has none."""
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if (np.isnan(one) != np.isnan(two)).any():
        return math.inf
    return float(np.nanmax(np.abs(one - two)))


def _words(text: str) -> list[str]:
    return re.findall("[a-z0-9]+", text.lower())


def _answer(text: str) -> list[str]:
    """The words of an answer (Antol et al. 2015): a point or comma between digits belongs to them and is a point."""
    words = re.findall(r"(?:[^\s!-/:-@\[-`{-~]|(?<=\d)[.,](?=\d))+", text.lower())
    digits = "zero one two three four five six seven eight nine ten".split()
    words = [word.replace(",", ".") for word in words if word not in ("a", "an", "the")]
    return [str(digits.index(word)) if word in digits else word for word in words]


def _fields(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], list[str]]]:
    """Paths and values of all that is filled in; an item's place in a list does not count."""
    if isinstance(value, dict):
        return [field for key, inner in value.items() for field in _fields(inner, (*path, key))]
    if isinstance(value, list):
        return [field for inner in value for field in _fields(inner, (*path, "[]"))]
    return [(path, _answer(str(value)))] if value is not None and str(value).strip() else []


def _taken(wanted: list[Any], there: list[Any]) -> int:
    """How many of the wanted are there, each taken once."""
    left = list(there)
    for one in wanted:
        if one in left:
            left.remove(one)
    return len(there) - len(left)


def _shared(first: list[str], second: list[str]) -> int:
    return sum(min(first.count(word), second.count(word)) for word in set(first))


def _longest(first: list[str], second: list[str]) -> int:
    row = [0] * (len(second) + 1)
    for word in first:
        before = row[:]
        for place, other in enumerate(second, start=1):
            row[place] = before[place - 1] + 1 if word == other else max(before[place], row[place - 1])
    return row[-1]


def _f(shared: int, said: int, held: int) -> float:
    return 2 * shared / (said + held) if shared else 0.0


def _grams(text: str | list[str], n: int) -> Counter[object]:
    return Counter(tuple(text[start : start + n]) for start in range(len(text) - n + 1))
