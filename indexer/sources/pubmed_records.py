"""One PubMed record: a PubmedArticle or PubmedBookArticle element as a `Document`.

Elements: https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html. Knows nothing of where the XML is from.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any
from xml.etree.ElementTree import Element

from indexer.config.pubmed import Retracted
from indexer.sources.documents import Document
from indexer.sources.pubmed_standing import Standing, standing_of
from indexer.sources.pubmed_xml import flat

NO_LICENSE = "not stated; NLM: PubMed abstracts may be protected by copyright"
"""Of a record whose publisher states no copyright, after
https://www.nlm.nih.gov/databases/download/terms_and_conditions_pubmed.html."""

_PMID = re.compile(r"[1-9][0-9]{0,8}")
_YEAR = re.compile(r"\b(1[5-9]\d\d|20\d\d)\b")
_PMCID = re.compile(r"PMC\d+")
_TRANSLATED = re.compile(r"\[(.*)\]\.?")
_NO_TITLE = frozenset({"not available", "in process citation", "no title available"})


@dataclass(frozen=True)
class Record:
    """A PubMed record. The document's text is empty where it has no abstract; `mesh` are its MeSH descriptors.

    Where `standing` says that it was retracted, or the like, the document's title begins with that.
    """

    document: Document
    mesh: tuple[str, ...]
    standing: Standing | None

    @property
    def pmid(self) -> int:
        return int(self.document.id)

    def left_out(self, retracted: Retracted) -> str | None:
        """Why the record is not to be used, in one line; None where it is, or where there is no text of it anyway."""
        standing = self.standing
        if retracted == "mark" or standing is None or standing.kind == "concern" or not self.document.text:
            return None
        return standing.reason

    def with_mesh(self) -> Document:
        """The document with a last paragraph "MeSH terms: A; B.", where it has an abstract and descriptors.

        In the text because that is what both searches read: the words' and the vectors'.
        """
        if not self.mesh or not self.document.text:
            return self.document
        return dataclasses.replace(self.document, text=f"{self.document.text}\n\nMeSH terms: {'; '.join(self.mesh)}.")

    def to_row(self) -> dict[str, Any]:
        """As a JSON object."""
        standing = dataclasses.asdict(self.standing) if self.standing else None
        return {**dataclasses.asdict(self.document), "mesh": list(self.mesh), "standing": standing}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Record:
        """From what `to_row` gave. Raises TypeError or KeyError where it is something else."""
        fields = {name: value for name, value in row.items() if name not in ("mesh", "standing")}
        standing = row["standing"]
        return cls(Document(**fields), tuple(row["mesh"]), Standing(**standing) if standing else None)


def record_of(element: Element) -> Record:
    """A PubmedArticle or PubmedBookArticle element as a record. Raises ValueError where it has no PMID.

    A structured abstract keeps its labels ("BACKGROUND: ...", a paragraph a section); markup inside is flattened.
    The title has the vernacular one behind it in parentheses. Without an abstract of its own, one that the
    publisher or NLM added is taken, an English one before others.
    """
    pmid = pmid_of(element)
    is_book = element.tag == "PubmedBookArticle"
    citation = element.find("BookDocument" if is_book else "MedlineCitation")
    body = citation if is_book else element.find("MedlineCitation/Article")
    if citation is None or body is None:
        raise ValueError(f"PMID {pmid} has no citation")
    text, copyright_ = _abstract(body, citation)
    year, venue = (_book_year(body), flat(body.find("Book/BookTitle"))) if is_book else (_year(body), _journal(body))
    title = _title(body, venue if is_book else None)
    standing = standing_of(element, title)
    document = Document(
        id=str(pmid),
        text=text,
        title=standing.mark(title) if standing else title,
        license=copyright_ or NO_LICENSE,
        attribution=", ".join(part for part in (_authors(body), venue, str(year or "")) if part) or None,
        url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/",
        year=year,
        article=_pmcid(element, "PubmedBookData" if is_book else "PubmedData"),
    )
    mesh = (flat(name) for name in citation.iterfind("MeshHeadingList/MeshHeading/DescriptorName"))
    return Record(document, tuple(name for name in mesh if name), standing)


