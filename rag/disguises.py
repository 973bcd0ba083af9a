"""A text as a reader would make it out, whatever its letters are dressed up as.

Without invisible characters, look-alike letters put right, letters and syllables that stand apart put together, digits
for letters, markup and simple encodings taken off. Each way to read a text is a view; most texts have one.
"""

# ruff: noqa: RUF001 - look-alike letters are what this is about

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_QUOTES = str.maketrans(dict.fromkeys("“”„«»「」『』", '"') | dict.fromkeys("‹›‘’‚′`", "'"))
_ACCENTS = re.compile("[\u0300-\u036f]")
_LOOK_ALIKES = str.maketrans(
    dict(zip("аеорсухіїјѕԁһӏтмнквгпαβεηικνορτυχωɡı", "aeopcyxiijsdhltmhkbrnabenikvoptuxwgi", strict=True))
    | dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))
)
_LATIN = re.compile("[a-zᴀ-ᴢɡɢɪɴʀʙʏʜʟꜰꜱ]")
_WORD = re.compile(r"\w+")
_TAG = re.compile(r"</?[a-z][^<>]{0,80}>")
_COMMENT = re.compile(r"<!--|-->")
_APART = re.compile(r"(?<!\w)(?:[^\W\d_][ \t._*·|/-]{1,3}){4,}[^\W\d_](?!\w)")
_LETTER_GAP = re.compile(r"^\w\s")
_ENCODED = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_SYLLABLES = re.compile(r"(?<![\w-])[^\W\d_]{1,6}(?:-[^\W\d_]{1,6})+(?![\w-])")
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
_KEY_WORDS = (
    "ignore",
    "disregard",
    "forget",
    "override",
    "image",
    "instructions",
    "prompt",
    "write",
    "answer",
    "caption",
)
_BACKWARD = frozenset(word[::-1] for word in _KEY_WORDS)
_ROTATED = frozenset(codecs.encode(word, "rot13") for word in _KEY_WORDS)
_SPELT = re.compile(r"[\w@$]+")
_STANDS_FOR = re.compile(r"[013457@$]")
_DIGITS = str.maketrans("013457@$", "oieastas")
_BREAKS = re.compile(r"[\r\v\f\x85\u2028\u2029]")
_SPACES = re.compile(r"[^\S\n]+")


def views(text: str) -> Iterator[str]:
    """The text folded, and each other way to read it that differs."""
    bare = INVISIBLE.sub("", html.unescape(text))
    seen = set()
    put_right = (bare, _joined(bare), _closed(bare), unquote(bare) if "%20" in bare else bare, *_decoded(bare))
    for read in dict.fromkeys(put_right):  # mostly they are all the same
        plain = _folded(read)
        unmarked = _TAG.sub("", _COMMENT.sub(". ", plain))
        alike = plain if plain.isascii() else plain.translate(_LOOK_ALIKES)
        for view in (plain, unmarked, alike, _spelt(plain), *_turned(plain)):
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


def _closed(text: str) -> str:
    """Syllables that hyphens part put together, where there are several such words: "ig-nore the im-age"."""
    return _HYPHEN.sub("", text) if len(_SYLLABLES.findall(text)) > 1 else text


def _turned(text: str) -> Iterator[str]:
    """The text backwards, and with letters moved by thirteen places, where that makes words of orders of it."""
    words = set(_WORD.findall(text))
    if words & _BACKWARD:
        yield text[::-1]
    if words & _ROTATED:
        yield codecs.decode(text, "rot13")


def _decoded(text: str) -> Iterator[str]:
    """What words in base64 and hexadecimal say, where it is text."""
    for match in _ENCODED.finditer(text):
        for decode in (_from_hex, _from_base64):
            try:
                said = decode(match[0]).decode("ascii")
            except (binascii.Error, ValueError):
                continue
            if said.isprintable():
                yield said


def _from_hex(word: str) -> bytes:
    return bytes.fromhex(word)


def _from_base64(word: str) -> bytes:
    return base64.b64decode(word + "=" * (-len(word) % 4))
