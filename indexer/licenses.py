"""What a licence is called and what it asks for, whichever way it is written. Knows nothing of indexes.

A name is understood whole or not at all: a word that is not known here may take back what the others grant, and no
spelling of "non-commercial" may pass for plain "CC BY".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Term = Literal["attribution", "non-commercial", "no derivatives", "share alike"]


@dataclass(frozen=True)
class License:
    """A family of licences, its versions and translations taken together, and what those who use a work must heed."""

    family: str
    terms: tuple[Term, ...] = ()


_URL = re.compile(
    r"(?:https?://)?(?:www\.)?creativecommons\.org/(?P<shelf>licenses|publicdomain)/(?P<code>[a-z-]+)"
    r"(?:/(?P<version>[0-9.]+))?(?:/[a-z]{2,3}\b)?(?:/(?:deed|legalcode)(?:\.[a-z-]+)?)?/?"
)
_WRITTEN = re.compile(r"[\w\s\-./,;:()\[\]'\"&©+]*")
"""What may stand in a name besides letters and digits; a sign that is none of these may mean anything."""
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_ATTRIBUTION = re.compile(r"\[[^\[\]]*(?:\bet al\b|\([12][0-9]{3}\))[^\[\]]*\]")
"""Who is to be named, as ROCOv2 writes it behind the licence: [Rueckert et al. (2022)]."""
_WORD = re.compile(r"[0-9]+(?:\.[0-9]+)*|[^\W\d_]+")
_NUMBER = re.compile(r"[0-9.]+")

_PHRASES = (
    (re.compile(r"\bnon ?commercial(ly)?\b"), "nc"),
    (re.compile(r"\b(no|non) ?deriv(s|ative|atives)?( works?)?\b"), "nd"),
    (re.compile(r"\bshare ?alike\b"), "sa"),
    (re.compile(r"\bcreative ?commons\b"), "cc"),
    (re.compile(r"\battribution\b"), "by"),
    (re.compile(r"\bcc (0|zero)\b"), "cczero"),
    (re.compile(r"\bpublic ?domain\b"), "publicdomain"),
)
_CODE = re.compile(r"(cc)?(by)?(nc)?(nd|sa)?(nc)?")
"""The parts of a Creative Commons licence's name, run together or one alone."""
_COUNTRY = re.compile(r"(?!no)[a-z]{2}|igo")
"""What may follow a version: the country that a licence was written for; Norway's would read as a word."""

_SAYS_NOTHING = frozenset(
    "a access an and any are article author authors available cited copyright credited dedication deed distributed "
    "distribution generic in international intl is legalcode licence licenced license licensed licenses mark medium of "
    "open original permits properly provided published reproduction s source terms that the this under universal "
    "unported unrestricted use v ver version which work".split()
)
"""Words of the usual sentence around a licence's name that neither grant nor take anything."""

_NAMED: tuple[tuple[str, str, tuple[Term, ...]], ...] = (
    (r"mit( mit)?|expat", "MIT", ("attribution",)),
    (r"isc", "ISC", ("attribution",)),
    (r"apache|asl", "Apache", ("attribution",)),
    (r"((new|simplified|modified|revised) )?(bsd|bsd clause|clause bsd)", "BSD", ("attribution",)),
    (r"(gnu )?(gplv?|general public)( only| or later)?", "GPL", ("attribution", "share alike")),
    (r"(gnu )?(lgplv?|lesser general public)( only| or later)?", "LGPL", ("attribution", "share alike")),
    (r"(gnu )?(agplv?|affero general public)( only| or later)?", "AGPL", ("attribution", "share alike")),
    (r"(odc )?odbl|open database", "ODbL", ("attribution", "share alike")),
    (r"(odc|open data commons) by", "ODC-By", ("attribution",)),
    (r"(odc )?pddl", "PDDL", ()),
    (r"cdla permissive", "CDLA-Permissive", ("attribution",)),
    (r"cdla sharing", "CDLA-Sharing", ("attribution", "share alike")),
    (r"unlicense", "Unlicense", ()),
    (r"(uk )?(ogl|open government)( (uk|canada))?", "Open Government Licence", ("attribution",)),
    (r"pd|pdm|cc pdm|cc pddc|((us|u s|united states) )?government work", "public domain", ()),
)
_OTHERS = tuple((re.compile(pattern), License(family, terms)) for pattern, family, terms in _NAMED)
_FILLING = re.compile(r"\b(the|licen[cs]e|version|v|software)\b|\b[0-9.]+(?!\w)")

