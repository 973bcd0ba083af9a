"""How an open_clip model's tokenizer counts, for passages that are embedded into the images' space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indexer.embedders.tokens import Measure, TokenCount

_ENDS = 2  # the signs of start and end of CLIP's own tokenizer


def measure_of(tokenizer: Any) -> Measure:
    """By a tokenizer of `open_clip.get_tokenizer`: one that wraps transformers', or CLIP's own."""
    inner = getattr(getattr(tokenizer, "tokenizer", None), "backend_tokenizer", None)
    if inner is None:
        return Measure(lambda texts: [len(tokenizer.encode(text)) for text in texts], tokenizer.context_length - _ENDS)
    tokens = TokenCount(type(inner).from_str(inner.to_str()))  # a copy: counting switches cutting off

    def count(texts: Sequence[str]) -> list[int]:
        return tokens.of([tokenizer.clean_fn(text) for text in texts])

    return Measure(count, tokenizer.context_length - tokens.special)
