"""Whether a text entails a sentence, by a model of natural language inference."""

from __future__ import annotations

from collections.abc import Sequence

from rag.cross_encoder import CrossEncoder
from rag.errors import CheckError


class Entailment:
    """Entailment by one cross-encoder, whose labels name an entailment and a contradiction."""

    def __init__(self, model: CrossEncoder) -> None:
        self._model = model

    def entailed(self, sentence: str, texts: Sequence[str]) -> list[float]:
        """Probability that each text entails a sentence; 0 where a contradiction is the likelier.

        Raises CheckError where the model has no such labels.
        """
        scores = self._model.probabilities([(text, sentence) for text in texts])
        labels = [label.lower() for label in self._model.labels]
        kinds = ("entail", "contradict")
        places = [[place for place, label in enumerate(labels) if label.startswith(kind)] for kind in kinds]
        if any(len(found) != 1 for found in places):
            raise CheckError(
                f"check.nli {self._model.name}: its labels are {', '.join(labels)}; a model of entailment has "
                "one named entailment and one named contradiction"
            )
        (entails,), (against,) = places
        return [float(row[entails]) if row[entails] > row[against] else 0.0 for row in scores]
