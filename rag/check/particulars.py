"""What a sentence and a text have in common of the particulars that they give: structures, findings, numbers, sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.check.lexicon import Kind
from rag.check.reading import Reading, Statement
from rag.check.stances import of_kind, told


@dataclass(frozen=True)
class Particulars:
    """Shares of names in common, 0 to 1, of the fewer names, with the broader ones; whether numbers and sides are.

    `side_missing` where the sentence names a side and the text does not name it.
    """

    structures: float
    findings: float
    qualities: float
    number: bool
    side: bool
    side_missing: bool


def particulars(said: Sequence[Statement], text: Reading) -> Particulars:
    """What a sentence's statements and a text have in common."""
    numbers = [amount.quantity for statement in said for amount in statement.amounts if not amount.definite]
    theirs = [amount.quantity for amount in text.amounts if not amount.definite]
    sides = {side.name for statement in said for side in statement.sides}
    same = bool(sides & {side.name for side in text.sides})
    return Particulars(
        structures=_shared(said, text, "anatomy"),
        findings=_shared(said, text, "finding", "cell", "stain"),
        qualities=_shared(said, text, "quality", "direction"),
        number=any(one.unit == other.unit and one.agrees(other) for one in numbers for other in theirs),
        side=same,
        side_missing=bool(sides) and not same,
    )


def _shared(said: Sequence[Statement], text: Reading, *kinds: Kind) -> float:
    """The share of the fewer names of some kinds, affirmed or denied, that both have."""
    mine, theirs = (
        of_kind(told(term.name for statement in each for term in statement.terms), kinds)
        for each in (said, text.statements)
    )
    return len(mine & theirs) / min(len(mine), len(theirs)) if mine and theirs else 0.0
