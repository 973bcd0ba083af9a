"""What the captions of similar images name alike, as far as it says something of the image: anatomy and sequences.

Measured on teaching cases (`benchmarks/named_alike.py`): what two or more of the five nearest captions name is named by
the image's own caption seven times as often as by any caption where it is anatomy, three times where it is a sequence,
and one and a half times where it is a finding. So findings of other patients are never said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from re import Pattern

from indexer.types import Evidence
from rag.check.citations import MAX_CITATIONS
from rag.check.lexicon import Kind
from rag.check.reading import read
from rag.content import Content, said
from rag.types import Sentence

WITNESSES, MOST = 2, 4
"""So many captions must name a thing, and so many things are said at most."""
KINDS: tuple[Kind, ...] = ("anatomy", "sequence")
"""What is said of other images' captions."""
BEGINNING = "Similar images:"
_VAGUE = frozenset(("brain", "lung", "soft tissue", "tissue", "wall", "bone", "muscle", "vessel"))
"""Names that tell hardly more than the part of the body."""


@dataclass(frozen=True)
class Alike:
    """A name of the check's word lists, and the numbers of the examples whose captions affirm it."""

    name: str
    witnesses: tuple[int, ...]


def sentence_of(text: str, evidence: Sequence[Evidence], content: Content) -> Sentence | None:
    """'Similar images: T2, lateral ventricle.', with the evidence that names any of it; None where nothing is alike.

    `text` is the description that it goes behind, read by the lists `modality` and `location` of `content`. Nothing is
    said behind one that names no modality, nor where there are no such lists.
    """
    found = named_alike(text, evidence, content)
    if not found:
        return None
    names = ", ".join(one.name for one in found)
    return Sentence(f"{BEGINNING} {names}.", _covering(found), 1.0, "terms")


def named_alike(
    text: str, evidence: Sequence[Evidence], content: Content, kinds: Collection[Kind] = KINDS
) -> list[Alike]:
    """What `WITNESSES` captions or more affirm, in the order in which the second of them does, the nearest caption
    first; at most `MOST`. Captions of the same words are one.

    Left out is what the text says already, what is of another part of the body than the text's (where it names none,
    than that of the first name), and sequences but of MR.
    """
    modalities, places = (content.lists.get(name) for name in ("modality", "location"))
    if modalities is None or places is None or (modality := said(text, modalities)) is None:
        return []
    examples = sorted((one for one in evidence if one.kind == "example"), key=lambda one: one.rank)
    captions = {one.text: one.number for one in reversed(examples)}  # of the same words the nearest one's number
    witnesses: dict[str, list[int]] = {}
    order: list[str] = []
    wanted = _Wanted(text, modality, places)
    for caption in dict.fromkeys(one.text for one in examples):
        for name, kind in affirmed(caption):
            if kind in kinds:
                witnesses.setdefault(name, []).append(captions[caption])
                if len(witnesses[name]) == WITNESSES and wanted.takes(name, kind):
                    order.append(name)
    return [Alike(name, tuple(witnesses[name])) for name in order[:MOST]]


def affirmed(caption: str) -> Iterator[tuple[str, Kind]]:
    """What a caption says is there, by name, each once, with its kind."""
    terms = (term for statement in read(caption).statements for term in statement.terms)
    yield from {term.name: term.kind for term in terms if not term.denied and not term.open}.items()


class _Wanted:
    """Which names may stand behind a text."""

    def __init__(self, text: str, modality: str, places: Mapping[str, Pattern[str]]) -> None:
        self._text = text.lower()
        self._is_mr = modality == "MR"
        self._places = places
        self._parts = self._parts_of(self._text)
        self._open = not self._parts and not any(kind == "anatomy" for _, kind in affirmed(text))

    def takes(self, name: str, kind: Kind) -> bool:
        if name.lower() in self._text or name in _VAGUE or (kind == "sequence" and not self._is_mr):
            return False
        parts = self._parts_of(name)
        if self._open and parts:
            self._parts, self._open = parts, False
        return parts <= self._parts

    def _parts_of(self, phrase: str) -> frozenset[str]:
        """The parts of the body that words name."""
        return frozenset(place for place, words in self._places.items() if words.search(phrase))


def _covering(found: Sequence[Alike]) -> tuple[int, ...]:
    """The numbers of the evidence that names any of it, first so that all is covered; at most `MAX_CITATIONS`."""
    names: dict[int, set[str]] = {}
    for one in found:
        for number in one.witnesses:
            names.setdefault(number, set()).add(one.name)
    covered: set[str] = set()
    cited: list[int] = []
    while names and len(cited) < MAX_CITATIONS:
        best = max(names, key=lambda number: (len(names[number] - covered), len(names[number]), -number))
        covered |= names.pop(best)
        cited.append(best)
    return tuple(cited)
