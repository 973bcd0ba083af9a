"""PubMed records in NLM's layout, and a server that answers as NCBI's E-utilities do.

Layouts are those of recorded answers; no text is taken from them:
records      https://github.com/biopython/biopython/blob/master/Tests/Entrez/pubmed2.xml (and pubmed7.xml: MathML, a PMC
             id, references with ids of their own), https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html
standing     https://github.com/biopython/biopython/blob/master/Bio/Entrez/DTDs/pubmed_250101.dtd (CommentsCorrections:
             RefSource, PMID, Note), https://www.nlm.nih.gov/bsd/policy/errata.html; PMID 9500320 on
             https://pubmed.ncbi.nlm.nih.gov/9500320/?format=pubmed has all of it: a type, a notice, a concern
esearch      https://github.com/biopython/biopython/blob/master/Tests/Entrez/esearch1.xml; with a history:
             https://dataguide.nlm.nih.gov/eutilities/history.html
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date

from tests.web_server import Answer, Asked

HEAD = (
    '<?xml version="1.0" ?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
    '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n'
)
MOST = 9_999
"""PubMed serves the first 9,999 records of a search: https://github.com/biopython/biopython/issues/4189."""


def article(
    pmid: object,
    abstract: str | None = "<AbstractText>Air was seen in the pleural space.</AbstractText>",
    *,
    title: str = "Air in the pleural space.",
    vernacular: str = "",
    dates: str = "<PubDate><Year>2001</Year><Month>Jun</Month></PubDate>",
    article_date: str = "",
    authors: str = "<Author><LastName>Marić</LastName><ForeName>Ana R</ForeName><Initials>AR</Initials></Author>"
    "<Author><LastName>Oduya</LastName><Initials>F</Initials></Author>",
    types: str = '<PublicationType UI="D016428">Journal Article</PublicationType>',
    after: str = "",
    mesh: Iterable[str] = (),
    ids: str = "",
    references: str = "",
) -> str:
    """A PubmedArticle. `after` stands behind the Article, `ids` in its list of ids, `types` in that of its types."""
    headings = "".join(
        f'<MeshHeading><DescriptorName UI="D0" MajorTopicYN="N">{name}</DescriptorName>'
        '<QualifierName UI="Q0" MajorTopicYN="Y">methods</QualifierName></MeshHeading>'
        for name in mesh
    )
    return (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">{pmid}</PMID>'
        "<DateCompleted><Year>2002</Year><Month>03</Month><Day>04</Day></DateCompleted>"
        '<Article PubModel="Print"><Journal><ISSN IssnType="Print">0000-0000</ISSN><JournalIssue CitedMedium="Print">'
        f"<Volume>4</Volume>{dates}</JournalIssue><Title>The journal of lungs</Title>"
        "<ISOAbbreviation>J Lungs</ISOAbbreviation></Journal>"
        f"<ArticleTitle>{title}</ArticleTitle>{'' if abstract is None else f'<Abstract>{abstract}</Abstract>'}"
        f'<AuthorList CompleteYN="Y">{authors}</AuthorList><Language>eng</Language>'
        f"<PublicationTypeList>{types}</PublicationTypeList>"
        f"{f'<VernacularTitle>{vernacular}</VernacularTitle>' if vernacular else ''}{article_date}</Article>"
        f"<MeshHeadingList>{headings}</MeshHeadingList>{after}</MedlineCitation>"
        f'<PubmedData><ArticleIdList><ArticleId IdType="pubmed">{pmid}</ArticleId>{ids}</ArticleIdList>'
        f"{references}</PubmedData></PubmedArticle>"
    )


RETRACTED = '<PublicationType UI="D016441">Retracted Publication</PublicationType>'
NOTICE = '<PublicationType UI="D016440">Retraction of Publication</PublicationType>'


def linked(*links: tuple[str, str]) -> str:
    """What stands behind an Article that has these links: their kind, and what they cite."""
    made = (
        f'<CommentsCorrections RefType="{kind}">{f"<RefSource>{cited}</RefSource>" if cited else "<RefSource/>"}'
        '<PMID Version="1">20137807</PMID></CommentsCorrections>'
        for kind, cited in links
    )
    return f"<CommentsCorrectionsList>{''.join(made)}</CommentsCorrectionsList>"


