"""A text as the statements it makes: the concepts it names, which it denies, the sides and the numbers it gives.

Read by word lists and the order of words alone, in well under a millisecond a sentence; a text is read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import zip_longest

from rag.check.denial import Span, denied_phrases
from rag.check.elsewhere import SOMEONE_ELSE
from rag.check.lexicon import Concept, Kind, Lexicon, Token, lexicon, stem, tokens_of
from rag.check.numbers import Quantity, counts, measures, quantities
from rag.check.sentences import split_sentences

_NEAR = 4
"""So many words to one side of it a side or number is about."""
_DENIABLE: tuple[Kind, ...] = ("anatomy", "finding", "cell", "word", "stain")
_REFERRED: tuple[Kind, ...] = (*_DENIABLE, "modality", "plane")
_BOUNDS = frozenset(
    "in of on at with within from to into and or but by for is are was were has have show along around near behind "
    "over under between through involving extending causing measuring than while whereas although push displace "
    "per compress invade extend cause obstruct occupy drain separate widen contain reach".split()
)


_CLAUSE_ENDS = frozenset((".", ";", ":", "(", ")", "but", "while", "whereas", "although", "though", "however"))
"""Signs and words that set one against another."""
_PHRASE_ENDS = _CLAUSE_ENDS | {",", "and", "or", "nor", "with", "without"}
_ARTICLES = frozenset("the this that these those its their same such said".split())
_COPULAS = frozenset("is are was were be been".split())
_LEFT = frozenset("at in behind untreated open alone over after to without with for on as".split()) | {""}
"""What follows a "left" that is no side."""
_PAIRED = 6
"""So many words behind "both" that an "and" is of the two that it names."""
_DEFINITE = 3
"""So many words behind one of these are what it is the article of."""


@dataclass(frozen=True)
class Term:
    """A concept or other word that says something, the places of its first token, clause and phrase.

    `denied` where it is said not to be; `definite` where it is one spoken of before ("the effusion"); `open` where
    neither that it is there nor that it is not is said ("no new effusion").
    """

    name: str
    kind: Kind
    place: int
    clause: int
    phrase: int
    denied: bool
    definite: bool
    open: bool = False


@dataclass(frozen=True)
class Side:
    """left, right or both; `near` is what it is the side of, `about` the rest of its clause.

    `denied` where it says that something is not there, or that nothing is out of the ordinary.
    """

    name: str
    near: frozenset[str]
    about: frozenset[str]
    denied: bool
    phrase: int


@dataclass(frozen=True)
class Amount:
    """A number with its unit, what it is the measure or count of, and the rest of its clause.

    `definite` where it counts what was spoken of before ("the two", "both of them", "of the five").
    """

    quantity: Quantity
    definite: bool
    near: frozenset[str]
    about: frozenset[str]


@dataclass(frozen=True)
class Statement:
    """One sentence, read."""

    text: str
    terms: tuple[Term, ...]
    sides: tuple[Side, ...]
    amounts: tuple[Amount, ...]

    def names(self, *kinds: Kind, denied: bool = False) -> frozenset[str]:
        """Names of the terms of some kinds that are affirmed, or denied."""
        if len(kinds) == 1:
            return self._named.get((kinds[0], denied), frozenset())
        return frozenset().union(*(self._named.get((kind, denied), ()) for kind in kinds))

    @cached_property
    def _named(self) -> dict[tuple[Kind, bool], frozenset[str]]:
        """Names by kind, denied or not: a caption that many images find is asked for them again and again."""
        found: dict[tuple[Kind, bool], set[str]] = {}
        for term in self.terms:
            found.setdefault((term.kind, term.denied), set()).add(term.name)
        return {asked: frozenset(names) for asked, names in found.items()}

    @cached_property
    def things(self) -> frozenset[str]:
        """What it is about, affirmed or denied; a mammogram is about a breast."""
        words = lexicon()
        wider = (name for modality in self.names("modality") for name in words.ancestors(modality))
        meant = frozenset(name for name in wider if words.kind_of(name) == "anatomy")
        return self.names(*_DENIABLE) | self.names(*_DENIABLE, denied=True) | meant


@dataclass(frozen=True)
class Reading:
    """A text, read: its sentences in order."""

    text: str
    statements: tuple[Statement, ...]

    def names(self, *kinds: Kind, denied: bool = False) -> frozenset[str]:
        """Names of the terms of some kinds that are affirmed anywhere, or denied."""
        return frozenset().union(*(statement.names(*kinds, denied=denied) for statement in self.statements))

    @cached_property
    def things(self) -> frozenset[str]:
        """What its statements are about."""
        return frozenset().union(*(statement.things for statement in self.statements))

    @cached_property
    def of_someone_else(self) -> bool:
        """Whether it says that it is of another patient or specimen."""
        return SOMEONE_ELSE.search(self.text) is not None

    @property
    def sides(self) -> tuple[Side, ...]:
        return tuple(side for statement in self.statements for side in statement.sides)

    @property
    def amounts(self) -> tuple[Amount, ...]:
        return tuple(amount for statement in self.statements for amount in statement.amounts)


@lru_cache(maxsize=8192)
def read(text: str) -> Reading:
    """What a text says."""
    return Reading(text, tuple(_statement(sentence) for sentence in split_sentences(text)))


def _statement(sentence: str) -> Statement:
    words = lexicon()
    tokens = list(_written_out(tokens_of(sentence), words))
    clauses, phrases = _parted(tokens, _CLAUSE_ENDS), _parted(tokens, _PHRASE_ENDS)
    terms = _denied(_terms(tokens, clauses, phrases, words), *denied_phrases(tokens, words))
    around = _Around(tokens, clauses, terms)
    marks = [term.place for term in terms if term.kind == "side"]
    sides = []
    for term in terms:
        if term.kind == "side":
            near = around.near(term.place)
            about = around.closest(term.place, marks) - near
            sides.append(Side(term.name, near, about, around.denied(term.place, marks), term.phrase))
    amounts = []
    numbers = list(quantities(tokens))
    for place, end, quantity in numbers:
        near = around.near(end, before=place)
        about = around.closest(place, [start for start, _, other in numbers if other.named == quantity.named]) - near
        if not near and not about:
            about = around.ahead(place)
        amounts.append(Amount(quantity, _definite(tokens, place), near, about))
    for place, token in enumerate(tokens):
        if token.word == "both" and not any(each.word == "and" for each in tokens[place + 1 : place + _PAIRED]):
            near = around.near(place)
            amounts.append(Amount(Quantity((2.0,), ""), True, near, frozenset()))
    said = tuple(term for term in terms if term.kind != "side")
    return Statement(sentence, said, tuple(sides), tuple(amounts))


def _written_out(tokens: list[Token], words: Lexicon) -> Iterable[Token]:
    """The tokens with shorthand written out: `rul` as right upper lobe, `normal size` as normal without enlargement."""
    place = 0
    while place < len(tokens):
        token, length = tokens[place], 1
        if token.word not in words.stands_for and token.word not in words.says:
            yield token
            place += 1
            continue
        meant = words.stands_for.get(token.word, (token.word,))
        for phrase, other in words.says.get(token.word, ()):
            if tuple(each.word for each in tokens[place : place + len(phrase)]) == phrase:
                meant, length = other, len(phrase)
                break
        for word in meant:
            yield Token(word, token.start, tokens[place + length - 1].end)
        place += length


def _parted(tokens: list[Token], ends: frozenset[str]) -> list[int]:
    """The number of each token's part, of those that signs and words of a list part; shorthand is not parted."""
    number, found = 0, []
    for token, following in zip_longest(tokens, tokens[1:]):
        found.append(number)
        if token.word in ends and not (following and following.start == token.start):
            number += 1
    return found