_UNSTATED = re.compile(
    r"(|(unknown|unspecified|none|null|other|tbd|see|no cc|no licen[cs]e|n a|na|not (stated|specified|available|known))"
    r"\b.*)"
)


@lru_cache(maxsize=4096)
def license_of(name: str | None) -> License | None:
    """The licence of this name, address or usual sentence; None where it is not understood whole.

    Names of Creative Commons as people, PubMed Central, SPDX and the licences' own addresses write them, their usual
    sentence in articles, and some others of data and software.
    """
    words = _words(name or "")
    if not words:
        return None
    return _creative_commons(words) or _other(words)


def is_stated(name: str | None) -> bool:
    """Whether a name says anything of a licence, were it one that is not known here."""
    return _UNSTATED.fullmatch(" ".join(_WORD.findall((name or "").casefold()))) is None


def allowed(name: str | None, names: Collection[str]) -> bool:
    """Whether a licence is one of those named: of the same family, or, where it is not known here, of the same words.

    Case, spaces, hyphens and versions make no difference. What states no licence is never allowed.
    """
    own = license_of(name)
    if own is not None:
        return own in {license_of(other) for other in names}
    strange = {_squeezed(other) for other in names if license_of(other) is None}
    return is_stated(name) and _squeezed(name or "") in strange


def _words(name: str) -> str:
    """The words of a name in lower case, a space between them; the parts of a Creative Commons name as their letters.

    Nothing where there is a sign in it that a name does not have.
    """
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", name)).casefold()
    plain = _ATTRIBUTION.sub(" ", plain)
    plain = _URL.sub(_address, plain)
    if not _WRITTEN.fullmatch(plain):
        return ""
    words = " ".join(_WORD.findall(plain.replace("_", " ")))
    for pattern, written in _PHRASES:
        words = pattern.sub(written, words)
    return words


def _address(url: re.Match[str]) -> str:
    if url["shelf"] == "licenses":
        return f" cc {url['code']} {url['version'] or ''} "
    return {"zero": " cc0 ", "mark": " public domain "}.get(url["code"], f" {url['code']} ")


def _creative_commons(words: str) -> License | None:
    parts: set[str] = set()
    before = ""
    for word in words.split():
        code = _CODE.fullmatch(word)
        if code and any(code.groups()):
            parts |= {part for part in code.groups() if part}
        elif word in ("cczero", "publicdomain"):
            parts.add(word)
        elif not (
            word in _SAYS_NOTHING or _NUMBER.fullmatch(word) or (_NUMBER.fullmatch(before) and _COUNTRY.fullmatch(word))
        ):
            return None
        before = word
    return _FAMILIES.get(frozenset(parts))


def _other(words: str) -> License | None:
    bare = " ".join(_FILLING.sub(" ", words).split())
    return next((license_ for pattern, license_ in _OTHERS if pattern.fullmatch(bare)), None)


def _families() -> dict[frozenset[str], License]:
    """By the parts that stand in a name, the licence that it is."""
    asks: dict[str, Term] = {"nc": "non-commercial", "nd": "no derivatives", "sa": "share alike"}
    codes = ("by", "by-nc", "by-sa", "by-nd", "by-nc-sa", "by-nc-nd")
    found = {
        frozenset({"cc", *code.split("-")}): License(
            f"CC {code.upper()}", ("attribution", *(asks[part] for part in code.split("-")[1:]))
        )
        for code in codes
    }
    zero, free = License("CC0"), License("public domain")
    for more in (set(), {"cc"}):
        found[frozenset({"publicdomain", *more})] = free
        found[frozenset({"cczero", *more})] = found[frozenset({"cczero", "publicdomain", *more})] = zero
    return found


_FAMILIES = _families()


def _squeezed(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.casefold())