def article_set(*records: str) -> bytes:
    """A whole document of EFetch or of a baseline file."""
    return f"{HEAD}<PubmedArticleSet>\n{''.join(records)}</PubmedArticleSet>\n".encode()


def efetch_error(message: str) -> Answer:
    """EFetch's error inside HTTP 200, as kept in
    https://github.com/AlexsLemonade/refinebio/issues/1390 and by several clients' tests.
    """
    return Answer(
        b'<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE eEfetchResult PUBLIC "-//NLM//DTD efetch 20131226//EN" '
        b'"https://eutils.ncbi.nlm.nih.gov/eutils/dtd/20131226/efetch.dtd">\n'
        b"<eFetchResult>\n\t<ERROR>" + message.encode() + b"</ERROR>\n</eFetchResult>\n",
        content_type="text/xml; charset=UTF-8",
    )


def esearch_answer(inner: str) -> Answer:
    return Answer(
        b'<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE eSearchResult PUBLIC "-//NLM//DTD esearch 20060628//EN" '
        b'"https://eutils.ncbi.nlm.nih.gov/eutils/dtd/20060628/esearch.dtd">\n'
        b"<eSearchResult>" + inner.encode() + b"</eSearchResult>\n",
        content_type="text/xml; charset=UTF-8",
    )


@dataclass
class FakeNcbi:
    """E-utilities over `records`: PMID to day of entry. Answers in `faults` come first, a callable's if it gives one.

    `most` is how many records of a search can be paged through; beyond, NCBI refuses, or cuts the page short.
    """

    records: dict[int, date]
    most: int = MOST
    make: Callable[[int], str] = article
    faults: deque[Answer | Callable[[Asked], Answer | None] | None] = field(default_factory=deque)
    histories: dict[str, list[int]] = field(default_factory=dict)
    at: list[float] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        self.at.append(time.monotonic())
        fault = self.faults.popleft() if self.faults else None
        made = fault(asked) if callable(fault) else fault
        if made is not None:
            return made
        return self._search(asked.fields) if asked.path.endswith("/esearch.fcgi") else self._fetch(asked.fields)

    def _search(self, fields: dict[str, str]) -> Answer:
        low, high = date.min, date.max
        if "mindate" in fields:
            assert fields["datetype"] == "edat"
            low, high = (date(*map(int, fields[name].split("/"))) for name in ("mindate", "maxdate"))
        uids = re.search(r"(\d+):(\d+)\[UID\]", fields["term"])
        first, last = (int(uids[1]), int(uids[2])) if uids else (0, 10**9)
        found = [pmid for pmid, day in self.records.items() if low <= day <= high and first <= pmid <= last]
        if not found:
            return esearch_answer(
                "<Count>0</Count><RetMax>0</RetMax><RetStart>0</RetStart><IdList/><TranslationSet/>"
                "<QueryTranslation>x</QueryTranslation><WarningList><OutputMessage>No items found.</OutputMessage>"
                "</WarningList>"
            )
        name = f"MCID_{len(self.histories) + 1}"
        self.histories[name] = sorted(found, reverse=True)
        return esearch_answer(
            f"<Count>{len(found)}</Count><RetMax>0</RetMax><RetStart>0</RetStart><QueryKey>1</QueryKey>"
            f"<WebEnv>{name}</WebEnv><IdList/><TranslationSet/><QueryTranslation>x</QueryTranslation>"
        )

    def _fetch(self, fields: dict[str, str]) -> Answer:
        found = self.histories.get(fields["WebEnv"])
        if found is None or fields["query_key"] != "1":
            return efetch_error("Unable to obtain query #1")
        start, size = int(fields["retstart"]), int(fields["retmax"])
        if start >= self.most:
            refused = efetch_error(f"Exception: 'retstart' cannot be larger than {self.most - 1}.")
            return Answer(refused.body, 400, refused.content_type)
        pmids = found[start : min(start + size, self.most)]
        body = article_set(*(self.make(pmid) for pmid in pmids if pmid in self.records))
        return Answer(body, content_type="text/xml; charset=UTF-8")
