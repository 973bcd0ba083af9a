"""How many tokens a text has: a model's own tokenizer, used for counting alone.

Imports neither torch nor a model's weights. Knows nothing of what the texts are, or of a model beyond its folder.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.errors import EmbedderUnavailableError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORDS_KEPT = 200_000
"""Words whose tokens are remembered, some 25 MiB; beyond that they are forgotten and counted anew."""


@dataclass(frozen=True)
class Measure:
    """How many tokens each of some texts has, special tokens not counted, and the `most` of one text that is read."""

    count: Callable[[Sequence[str]], list[int]]
    most: int


class CountsTokens(ABC):
    """How embedders of texts count tokens: by what `_read_measure` reads of their tokenizer, at the first use."""

    @property
    def max_tokens(self) -> int:
        """What the model reads of one text; special tokens, and a prompt it has of its own, taken off."""
        return self._measure.most

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, without special ones, as the model's own tokenizer makes them."""
        return self._measure.count(texts)

    @cached_property
    def _measure(self) -> Measure:
        return self._read_measure()

    @abstractmethod
    def _read_measure(self) -> Measure:
        """Reads the tokenizer; no weights. Raises EmbedderUnavailableError."""


class TokenCount:
    """Counts the tokens of texts, without a model's special tokens.

    Most text embedders have BERT's tokenizer, which cuts at every space before anything else: a text's tokens are
    its words' tokens, and words come again and again. So a word is tokenized once, and a text is summed up: ten times
    as fast as tokenizing it. Other tokenizers are given each text whole.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.special = int(tokenizer.num_special_tokens_to_add(False))
        self._tokenizer = tokenizer
        self._by_word = _cuts_at_spaces(tokenizer)
        self._words: dict[str, int] = {}

    def of(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text."""
        if not self._by_word:
            return [len(tokens) for tokens in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]
        # At these two signs alone: what other space there is stays within the "words", as the tokenizer reads it.
        return [self._summed(text.replace("\n", " ").split(" ")) for text in texts]

    def _summed(self, words: list[str]) -> int:
        try:
            return sum(map(self._words.__getitem__, words))
        except KeyError:
            self._learn(set(words))
            return sum(map(self._words.__getitem__, words))

    def _learn(self, words: set[str]) -> None:
        new = words.difference(self._words)
        if len(self._words) + len(new) > WORDS_KEPT:
            self._words.clear()
            new = words
        # One by one: a batch of words is slower, by what its threads cost.
        self._words.update((word, len(self._tokenizer.encode(word, add_special_tokens=False))) for word in new)


def read_tokenizer(folder: Path, name: str, *, lower_case: bool = False) -> TokenCount:
    """The tokenizer in a model's folder, where `tokenizer.json` is missing by way of transformers.

    With `lower_case` texts are made so first. Raises EmbedderUnavailableError, which names the embedder `name`.
    """
    tokenizer = _from_json(folder, name) if (folder / "tokenizer.json").is_file() else _from_parts(folder, name)
    if lower_case:
        from tokenizers import normalizers

        own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    return TokenCount(tokenizer)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file's object; an empty one where there is no such file. Raises EmbedderUnavailableError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return dict(values)
    except (OSError, ValueError, TypeError) as error:
        raise EmbedderUnavailableError(f"{path} cannot be read: {error}") from error


def _from_json(folder: Path, name: str) -> Tokenizer:
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no narrower one
        reason = " ".join(str(error).split())[:300]
        raise EmbedderUnavailableError(f"embedder {name}: {path} is not a tokenizer: {reason}") from error


def _from_parts(folder: Path, name: str) -> Tokenizer:
    """What transformers makes of a vocabulary without a `tokenizer.json`."""
    from transformers import AutoTokenizer

    reason = "transformers has no fast form of it"
    try:
        made = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        made, reason = None, " ".join(str(error).split())[:300]
    tokenizer: Tokenizer | None = getattr(made, "backend_tokenizer", None)
    if tokenizer is None:
        raise EmbedderUnavailableError(f"embedder {name}: {folder} has no tokenizer that can be read: {reason}")
    return tokenizer


def _cuts_at_spaces(tokenizer: Tokenizer) -> bool:
    """Whether the tokens of a text are those of the pieces between its spaces, whatever the text."""
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    added = tokenizer.get_added_tokens_decoder().values()
    return (
        isinstance(tokenizer.model, WordPiece)
        and isinstance(tokenizer.normalizer, BertNormalizer)
        and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
        and not any(token.lstrip or token.rstrip or token.single_word or " " in token.content for token in added)
    )
