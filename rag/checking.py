"""The checks of a pipeline: made by its settings, and what they found told to a reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from indexer import load_embedder
from indexer.embedders.sentences import SentenceTransformersEmbedder
from rag.check import Checker
from rag.check.entailment import Entailment
from rag.check.meaning import Meaning
from rag.confidence import Calibration, Reliance
from rag.config import CheckSettings
from rag.content import Content
from rag.cross_encoder import CrossEncoder
from rag.errors import CheckError
from rag.neighbourhood import Electorate
from rag.types import Checks, Conflict

_QUOTED = 120
"""Characters of a text that a warning quotes."""
_WORTH = 8
"""Words in a row from which on a large share of a text taken from one caption is said."""


@dataclass(frozen=True)
class Checking:
    """What descriptions are held against, made once for all of them. Models are loaded when first needed, and kept."""

    checker: Checker
    reliance: Reliance


def checking_of(settings: CheckSettings) -> Checking:
    """The checks, and how confidence is reckoned, as the settings say. Raises ConfigError and ContentError."""
    path = settings.calibration
    calibration = None if path is None else Calibration.read(path)
    electorate = Electorate(Content.of_all(settings.content))
    return Checking(checker_of(settings), Reliance(electorate, settings.abstain_below, calibration))


def checker_of(settings: CheckSettings) -> Checker:
    """The checks of a text alone."""
    name = settings.text_embedder
    meaning = None if name is None else Meaning(lambda: _token_embedder(name))
    entailment = None if settings.nli is None else Entailment(CrossEncoder(settings.nli, "check.nli"))
    return Checker(settings.support, meaning, entailment)


def check_warnings(checks: Checks, settings: CheckSettings) -> Iterator[str]:
    """What a reader should know: each conflict with both texts, and what was copied."""
    told: dict[tuple[str, str], list[Conflict]] = {}
    for conflict in checks.conflicts:
        told.setdefault((conflict.kind, conflict.said), []).append(conflict)
    for (kind, said), conflicts in told.items():
        numbers = ", ".join(f"[{conflict.evidence}]" for conflict in conflicts if conflict.evidence is not None)
        whose = numbers or "the text's own"
        yield f"conflict of {kind}: {_quoted(said)} against {whose} {_quoted(conflicts[0].against)}"
    taken = checks.copied
    if taken and (taken.run >= settings.copied_run or (taken.run >= _WORTH and taken.share >= settings.copied_share)):
        yield f"copied from [{taken.evidence}]: {taken.run} words in a row, {taken.share:.0%} of the text"


def _token_embedder(name: str) -> SentenceTransformersEmbedder:
    embedder = load_embedder(name)
    if not isinstance(embedder, SentenceTransformersEmbedder):
        raise CheckError(f"check.text_embedder {name}: not a sentence-transformers model. Name one, or null")
    return embedder


def _quoted(text: str) -> str:
    short = text if len(text) <= _QUOTED else text[: _QUOTED - 3].rstrip() + "..."
    return f'"{short}"'
