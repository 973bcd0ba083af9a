"""How far a description can be relied on: signals, a score made of them, and the threshold below which it is withheld.

The signals, each 0 to 1:

    nearness      cosine similarity of the nearest example
    agreement     of the examples that say what modality, plane, part of the body, cells or stain they show, the share
                  that say what the description says, the nth weighing 1/n
    consensus     how far the examples say the same of these among themselves
    support       mean support of the description's sentences
    likelihood    the model's geometric mean probability of a token it wrote
    surety        the model's probability of the token it was least sure of
    consistency   1 / (1 + conflicts found)

What is not known (no evidence, a server that tells no probabilities) is 0.5. Uncalibrated, the score is the mean of
`agreement`, `consensus` and `likelihood`; with a calibration it is the probability of being right that `evaluate
calibrate` fitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp
from pathlib import Path

from configs import StrictModel, load
from indexer.types import Evidence
from rag.check.lexicon import Kind, lexicon
from rag.check.pictures import modalities
from rag.check.reading import Reading, read
from rag.types import Checks, Confidence
from vlm.types import Generation

SIGNALS = ("nearness", "agreement", "consensus", "support", "likelihood", "surety", "consistency")
_UNCALIBRATED = ("agreement", "consensus", "likelihood")
_UNKNOWN = 0.5
_KINDS: tuple[Kind, ...] = ("plane", "cell", "stain")


class Calibration(StrictModel):
    """A logistic model of a description being right, by its signals, and the probability below which it is withheld.

    `made_from` says on what it was fitted.
    """

    weights: dict[str, float]
    bias: float
    threshold: float
    made_from: dict[str, str | int | float]

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """The calibration in a YAML file. Raises ConfigError."""
        return load(cls, path)

    def score(self, signals: Mapping[str, float]) -> float:
        """The probability of being right."""
        return 1 / (1 + exp(-(self.bias + sum(self.weights.get(name, 0.0) * value for name, value in signals.items()))))


@dataclass(frozen=True)
class Reliance:
    """How scores are made and when a description is withheld. `below` is the threshold without a calibration."""

    below: float = 0.0
    calibration: Calibration | None = None

    def confidence(self, generation: Generation, evidence: Sequence[Evidence], checks: Checks) -> Confidence:
        """The confidence in what was generated from this evidence."""
        found = signals(generation, evidence, checks)
        if self.calibration is not None:
            return Confidence(self.calibration.score(found), found)
        return Confidence(sum(found[name] for name in _UNCALIBRATED) / len(_UNCALIBRATED), found)

    @cached_property
    def threshold(self) -> float:
        """The score below which a description is withheld."""
        return self.below if self.calibration is None else self.calibration.threshold


def signals(generation: Generation, evidence: Sequence[Evidence], checks: Checks) -> dict[str, float]:
    """The signals of a description, by name."""
    examples = sorted((item for item in evidence if item.kind == "example"), key=lambda item: item.rank)
    said, shown = _slots(read(generation.text)), [_slots(read(item.text)) for item in examples]
    supports = [sentence.support for sentence in checks.sentences]
    return {
        "nearness": max(0.0, min(1.0, examples[0].score)) if examples else _UNKNOWN,
        "agreement": _mean(_agreements(said, shown)),
        "consensus": _mean(_consensus(shown)),
        "support": _mean(supports if evidence else []),
        "likelihood": _probability(generation.mean_logprob),
        "surety": _probability(generation.min_logprob),
        "consistency": 1 / (1 + len(checks.conflicts)),
    }


def _slots(reading: Reading) -> dict[str, frozenset[str]]:
    """What a text says of the whole picture, by kind; of the body the regions."""
    slots = {kind: reading.names(kind) for kind in _KINDS}
    slots["modality"] = modalities(reading.statements)
    words = lexicon()
    slots["anatomy"] = frozenset((words.ancestors(name) or [name])[-1] for name in reading.names("anatomy"))
    return {kind: names for kind, names in slots.items() if names}


def _agreements(said: Mapping[str, frozenset[str]], shown: Sequence[Mapping[str, frozenset[str]]]) -> Iterator[float]:
    """Of each kind that the text speaks of, the weighted share of the examples speaking of it that say the same."""
    for kind, names in said.items():
        weighed = [(1 / rank, slots[kind]) for rank, slots in enumerate(shown, start=1) if kind in slots]
        if weighed:
            yield sum(weight for weight, theirs in weighed if names & theirs) / sum(weight for weight, _ in weighed)


def _consensus(shown: Sequence[Mapping[str, frozenset[str]]]) -> Iterator[float]:
    """Of each kind that two or more examples speak of, the weighted share of the name that most of them say."""
    for kind in sorted({kind for slots in shown for kind in slots}):
        weighed = [(1 / rank, slots[kind]) for rank, slots in enumerate(shown, start=1) if kind in slots]
        if len(weighed) > 1:
            votes: Counter[str] = Counter()
            for weight, names in weighed:
                for name in names:
                    votes[name] += weight  # type: ignore[assignment]  # weights are no whole numbers
            yield max(votes.values()) / sum(weight for weight, _ in weighed)


def _probability(logprob: float | None) -> float:
    return _UNKNOWN if logprob is None else exp(min(0.0, logprob))


def _mean(values: Iterator[float] | Sequence[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else _UNKNOWN
