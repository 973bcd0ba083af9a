"""PubMed records: what of one becomes a document, and what XML is not read. Layouts: see pubmed_makers."""

from __future__ import annotations

import json

import pytest
from pubmed_makers import HEAD, NOTICE, RETRACTED, article, article_set, efetch_error, linked

from indexer.sources.pubmed_records import NO_LICENSE, Record, deleted_pmids, record_of
from indexer.sources.pubmed_xml import PubmedXmlError, elements, parse


def record(*made: str) -> Record:
    (found,) = [record_of(element) for element in elements([article_set(*made)])]
    return found


def test_a_structured_abstract_keeps_its_labels_and_loses_its_markup() -> None:
    abstract = (
        '<AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">Air &lt; 2 cm in <i>vivo</i>,\n   10<sup>-3</sup> l.'
        "</AbstractText>"
        '<AbstractText Label="METHODS:" NlmCategory="METHODS">We gave '
        '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mi>He</mml:mi> <mml:mn>3</mml:mn></mml:math>.'
        '</AbstractText><AbstractText Label="UNLABELLED">It rose.</AbstractText>'
        '<AbstractText Label="RESULTS"/>'
        "<CopyrightInformation>Copyright 2001  Lung Press.</CopyrightInformation>"
    )
    ids = '<ArticleId IdType="doi">10.1/x</ArticleId><ArticleId IdType="pmc">PMC6022861.2</ArticleId>'
    references = (
        '<ReferenceList><Reference><ArticleIdList><ArticleId IdType="pmc">PMC999</ArticleId></ArticleIdList>'
        "</Reference></ReferenceList>"
    )
    found = record(article(11748933, abstract, ids=ids, references=references, mesh=("Pneumothorax", "Lung")))
    document = found.document
    assert document.text == "BACKGROUND: Air < 2 cm in vivo, 10-3 l.\n\nMETHODS: We gave He 3.\n\nIt rose."
    assert (document.id, document.title, document.year) == ("11748933", "Air in the pleural space.", 2001)
    assert document.url == "https://pubmed.ncbi.nlm.nih.gov/11748933/"
    assert document.license == "Copyright 2001 Lung Press."
    assert document.attribution == "Marić AR et al., J Lungs, 2001"
    assert document.article == "PMC6022861"
    assert found.mesh == ("Pneumothorax", "Lung")
    assert found.with_mesh().text == document.text + "\n\nMeSH terms: Pneumothorax; Lung."
    assert Record.from_row(json.loads(json.dumps(found.to_row()))) == found


def test_without_a_pmc_id_a_licence_or_headings() -> None:
    references = (
        '<ReferenceList><Reference><ArticleIdList><ArticleId IdType="pmc">PMC999</ArticleId></ArticleIdList>'
        "</Reference></ReferenceList>"
    )
    found = record(article(1, references=references))
    assert (found.document.article, found.document.license) == (None, NO_LICENSE)
    assert found.with_mesh() == found.document
    assert record(article(1, None, mesh=("Lung",))).with_mesh().text == ""


@pytest.mark.parametrize(
    ("dates", "article_date", "year"),
    [
        ("<PubDate><Year>2018</Year></PubDate>", "<ArticleDate><Year>2017</Year></ArticleDate>", 2018),
        ("<PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate>", "", 1998),
        ("<PubDate><MedlineDate>Spring 1979</MedlineDate></PubDate>", "", 1979),
        ("<PubDate/>", '<ArticleDate DateType="Electronic"><Year>2020</Year></ArticleDate>', 2020),
        ("<PubDate><MedlineDate>undated</MedlineDate></PubDate>", "", None),
    ],
)
def test_years(dates: str, article_date: str, year: int | None) -> None:
    assert record(article(1, dates=dates, article_date=article_date)).document.year == year


@pytest.mark.parametrize(
    ("title", "vernacular", "wanted"),
    [
        ("On <i>E. coli</i>.", "", "On E. coli."),
        ("[Air in the chest].", "Luft im Brustkorb.", "Air in the chest (Luft im Brustkorb)"),
        ("[Not Available].", "Luft im Brustkorb.", "Luft im Brustkorb."),
        ("[In Process Citation]", "", None),
        ("", "", None),
    ],
)
def test_titles(title: str, vernacular: str, wanted: str | None) -> None:
    assert record(article(1, title=title, vernacular=vernacular)).document.title == wanted


