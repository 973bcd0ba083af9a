"""Numbers of a sentence with their units, in one unit for each dimension."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rag.check.lexicon import Token

_UNITS: dict[str, tuple[str, float]] = {
    "nm": ("mm", 1e-6), "um": ("mm", 1e-3), "micron": ("mm", 1e-3),
    "micrometer": ("mm", 1e-3), "mm": ("mm", 1.0), "millimeter": ("mm", 1.0), "cm": ("mm", 10.0),
    "centimeter": ("mm", 10.0), "m": ("mm", 1000.0), "ml": ("ml", 1.0), "milliliter": ("ml", 1.0), "cc": ("ml", 1.0),
    "liter": ("ml", 1000.0), "l": ("ml", 1000.0), "%": ("%", 1.0), "percent": ("%", 1.0), "hu": ("HU", 1.0),
    "hounsfield": ("HU", 1.0), "mm2": ("mm2", 1.0), "cm2": ("mm2", 100.0), "cm3": ("ml", 1.0), "mm3": ("ml", 1e-3),
    "day": ("days", 1.0), "week": ("days", 7.0), "month": ("days", 30.4375), "year": ("days", 365.25),
    "yr": ("days", 365.25), "hour": ("days", 1 / 24), "minute": ("days", 1 / 1440), "h": ("days", 1 / 24),
    "x": ("times", 1.0), "fold": ("times", 1.0), "degree": ("degrees", 1.0), "\u00b0": ("degrees", 1.0),
    "tesla": ("tesla", 1.0), "t": ("tesla", 1.0), "mmhg": ("mmHg", 1.0), "mg": ("g", 1e-3), "g": ("g", 1.0),
    "kg": ("g", 1e3), "bpm": ("bpm", 1.0), "o'clock": ("o'clock", 1.0),
}  # fmt: skip
"""Unit to the one that its dimension is given in, and the factor."""
_WORDS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "single": 1, "solitary": 1, "pair": 2, "dozen": 12}
_TENS = (20, 30, 40, 50, 60)
_NAMED = frozenset(
    "grade stage type class level figure fig t c l s th segment zone group case phase day week slice panel".split()
)
"""Words whose number is a name and no count."""
_CALLED = {word: float(number) for number, word in enumerate("i ii iii iv v vi vii viii ix x".split(), start=1)} | {
    letter: 100.0 + number for number, letter in enumerate("abcdefg")
}
"""Roman numerals and letters that are such names: "type II", "type B"."""


_SAME, _SAME_TIME, _SAME_ABOUT = 0.02, 0.1, 0.15
"""Numbers that differ by this share of the larger are the same; times, where four weeks are a month; and where one of
them is said to be about right."""
_ABOUT = frozenset("about approximately around roughly nearly almost circa ca ~ some".split())
_JUST = frozenset("under over below above short".split())
Bound = Literal["below", "above"] | None
_BOUNDS: dict[tuple[str, ...], Bound] = {
    ("less", "than"): "below", ("smaller", "than"): "below", ("fewer", "than"): "below", ("under",): "below",
    ("below",): "below", ("at", "most"): "below", ("more", "than"): "above", ("greater", "than"): "above",
    ("larger", "than"): "above", ("exceeding",): "above", ("at", "least"): "above",
}  # fmt: skip
"""What is said right before a number of which only a bound is given."""
_BRACKETS = (("(", ")"), ("[", "]"))
_PREPOSITIONS = frozenset("with from about over under than approximately nearly almost around measuring".split())


@dataclass(frozen=True)
class Quantity:
    """One or more numbers that stand together (a size in two axes, the ends of a range), in one unit.

    `unit` is empty where things are counted, and "name of grade" where it is the number of a grade. `span`
    where they are the ends of a range, `about` where they are said to be about right; `bound` is "below" or "above"
    where they are only said to be less or more than this.
    """

    values: tuple[float, ...]
    unit: str
    span: bool = False
    about: bool = False
    bound: Bound = None

    @property
    def named(self) -> bool:
        """Whether it says which, not how many or how much."""
        return self.unit.startswith("name of")

    def agrees(self, other: Quantity) -> bool:
        """Whether the fewer numbers are, within rounding, among the more; a range holds what is between its ends."""
        if self._bounds(other) or other._bounds(self):
            return True
        one, more = sorted((self, other), key=lambda quantity: len(quantity.values))
        few, many = one.values, more.values
        near = 0.0 if self.named else _SAME_TIME if self.unit in ("days", "age") else _SAME
        if self.about or other.about:
            near = max(near, _SAME_ABOUT)
        return all(any(_same(a, b, near) for b in many) or (more.span and min(many) <= a <= max(many)) for a in few)

    def _bounds(self, other: Quantity) -> bool:
        """Whether another's numbers are as much less or more as these say; two bounds are held as they are."""
        if other.bound:
            return False
        if self.bound == "below":
            return max(other.values) <= self.values[0]
        return self.bound == "above" and min(other.values) >= self.values[0]


