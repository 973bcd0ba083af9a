"""The words of `configs/checks/words.yaml`: which concept a phrase means, of what kind it is, what is broader.

Texts are cut into tokens here, the one way for the lists and for what is held against them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

from configs import ROOT, StrictModel, load

Kind = Literal[
    "modality", "plane", "view", "sequence", "phase", "stain", "side", "anatomy", "cell", "finding", "quality",
    "direction", "word",
]  # fmt: skip
"""What a concept is; `word` is any word that no list has."""

_TOKEN = re.compile(
    r"x(?=\d)|[234]d\b|[a-z]+(?:&[a-z]+)?\d*|\d{1,3}(?: \d{3})+(?![\d.,])|\d+(?:[.,]\d+)*|[^\W\d_]+|"
    r"[.,;:!?()\[\]%&+/'\u00b0~-]",
    re.IGNORECASE,
)
_TYPED = {
    "\u2013": "-",
    "\u2014": "-",
    "\u2212": "-",
    "\u00d7": "x",
    "\u2019": "'",
    "\u00b5": "u",
    "\u03bc": "u",
    "\u00b2": "2",
    "\u00b3": "3",
    "\u2248": "~",
}
_PLAIN = str.maketrans(_TYPED)
"""Dashes, the signs of times and of about, apostrophes, micro signs, powers as they are typed; one for one, so that
places stay."""
_SIGNS = frozenset(".,;:!?()[]%&+/'-~\u00b0")
Cues = dict[str, tuple[tuple[str, ...], ...]]
"""Cues of denial by their first word, the longest first."""
_INFLECTED: tuple[Kind, ...] = ("finding", "cell", "quality", "anatomy")
_SHORT = 5
"""A word of so many letters has no stem that tells it from others."""


class WordsConfig(StrictModel):
    """The file of word lists, as it says of itself."""

    modality: dict[str, list[str]]
    together: list[list[str]]
    plane: dict[str, list[str]]
    view: dict[str, list[str]]
    sequence: dict[str, list[str]]
    phase: dict[str, list[str]]
    stain: dict[str, list[str]]
    side: dict[str, list[str]]
    anatomy: dict[str, list[str]]
    cell: dict[str, list[str]]
    finding: dict[str, list[str]]
    quality: dict[str, list[str]]
    direction: dict[str, list[str]]
    broader: dict[str, str]
    made_of: dict[str, list[str]]
    opposites: list[list[str]]
    families: list[str]
    prefixes: list[str]
    stands_for: dict[str, str]
    says: dict[str, str]
    empty: str
    denies_following: list[str]
    denies_preceding: list[str]
    not_seen: list[str]
    lost: list[str]
    no_denial: list[str]
    partly: list[str]
    spellings: dict[str, str]
    plurals: dict[str, str]
    no_plural: str


@dataclass(frozen=True)
class Token:
    """A word, number or sign, lower-case in its singular and American spelling, and where it stands in the text."""

    word: str
    start: int
    end: int

    @property
    def is_sign(self) -> bool:
        return self.word in _SIGNS

    @property
    def is_number(self) -> bool:
        return self.word[0].isdigit()


@dataclass(frozen=True)
class Concept:
    """What a phrase means."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Lexicon:
    """The lists, by phrase. `together` are pairs of modalities that do not exclude each other.

    `made_of` has what a concept says in one word: a pneumothorax is air and pleura.
    Of a family of `families` a thing is one; words that begin with one of some `prefixes` are not those that begin with
    another. `says` has, by its first word, each phrase that is read as other words, the longest first.
    """

    concepts: dict[tuple[str, ...], Concept]
    broader: dict[str, str]
    made_of: dict[str, tuple[str, ...]]
    together: frozenset[frozenset[str]]
    opposites: dict[str, frozenset[str]]
    families: tuple[frozenset[str], ...]
    prefixes: tuple[tuple[str, ...], ...]
    stands_for: dict[str, tuple[str, ...]]
    says: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]
    empty: frozenset[str]
    denies_following: Cues
    denies_preceding: Cues
    lost: Cues
    no_denial: Cues
    partly: frozenset[str]

    @cached_property
    def denying(self) -> frozenset[str]:
        """Words of the cues of denial, which name nothing."""
        lists = (self.denies_following, self.denies_preceding, self.no_denial)
        return frozenset(word for cues in lists for several in cues.values() for cue in several for word in cue)

    @cached_property
    def cue_words(self) -> frozenset[str]:
        """Words that a cue of denial, or of none, begins with."""
        return frozenset().union(self.denies_following, self.denies_preceding, self.no_denial, self.lost)

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        return {concept.name: concept.kind for concept in self.concepts.values()}

    def kind_of(self, name: str) -> Kind:
        """The kind of a concept by its name; `word` for what no list has."""
        return self._kinds.get(name, "word")

    @cached_property
    def by_stem(self) -> dict[str, Concept]:
        """Concepts by the stem of a word that means them, where it means one alone: "extravasates" is extravasation."""
        found: dict[str, set[Concept]] = {}
        for phrase, concept in self.concepts.items():
            if len(phrase) == 1 and len(phrase[0]) > _SHORT and concept.kind in _INFLECTED:
                found.setdefault(stem(phrase[0]), set()).add(concept)
        return {short: meant.pop() for short, meant in found.items() if len(meant) == 1}

    @cached_property
    def _most_words(self) -> dict[str, int]:
        """How many words the longest phrase that begins with a word has."""
        most: dict[str, int] = {}
        for phrase in self.concepts:
            most[phrase[0]] = max(most.get(phrase[0], 0), len(phrase))
        return most

    def concept_at(self, words: list[str], place: int) -> tuple[Concept, int] | None:
        """The concept of the longest known phrase that begins at `place`, and its length in words."""
        for length in range(min(self._most_words.get(words[place], 0), len(words) - place), 0, -1):
            found = self.concepts.get(tuple(words[place : place + length]))
            if found is not None:
                return found, length
        return None

    def ancestors(self, name: str) -> tuple[str, ...]:
        """All that is broader than a concept, the nearest first."""
        return self._ancestors.get(name, ())

    @cached_property
    def _ancestors(self) -> dict[str, tuple[str, ...]]:
        found = {}
        for name in self.broader:
            line, wider = [], name
            while wider in self.broader:
                wider = self.broader[wider]
                line.append(wider)
            found[name] = tuple(line)
        return found