def _definite(tokens: list[Token], place: int) -> bool:
    """Whether what stands at a place is said to be one that was spoken of before."""
    for before in range(place - 1, max(-1, place - _DEFINITE - 1), -1):
        word = tokens[before].word
        if word in _ARTICLES:
            return True
        if tokens[before].is_sign or word in _BOUNDS or word in ("a", "an", "no"):
            return False
    return False


def _denied(terms: list[Term], phrases: list[Span], partly: list[Span]) -> list[Term]:
    """The terms; of a denied phrase all are denied but qualities and structures, its last where it has no other."""
    terms = [replace(t, open=True) if any(a <= t.place < b for a, b in partly) else t for t in terms]
    denied: set[int] = set()
    for start, end in phrases:
        inside = [term for term in terms if start <= term.place < end]
        inside = [term for term in inside if term.kind in _DENIABLE or term.name == "normal"]
        found = [term for term in inside if term.kind != "anatomy"] or inside[-1:]
        if not inside:  # "is not thickened"
            found = [term for term in terms if start <= term.place < end and term.kind == "quality"][-1:]
        denied |= {term.place for term in found}
    return [replace(term, denied=True) if term.place in denied else term for term in terms]


def _terms(tokens: list[Token], clauses: list[int], phrases: list[int], words: Lexicon) -> list[Term]:
    spoken = [place for place, token in enumerate(tokens) if not token.is_sign]
    line = [tokens[place].word for place in spoken]
    terms, at = [], 0
    while at < len(line):
        place = spoken[at]
        found = words.concept_at(line, at)
        if (line[at] in ("left", "right") and _no_side(line, at)) or (line[at] == "both" and _pairs(tokens, place)):
            at += 1
            continue
        concept, length = _word(line[at], words), 1
        if found is not None and _unbroken(tokens, spoken[at : at + found[1]]):
            concept, length = found
        if concept is not None:
            definite = concept.kind in _REFERRED and _definite(tokens, place)
            terms.append(Term(concept.name, concept.kind, place, clauses[place], phrases[place], False, definite))
        at += length
    return terms


