"""What is known (examples, passages), what is asked (queries) and what comes back (evidence)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from imaging import LoadedImage
from indexer.images import ImageRef

Vectors = NDArray[np.float32]
"""float32 `(n, dim)`, rows of unit length."""

Rows = NDArray[np.int64]
"""int64 `(n,)`, numbers of vectors: of each the row of the record it was made for."""

Kind = Literal["example", "passage"]


@dataclass(frozen=True)
class Example:
    """A captioned image in the index. `article` is what figures of one origin share (a PMCID, a case)."""

    id: str
    caption: str
    source: str
    article: str | None = None
    license: str | None = None
    attribution: str | None = None
    url: str | None = None
    concepts: tuple[str, ...] = ()
    modality: str | None = None
    year: int | None = None
    image_sha256: str = ""
    phash: str = ""
    thumbnail: bytes = b""  # JPEG, longest side at most 224 px


@dataclass(frozen=True)
class Passage:
    """A chunk of text in the index. `source_id` names the document it was cut from, `article` the article
    that text and figures share (a PMCID, a case).
    """

    id: str
    text: str
    source: str
    source_id: str
    title: str | None = None
    license: str | None = None
    attribution: str | None = None
    url: str | None = None
    year: int | None = None
    article: str | None = None


@dataclass(frozen=True)
class Filter:
    """What records a search may find; empty is no restriction. Names are compared without regard to case.

    `licenses` are whole names ("CC BY 4.0"); `without_licenses` are parts of names that must not stand in a licence
    ("NC"), a record without a licence passing neither; `allow_licenses` are families of licences, told apart whichever
    way they are written (see `indexer.licenses`), and what states no licence does not pass. `modalities` are names or
    their first words: "CT" finds "CT - noncontrast", not "CTA". A record without a year or modality passes no filter of
    it.
    """

    sources: frozenset[str] = frozenset()
    licenses: frozenset[str] = frozenset()
    without_licenses: frozenset[str] = frozenset()
    allow_licenses: frozenset[str] = frozenset()
    modalities: frozenset[str] = frozenset()
    year_from: int | None = None
    year_to: int | None = None

    def __bool__(self) -> bool:
        return self != Filter()


@dataclass(frozen=True)
class Query:
    """One search: a unit vector `(dim,)` in a named space, how many, and what must not come back.

    With `text` its words are searched for as well, and both results fused. `exclude_ids` are ids of examples,
    passages or the documents passages were cut from; `exclude_articles` are articles of either.
    """

    space: str
    vector: NDArray[np.float32]
    k: int
    exclude_ids: frozenset[str] = frozenset()
    exclude_sha256: frozenset[str] = frozenset()
    exclude_articles: frozenset[str] = frozenset()
    text: str = ""
    only: Filter = Filter()


@dataclass(frozen=True)
class Evidence:
    """An Example or Passage as retrieved.

    `score` is the cosine similarity in the space that found it, `rank` counts from 1 among its kind,
    `number` is the bracketed number it carries in the prompt (0: not in a prompt), `found_by` names the
    searches that brought it ("image", "question", "captions"). `copies` are other records that say the same (the same
    file with the same caption, the same title and text), in the order they came into the index, at most 20.
    """

    record: Example | Passage
    score: float
    rank: int
    number: int = 0
    found_by: tuple[str, ...] = ()
    copies: tuple[Example | Passage, ...] = ()

    @property
    def kind(self) -> Kind:
        return "example" if isinstance(self.record, Example) else "passage"

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def text(self) -> str:
        return self.record.caption if isinstance(self.record, Example) else self.record.text


@dataclass(frozen=True)
class SourceImage:
    """An Example on its way into the index, with the image it describes still to be decoded."""

    example: Example
    image: ImageRef


@dataclass(frozen=True)
class SourceFailure:
    """A record that cannot be used, and why. `id` is the record's own or its place in the file ("line 12")."""

    source: str
    id: str
    reason: str


class Source(Protocol):
    """Yields records in a fixed order, so that a build that was stopped can skip what it has.

    `len` is how many images, documents and failures it holds; a document may become several passages. It reads the
    records once, cuts no text, and raises SourceError where the source as a whole cannot be used.
    """

    name: str

    def __iter__(self) -> Iterator[SourceImage | Passage | SourceFailure]: ...

    def __len__(self) -> int: ...


class TokenCounter(Protocol):
    """Measures texts as an embedder reads them.

    `max_tokens` is what it reads of one text, its special tokens taken off. Both raise EmbedderUnavailableError at
    their first use where the embedder's tokenizer cannot be had; no weights are loaded.
    """

    @property
    def max_tokens(self) -> int: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...


class Embedder(TokenCounter, Protocol):
    """Turns images or texts into unit vectors of one named space.

    `fingerprint` is a SHA-256 over the configuration and weights; vectors of different fingerprints
    must never be compared. It is known before the weights are loaded, which `load` or the first embedding does.
    Once it is loaded, several threads embed images at a time.
    """

    id: str
    revision: str
    fingerprint: str
    dim: int

    def load(self) -> object: ...

    def embed_images(self, images: Sequence[LoadedImage]) -> Vectors: ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors: ...
