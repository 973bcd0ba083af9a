"""Labels to choose an answer from. Knows nothing of tokens."""

from __future__ import annotations

from collections.abc import Sequence

from vlm.errors import PromptError


def checked_labels(labels: Sequence[str]) -> list[str]:
    """The labels without white space around them. Raises PromptError where they are no choice."""
    texts = [label.strip() for label in labels]
    if len(texts) < 2:
        raise PromptError(f"{len(texts)} labels to choose from. Give two or more")
    if "" in texts:
        raise PromptError(f"label {texts.index('') + 1} of {len(texts)} is empty. Give each a text")
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise PromptError(f"label {twice!r} is there twice. Give each once")
    return texts


def ways_to_write(label: str) -> tuple[str, ...]:
    """The label as answers are written: as it is, with a capital, and each with a full stop."""
    forms = (label, label[:1].upper() + label[1:])
    return tuple(dict.fromkeys([*forms, *(f"{form.rstrip('.')}." for form in forms)]))