def _no_side(line: list[str], at: int) -> bool:
    """Whether "left" is a verb's ("was left in place") or a side what a hand is used by ("left-handed")."""
    before, behind = line[at - 1] if at else "", line[at + 1] if at + 1 < len(line) else ""
    return behind == "handed" or (line[at] == "left" and before in _COPULAS and behind in _LEFT)


def _pairs(tokens: list[Token], place: int) -> bool:
    """Whether "both" joins two things and is no side: "both single and in clumps", not "both kidneys and the liver"."""
    for token in tokens[place + 1 : place + _PAIRED]:
        if token.word == "and":
            return True
        if token.is_sign or token.end - token.start > len(token.word):  # a plural
            return False
    return False


def _unbroken(tokens: list[Token], places: list[int]) -> bool:
    """Whether no sign but a hyphen, slash or ampersand stands between these tokens."""
    between = range(places[0], places[-1] + 1)
    return all(not tokens[n].is_sign or tokens[n].word in "-/&'" for n in between)


def _word(word: str, words: Lexicon) -> Concept | None:
    if (
        word in words.empty
        or word in words.denying
        or word in words.partly
        or counts(word)
        or measures(word)
        or len(word) < 2
    ):
        return None
    return words.by_stem.get(stem(word)) or Concept(stem(word), "word")


class _Around:
    """What stands around a place of a sentence."""

    def __init__(self, tokens: list[Token], clauses: list[int], terms: list[Term]) -> None:
        self._tokens = tokens
        self._clauses = clauses
        self._terms = [term for term in terms if term.kind not in ("side", "plane", "modality", "sequence", "view")]

    def near(self, place: int, before: int | None = None) -> frozenset[str]:
        """The terms right behind a place, up to the end of the phrase; where there are none, those right before it."""
        start = place + 1
        if before is not None and start < len(self._tokens) and self._tokens[start].word == "of":
            start += 1  # "a pair of eosinophils", "12% of the cells"
        behind = self._reach(range(start, len(self._tokens)))
        return behind or self._reach(range((place if before is None else before) - 1, -1, -1), skip_bounds=True)

    def closest(self, place: int, marks: Sequence[int]) -> frozenset[str]:
        """The terms of a place's clause that are closer to it than to any other of `marks`."""
        return frozenset(term.name for term in self._closest(place, marks))

    def denied(self, place: int, marks: Sequence[int]) -> bool:
        """Whether what is said there is that something is not there, or that nothing is out of the ordinary."""
        here = self._closest(place, marks)
        if any(term.kind == "finding" and not term.denied for term in here):
            return False
        ahead = [term for term in self._terms if term.clause == self._clauses[place] and term.place < place]
        return any(term.denied or term.name == "normal" for term in here) or any(t.name == "normal" for t in ahead)

    def ahead(self, place: int) -> frozenset[str]:
        """The terms that stand before a place, of its clause or, where it has none, the one before."""
        terms = [term for term in self._terms if term.place < place]
        last = max((term.clause for term in terms), default=0)
        return frozenset(term.name for term in terms if term.clause == last)

    def _closest(self, place: int, marks: Sequence[int]) -> list[Term]:
        clause = self._clauses[place]
        rivals = [mark for mark in marks if self._clauses[mark] == clause]
        return [
            term
            for term in self._terms
            if term.clause == clause
            and min(rivals, key=lambda mark: (abs(mark - term.place), mark < term.place)) == place
        ]

    def _reach(self, places: Iterable[int], skip_bounds: bool = False) -> frozenset[str]:
        by_place = {term.place: term.name for term in self._terms}
        found: list[str] = []
        for place in places:
            token = self._tokens[place]
            skipped = token.word == "-" or counts(token.word) or measures(token.word)
            if skipped or (skip_bounds and token.word in _BOUNDS):
                if not found:
                    continue
                if token.word == "-":
                    continue
                break
            if token.is_sign or token.word in _BOUNDS or len(found) == _NEAR:
                break
            if place in by_place:
                found.append(by_place[place])
        return frozenset(found)