def counts(word: str) -> bool:
    """Whether a word is a number."""
    return word[0].isdigit() or word in _WORDS


def measures(word: str) -> bool:
    """Whether a word is a unit."""
    return word in _UNITS


def quantities(tokens: list[Token]) -> Iterator[tuple[int, int, Quantity]]:
    """First and last token, and the quantity, of each that a sentence gives."""
    place, last_named, name = 0, -1, ""
    while place < len(tokens):
        value = _value(tokens, place)
        if value is None or _ordinal(tokens, place):
            place += 1
            continue
        start, values, end, span = place, [value], place, False
        if _written_out(tokens, place):
            values, end = [value + _WORDS[tokens[place + 2].word]], place + 2
        unit, end = _unit(tokens, end)
        while True:  # "3 x 2 x 1 cm", "3 to 4 cm", "3-4 cm"
            joined = _next_word(tokens, end)
            if joined is None or tokens[joined].word not in ("x", "to", "by", "-", "and"):
                break
            if tokens[joined].word == "and" and not unit:
                break
            following = _value(tokens, joined + 1) if joined + 1 < len(tokens) else None
            if following is None:
                break
            next_unit, next_end = _unit(tokens, joined + 1)
            if tokens[joined].word == "and" and next_unit != unit:
                break
            if unit and next_unit and next_unit[0] != unit[0]:
                break
            span = tokens[joined].word in ("to", "-") and not (start and tokens[start - 1].word == "from")
            if unit and next_unit and unit[1] != next_unit[1]:  # "from 6 cm to 25 mm"
                following *= next_unit[1] / unit[1]
            values, end, unit = [*values, following], next_end, unit or next_unit
        if unit is None and start > 0 and tokens[start - 1].word == "x":  # "x400"
            unit = _UNITS["x"]
        if unit is None and _uptake(tokens, start):
            unit = ("SUV", 1.0)
        if unit is None and start > 0 and tokens[start - 1].word in ("aged", "age"):
            unit = ("age", _UNITS["year"][1])
        listed = start > 1 and tokens[start - 1].word in (",", "and") and start - 2 == last_named
        first = start > 0 and (
            tokens[start - 1].word in _NAMED or (unit is None and _numbers_a_thing(tokens, start, end))
        )
        about, bound = _said_about(tokens, start), _bound(tokens, start)
        if unit is not None:
            yield start, end, Quantity(tuple(round(v * unit[1], 6) for v in values), unit[0], span, about, bound)
        elif first or listed:
            name = tokens[start - 1].word if first else name
            last_named = end
            yield start, end, Quantity(tuple(values), f"name of {name}", span)
        elif not _part_of_a_name(tokens, start) and not _refers(tokens, start, end):
            yield start, end, Quantity(tuple(values), "", span, about, bound)
        place = end + 1


def _said_about(tokens: list[Token], start: int) -> bool:
    """Whether a number is said to be about right: "about 2 cm", "just under 2 cm"."""
    before = tuple(token.word for token in tokens[max(0, start - 2) : start])
    return before[-1:] != () and (before[-1] in _ABOUT or (before[0] == "just" and before[-1] in _JUST))


def _bound(tokens: list[Token], start: int) -> Bound:
    """Whether a number is only said to be the most or the least: "less than 1 cm"."""
    before = tuple(token.word for token in tokens[max(0, start - 2) : start])
    return _BOUNDS.get(before) or _BOUNDS.get(before[-1:])


def _uptake(tokens: list[Token], start: int) -> bool:
    """Whether a number is a standardized uptake value: "SUVmax 9.8", "an SUV of 3"."""
    before = [token.word for token in tokens[max(0, start - 3) : start] if token.word not in ("of", "max", "is", "was")]
    return before[-1:] in (["suv"], ["suvmax"])