def tokens_of(text: str) -> list[Token]:
    """The words, numbers and signs of a text in order; hyphened words in their parts."""
    return [Token(_normal(m[0]), m.start(), m.end()) for m in _TOKEN.finditer(text.translate(_PLAIN))]


def words_of(phrase: str) -> tuple[str, ...]:
    """A phrase as its tokens' words, signs left out."""
    return tuple(_normal(m[0]) for m in _TOKEN.finditer(phrase.translate(_PLAIN)) if m[0] not in _SIGNS)


@cache
def lexicon() -> Lexicon:
    """The lists, read once. Raises ConfigError where the file cannot be used."""
    config = _config()
    concepts: dict[tuple[str, ...], Concept] = {}
    kinds: tuple[Kind, ...] = (
        "direction", "quality", "finding", "cell", "anatomy", "phase", "sequence", "view", "stain", "plane", "side",
        "modality",
    )  # fmt: skip
    for kind in kinds:  # where lists share a phrase the later one has it
        for name, phrases in getattr(config, kind).items():
            for phrase in (name, *phrases):
                concepts[words_of(phrase)] = Concept(name, kind)
    pairs: dict[str, set[str]] = {}
    for one, other in config.opposites:
        pairs.setdefault(one, set()).add(other)
        pairs.setdefault(other, set()).add(one)
    return Lexicon(
        concepts=concepts,
        broader=config.broader,
        made_of={name: tuple(parts) for name, parts in config.made_of.items()},
        together=frozenset(frozenset(pair) for pair in config.together),
        opposites={name: frozenset(others) for name, others in pairs.items()},
        families=tuple(_family(line, concepts) for line in config.families),
        prefixes=tuple(tuple(line.split(", ")) for line in config.prefixes),
        stands_for={short: words_of(phrase) for short, phrase in config.stands_for.items()},
        says=_by_first_word({words_of(phrase): words_of(other) for phrase, other in config.says.items()}),
        empty=frozenset(_normal(word) for word in config.empty.split()),
        denies_following=_cues(config.denies_following),
        denies_preceding=_cues(_not_seen(config)),
        lost=_cues(config.lost),
        no_denial=_cues(config.no_denial),
        partly=frozenset(_normal(word) for word in config.partly),
    )


def _family(line: str, concepts: dict[tuple[str, ...], Concept]) -> frozenset[str]:
    """The members of a family: concepts, words that no list has by their stems, and words of names as they are."""
    members = [member.strip() for member in line.split(",")]
    known = {concept.name for concept in concepts.values()}
    return frozenset(members) | {stem(_normal(member)) for member in members if member not in known}


def _cues(phrases: Iterable[str]) -> Cues:
    cues: dict[str, list[tuple[str, ...]]] = {}
    for cue in sorted({words_of(phrase) for phrase in phrases}, key=lambda words: (-len(words), words)):
        cues.setdefault(cue[0], []).append(cue)
    return {first: tuple(several) for first, several in cues.items()}


def _by_first_word(
    phrases: dict[tuple[str, ...], tuple[str, ...]],
) -> dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]:
    found: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for phrase in sorted(phrases, key=lambda words: (-len(words), words)):
        found.setdefault(phrase[0], []).append((phrase, phrases[phrase]))
    return {first: tuple(several) for first, several in found.items()}


def _not_seen(config: WordsConfig) -> Iterator[str]:
    """Every way to say that something is not there."""
    yield from config.denies_preceding
    for seen in config.not_seen:
        for way in ("not", "not be", "not been", "cannot be", "can not be", "no longer", "never", "not clearly"):
            yield f"{way} {seen}"


@cache
def stem(word: str) -> str:
    """A word without the ending that makes it a plural, an adjective or a participle; for words that no list has."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


_ENDINGS = tuple(
    "ifications ification izations ization ances ance ants ant ages age ations ation ically ified ating ated ate ions "
    "ion ing ed ies ly ous ial eal ic al ar es y e".split()
)


@cache
def _config() -> WordsConfig:
    return load(WordsConfig, ROOT / "checks" / "words.yaml")


@cache
def _no_plural() -> frozenset[str]:
    return frozenset(_config().no_plural.split())


@cache
def _normal(word: str) -> str:
    """A word in lower case, in its singular, in American spelling."""
    word = word.lower()
    for british, american in _config().spellings.items():
        if british in word:
            word = word.replace(british, american)
    if word in _config().plurals:
        return _config().plurals[word]
    if word in _no_plural():
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is", "ous")) and len(word) > 3:
        return word[:-1]
    return word
