"""Retrieved text is data: what it must not do to a prompt, and how a text that tries is told.

Two walls. `neutral` writes any text so that it can be nothing but the text of its line: no line break, no numbered
line, no control token or speaker's label of any family's chat format, nothing invisible, no more than so many
characters. `instruction_in` finds texts that speak to the model that reads them; such evidence is left out
(`rag.distrust`). The first wall holds for every text; the second is a judgement and can be wrong either way.
"""

# ruff: noqa: RUF001 - look-alike letters are what this is about

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import unquote

from rag.cues import AMPLIFIERS, Cue, Family
from rag.cues_english import ENGLISH, HUMANS
from rag.cues_other import MARKERS, OTHER_SCRIPTS, OTHERS

MAX_CHARS = 2_000
"""Of a text in the prompt."""
MAX_JUDGED_CHARS = 4 * MAX_CHARS
"""Of a text as it is, of which `neutral` reads no more either."""
MAX_QUOTE_CHARS = 80
ORDER = 1.0
"""From this score on a text is one that gives orders."""

_TELLING = tuple(cue for cue in (*MARKERS, *ENGLISH, *OTHERS) if cue.family not in AMPLIFIERS)
_OPEN_ORDERS = tuple(cue for cue in ENGLISH if cue.family == "override" and cue.weight >= ORDER)
_AMPLIFYING = tuple(cue for cue in ENGLISH if cue.family in AMPLIFIERS)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_WIDE = str.maketrans("＜＞｜［］＃﹤﹥", "<>|[]#<>")
_NUMBER = re.compile(r"[\[【〔〖⟦]\s*(\d[\d\s,;–-]{0,20})[\]】〕〗⟧]")
_PROSE_TAG = r"/?(?:i|b|em|strong|su[bp]|p|br)\s*/?>"
_ANGLE = re.compile(rf"<(?!{_PROSE_TAG})(?=[A-Za-z/|!_<])", re.IGNORECASE)
_SQUARE = re.compile(
    r"\[(?=/?(?:INST|SYS|SYSTEM|USER|ASSISTANT|HUMAN|IMG|IMG_BREAK|IMG_END|IMAGE|CLS|SEP|PAD|MASK|UNK|BOS|EOS|TOOL\w*|"
    r"AVAILABLE_TOOLS|PREFIX|SUFFIX|MIDDLE)\])",
    re.IGNORECASE,
)
_SPEAKERS = r"system|assistant|user|human|developer|model|tool|ai|bot"
_LABEL = re.compile(
    rf"((?:^|[.!?\])}}>\"'|]\s*)(?i:{_SPEAKERS})|\b(?:{_SPEAKERS.title()}|{_SPEAKERS.upper()}))\s*:(?=\s|\W|[A-Z])"
)
_MARKS = re.compile(r"#{2,}|`{3,}|~{3,}")

_QUOTES = str.maketrans(dict.fromkeys("“”„«»「」『』", '"') | dict.fromkeys("‹›‘’‚′`", "'"))
_ACCENTS = re.compile("[\u0300-\u036f]")
_LOOK_ALIKES = str.maketrans(
    dict(zip("аеорсухіїјѕԁһӏтмнквгпαβεηικνορτυχωɡ", "aeopcyxiijsdhltmhkbrnabenikvoptuxwg", strict=True))
    | dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))
)
_LATIN = re.compile("[a-zᴀ-ᴢɡɢɪɴʀʙʏʜʟꜰꜱ]")
_WORD = re.compile(r"\w+")
_TAG = re.compile(r"</?[a-z][^<>]{0,80}>")
_COMMENT = re.compile(r"<!--|-->")
_APART = re.compile(r"(?<!\w)(?:[^\W\d_][ \t._*·|/-]{1,3}){4,}[^\W\d_](?!\w)")
_LETTER_GAP = re.compile(r"^\w\s")
_ENCODED = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_SPELT = re.compile(r"[\w@$]+")
_STANDS_FOR = re.compile(r"[013457@$]")
_DIGITS = str.maketrans("013457@$", "oieastas")
_END = re.compile(r"(?<=[\w)\]\"'][\w)\]\"'])[.!?]+(?=\s|$)|[。！？\n]+")
_BREAKS = re.compile(r"[\r\v\f\x85\u2028\u2029]")
_SPACES = re.compile(r"[^\S\n]+")


def clean(text: str, limit: int = MAX_CHARS) -> str:
    """`text` on one line, without control characters, at most `limit` characters."""
    return " ".join(_CONTROL.sub(" ", text).split())[:limit]


def neutral(text: str, limit: int = MAX_CHARS) -> str:
    """`text` as a line of a prompt may hold it: as `clean` has it, and able to be no mark of the prompt or the chat.

    Bracketed numbers become round ones, since square brackets number the evidence; a space breaks `< |im_end|>` and
    `[ INST]`; a speaker's label loses its colon; invisible characters and those that turn the direction go.
    """
    text = _INVISIBLE.sub("", text[: 4 * limit]).translate(_WIDE)
    text = _NUMBER.sub(lambda match: f"({match[1].strip()})", clean(text, 2 * limit))
    text = _SQUARE.sub("[ ", _ANGLE.sub("< ", text))
    text = _MARKS.sub(lambda match: match[0][0], text)
    return _LABEL.sub(r"\1 -", text)[:limit]