def _numbers_a_thing(tokens: list[Token], start: int, end: int) -> bool:
    """Whether numbers say which, not how many: "nuclei 1, 2 and 3", "ribs 4 to 7"."""
    listed = end > start or (
        end + 2 < len(tokens) and tokens[end + 1].word in (",", "and") and tokens[end + 2].is_number
    )
    before = tokens[start - 1].word
    return tokens[start].is_number and before.isalpha() and len(before) > 2 and before not in _PREPOSITIONS and listed


def _value(tokens: list[Token], place: int) -> float | None:
    word = tokens[place].word
    if word[0].isdigit():
        return _number(word)
    if word in _WORDS and not (word in ("single", "solitary") and _beside(tokens, place, 1) in ("and", "or")):
        return float(_WORDS[word])
    return _CALLED.get(word) if _beside(tokens, place, -1) in _NAMED else None


def _beside(tokens: list[Token], place: int, step: int) -> str:
    """The word so many tokens on; empty where the sentence has none."""
    return tokens[place + step].word if 0 <= place + step < len(tokens) else ""


def _ordinal(tokens: list[Token], place: int) -> bool:
    """Whether a number says which in a row: "5th" has two tokens."""
    return _beside(tokens, place, 1) in ("st", "nd", "rd", "th") and tokens[place].end == tokens[place + 1].start


def _written_out(tokens: list[Token], place: int) -> int:
    """Tokens of a number in two words: "twenty-four" has three; 0 for what is none."""
    if _WORDS.get(tokens[place].word, 0) not in _TENS or place + 2 >= len(tokens) or tokens[place + 1].word != "-":
        return 0
    return 3 if 0 < _WORDS.get(tokens[place + 2].word, 0) < 10 else 0


def _number(word: str) -> float | None:
    """1,234.5 and 3,5 alike."""
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", word):
        return float(word.replace(",", ""))
    try:
        return float(word.replace(",", "."))
    except ValueError:
        return None


def _unit(tokens: list[Token], place: int) -> tuple[tuple[str, float] | None, int]:
    """The unit behind a number, and the last token that belongs to it."""
    following = _next_word(tokens, place, skip=("-",))
    if following is None:
        return None, place
    if tokens[following].word in ("square", "cubic") and following + 1 < len(tokens):
        found, end = _unit(tokens, following)
        power = 2 if tokens[following].word == "square" else 3
        return (None, place) if found is None else ((f"{found[0]}{power}", found[1] ** power), end)
    word = tokens[following].word
    if word == "x" and following + 1 < len(tokens) and _value(tokens, following + 1) is not None:
        return None, place  # "3 x 2 cm"
    if word in ("t", "l", "m", "h", "g") and tokens[following].end - tokens[following].start > 1:
        return None, place
    found = _UNITS.get(word)
    if found and found[0] == "days" and _is_age(tokens, following):
        return ("age", found[1]), following
    if found and following + 2 < len(tokens) and tokens[following + 1].word == "/" and found[0] in ("mm", "ml", "g"):
        return (f"{found[0]}/{tokens[following + 2].word}", found[1]), following + 2
    return (found, following) if found else (None, place)


def _is_age(tokens: list[Token], unit: int) -> bool:
    """Whether a time is how old someone is."""
    behind = [token.word for token in tokens[unit + 1 : unit + 3] if token.word != "-"]
    return behind[:1] == ["old"] or behind == ["of", "age"]


def _next_word(tokens: list[Token], place: int, skip: tuple[str, ...] = ()) -> int | None:
    place += 1
    while place < len(tokens) and tokens[place].word in skip:
        place += 1
    return place if place < len(tokens) else None


def _part_of_a_name(tokens: list[Token], place: int) -> bool:
    """Whether a number hangs on letters: Ki-67, CD-20, 18-F."""
    token = tokens[place]
    if not token.is_number:
        return False
    before = tokens[place - 1] if place else None
    return (
        before is not None
        and before.word == "-"
        and place > 1
        and not tokens[place - 2].is_number
        and before.end == token.start
        and tokens[place - 2].end == before.start
    )


def _refers(tokens: list[Token], start: int, end: int) -> bool:
    """Whether a bare number is a reference or a year: "[12]", "(32)", "in 2004"."""
    enclosed = start > 0 and end + 1 < len(tokens) and (tokens[start - 1].word, tokens[end + 1].word) in _BRACKETS
    return enclosed or (start == end and re.fullmatch(r"(?:19|20)\d\d", tokens[start].word) is not None)


def _same(one: float, other: float, share: float) -> bool:
    return abs(one - other) <= share * max(abs(one), abs(other))