@pytest.mark.parametrize(
    ("authors", "wanted"),
    [
        ("<Author><CollectiveName>The Lung Group</CollectiveName></Author>", "The Lung Group, J Lungs, 2001"),
        ("<Author><LastName>Oduya</LastName></Author>", "Oduya, J Lungs, 2001"),
        ("", "J Lungs, 2001"),
    ],
)
def test_attributions(authors: str, wanted: str) -> None:
    assert record(article(1, authors=authors)).document.attribution == wanted


def test_an_abstract_added_later_stands_in_and_an_english_one_first() -> None:
    other = '<OtherAbstract Type="Publisher" Language="{}"><AbstractText>{}</AbstractText>{}</OtherAbstract>'
    french = other.format("fre", "De l'air.", "<CopyrightInformation>(c) Presse</CopyrightInformation>")
    english = other.format("eng", "Some air.", "")
    assert record(article(1, after=french + english)).document.text == "Air was seen in the pleural space."
    assert record(article(1, None, after=french + english)).document.text == "Some air."
    alone = record(article(1, "<AbstractText/>", after=french)).document
    assert (alone.text, alone.license) == ("De l'air.", "(c) Presse")
    assert record(article(1, None)).document.text == ""


# https://www.ncbi.nlm.nih.gov/books/NBK179288/ names the layout: BookDocument, Book, PubmedBookData.
BOOK = (
    '<PubmedBookArticle><BookDocument><PMID Version="1">20301295</PMID><ArticleIdList>'
    '<ArticleId IdType="bookaccession">NBK1116</ArticleId></ArticleIdList><Book><Publisher><PublisherName>A press'
    '</PublisherName></Publisher><BookTitle book="lungs">Reviews of lungs</BookTitle><PubDate><Year>1993</Year>'
    '</PubDate><AuthorList Type="editors"><Author><LastName>Editor</LastName><Initials>E</Initials></Author>'
    '</AuthorList></Book><ArticleTitle book="lungs" part="x">Collapsed lung</ArticleTitle>'
    '<AuthorList Type="authors"><Author><LastName>Writer</LastName><Initials>W</Initials></Author></AuthorList>'
    '<Abstract><AbstractText Label="CLINICAL CHARACTERISTICS">Pain.</AbstractText></Abstract>'
    "<ContributionDate><Year>2021</Year></ContributionDate></BookDocument>"
    '<PubmedBookData><ArticleIdList><ArticleId IdType="pubmed">20301295</ArticleId></ArticleIdList>'
    "</PubmedBookData></PubmedBookArticle>"
)


def test_a_book_chapter() -> None:
    document = record(BOOK).document
    assert (document.id, document.title, document.year) == ("20301295", "Collapsed lung", 2021)
    assert document.text == "CLINICAL CHARACTERISTICS: Pain."
    assert document.attribution == "Writer W, Reviews of lungs, 2021"


def test_a_retracted_book_chapter() -> None:
    # BookDocument has its types without a list around them, and no links: pubmed_250101.dtd, see pubmed_makers.
    found = record(BOOK.replace("<Abstract>", f"{RETRACTED}<Abstract>"))
    assert found.document.title == "Retracted: Collapsed lung"
    assert found.left_out("leave_out") == "retracted: PubMed cites no more of it"


LANCET = "Lancet. 2010 Feb 6;375(9713):445. doi: 10.1016/S0140-6736(10)60175-4."
"""How PubMed cites a notice: https://pubmed.ncbi.nlm.nih.gov/9500320/?format=pubmed, "RIN"."""