def pmid_of(element: Element) -> int:
    """The PMID of a PubmedArticle or PubmedBookArticle element. Raises ValueError where it has none."""
    found = element.findtext("MedlineCitation/PMID") or element.findtext("BookDocument/PMID") or ""
    return _pmid(found)


def deleted_pmids(element: Element) -> list[int]:
    """The PMIDs of a DeleteCitation element, which only update files have; what is no PMID is passed over."""
    texts = (pmid.text or "" for pmid in element.iterfind("PMID"))
    return [int(text) for text in texts if _PMID.fullmatch(text.strip())]


def _pmid(text: str) -> int:
    if not _PMID.fullmatch(text.strip()):
        raise ValueError(f"its PMID is {text.strip()[:40]!r}" if text.strip() else "it has no PMID")
    return int(text)


def _abstract(body: Element, citation: Element) -> tuple[str, str]:
    """The abstract and the copyright its publisher states; each may be empty."""
    others = citation.findall("OtherAbstract")
    others.sort(key=lambda other: other.get("Language", "eng") != "eng")
    for element in (*body.iterfind("Abstract"), *others):
        sections = ((part.get("Label", ""), flat(part)) for part in element.iterfind("AbstractText"))
        text = "\n\n".join(_section(label.strip().rstrip(":"), text) for label, text in sections if text)
        if text:
            return text, flat(element.find("CopyrightInformation"))
    return "", ""


def _section(label: str, text: str) -> str:
    return text if label.upper() in ("", "UNLABELLED") else f"{label}: {text}"


def _title(body: Element, book: str | None) -> str | None:
    title = flat(body.find("ArticleTitle"))
    translated = _TRANSLATED.fullmatch(title)
    title = translated[1] if translated else title
    vernacular = flat(body.find("VernacularTitle"))
    if not title or title.strip(" .").lower() in _NO_TITLE:
        return vernacular or book or None
    return f"{title} ({vernacular.rstrip('.')})" if vernacular and vernacular != title else title


def _authors(body: Element) -> str:
    authors = body.findall("AuthorList/Author") or body.findall("Book/AuthorList/Author")
    names = list(islice((name for author in authors if (name := _author(author))), 2))
    return f"{names[0]} et al." if len(names) > 1 else "".join(names)


def _author(author: Element) -> str:
    family, initials = flat(author.find("LastName")), flat(author.find("Initials")) or flat(author.find("ForeName"))
    return f"{family} {initials}".strip() or flat(author.find("CollectiveName"))


def _journal(article: Element) -> str:
    return flat(article.find("Journal/ISOAbbreviation")) or flat(article.find("Journal/Title"))


def _year(article: Element) -> int | None:
    date = "Journal/JournalIssue/PubDate"
    return _first_year(article.findtext(path) for path in (f"{date}/Year", f"{date}/MedlineDate", "ArticleDate/Year"))


def _book_year(book: Element) -> int | None:
    return _first_year(book.findtext(path) for path in ("ContributionDate/Year", "Book/PubDate/Year"))


def _first_year(texts: Iterable[str | None]) -> int | None:
    """The year in the first text that has one: "2001", "1998 Dec-1999 Jan", "Spring 1979"."""
    found = (_YEAR.search(text or "") for text in texts)
    return next((int(match[1]) for match in found if match), None)


def _pmcid(element: Element, data: str) -> str | None:
    # Straight down: the references of the article have lists of ids, too.
    for identifier in element.iterfind(f"{data}/ArticleIdList/ArticleId[@IdType='pmc']"):
        if found := _PMCID.match(flat(identifier)):
            return found[0]
    return None
