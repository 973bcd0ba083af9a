"""The tokens of answers as they follow a prompt. Knows nothing of models; what cuts texts into tokens is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vlm.families import Family
from vlm.families.control_tokens import ControlTokens
from vlm.labels import ways_to_write

Cut = Callable[[list[str]], list[list[int]]]
"""The tokens of each text, special ones not added."""


def answer_ids(family: Family, control: ControlTokens, cut: Cut, answers: Sequence[str]) -> list[list[int]]:
    """The tokens of each answer as they follow a prompt; its end is not among them."""
    start = family.answer_cue + family.answer_start
    cue, *ids = cut([family.answer_cue, *(start + control.broken(answer) for answer in answers)])
    return [several[len(cue) :] for several in ids]


def first_tokens(
    family: Family, control: ControlTokens, cut: Cut, labels: Sequence[str]
) -> tuple[list[int], list[set[int]]]:
    """The tokens that all labels begin with, and those that may follow where the answer is this one, for each.

    A label counts however it is written (`ways_to_write`). Nothing where one is the beginning of all the others.
    """
    written = [ways_to_write(label) for label in labels]
    ids = answer_ids(family, control, cut, [form for forms in written for form in forms])
    apart = shared_head(ids)
    if any(len(several) == apart for several in ids):
        return [], []
    following = iter(ids)
    return ids[0][:apart], [{next(following)[apart] for _ in forms} for forms in written]


def told_apart(firsts: Sequence[set[int]]) -> bool:
    """Whether `first_tokens` of some labels are each one label's alone."""
    return bool(firsts) and len(set().union(*firsts)) == sum(map(len, firsts))


def shared_head(answers: Sequence[Sequence[int]]) -> int:
    """How many tokens all begin with."""
    apart = (n for n, several in enumerate(zip(*answers, strict=False)) if len(set(several)) > 1)
    return next(apart, min(map(len, answers)))
