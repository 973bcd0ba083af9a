"""How far a description can be relied on: signals, a score made of them, and the threshold below which it is withheld.

The signals, each 0 to 1:

    nearness      cosine similarity of the nearest example
    agreement     how far the image's neighbours say what the description says (`rag.neighbourhood`)
    consensus     how far they say the same among themselves
    support       mean support of the description's sentences
    likelihood    the model's geometric mean probability of a token it wrote
    surety        the model's probability of the token it was least sure of
    consistency   1 / (1 + conflicts found)

What is not known (no evidence, a server that tells no probabilities) is 0.5. Uncalibrated, the score is `agreement`
times `likelihood`; with a calibration it is the probability of being right that `evaluate calibrate` fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp
from pathlib import Path

from pydantic import field_validator

from configs import StrictModel, hint, load
from indexer.types import Evidence
from rag.neighbourhood import Electorate, Votes, consensus
from rag.types import Checks, Confidence
from vlm.types import Generation

SIGNALS = ("nearness", "agreement", "consensus", "support", "likelihood", "surety", "consistency")
_UNKNOWN = 0.5


class Calibration(StrictModel):
    """A logistic model of a description being right, by its signals, and the probability below which it is withheld.

    `made_from` says on what it was fitted.
    """

    weights: dict[str, float]
    bias: float
    threshold: float
    made_from: dict[str, str | int | float]

    @field_validator("weights")
    @classmethod
    def _signals_are_known(cls, weights: dict[str, float]) -> dict[str, float]:
        for name in weights.keys() - set(SIGNALS):
            raise ValueError(f"no signal {name!r}{hint(name, list(SIGNALS)) or '.'} Signals: {', '.join(SIGNALS)}")
        return weights

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

    electorate: Electorate
    below: float = 0.0
    calibration: Calibration | None = None

    def confidence(
        self, generation: Generation, evidence: Sequence[Evidence], checks: Checks, votes: Votes | None = None
    ) -> Confidence:
        """The confidence in what was generated from this evidence. Where no neighbours voted, the evidence does."""
        votes = self.electorate.votes(evidence) if votes is None else votes
        found = signals(generation, evidence, checks, self.electorate.agreement(generation.text, votes), votes)
        if self.calibration is not None:
            return Confidence(self.calibration.score(found), found, votes)
        return Confidence(found["agreement"] * found["likelihood"], found, votes)

    @cached_property
    def threshold(self) -> float:
        """The score below which a description is withheld."""
        return self.below if self.calibration is None else self.calibration.threshold


def signals(
    generation: Generation, evidence: Sequence[Evidence], checks: Checks, agreement: float | None, votes: Votes
) -> dict[str, float]:
    """The signals of a description, by name."""
    nearest = max((item.score for item in evidence if item.kind == "example"), default=None)
    supports = [sentence.support for sentence in checks.sentences] if evidence else []
    return {
        "nearness": _known(None if nearest is None else max(0.0, min(1.0, nearest))),
        "agreement": _known(agreement),
        "consensus": _known(consensus(votes)),
        "support": _known(sum(supports) / len(supports) if supports else None),
        "likelihood": _known(_probability(generation.mean_logprob)),
        "surety": _known(_probability(generation.min_logprob)),
        "consistency": 1 / (1 + len(checks.conflicts)),
    }


def _probability(logprob: float | None) -> float | None:
    return None if logprob is None else exp(min(0.0, logprob))


def _known(value: float | None) -> float:
    return _UNKNOWN if value is None else value
