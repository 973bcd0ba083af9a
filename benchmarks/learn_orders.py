"""Fits the weights of `rag/order_weights.json`, by which texts that give orders to a model are told, and measures them.

    python benchmarks/learn_orders.py --data ../shared/data

Learned from are the sets of injected and ordinary texts beside this file (`evidence_sets/*/injected.jsonl`), and as
ordinary texts captions of ROCO whose licence is CC BY and answers and headings of MedQuAD (CC BY 4.0): half of each is
learned from, a quarter sets the bounds `sure` and `unlike`, a quarter is measured on; which, the hash of a text says.
A text is a bag of sentences, and as likely as the likeliest (multiple instances), so that nobody had to mark the
sentence that gives the order.

Each set is also measured by weights and bounds that were learned without it, which is what a new set would see. The
cues had been tuned on set a; the manners were written to learn from, by the one who wrote this.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from sys import intern
from typing import Any
from unittest.mock import patch

import torch
from machine import save
from torch import Tensor

from rag.disguises import views
from rag.order_weights import OrderWeights, scale, windows
from rag.untrusted import instruction_in

SETS = ("a", "b", "c", "e", "manners")
HERE = Path(__file__).parent
OUT = HERE.parent / "rag" / "order_weights.json"
STEPS = 100
RATE = 0.04
DECAY = 3e-5
MARKED = 4.0
"""What a text of the sets weighs in the loss; a real one weighs 1."""
LEAST = 0.1
"""A weight that is smaller is left out of the file."""
REAL = {
    "captions": ("roco_captions.jsonl", ("caption",)),
    "answers": ("medquad.jsonl", ("text",)),
    "headings": ("medquad.jsonl", ("focus", "question")),
}
"""The file and its keys."""
EVERY = {"captions": 1, "answers": 4, "headings": 4}
"""So many texts, of which one is used: by far most are answers, and those are long."""
SURE = {"captions": 0.9995, "answers": 0.997, "headings": 0.9995}
"""The share of real texts, of each kind, that stays below `sure`."""
UNLIKE = 0.9
"""The share of real captions that stays below `unlike`: for those no cue is looked for."""


@dataclass(frozen=True)
class Text:
    """A text, whether it gives orders, and where it is from."""

    text: str
    injected: bool
    source: str
    part: int
    """0 to 3: to learn from; 4 and 5: for the bounds; 6 and 7: to measure. Of the sets always 0."""


@dataclass(frozen=True)
class Bags:
    """Texts as bags of sentences: which features each sentence has, and whose sentence it is."""

    features: Tensor
    """int64 `(all features of all sentences,)`."""
    starts: Tensor
    """int64 `(sentences,)`: where each begins."""
    scales: Tensor
    """float32 `(sentences,)`."""
    owners: Tensor
    """int64 `(sentences,)`: the number of its text."""
    texts: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(2)
    real = list(real_texts(args.data / "text"))
    sets = {name: list(marked(name)) for name in SETS}
    results: dict[str, Any] = {"real": dict(Counter(text.source for text in real))}
    learned = fitted([text for texts in sets.values() for text in texts], real)
    OUT.write_text(json.dumps(asdict(learned), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    results |= {"sure": learned.sure, "unlike": learned.unlike, "features": len(learned.features)}
    results["unseen"] = told(list(marked("manners_unseen")), learned)
    results["learned_from"] = {name: told(texts, learned) for name, texts in sets.items()}
    results["real_not_learned_from"] = {
        source: told([text for text in real if text.source == source and text.part > 5], learned) for source in SURE
    }
    results["left_out"] = {}
    for name, texts in sets.items():
        without = fitted([text for other in SETS if other != name for text in sets[other]], real)
        results["left_out"][name] = told(texts, without)
    print(json.dumps(results, indent=1))
    print(save("learn_orders", results), file=sys.stderr)


def marked(name: str) -> Iterator[Text]:
    lines = (HERE / "evidence_sets" / name / "injected.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        yield Text(row["text"], row["injected"], name, 0)


def real_texts(folder: Path) -> Iterator[Text]:
    """Ordinary texts that may be learned from by their licences, no text twice."""
    for source, (file, keys) in REAL.items():
        rows = map(json.loads, (folder / file).read_text(encoding="utf-8").splitlines())
        texts = dict.fromkeys(row[key] for row in rows if row.get("license", "CC BY") == "CC BY" for key in keys)
        for text in texts:
            digest = hashlib.sha256(text.encode()).digest()
            if digest[1] % EVERY[source] == 0:
                yield Text(text, False, source, digest[0] % 8)


def fitted(sets: Sequence[Text], real: Sequence[Text]) -> OrderWeights:
    """Weights learned from the sets and half of the real texts, and their bounds from another quarter."""
    texts = [*sets, *(text for text in real if text.part < 4)]
    counts = Counter(feature for text in texts for feature in frozenset().union(*sentences(text.text)))
    names = {feature: number for number, feature in enumerate(f for f, n in counts.items() if n > 1)}
    bags = bagged(texts, names)
    target = torch.tensor([float(text.injected) for text in texts])
    weigh = torch.tensor([1.0 if text.source in SURE else MARKED for text in texts])
    torch.manual_seed(0)
    weights = torch.zeros(len(names), 1, requires_grad=True)
    bias = torch.tensor([-2.0], requires_grad=True)
    optimizer = torch.optim.Adam([weights, bias], lr=RATE)
    for _ in range(STEPS):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(likeliest(bags, weights, bias), target, weigh)
        loss = loss + DECAY * weights.square().sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    kept = {name: round(w, 2) for name, w in zip(names, weights[:, 0].tolist(), strict=True) if abs(w) >= LEAST}
    return bounded(
        OrderWeights(round(float(bias.detach()), 3), 0.0, 0.0, kept), [text for text in real if text.part in (4, 5)]
    )


def bounded(learned: OrderWeights, real: Sequence[Text]) -> OrderWeights:
    scores = {source: torch.tensor([log_odds(t.text, learned) for t in real if t.source == source]) for source in SURE}
    sure = max(float(scores[source].quantile(share)) for source, share in SURE.items())
    unlike = float(scores["captions"].quantile(UNLIKE))
    return OrderWeights(learned.bias, round(sure, 2), round(unlike, 2), learned.features)


def log_odds(text: str, learned: OrderWeights) -> float:
    return max(learned.log_odds(features) for features in sentences(text))


@cache
def sentences(text: str) -> tuple[frozenset[str], ...]:
    """The features of the sentences of a text, in every way that it can be read."""
    read = (frozenset(map(intern, features)) for view in views(text) for features, _ in windows(view))
    return tuple(dict.fromkeys(read))


def bagged(texts: Sequence[Text], names: Mapping[str, int]) -> Bags:
    features: list[int] = []
    starts, scales, owners = [], [], []
    for number, text in enumerate(texts):
        for sentence in sentences(text.text):
            starts.append(len(features))
            scales.append(scale(sentence))
            owners.append(number)
            features += [names[feature] for feature in sorted(sentence) if feature in names]
    return Bags(
        torch.tensor(features), torch.tensor(starts), torch.tensor(scales), torch.tensor(owners), texts=len(texts)
    )


def likeliest(bags: Bags, weights: Tensor, bias: Tensor) -> Tensor:
    """The log-odds of each text's likeliest sentence: float32 `(texts,)`."""
    sums = torch.nn.functional.embedding_bag(bags.features, weights, bags.starts, mode="sum")[:, 0]
    empty = torch.full((bags.texts,), -torch.inf)
    return empty.scatter_reduce(0, bags.owners, sums * bags.scales + bias, "amax")


def told(texts: Sequence[Text], learned: OrderWeights) -> dict[str, int]:
    """How many texts are taken for orders: by weights and cues, as the package does it, and by weights alone."""
    with patch("rag.orders.weights", return_value=learned):
        together = [instruction_in.__wrapped__(text.text) is not None for text in texts]
    alone = [log_odds(text.text, learned) >= learned.sure for text in texts]
    return {
        "injected": sum(text.injected for text in texts),
        "found": sum(hit and text.injected for hit, text in zip(together, texts, strict=True)),
        "found_by_weights": sum(hit and text.injected for hit, text in zip(alone, texts, strict=True)),
        "ordinary": sum(not text.injected for text in texts),
        "false": sum(hit and not text.injected for hit, text in zip(together, texts, strict=True)),
        "false_by_weights": sum(hit and not text.injected for hit, text in zip(alone, texts, strict=True)),
    }


if __name__ == "__main__":
    main()
