"""Whether a text names another modality or plane of the picture."""

from __future__ import annotations

from rag.check.lexicon import Kind, lexicon
from rag.check.reading import Statement
from rag.check.stances import Others, Stance, names_of, of_kind, stance_of, wide

_WAYS = frozenset({"angiography"})
"""Modalities that are a way to use another one."""


def modalities(statements: Others) -> frozenset[str]:
    """The modalities that statements name or, where they name none, those that they imply."""
    return names_of(statements, "modality") or implied_modalities(statements)


def implied_modalities(statements: Others) -> frozenset[str]:
    """The modalities that what statements say can be seen in alone: T1 in an MR image, uptake of FDG in a PET."""
    return of_kind(wide(names_of(statements, "sequence", "view")), ("modality",))


def modality_stance(said: Statement, others: Others) -> Stance | None:
    """By the modalities of a sentence, named or implied."""
    mine, theirs = modalities([said]), modalities(others)
    if mine - _WAYS and theirs - _WAYS:  # CT angiography is not MR angiography
        mine, theirs = mine - _WAYS, theirs - _WAYS
    together = lexicon().together
    if mine and theirs and all(frozenset((one, other)) in together for one in mine for other in theirs):
        return "agrees"
    return stance_of(mine, theirs)


def plane_stance(mine: frozenset[str], kind: Kind, others: Others) -> Stance | None:
    """By the planes or views of a sentence."""
    return stance_of(mine, wide(names_of(others, kind)))
