"""The plain text of a Wikipedia page, by sections. Knows nothing of how it was fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"^(={2,6})[ \t]*(.+?)[ \t]*\1[ \t]*$", re.MULTILINE)

LEFT_OUT = {
    "de": "anmerkungen, einzelnachweise, fußnoten, literatur, quellen, siehe auch, weblinks",
    "en": "bibliography, citations, explanatory notes, external links, footnotes, further reading, general references, "
    "notes, notes and references, references, see also, works cited",
    "es": "bibliografía, enlaces externos, fuentes, notas, referencias, véase también",
    "fr": "annexes, articles connexes, bibliographie, liens externes, notes, notes et références, références, "
    "voir aussi",
    "it": "altri progetti, bibliografia, collegamenti esterni, note, voci correlate",
    "nl": "bronnen, externe links, literatuur, referenties, zie ook",
    "pl": "bibliografia, linki zewnętrzne, przypisy, uwagi, zobacz też",
    "pt": "bibliografia, ligações externas, notas, referências, ver também",
}
"""By language, headings of sections that list other texts rather than say something. Others leave nothing out."""


@dataclass(frozen=True)
class Section:
    """A section's own text, without its subsections'; `headings` lead to it from the top, none for the beginning."""

    headings: tuple[str, ...]
    text: str


def sections(text: str, language: str) -> Iterator[Section]:
    """The sections of a page in the form of MediaWiki's `explaintext` extracts (`== Causes ==`), in order.

    Sections that are empty or left out are not among them, nor what is below those left out.
    """
    left_out = frozenset(LEFT_OUT.get(language, "").split(", "))
    path: list[tuple[int, str]] = []
    start = 0
    for match in [*_HEADING.finditer(text), None]:
        body = text[start : match.start() if match else len(text)].strip()
        headings = tuple(heading for _, heading in path)
        if body and not any(heading.casefold() in left_out for heading in headings):
            yield Section(headings, body)
        if match:
            depth = len(match[1])
            path = [*((above, heading) for above, heading in path if above < depth), (depth, match[2])]
            start = match.end()
