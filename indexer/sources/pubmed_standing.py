"""What became of an article after it was published, as PubMed marks it: a retraction, an expression of concern.

NLM says so by types of publication and by links between citations, not always by both:
https://www.nlm.nih.gov/bsd/policy/errata.html; the links' names are in
https://github.com/biopython/biopython/blob/master/Bio/Entrez/DTDs/pubmed_250101.dtd (CommentsCorrections). Errata, to
which NLM counts partial retractions, are no reason to doubt the rest and are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element

from indexer.sources.pubmed_xml import flat

StandingKind = Literal["retracted", "notice", "concern"]

_MARKS: dict[StandingKind, str] = {
    "retracted": "Retracted",
    "notice": "Notice of retraction",
    "concern": "Expression of concern",
}
_TYPES: dict[str, StandingKind] = {
    "D016441": "retracted",
    "Retracted Publication": "retracted",
    "D016440": "notice",
    "Retraction of Publication": "notice",
    "Expression of Concern": "concern",
}
_LINKS: dict[str, StandingKind] = {
    "RetractionIn": "retracted",
    "RetractedandRepublishedIn": "retracted",
    "RetractionOf": "notice",
    "ExpressionOfConcernIn": "concern",
    "ExpressionOfConcernFor": "concern",
}
_SAYS_RETRACTED = re.compile(r"\W*retracted(?: (?:article|paper|chapter|publication))?\s*[:\])]+\s*", re.IGNORECASE)
_SAYS_CONCERN = re.compile(r"\W*(?:editorial )?expression of concern\s*[:.\])]+\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Standing:
    """What a record is: retracted, the notice that retracts another, or under (or itself) an expression of concern.

    `where` cites the other side of it, as PubMed does: the notice, or what the notice is of. It may be empty.
    """

    kind: StandingKind
    where: str

    @property
    def reason(self) -> str:
        """In one line, for a list of what was left out: "retracted: Lancet. 2010 Feb 6;375(9713):445"."""
        return f"{_MARKS[self.kind].lower()}: {self.where or 'PubMed cites no more of it'}"

    def mark(self, title: str | None) -> str:
        """A title that begins with what became of the article, once: "Retracted: On air in the chest"."""
        says = _SAYS_CONCERN if self.kind == "concern" else _SAYS_RETRACTED
        said = says.match(title or "")
        plain = (title or "")[said.end() if said else 0 :]
        return f"{_MARKS[self.kind]}: {plain}" if plain else _MARKS[self.kind]


def standing_of(element: Element, title: str | None) -> Standing | None:
    """The standing of a PubmedArticle or PubmedBookArticle with this title; None where PubMed says nothing of it.

    What is retracted is that before all else. A title that says so counts, too: publishers change it before NLM has
    seen the notice. Not that of a notice, which often repeats the article's title behind "Retracted:".
    """
    types = [
        *element.iterfind("MedlineCitation/Article/PublicationTypeList/PublicationType"),
        *element.iterfind("BookDocument/PublicationType"),
    ]
    said = {name for type_ in types for name in (type_.get("UI", ""), flat(type_))}
    kinds = {kind for name, kind in _TYPES.items() if name in said}
    where: dict[StandingKind, list[str]] = {kind: [] for kind in _MARKS}
    for link in element.iterfind("MedlineCitation/CommentsCorrectionsList/CommentsCorrections"):
        kind = _LINKS.get(link.get("RefType", ""))
        if kind is not None:
            kinds.add(kind)
            where[kind].append(_citation(link))
    if "notice" not in kinds and _SAYS_RETRACTED.match(title or ""):
        kinds.add("retracted")
    first = next((kind for kind in _MARKS if kind in kinds), None)
    return None if first is None else Standing(first, "; ".join(filter(None, where[first])))


def _citation(link: Element) -> str:
    pmid = flat(link.find("PMID"))
    cited = flat(link.find("RefSource")) or (f"PMID {pmid}" if pmid else "")
    return f"republished in {cited}" if link.get("RefType") == "RetractedandRepublishedIn" and cited else cited
