"""Answers that satisfy a JSON Schema: which tokens may come next, and the way to an end before the tokens run out.

The grammar is llguidance's; it knows nothing of a model, and this module nothing of prompts. What llguidance does not
know of JSON Schema (`not`, `uniqueItems`, `if`) does not hold an answer: whoever asked for it validates what comes.
Imports torch and llguidance; import it where a model is at hand, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from numpy.typing import NDArray
from transformers import LogitsProcessor

from vlm.errors import UnsupportedSchema, one_line

_LAYOUT: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True}
"""JSON on one line, as `json.dumps` writes it."""
_LONGEST_END = 512
"""Tokens after which the search for an end is given up: a schema may ask for more than anybody waits for."""
_WATCHED = 96
"""From so many tokens before the last one on, the way to the end is kept in sight, and from three times as many as the
shortest answer takes."""


class Vocabulary:
    """A tokenizer as a grammar sees it. `width` is the number of scores a model gives.

    Reading it takes up to a second for 150,000 tokens, so one is made for a model and kept.
    """

    def __init__(self, tokenizer: Any, stop_ids: Sequence[int], width: int) -> None:
        self.width = width
        self.stop_ids = tuple(stop_ids)
        self._tokens = from_tokenizer(tokenizer, n_vocab=max(width, len(tokenizer)), eos_token=list(stop_ids))
        self._fresh: dict[str, LLMatcher] = {}

    def matcher(self, schema: str) -> LLMatcher:
        """A grammar at its beginning. Raises UnsupportedSchema, with the reason."""
        if schema not in self._fresh:
            try:
                grammar = LLMatcher.grammar_from_json_schema(schema, overrides=_LAYOUT)
            except ValueError as error:
                raise UnsupportedSchema(f"the schema cannot be used: {one_line(error)}. Is it an object?") from error
            matcher = LLMatcher(self._tokens, grammar, log_level=0)
            if matcher.is_error():
                raise UnsupportedSchema(f"the schema cannot be used: {one_line(matcher.get_error())}")
            self._fresh[schema] = matcher
        return self._fresh[schema].deep_copy()

    def allowed(self, matcher: LLMatcher) -> NDArray[np.bool_]:
        """`(width,)`: which tokens may come next. Raises UnsupportedSchema where the grammar is too much to follow."""
        bits = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
        if matcher.is_error():
            raise UnsupportedSchema(f"the schema is too large to follow: {one_line(matcher.get_error())}")
        allowed = np.unpackbits(bits, bitorder="little")[: self.width].astype(np.bool_)
        if not allowed.any():
            raise UnsupportedSchema("nothing that this model can write satisfies the schema. Does anything at all?")
        return allowed

    def ending(self, matcher: LLMatcher) -> list[int] | None:
        """Tokens that bring an answer to an end from here, few rather than many; None where no end is in reach.

        What is open is closed as soon as the grammar lets it be. Leaves `matcher` as it was.
        """
        tokens: list[int] = []
        while not matcher.is_accepting() and len(tokens) < _LONGEST_END:
            forced = matcher.compute_ff_tokens()
            several = forced or [self._towards_the_end(self.allowed(matcher))]
            if not matcher.consume_tokens(several):
                raise UnsupportedSchema(f"the schema is too large to follow: {one_line(matcher.get_error())}")
            tokens += several
        reached = matcher.is_accepting()
        matcher.rollback(len(tokens))
        return tokens if reached else None

    def _towards_the_end(self, allowed: NDArray[np.bool_]) -> int:
        """The allowed token that does most to close what is open."""
        candidates = np.flatnonzero(allowed)
        return int(candidates[np.argmax(self._closing[candidates])])

    @cached_property
    def _closing(self) -> NDArray[np.float32]:
        """`(width,)`: what closes first, then what ends a number, then what opens nothing, longer tokens before
        shorter ones."""
        worth = np.zeros(self.width, dtype=np.float32)
        for token in range(self.width):
            text = self._tokens.decode_bytes([token]).decode("utf-8", "replace")
            bare = text.strip()
            if not bare or self._tokens.is_special_token(token):
                continue
            kind = 3 if not bare.strip('"]}') else 2 if bare[0] in ",:" else 1 if bare.isalnum() else 0
            worth[token] = kind + min(len(bare), 9) / 10
        return worth


class Guide:
    """One answer on its way through its schema, `max_new_tokens` long at the most."""

    def __init__(self, vocabulary: Vocabulary, schema: str, max_new_tokens: int) -> None:
        self._vocabulary = vocabulary
        self._matcher = vocabulary.matcher(schema)
        self._left = max_new_tokens
        self._ahead = vocabulary.ending(self._matcher)  # the way to the end from here, where it is known
        self._watched = max(_WATCHED, 3 * len(self._ahead or ()))
        self._after: list[int] | None = None  # the same behind the token that was let through last
        self.ended = False
        self.hurried = False
        """Whether it was brought to its end: without that it would have gone on."""

    def take(self, token: int) -> None:
        """Goes on by the token that was chosen."""
        self._left -= 1
        self._ahead = self._after
        if token in self._vocabulary.stop_ids:
            self.ended = True
        else:
            self._matcher.consume_token(token)

    def allowed(self) -> NDArray[np.bool_]:
        """`(width,)`: which tokens may come next."""
        return self._vocabulary.allowed(self._matcher)

    def in_time(self, token: int) -> int:
        """`token`, or the first of the way to the end where `token` would leave too few for that."""
        self._after = None
        if self._left > self._watched or token in self._vocabulary.stop_ids:
            return token
        if self._ahead and token == self._ahead[0]:
            self._after = self._ahead[1:]
            return token
        self._matcher.consume_token(token)
        way = self._vocabulary.ending(self._matcher)
        self._matcher.rollback(1)
        if way is not None and len(way) + 2 <= self._left:  # the token itself, the way, and an end token
            self._after = way
            return token
        if self._ahead is None:
            self._ahead = self._vocabulary.ending(self._matcher)
        if self._ahead is None:
            return token
        self.hurried = True
        self._after = self._ahead[1:]
        return self._ahead[0] if self._ahead else self._vocabulary.stop_ids[0]


class SchemaMask(LogitsProcessor):
    """Lets through what each row's grammar allows. None for a row that may say anything."""

    def __init__(self, guides: Sequence[Guide | None], prompt_length: int) -> None:
        self._guides = guides
        self._prompt_length = prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        begun = input_ids.shape[1] > self._prompt_length
        open_rows = []
        for row, guide in enumerate(self._guides):
            if guide is None or guide.ended:
                continue
            if begun:
                guide.take(int(input_ids[row, -1]))
            if not guide.ended:
                open_rows.append(row)
        if not open_rows:
            return scores
        masks = np.ones((len(self._guides), scores.shape[-1]), dtype=np.bool_)
        for row in open_rows:
            guide = self._guides[row]
            if guide is not None:
                masks[row] = guide.allowed()
        return scores.masked_fill(~torch.from_numpy(masks).to(scores.device), -torch.inf)


class SchemaEnd(LogitsProcessor):
    """Brings answers to their end in time. Must come last: it looks at the token that is about to be chosen."""

    def __init__(self, guides: Sequence[Guide | None]) -> None:
        self._guides = guides

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - the protocol
        chosen = scores.argmax(dim=-1).tolist()
        for row, guide in enumerate(self._guides):
            if guide is None or guide.ended:
                continue
            token = guide.in_time(chosen[row])
            if token != chosen[row]:
                scores[row] = -torch.inf
                scores[row, token] = 0.0
        return scores