@lru_cache(maxsize=4096)
def instruction_in(text: str) -> str | None:
    """The words, at most MAX_QUOTE_CHARS, by which a text gives orders to the model that reads it; None: it gives none.

    Judged is the text as a reader would make it out: without invisible characters, look-alike letters put right,
    letters that stand apart put together, markup and simple encodings taken off.
    """
    for view in _views(text[:MAX_JUDGED_CHARS]):
        score, quote = _judged(view)
        if score >= ORDER:
            return neutral(quote, MAX_QUOTE_CHARS)
    backward = _folded(text[MAX_JUDGED_CHARS::-1])
    found = next((match for cue in _OPEN_ORDERS if (match := cue.pattern.search(backward))), None)
    return neutral(backward[found.start() :], MAX_QUOTE_CHARS) if found else None


def _views(text: str) -> Iterator[str]:
    """The text folded, and each other way to read it that differs."""
    bare = _INVISIBLE.sub("", html.unescape(text))
    seen = set()
    for read in (bare, _joined(bare), unquote(bare) if "%20" in bare else bare, *_decoded(bare)):
        plain = _folded(read)
        unmarked = _TAG.sub("", _COMMENT.sub(". ", plain))
        alike = plain if plain.isascii() else plain.translate(_LOOK_ALIKES)
        for view in (plain, unmarked, alike, _spelt(plain)):
            if view not in seen:
                seen.add(view)
                yield view


def _folded(text: str) -> str:
    """Small letters without accents, look-alikes of other scripts made Latin in words that have both, spaces single."""
    if text.isascii():
        return _SPACES.sub(" ", _BREAKS.sub("\n", text.lower()))
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_QUOTES)
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", plain)))
    plain = _WORD.sub(_put_right, plain)
    return _SPACES.sub(" ", _BREAKS.sub("\n", plain))


def _put_right(word: re.Match[str]) -> str:
    mixed = not word[0].isascii() and _LATIN.search(word[0])
    return word[0].translate(_LOOK_ALIKES) if mixed else word[0]


def _spelt(text: str) -> str:
    """Digits that stand for letters in a word made letters: "1gn0re"."""
    if not _STANDS_FOR.search(text):
        return text
    return _SPELT.sub(lambda match: match[0].translate(_DIGITS) if _LATIN.search(match[0]) else match[0], text)


def _joined(text: str) -> str:
    """Letters that stand apart put together, words parted where the gap is wider."""

    def put_together(match: re.Match[str]) -> str:
        words = re.split(r"\s{2,}|\s[|/·*-]\s" if _LETTER_GAP.search(match[0]) else r"\s+", match[0])
        return " ".join("".join(filter(str.isalpha, word)) for word in words)

    return _APART.sub(put_together, text)


def _decoded(text: str) -> Iterator[str]:
    """What words in base64 say, where it is text."""
    for match in _ENCODED.finditer(text):
        try:
            said = base64.b64decode(match[0] + "=" * (-len(match[0]) % 4)).decode("ascii")
        except (binascii.Error, ValueError):
            continue
        if said.isprintable():
            yield said


def _judged(view: str) -> tuple[float, str]:
    """The highest score of two neighbouring sentences of a folded text, and what is said from their heaviest cue on."""
    ends = [match.end() for match in _END.finditer(view)]
    hits = list(_hits(_TELLING if view.isascii() else (*_TELLING, *OTHER_SCRIPTS), view, ends))
    telling = {place for place, _ in hits}
    if hits:
        hits += _hits(_AMPLIFYING, view, ends)
    by_sentence: dict[int, list[tuple[float, int, Family]]] = defaultdict(list)
    for place, hit in hits:
        by_sentence[place].append(hit)
    best = (0.0, "")
    for sentence in telling | {place - 1 for place in telling}:
        near = sorted(by_sentence[sentence] + by_sentence[sentence + 1])
        score = sum({family: weight for weight, _, family in near}.values())
        if score > best[0]:
            best = score, view[-near[-1][1] :]
    return best


def _hits(cues: Sequence[Cue], text: str, ends: Sequence[int]) -> Iterator[tuple[int, tuple[float, int, Family]]]:
    """Of each cue in the text the number of its sentence; and its weight, its place from the end, and its family."""
    for cue in cues:
        for match in cue.pattern.finditer(text):
            if not _told_to_people(cue, text, match.start()):
                yield bisect_right(ends, match.start()), (cue.weight, len(text) - match.start(), cue.family)


def _told_to_people(cue: Cue, text: str, start: int) -> bool:
    """Whether an order is one that people in the text were given, earlier in its sentence."""
    return cue.family in ("override", "order", "absolute") and bool(HUMANS.search(text[max(0, start - 160) : start]))
