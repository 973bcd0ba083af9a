"""What a text says of an image, read from it by published word lists (`configs/content/`).

A text says one value of a list where it holds words of that value and of no other; one that says several, or none,
says nothing, which counts as wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, field_validator

import configs
from indexer.manifest import hash_json
from rag.errors import ContentError

Lists = dict[str, dict[str, str]]


class ContentConfig(configs.StrictModel):
    """A file of `configs/content/`. `lists` is list -> value -> words with commas between.

    Each word is a regular expression, which is matched whole.
    """

    note: str
    lists: Annotated[Lists, Field(min_length=1)]

    @field_validator("lists")
    @classmethod
    def _words_can_be_read(cls, lists: Lists) -> Lists:
        for word in (word for values in lists.values() for words in values.values() for word in split(words)):
            try:
                re.compile(word)
            except re.error as error:
                raise ValueError(f"{word!r} is no regular expression: {error}") from error
        return lists


@dataclass(frozen=True)
class Content:
    """Word lists, ready to read with: list -> value -> pattern. `name` and `hash` say which they are."""

    name: str
    hash: str
    lists: Mapping[str, Mapping[str, re.Pattern[str]]]

    @classmethod
    def load(cls, name: str) -> Content:
        """The lists of `configs/content/NAME.yaml`, or of a file. Raises ConfigError."""
        path = configs.find("content", name)
        config = configs.load(ContentConfig, path)
        return cls(
            path.stem, hash_json(config.model_dump()), {key: patterns(values) for key, values in config.lists.items()}
        )

    @classmethod
    def of_all(cls, names: Sequence[str]) -> Content:
        """The lists of several files as one. Raises ConfigError, and ContentError where two have a list of one name."""
        several = [cls.load(name) for name in names]
        lists: dict[str, Mapping[str, re.Pattern[str]]] = {}
        for one in several:
            twice = lists.keys() & one.lists.keys()
            if twice:
                raise ContentError(f"content {', '.join(names)}: two have a list {min(twice)!r}. Take one of them")
            lists |= one.lists
        return cls("+".join(one.name for one in several), hash_json([one.hash for one in several]), lists)

    def of(self, name: str) -> Mapping[str, re.Pattern[str]]:
        """One list. Raises ContentError, which names those there are."""
        if name not in self.lists:
            raise ContentError(f"content {self.name} has no list {name!r}. It has: {', '.join(self.lists)}")
        return self.lists[name]

    def said(self, text: str) -> dict[str, str | None]:
        """What the text says in every list."""
        return {name: said(text, values) for name, values in self.lists.items()}

    def value(self, name: str, text: str | None) -> str | None:
        """The value of a list that a record's field names: by its very name, else by its words; None for neither."""
        if text is None:
            return None
        named = {value.casefold(): value for value in self.of(name)}
        return named.get(text.casefold()) or said(text, self.of(name))


def split(words: str) -> list[str]:
    """The words of a value, as a file of `configs/content/` has them."""
    return [word.strip() for word in words.split(",")]


def patterns(values: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    """For each value the pattern that finds any of its words in a text of small letters."""
    return {value: compiled(rf"\b(?:{'|'.join(split(words))})\b") for value, words in values.items()}


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern for texts of small letters, without regard to case only where it has capitals: that takes longer."""
    return re.compile(pattern, re.NOFLAG if pattern == pattern.lower() else re.IGNORECASE)


def said(text: str, values: Mapping[str, re.Pattern[str]]) -> str | None:
    """The one value whose words the text holds; None where it holds those of none or of several."""
    text = text.lower()
    found = [value for value, pattern in values.items() if pattern.search(text)]
    return found[0] if len(found) == 1 else None
