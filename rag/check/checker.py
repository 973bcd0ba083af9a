"""All checks of one description."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.types import Evidence
from rag.check.citations import Citer
from rag.check.conflicts import differences, own_differences
from rag.check.copying import copied
from rag.check.entailment import Entailment
from rag.check.meaning import Meaning
from rag.check.reading import Reading, Statement, read
from rag.check.sentences import split_sentences
from rag.types import Checks, Conflict


class Checker:
    """Checks descriptions. Evidence is cited from `support` on; `meaning` and `entailment` see what terms miss."""

    def __init__(self, support: float, meaning: Meaning | None = None, entailment: Entailment | None = None) -> None:
        self._citer = Citer(support, meaning, entailment)

    def check(self, text: str, evidence: Sequence[Evidence]) -> Checks:
        """What a text rests on, contradicts and copies. Raises RagError where a configured model cannot be loaded."""
        sentences = [read(sentence) for sentence in split_sentences(text)]
        whole = Reading(text, tuple(statement for sentence in sentences for statement in sentence.statements))
        held = [read(item.text) for item in evidence]
        return Checks(
            sentences=self._citer.cite(sentences, whole, held, [item.number for item in evidence]),
            conflicts=tuple(_conflicts(whole, held, evidence)),
            copied=copied(text, [(item.number, item.text) for item in evidence if item.kind == "example"]),
        )


def _conflicts(whole: Reading, held: Sequence[Reading], evidence: Sequence[Evidence]) -> list[Conflict]:
    """Each difference once: a sentence, what it is held against, and in what they differ."""
    found: dict[tuple[str, ...], Conflict] = {}
    for statement in whole.statements:
        for difference in differences(statement, whole, held):
            text, number = evidence[difference.text].text, evidence[difference.text].number
            conflict = Conflict(difference.kind, statement.text, text, number)
            found.setdefault((difference.kind, statement.text, text), conflict)
        for kind in own_differences(statement, whole):
            conflict = Conflict(kind, statement.text, _rest(statement, whole), None)
            found.setdefault((kind, *sorted((statement.text, conflict.against))), conflict)
    return list(found.values())


def _rest(statement: Statement, whole: Reading) -> str:
    return " ".join(other.text for other in whole.statements if other is not statement)
