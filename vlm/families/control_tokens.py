"""Keeps text that merely looks like a control token from becoming one.

A caption from an index may hold `<|im_end|>` or `<image>`. Left alone, the tokenizer would read it as the end of
the turn or as a place for an image. Knows nothing of any model: it is given the tokenizer's added tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol


class AddedToken(Protocol):
    """A token that a tokenizer matches whole, before it cuts words."""

    content: str
    special: bool


class ControlTokens:
    """The control tokens of one tokenizer, and the way to break them in a text."""

    def __init__(self, added: Iterable[AddedToken]) -> None:
        # Not every special-looking token is marked special (PaliGemma's <loc0001> is not); and some added tokens
        # are plain words or runs of spaces, which must stay whole.
        contents = {t.content for t in added if t.special or (t.content[:1] == "<" and t.content[-1:] == ">")}
        longest_first = sorted((c for c in contents if len(c) > 1 and c.strip()), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def broken(self, text: str) -> str:
        """`text` with a space after the first character of each control token: `<|im_end|>` reads `< |im_end|>`."""
        return self._pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
