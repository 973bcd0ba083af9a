"""PubMed's XML as it streams in, a record at a time. Knows nothing of what the elements of a record mean.

Format: https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html, the same for EFetch and the baseline files.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from itertools import chain, islice

ROOT = "PubmedArticleSet"
RECORDS = frozenset({"PubmedArticle", "PubmedBookArticle", "DeleteCitation"})

_ENTITY = b"<!ENTITY"
_HEAD_BYTES = 1 << 16
_FIRST_TAG = re.compile(rb"<([A-Za-z_][\w.-]*)[\s/>]")
_ERROR = re.compile(rb"<ERROR>(.*?)</ERROR>", re.DOTALL)


class PubmedXmlError(Exception):
    """What came is not a whole PubmedArticleSet. `said` is the server's own error, where it gave one."""

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.said = said


def elements(chunks: Iterable[bytes]) -> Iterator[ET.Element]:
    """The `RECORDS` elements of a PubmedArticleSet that comes in pieces, in order.

    An element is emptied once the next is asked for, so that memory holds one record and not the file.
    Raises PubmedXmlError: another document (NCBI's errors, a web page), XML that is malformed or cut short,
    and any declaration of entities, which PubMed's files never have and which could grow without bounds.
    """
    parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("end",))
    try:
        for chunk in _checked(chunks):
            parser.feed(chunk)
            yield from _records(parser)
        parser.close()
        yield from _records(parser)
    except ET.ParseError as error:
        raise PubmedXmlError(f"not well-formed XML, or cut short: {error}") from error


def parse(document: bytes) -> ET.Element:
    """The root of a small XML document, under the same precautions. Raises PubmedXmlError."""
    _refuse_entities(document)
    try:
        return ET.fromstring(document)  # noqa: S314 - as above
    except ET.ParseError as error:
        raise PubmedXmlError(f"not well-formed XML, or cut short: {error}") from error


def flat(element: ET.Element | None) -> str:
    """All text in an element, markup left out, white space made single spaces; empty where there is none."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _records(parser: ET.XMLPullParser[ET.Element]) -> Iterator[ET.Element]:
    for event in parser.read_events():
        element = event[-1]
        if isinstance(element, ET.Element) and element.tag in RECORDS:
            yield element
            element.clear()


def _checked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, checked to begin a PubmedArticleSet and to declare no entity."""
    pieces = iter(chunks)
    head = b""
    while not (root := _FIRST_TAG.search(head)) and len(head) < _HEAD_BYTES:
        piece = next(pieces, None)
        if piece is None:
            break
        head += piece
    _refuse_entities(head)
    if root is None or root[1].decode() != ROOT:
        raise _other_document(root[1].decode() if root else "", head + b"".join(islice(pieces, 1)))
    tail = b""
    for piece in chain([head], pieces):
        _refuse_entities(tail + piece)
        tail = (tail + piece)[-len(_ENTITY) :]
        yield piece


def _other_document(root: str, text: bytes) -> PubmedXmlError:
    said = "; ".join(" ".join(error.decode("utf-8", "replace").split()) for error in _ERROR.findall(text))
    what = f"a document <{root}>" if root else "no XML" if text.strip() else "nothing"
    return PubmedXmlError(f"{what} came instead of <{ROOT}>{': ' if said else ''}{said}", said)


def _refuse_entities(part: bytes) -> None:
    # A zero byte: UTF-16, in which the words could not be found. PubMed's XML is UTF-8.
    if _ENTITY in part or b"\0" in part:
        raise PubmedXmlError("it declares entities or is not UTF-8, and is not read")