@pytest.mark.parametrize(
    ("made", "title", "reason"),
    [
        ({"types": RETRACTED}, "Retracted: On air.", "retracted: PubMed cites no more of it"),
        ({"types": RETRACTED, "after": linked(("RetractionIn", ""))}, "Retracted: On air.", "retracted: PMID 20137807"),
        (
            {"after": linked(("CommentIn", "Lung. 2001"), ("RetractionIn", LANCET), ("ExpressionOfConcernIn", "E. 9"))},
            "Retracted: On air.",
            f"retracted: {LANCET}",
        ),
        (
            {"after": linked(("RetractedandRepublishedIn", "JAMA. 2016"))},
            "Retracted: On air.",
            "retracted: republished in JAMA. 2016",
        ),
        ({"title": "RETRACTED ARTICLE: On <i>air</i>."}, "Retracted: On air.", "retracted: PubMed cites no more of it"),
        ({"title": "[Retracted] On air.", "types": RETRACTED}, "Retracted: On air.", "retracted: PubMed"),
        # A notice may have the article's own title behind "Retracted:", and a text that says what was wrong.
        (
            {"title": "Retracted: On air.", "types": NOTICE, "after": linked(("RetractionOf", "J Air. 2001;1:2"))},
            "Notice of retraction: On air.",
            "notice of retraction: J Air. 2001;1:2",
        ),
        (
            {"after": linked(("RetractionOf", "J Air. 2001"))},
            "Notice of retraction: On air.",
            "notice of retraction: J",
        ),
        ({"after": linked(("ExpressionOfConcernIn", "J Air. 2003"))}, "Expression of concern: On air.", None),
        (
            {"title": "Expression of Concern: On air.", "after": linked(("ExpressionOfConcernFor", "J Air. 2003"))},
            "Expression of concern: On air.",
            None,
        ),
        # Neither of these says that the article is wrong: https://www.nlm.nih.gov/bsd/policy/errata.html
        ({"after": linked(("ErratumIn", "J"), ("RetractedandRepublishedFrom", "J"), ("Cites", "J"))}, "On air.", None),
        ({"title": "Retracted publications in radiology."}, "Retracted publications in radiology.", None),
    ],
)
def test_what_was_retracted_says_so(made: dict[str, str], title: str, reason: str | None) -> None:
    found = record(article(1, **{"title": "On air.", **made}))
    assert found.document.title == title
    assert (found.left_out("leave_out") or "").startswith(reason or "")
    assert (found.left_out("leave_out") is None) == (reason is None)
    assert found.left_out("mark") is None
    assert Record.from_row(json.loads(json.dumps(found.to_row()))) == found


def test_what_has_no_text_needs_no_leaving_out_and_no_title_is_marked_too() -> None:
    found = record(article(1, None, title="", types=RETRACTED))
    assert (found.left_out("leave_out"), found.document.title) == (None, "Retracted")


@pytest.mark.parametrize(("pmid", "reason"), [("", "no PMID"), ("12x", "'12x'"), ("0", "'0'"), ("9" * 12, "999")])
def test_a_record_without_a_pmid_is_none(pmid: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        record(article(pmid))


def test_deletions() -> None:
    made = article_set('<DeleteCitation><PMID Version="1">7</PMID><PMID>8</PMID></DeleteCitation>')
    assert [deleted_pmids(element) for element in elements([made])] == [[7, 8]]


def test_xml_in_any_pieces_is_the_same() -> None:
    whole = article_set(*(article(pmid) for pmid in range(1, 9)))
    for size in (1, 7, 1000, len(whole)):
        pieces = (whole[start : start + size] for start in range(0, len(whole), size))
        assert [record_of(element).pmid for element in elements(pieces)] == list(range(1, 9)), size


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE PubmedArticleSet [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<PubmedArticleSet><PubmedArticle>&b;</PubmedArticle></PubmedArticleSet>"
)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "nothing came"),
        (b"<html><body>Error 500</body></html>", "a document <html> came"),
        (b'{"error":"API rate limit exceeded"}', "no XML came"),
        (efetch_error("Unable to obtain query #1").body, "<eFetchResult> came .*: Unable to obtain query #1"),
        (article_set(article(1))[:-40], "cut short"),
        (article_set("<PubmedArticle><PMID>1</PubmedArticle>"), "not well-formed"),
        (BOMB.encode(), "declares entities"),
        (BOMB.encode("utf-16"), "not UTF-8"),
        (HEAD.encode() + b"<PubmedArticleSet>\0</PubmedArticleSet>", "not UTF-8"),
    ],
)
def test_what_is_no_article_set_is_not_read(document: bytes, reason: str) -> None:
    with pytest.raises(PubmedXmlError, match=reason):
        list(elements([document]))
    if b"ENTITY" in document:
        with pytest.raises(PubmedXmlError, match="declares entities"):
            parse(document)
        for cut in range(document.index(b"<!ENTITY") + 10):
            with pytest.raises(PubmedXmlError, match="declares entities"):
                list(elements([document[:cut], document[cut:]]))


def test_entities_are_found_wherever_they_are_declared() -> None:
    # After what looks like the root: a comment, a processing instruction, a literal.
    for before in ("<!-- <PubmedArticleSet > -->", "<?x <PubmedArticleSet > ?>"):
        with pytest.raises(PubmedXmlError, match="declares entities"):
            list(elements([BOMB.replace("<!DOCTYPE", f"{before}<!DOCTYPE").encode()]))
    late = BOMB.replace("<!ENTITY", f"{' ' * 100_000}<!ENTITY", 1).encode()
    with pytest.raises(PubmedXmlError):
        list(elements(late[start : start + 999] for start in range(0, len(late), 999)))
